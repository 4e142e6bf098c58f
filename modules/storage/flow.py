"""Frames between frames, by optical flow."""

import cv2
import numpy as np
from PIL import Image


def between(first: Image.Image, second: Image.Image, count: int) -> list[Image.Image]:
    """`count` pictures, evenly on the way from one to the other: what moves is moved, the rest fades.

    Both are followed along the flow (dense inverse search, https://arxiv.org/abs/1603.03590) and laid over each other.
    """
    pair = [np.asarray(image) for image in (first, second)]
    shades = [cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in pair]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    still = np.zeros((*shades[0].shape, 2), np.float32)
    ahead, back = search.calc(shades[0], shades[1], still.copy()), search.calc(shades[1], shades[0], still.copy())
    found: list[Image.Image] = []
    for number in range(1, count + 1):
        share = number / (count + 1)
        low, high = _moved(pair[0], ahead * -share), _moved(pair[1], back * -(1 - share))
        found.append(Image.fromarray(cv2.addWeighted(low, 1 - share, high, share, 0)))
    return found


def _moved(pixels: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Each pixel taken from where the flow says it comes from."""
    rows, columns = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]].astype(np.float32)
    return cv2.remap(
        pixels, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
