"""A picture made larger, as a request says: by one upscaler, or by two whose results are mixed."""

from collections.abc import Callable

from PIL import Image

from modules.engine.vision.upscalers import FILTERS
from modules.schema.requests import Enlarging, Size
from modules.schema.upscaling import Upscaler

ROUNDS = 3
"""How often a model goes over a picture, at most, to make it as large as it is to be."""


def enlarge(image: Image.Image, enlarging: Enlarging, upscaler: Callable[[str], Upscaler]) -> Image.Image:
    """The picture in the size that the request asks for. `upscaler` gives those that it names."""
    whole, kept = enlarging.sizes(image.size)
    result = grown(image, whole, upscaler(enlarging.upscaler))
    if enlarging.second and enlarging.second_share > 0:
        other = grown(image, whole, upscaler(enlarging.second))
        result = Image.blend(result, other, enlarging.second_share)
    return middle_of(result, kept)


def grown(image: Image.Image, size: Size, upscaler: Upscaler) -> Image.Image:
    """The picture (RGB) in exactly that size.

    A model goes over it until it is large enough, and once in any case; what is too much is taken back by Lanczos'
    filter.
    """
    if upscaler.enlarge is None or upscaler.enlarge in FILTERS:
        return image.resize(size, FILTERS[upscaler.enlarge])
    result = image
    for _ in range(ROUNDS):
        before = result.size
        result = upscaler.enlarge(result, max(size[0] / result.width, size[1] / result.height))
        if result.size == before or (result.width >= size[0] and result.height >= size[1]):
            break
    return result if result.size == size else result.resize(size, Image.Resampling.LANCZOS)


def middle_of(image: Image.Image, size: Size) -> Image.Image:
    """What is left when the same is cut off at opposite sides."""
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    return image if image.size == size else image.crop((left, top, left + size[0], top + size[1]))
