"""Pictures as values."""

import hashlib
from dataclasses import dataclass

from PIL import Image


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
