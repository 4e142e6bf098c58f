"""A camera over flat pictures: the last frame moved, and its colours brought back."""

import cv2
import numpy as np
from PIL import Image

from modules.schema.animation import Camera
from modules.schema.easing import curve_at

_BORDERS = {"replicate": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101, "wrap": cv2.BORDER_WRAP}


def moved(image: Image.Image, camera: Camera, frame: int) -> Image.Image:
    """The picture as the camera sees it one frame later."""
    middle = ((image.width - 1) / 2, (image.height - 1) / 2)
    zoom = max(curve_at(camera.zoom, frame), 0.01)
    matrix = cv2.getRotationMatrix2D(middle, curve_at(camera.angle, frame), zoom)
    matrix[:, 2] += curve_at(camera.pan_x, frame), curve_at(camera.pan_y, frame)
    warped = cv2.warpAffine(
        np.asarray(image), matrix, image.size, flags=cv2.INTER_CUBIC, borderMode=_BORDERS[camera.border]
    )
    return Image.fromarray(warped)


def coloured_like(image: Image.Image, model: Image.Image) -> Image.Image:
    """The picture with the mean and the spread of another one's lightness and colours (L*a*b*).

    https://doi.org/10.1109/38.946629
    """
    own, wanted = (cv2.cvtColor(np.asarray(one, np.float32) / 255, cv2.COLOR_RGB2LAB) for one in (image, model))
    axes = (0, 1)
    spread = wanted.std(axes) / np.maximum(own.std(axes), 1e-3)
    matched = (own - own.mean(axes)) * spread + wanted.mean(axes)
    rgb = cv2.cvtColor(matched.astype(np.float32), cv2.COLOR_LAB2RGB)
    return Image.fromarray((rgb.clip(0, 1) * 255).round().astype(np.uint8))
