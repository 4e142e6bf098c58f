"""Pictures from outside: opened with distrust, since a small file can unpack to more than the memory holds."""

import io
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from modules.schema.errors import KararliError
from modules.schema.media import Picture

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
"""What is opened; other decoders are rarely used and rarely tested."""

LARGEST_FILE = 256 * 2**20
"""Bytes of a file that is read."""

MOST_PIXELS = 89_478_485
"""Width times height of a picture that is decoded; from here on Pillow warns."""

DECODER_ERRORS = (
    OSError, ValueError, TypeError, LookupError, SyntaxError, EOFError, MemoryError, OverflowError, RecursionError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises over damaged files."""


class UnreadablePicture(KararliError):
    """A file that cannot be read as a picture, with the reason."""


@contextmanager
def opened(data: bytes) -> Generator[Image.Image]:
    """The picture in a file's bytes, not decoded yet. Raises UnreadablePicture, also for what the block decodes."""
    if len(data) > LARGEST_FILE:
        raise UnreadablePicture(
            f"The file has {len(data) / 2**20:,.0f} MB; pictures up to {LARGEST_FILE // 2**20} MB are read."
        )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            check_size(*picture.size)
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadablePicture(f"The picture has more than {MOST_PIXELS:,} pixels; it is not opened.") from None
    except UnidentifiedImageError:
        raise UnreadablePicture(f"This is no picture that can be read here ({', '.join(FORMATS)}).") from None
    except DECODER_ERRORS:
        raise damaged() from None


def damaged() -> UnreadablePicture:
    """The sentence for what is no whole picture."""
    return UnreadablePicture("The picture is damaged or cut off. Use another copy of the file.")


def check_size(width: int, height: int) -> None:
    """Raises UnreadablePicture for a picture that would not fit into memory."""
    if width * height > MOST_PIXELS:
        raise UnreadablePicture(f"The picture has {width} x {height} pixels; up to {MOST_PIXELS:,} are opened.")


def file_bytes(path: Path) -> bytes:
    """A file that somebody gave, read whole. Raises UnreadablePicture when it is too large, or cannot be read."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UnreadablePicture(f"The file is larger than {LARGEST_FILE // 2**20} MB; it is not read.")
        return path.read_bytes()
    except OSError as error:
        raise UnreadablePicture(f"The file cannot be read ({error.strerror}).") from None


def decoded(data: bytes) -> Picture:
    """The pixels. Raises UnreadablePicture."""
    with opened(data) as picture:
        return Picture.of(picture)
