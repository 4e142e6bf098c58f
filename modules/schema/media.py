"""Pictures as values."""

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from modules.schema.errors import InvalidRequest

SMALLEST_SIDE, LARGEST_SIDE = 8, 16_384
LARGEST_AREA = 100_000_000
"""Pixels of an input picture."""

DECODER_ERRORS = (
    OSError, ValueError, TypeError, LookupError, SyntaxError, EOFError, MemoryError, OverflowError, RecursionError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises over damaged files."""


@dataclass(frozen=True)
class Picture:
    """8-bit RGB pixels, row by row from the top left: `width * height * 3` bytes."""

    width: int
    height: int
    pixels: bytes

    def __post_init__(self) -> None:
        if len(self.pixels) != self.width * self.height * 3:
            raise ValueError(f"{len(self.pixels)} bytes are not a {self.width} x {self.height} RGB picture")

    @classmethod
    def of(cls, image: Image.Image) -> "Picture":
        """The pixels of a Pillow image, as RGB."""
        rgb = image.convert("RGB")
        return cls(rgb.width, rgb.height, rgb.tobytes())

    def image(self) -> Image.Image:
        """The same pixels as a Pillow image."""
        return Image.frombytes("RGB", (self.width, self.height), self.pixels)

    def digest(self) -> str:
        """SHA-256 of the size and the pixels, in hexadecimal: two pictures that look alike to the bit share it."""
        return hashlib.sha256(f"{self.width}x{self.height}\n".encode() + self.pixels).hexdigest()


@dataclass(frozen=True)
class Clip:
    """What a clip is: its format ("mp4", "webm", "gif", "apng", "webp", or "png" for a folder of pictures), its size in
    pixels, how many frames it shows, and how many of them a second."""

    format: str
    width: int
    height: int
    frames: int
    fps: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.frames / self.fps


def digest_of(data: bytes) -> str:
    """The name of an input picture: the SHA-256 of its file."""
    return hashlib.sha256(data).hexdigest()


def read_image(data: bytes) -> Image.Image:
    """The first picture in a file, upright, as 8-bit RGBA.

    Raises InvalidRequest with a sentence when the file holds none, or one that is too small or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken EXIF and the like: the pixels are what counts
            image = Image.open(io.BytesIO(data))
            _check_size(*image.size)
            image.load()
            return _eight_bits(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise InvalidRequest(
            f"The picture is too large to work from. Make it smaller: at most {LARGEST_SIDE} pixels a side and"
            f" {LARGEST_AREA // 1_000_000} million in all.",
            "picture",
        ) from None
    except UnidentifiedImageError:
        raise InvalidRequest(
            "This file is not a picture that can be read, whatever its name says. Give a PNG, JPEG, WebP, GIF or BMP.",
            "picture",
        ) from None
    except DECODER_ERRORS as error:
        raise InvalidRequest(
            f"The picture's file is damaged ({error}). Save it again from the program that made it.", "picture"
        ) from None


def flatten(image: Image.Image, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """RGB: what is transparent shows the background."""
    below = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(below, image).convert("RGB")


def read_mask(data: bytes, grey: bool = False) -> Image.Image:
    """A mask from a file, 8-bit shades, white where to paint.

    A picture with transparent parts is a drawing on nothing: what is drawn is the mask, without half tones unless
    `grey`.
    """
    image = read_image(data)
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("L")
    return alpha if grey else cut(alpha, 128)


def cut(mask: Image.Image, above: int) -> Image.Image:
    """The mask (L) without grey: white where it is lighter than a shade, else black."""
    return mask.point([255 if shade > above else 0 for shade in range(256)])


def transparency_of(image: Image.Image) -> Image.Image:
    """A mask from an RGBA picture: white where nothing is to be seen."""
    return ImageChops.invert(image.getchannel("A"))


def _check_size(width: int, height: int) -> None:
    if min(width, height) < SMALLEST_SIDE:
        raise InvalidRequest(
            f"The picture has {width} x {height} pixels: too small to work from. Each side needs {SMALLEST_SIDE}.",
            "picture",
        )
    if max(width, height) > LARGEST_SIDE or width * height > LARGEST_AREA:
        raise InvalidRequest(
            f"The picture has {width} x {height} pixels: too large to work from. Make it smaller: at most"
            f" {LARGEST_SIDE} pixels a side and {LARGEST_AREA // 1_000_000} million in all.",
            "picture",
        )


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit shades lose their low byte (Pillow alone would cut them off at 255), CMYK becomes RGB."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
        image = image.convert("I").point(lambda shade: shade / 256).convert("L")
    elif image.mode == "F":
        image = image.convert("L")
    return image.convert("RGB").convert("RGBA") if image.mode == "CMYK" else image.convert("RGBA")
