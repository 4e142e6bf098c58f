"""The shape of an upscaler, as our own and other people's are registered. Nothing here imports torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from PIL import Image

Enlarge: TypeAlias = Callable[[Image.Image, float], Image.Image]
"""An RGB picture and a factor above 1 in, a larger picture out: of about that factor, or of the method's own."""


@dataclass(frozen=True)
class LatentStretch:
    """Latents are stretched as they are, without a way through pixels: torch's interpolation of that name."""

    mode: Literal["bilinear", "bicubic", "nearest", "nearest-exact"]
    antialias: bool = False


@dataclass(frozen=True)
class Upscaler:
    """A way to enlarge: of pixels, of latents, or by a model. Without any of them it is plain Lanczos."""

    name: str
    enlarge: Enlarge | None = None
    latent: LatentStretch | None = None
    file: str = ""
    """A model in models/ESRGAN/, by its name there, that is loaded when it is needed."""


def choose_upscaler(upscalers: Sequence[Upscaler], name: str) -> Upscaler:
    """The upscaler of that name, whatever the case. Raises KeyError when there is none."""
    for upscaler in upscalers:
        if upscaler.name.casefold() == name.casefold():
            return upscaler
    raise KeyError(name)
