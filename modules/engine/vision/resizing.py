"""Bringing pictures to a size, and finding the part of a picture that is worth painting."""

from PIL import Image

from modules.engine.vision.upscalers import enlarged
from modules.schema.requests import ResizeMode
from modules.schema.upscaling import Upscaler

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two lie outside."""

PLAIN = Upscaler("None")


def resized(image: Image.Image, size: tuple[int, int], mode: ResizeMode, upscaler: Upscaler = PLAIN) -> Image.Image:
    """A picture or a mask of that size: stretched; or cut at two sides; or drawn out at two sides."""
    if mode == "stretch":
        return enlarged(image, size, upscaler)
    width, height = size
    wider = width / height > image.width / image.height
    by_width = wider if mode == "crop" else not wider and width / height != image.width / image.height
    inner = (width, image.height * width // image.width) if by_width else (image.width * height // image.height, height)
    scaled = enlarged(image, inner, upscaler)
    result = Image.new(image.mode, size)
    left, top = width // 2 - inner[0] // 2, height // 2 - inner[1] // 2
    result.paste(scaled, (left, top))
    if mode != "crop":
        _draw_out(result, scaled, left, top)
    return result


def _draw_out(result: Image.Image, scaled: Image.Image, left: int, top: int) -> None:
    """Fill what lies beside the picture from its outermost rows or columns: boxes of no height under a filter."""
    width, height = scaled.size
    if top > 0:
        result.paste(scaled.resize((width, top), box=(0, 0, width, 0)), (0, 0))
        result.paste(scaled.resize((width, top), box=(0, height, width, height)), (0, top + height))
    if left > 0:
        result.paste(scaled.resize((left, height), box=(0, 0, 0, height)), (0, 0))
        result.paste(scaled.resize((left, height), box=(width, 0, width, height)), (left + width, 0))


def region_around(box: Box, padding: int, size: tuple[int, int], inside: tuple[int, int]) -> Box:
    """The box with `padding` pixels around it, widened to the proportions of `size` as far as it stays `inside`."""
    left, top, right, bottom = box
    left, top = max(left - padding, 0), max(top - padding, 0)
    right, bottom = min(right + padding, inside[0]), min(bottom + padding, inside[1])
    wanted = size[0] / size[1]
    if (right - left) / (bottom - top) > wanted:
        top, bottom = _widened(top, bottom, int((right - left) / wanted), inside[1])
    else:
        left, right = _widened(left, right, int((bottom - top) * wanted), inside[0])
    return left, top, right, bottom


def _widened(low: int, high: int, length: int, limit: int) -> tuple[int, int]:
    """An interval of that length around another one, moved so that it lies between 0 and limit, cut if it cannot."""
    more = length - (high - low)
    low, high = low - more // 2, high + more - more // 2
    if high >= limit:
        low, high = low - (high - limit), limit
    if low < 0:
        low, high = 0, min(high - low, limit)
    return low, high
