import pytest
from PIL import Image

from modules.schema.media import Picture


def test_pixels_are_kept_row_by_row_from_the_top_left() -> None:
    image = Image.new("RGB", (3, 2))
    image.putpixel((1, 0), (10, 20, 30))
    image.putpixel((0, 1), (40, 50, 60))
    picture = Picture.of(image)
    assert picture.pixels == bytes([0, 0, 0, 10, 20, 30, 0, 0, 0, 40, 50, 60, 0, 0, 0, 0, 0, 0])
    assert picture.image().getpixel((1, 0)) == (10, 20, 30)
    assert Picture.of(picture.image()) == picture


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_any_picture_becomes_rgb(mode: str) -> None:
    picture = Picture.of(Image.new(mode, (5, 4)))
    assert (picture.width, picture.height, len(picture.pixels)) == (5, 4, 60)


@pytest.mark.parametrize("length", [0, 17, 19, 24])
def test_pixels_that_do_not_fill_the_picture_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"{length} bytes are not a 3 x 2 RGB picture"):
        Picture(3, 2, bytes(length))
