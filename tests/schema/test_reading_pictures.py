"""What people give as pictures: read as they see it, or refused with a sentence."""

import io

import numpy as np
import pytest
from PIL import Image

from modules.schema.errors import InvalidRequest
from modules.schema.media import flatten, read_image, read_mask


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Dear diary, this is no picture.", "not a picture that can be read"),
        (b"", "not a picture that can be read"),
        (saved(Image.new("RGB", (64, 64)))[:60], "damaged"),
        (saved(Image.new("RGB", (1, 1))), "1 x 1 pixels: too small"),
        (saved(Image.new("1", (30_000, 10))), "30000 x 10 pixels: too large"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read_image(data)


def test_of_an_animation_the_first_picture_counts() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert flatten(read_image(data)).getpixel((3, 3)) == (255, 0, 0)


def test_sixteen_bit_shades_keep_their_brightness() -> None:
    shades = np.full((16, 16), 40_000, dtype=np.uint16)
    assert flatten(read_image(saved(Image.fromarray(shades)))).getpixel((3, 3)) == (156, 156, 156)


def test_cmyk_is_read_as_the_colours_that_are_seen() -> None:
    data = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    red, green, blue = flatten(read_image(data)).getpixel((3, 3))  # type: ignore[misc]
    assert red > 200 > 80 > max(green, blue)


def test_a_photo_that_was_held_sideways_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_image(saved(Image.new("RGB", (40, 20)), "JPEG", exif=exif)).size == (20, 40)


def test_transparent_parts_show_white() -> None:
    assert flatten(read_image(saved(Image.new("RGBA", (16, 16), (200, 0, 0, 0))))).getpixel((3, 3)) == (255, 255, 255)


def test_a_palette_with_a_transparent_colour_is_read() -> None:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert read_image(saved(image, transparency=0)).getpixel((3, 3)) == (10, 20, 30, 255)


def test_a_mask_is_white_paint_or_a_drawing_on_nothing() -> None:
    plain = Image.new("RGB", (16, 16), (90, 90, 90))
    drawn = Image.new("RGBA", (16, 16), (0, 0, 0, 90))
    drawn.putpixel((3, 3), (0, 0, 0, 200))
    assert read_mask(saved(plain)).getpixel((3, 3)) == 90
    assert read_mask(saved(drawn)).getpixel((3, 3)) == 255
    assert read_mask(saved(drawn)).getpixel((4, 4)) == 0
    assert read_mask(saved(drawn), grey=True).getpixel((4, 4)) == 90
