"""Larger canvases for outpainting: where the old picture lies, what fills the new sides, which part is painted."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from modules.engine.vision.masks import Layout
from modules.schema.requests import Canvas, CanvasFill

UNIT = 8
"""Pixels that a latent stands for; painted sizes are multiples of it."""

LEAST = 64
"""Pixels of a painted side at least."""

SPECTRUM_REACH = 64
"""Pixels from the old picture at which the shaped noise has its full strength."""

SPECTRUM_SHARE = 0.5
"""Of the picture's own contrast: how strong the shaped noise is."""

INPAINT_RADIUS = 3
"""Pixels around each that OpenCV's methods look at."""


@dataclass(frozen=True)
class Extension:
    """New pixels at each side."""

    left: int
    right: int
    top: int
    bottom: int


def extensions(canvas: Canvas) -> list[Extension]:
    """The sides of each round; all rounds together come to the whole."""

    def share(pixels: int, number: int) -> int:
        return pixels * (number + 1) // canvas.rounds - pixels * number // canvas.rounds

    sides = (canvas.left, canvas.right, canvas.top, canvas.bottom)
    return [Extension(*(share(side, number) for side in sides)) for number in range(canvas.rounds)]


def canvas_layout(
    picture: Image.Image, extension: Extension, canvas: Canvas, budget: int, context: int, seed: int
) -> Layout:
    """How a round is painted: the whole canvas where that has at most `budget` pixels, else the new sides with
    `context` pixels of the old picture, scaled down to the budget."""
    base = _drawn_out(picture, extension)
    overlay = _overlay(picture.size, extension, canvas.overlap)
    region = (0, 0, *base.size)
    if base.width * base.height > budget:
        left, top, right, bottom = overlay.getbbox() or region
        region = (
            max(left - context, 0), max(top - context, 0),
            min(right + context, base.width), min(bottom + context, base.height),
        )  # fmt: skip
    size = paintable((region[2] - region[0], region[3] - region[1]), budget)
    image = base.crop(region).resize(size, Image.Resampling.LANCZOS)
    mask = overlay.crop(region).point([0] + [255] * 255).resize(size, Image.Resampling.BILINEAR)
    return Layout(base, overlay, region, filled_canvas(image, mask, canvas.fill, seed), mask)


def paintable(size: tuple[int, int], budget: int) -> tuple[int, int]:
    """The size in multiples of 8 of about these proportions and at most about `budget` pixels."""
    scale = min(1.0, math.sqrt(budget / (size[0] * size[1])))
    width, height = (max(LEAST, round(side * scale / UNIT) * UNIT) for side in size)
    return width, height


def filled_canvas(image: Image.Image, mask: Image.Image, fill: CanvasFill, seed: int) -> Image.Image:
    """The picture with something plausible under the mask, from which the walk begins."""
    pixels, shades = np.array(image), np.array(mask)
    new = (shades > 127).astype(np.uint8)
    if fill in ("telea", "navier-stokes"):
        method = cv2.INPAINT_TELEA if fill == "telea" else cv2.INPAINT_NS
        return Image.fromarray(cv2.inpaint(pixels, new, INPAINT_RADIUS, method))
    if fill == "edge" and new.any() and not new.all():
        away = cv2.distanceTransform(new, cv2.DIST_L2, 3)
        share = np.clip(away / SPECTRUM_REACH, 0, 1)[..., None] * SPECTRUM_SHARE
        noisy = pixels + share * _shaped_noise(pixels, new == 0, seed)
        return Image.fromarray(np.where(new[..., None] > 0, np.clip(noisy, 0, 255), pixels).astype(np.uint8))
    return image


def _shaped_noise(pixels: np.ndarray, old: np.ndarray, seed: int) -> np.ndarray:
    """Noise [h, w, 3] with the spectrum of the old pixels: their Fourier magnitudes under random phases."""
    values = pixels.astype(np.float64)
    values = np.where(old[..., None], values - values[old].mean(axis=0), 0.0)
    magnitudes = np.abs(np.fft.rfft2(values, axes=(0, 1)))
    white = np.random.default_rng(seed).standard_normal(pixels.shape[:2])
    phases = np.angle(np.fft.rfft2(white))[..., None]
    noise = np.fft.irfft2(magnitudes * np.exp(1j * phases), s=pixels.shape[:2], axes=(0, 1))
    return noise * math.sqrt(old.size / max(1, int(old.sum())))


def _drawn_out(picture: Image.Image, sides: Extension) -> Image.Image:
    """The picture on its canvas, its outermost pixels repeated to the sides."""
    drawn = cv2.copyMakeBorder(
        np.array(picture), sides.top, sides.bottom, sides.left, sides.right, cv2.BORDER_REPLICATE
    )
    return Image.fromarray(drawn)


def _overlay(size: tuple[int, int], sides: Extension, overlap: int) -> Image.Image:
    """White where the canvas is new, fading over `overlap` pixels into the old picture, black in the rest of it."""
    width, height = size
    across, down = np.arange(width), np.arange(height)
    shade = np.zeros((height, width))
    for pixels, distance in (
        (sides.left, across[None, :]),
        (sides.right, across[None, ::-1]),
        (sides.top, down[:, None]),
        (sides.bottom, down[::-1, None]),
    ):
        if pixels and overlap:
            shade = np.maximum(shade, np.clip(1 - (distance + 1) / (overlap + 1), 0, 1))
    whole = np.pad(shade, ((sides.top, sides.bottom), (sides.left, sides.right)), constant_values=1.0)
    return Image.fromarray(np.round(whole * 255).astype(np.uint8))
