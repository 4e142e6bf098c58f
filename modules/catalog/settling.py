"""Looks at a request's input pictures when it is submitted: are they there, do they fit, which size follows."""

import math
from collections.abc import Callable

from PIL import Image, ImageChops

from modules.catalog.architecture import Architecture
from modules.schema.errors import InvalidRequest
from modules.schema.media import LARGEST_AREA, LARGEST_SIDE, read_image, read_mask, transparency_of
from modules.schema.requests import (
    FromPicture,
    Img2Img,
    Inpaint,
    Interpolate,
    Outpaint,
    Painting,
    SdUpscale,
    Series,
    Size,
    Txt2Img,
)

ReadInput = Callable[[str], bytes]
"""From a digest to the file's bytes; raises InvalidRequest when it is not there."""

ROOM = 4
"""A size that follows from a picture has at most so many times the area that the checkpoint was trained for."""

LEAST, MOST, UNIT = 64, 4096, 8
"""Of a side that follows from a picture, in pixels."""


def settle_size(request: Painting, architecture: Architecture, read: ReadInput) -> tuple[int, int]:
    """Width and height in which the request is painted.

    Raises InvalidRequest with a sentence when an input picture is missing or does not fit the rest.
    """
    side = architecture.resolution
    if isinstance(request, Img2Img) and request.series.pictures:
        request = request.model_copy(update={"picture": request.series.pictures[0]})
    if isinstance(request, FromPicture):
        size = _picture_size(request, read)
        if isinstance(request, SdUpscale):
            check_redrawing(request, size)
        if isinstance(request, SdUpscale) or (isinstance(request, Inpaint) and request.masking.only_masked):
            size = (side, side)
        return _open_size(request, size, side)
    if isinstance(request, Interpolate) and request.inputs():
        return _open_size(request, read_image(read(request.inputs()[0])).size, side)
    if isinstance(request, Txt2Img):
        for digest in request.inputs():
            read_image(read(digest))
        if architecture.edits:
            raise InvalidRequest(
                "This is an InstructPix2Pix checkpoint: it changes a picture as the prompt says. Use it in img2img, or"
                " choose another checkpoint.",
                "checkpoint",
            )
    return request.width or side, request.height or side


def settle_series(request: Img2Img, architecture: Architecture, read: ReadInput) -> Series:
    """Several pictures with the size that each result gets; raises as settle_size() does."""
    sizes = [
        _open_size(request, read_image(read(digest)).size, architecture.resolution)
        for digest in request.series.pictures
    ]
    return request.series.model_copy(update={"sizes": tuple(sizes)})


def _picture_size(request: FromPicture, read: ReadInput) -> tuple[int, int]:
    """The size of the picture, and for outpainting that of the canvas."""
    if not request.picture:
        raise InvalidRequest("There is no picture to start from. Give one.", "picture")
    image = read_image(read(request.picture))
    if isinstance(request, Inpaint):
        _check_mask(request, image, read)
    if isinstance(request, Outpaint):
        return _canvas_size(request, image)
    assert isinstance(request, Img2Img | Inpaint | SdUpscale)
    return image.size


def check_redrawing(request: SdUpscale, size: Size) -> None:
    """Raises InvalidRequest when a picture of that size would become too large."""
    check_result((round(size[0] * request.redrawing.scale), round(size[1] * request.redrawing.scale)))


def check_result(size: Size) -> None:
    """Raises InvalidRequest for a result that is too large to be kept."""
    width, height = size
    if max(size) > LARGEST_SIDE or width * height > LARGEST_AREA:
        raise InvalidRequest(
            f"The picture would become {width} x {height} pixels: too large. Enlarge it by less: at most {LARGEST_SIDE}"
            f" pixels a side and {LARGEST_AREA // 1_000_000} million in all.",
            "enlarging.scale",
        )


def _check_mask(request: Inpaint, image: Image.Image, read: ReadInput) -> None:
    mask = read_mask(read(request.mask), grey=True) if request.mask else transparency_of(image)
    if not _same_proportions(mask.size, image.size):
        raise InvalidRequest(
            f"The mask has {mask.width} x {mask.height} pixels and the picture {image.width} x {image.height}: they do"
            " not lie on each other. Give a mask with the picture's proportions.",
            "mask",
        )
    if (ImageChops.invert(mask) if request.masking.invert else mask).getbbox() is None:
        raise InvalidRequest(
            "The mask is empty: there is nothing to paint. Draw over what is to become new, or give a mask that is"
            " white there." + (" It is inverted now." if request.masking.invert else ""),
            "mask",
        )


def _same_proportions(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """As far as whole pixels allow."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other)


def _canvas_size(request: Outpaint, image: Image.Image) -> tuple[int, int]:
    canvas = request.canvas
    width, height = image.width + canvas.left + canvas.right, image.height + canvas.top + canvas.bottom
    if (width, height) == image.size:
        raise InvalidRequest("The picture is not extended at any side. Say by how many pixels.", "canvas.right")
    if max(width, height) > LARGEST_SIDE or width * height > LARGEST_AREA:
        raise InvalidRequest(
            f"The picture would become {width} x {height} pixels: too large. Extend it by less.", "canvas.right"
        )
    return width, height


def _open_size(request: Painting, size: tuple[int, int], side: int) -> tuple[int, int]:
    """What is given stays; what is not follows from `size`, brought to a size that the checkpoint can paint."""
    width, height = size
    if request.width and request.height:
        return request.width, request.height
    if request.width:
        return request.width, _rounded(request.width * height / width)
    if request.height:
        return _rounded(request.height * width / height), request.height
    scale = min(1.0, math.sqrt(ROOM * side * side / (width * height)))
    return _rounded(width * scale), _rounded(height * scale)


def _rounded(pixels: float) -> int:
    return min(max(int(pixels / UNIT + 0.5) * UNIT, LEAST), MOST)
