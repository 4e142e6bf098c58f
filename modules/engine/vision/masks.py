"""Masks: how they are softened, what is put under them, and how a painted part goes back into its picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageFilter

from modules.engine.vision.resizing import Box, region_around, resized
from modules.schema.requests import Inpaint, Masking

FILL_BLURS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""Blur radius in pixels and how often it is laid over the ones before, as AUTOMATIC1111's masked content "fill"."""


@dataclass(frozen=True)
class Layout:
    """A picture, the part of it that is painted, and where that goes.

    `image` (RGB) and `mask` (L, white where to paint) have the size that is painted. They show the part `region` of
    `base` (RGB), into which the result goes back as far as `overlay` (L, of base's size) is white.
    """

    base: Image.Image
    overlay: Image.Image
    region: Box
    image: Image.Image
    mask: Image.Image

    def put_back(self, painted: Image.Image) -> Image.Image:
        """The whole picture with the painted part in it; where `overlay` is black it is byte for byte the old one."""
        left, top, right, bottom = self.region
        below = self.base.copy()
        below.paste(resized(painted, (right - left, bottom - top), "crop"), (left, top))
        return Image.composite(below, self.base, self.overlay)


def lay_out(request: Inpaint, picture: Image.Image, mask: Image.Image) -> Layout:
    """How an inpainting request is painted. `picture` is RGB; `mask` (L) lies on it once it has its size."""
    if mask.size != picture.size:
        mask = mask.resize(picture.size, Image.Resampling.BILINEAR)
    mask, size = softened(mask, request.masking), request.size
    whole = (0, 0, *picture.size)
    if request.masking.only_masked:
        region = region_around(mask.getbbox() or whole, request.masking.padding, size, picture.size)
        image, part = (resized(each.crop(region), size, "fill") for each in (picture, mask))
        return Layout(picture, mask, region, image, part)
    if request.masking.own_size:
        image, part = (resized(each, size, "stretch") for each in (picture, mask))
        return Layout(picture, brightened(mask), whole, image, part)
    mode = "stretch" if request.resize_mode == "latent" else request.resize_mode
    image, part = (resized(each, size, mode) for each in (picture, mask))
    return Layout(image, brightened(part), (0, 0, *size), image, part)


def softened(mask: Image.Image, masking: Masking) -> Image.Image:
    """The mask inverted, grown and blurred as the request says."""
    shades = np.array(ImageChops.invert(mask) if masking.invert else mask)
    if masking.grow:
        reach = abs(masking.grow)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        shades = cv2.dilate(shades, disc) if masking.grow > 0 else cv2.erode(shades, disc, borderValue=255)
    if masking.blur:
        length = 2 * int(2.5 * masking.blur + 0.5) + 1
        for kernel in ((length, 1), (1, length)):
            shades = cv2.GaussianBlur(shades, kernel, masking.blur)
    return Image.fromarray(shades)


def brightened(mask: Image.Image) -> Image.Image:
    """Twice as white: what is half under the mask is taken from the new picture alone."""
    return mask.point([min(2 * shade, 255) for shade in range(256)])


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with colours from around the mask under it: ever less blurred copies, one over the other."""
    bare = Image.new("RGBa", image.size)
    bare.paste(image.convert("RGBA").convert("RGBa"), mask=ImageChops.invert(mask))
    result = Image.new("RGBA", image.size)
    for radius, times in FILL_BLURS:
        blurred = bare.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            result.alpha_composite(blurred)
    return result.convert("RGB")
