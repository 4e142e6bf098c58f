"""What is in a picture of the demo checkpoint's world: colour, shape, place and size of one figure on a background.

Shapes are told apart by how well the figure's outline, brought to a square, covers drawings of the known shapes. No
network that learned from the same drawings takes part.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {
    "red": (228, 20, 35), "green": (32, 160, 62), "blue": (30, 70, 215), "yellow": (250, 222, 40),
    "purple": (128, 32, 165), "orange": (250, 140, 10), "pink": (250, 125, 185), "cyan": (55, 195, 225),
    "white": (245, 245, 245), "black": (12, 12, 12),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross", "ring")
SIDE = 64


@dataclass(frozen=True)
class Seen:
    """Names as the prompts use them; `place` is "center", "left", "top right" ...; `area` is the figure's share."""

    background: str
    colour: str
    shape: str
    place: str
    area: float


def look(image: Image.Image) -> Seen:
    """Say what is in a picture. Raises ValueError when there is no figure in it."""
    pixels = np.asarray(image.convert("RGB")).astype(float)
    border = np.concatenate([pixels[:4].reshape(-1, 3), pixels[-4:].reshape(-1, 3), pixels[:, :4].reshape(-1, 3)])
    background = np.median(border, axis=0)
    mask = _largest(np.linalg.norm(pixels - background, axis=2) > 60)
    if mask.sum() < 0.002 * mask.size:
        raise ValueError("There is nothing but background.")
    colour = np.median(pixels[mask], axis=0)
    rows, columns = np.nonzero(mask)
    return Seen(_name(background), _name(colour), _shape(mask), _place(mask.shape, rows, columns), float(mask.mean()))


def _name(colour: np.ndarray) -> str:
    return min(COLOURS, key=lambda name: float(np.linalg.norm(colour - np.array(COLOURS[name]))))


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected part, found by growing from seeds."""
    best, left = np.zeros_like(mask), mask.copy()
    while left.any():
        part = np.zeros_like(mask)
        part[tuple(np.argwhere(left)[0])] = True
        while True:
            grown = part.copy()
            grown[1:] |= part[:-1]
            grown[:-1] |= part[1:]
            grown[:, 1:] |= part[:, :-1]
            grown[:, :-1] |= part[:, 1:]
            grown &= mask
            if (grown == part).all():
                break
            part = grown
        left &= ~part
        if part.sum() > best.sum():
            best = part
    return best


def _place(shape: tuple[int, ...], rows: np.ndarray, columns: np.ndarray) -> str:
    vertical = _third((rows.min() + rows.max()) / 2 / shape[0], "top", "bottom")
    horizontal = _third((columns.min() + columns.max()) / 2 / shape[1], "left", "right")
    return " ".join(word for word in (vertical, horizontal) if word) or "center"


def _third(position: float, before: str, after: str) -> str:
    return before if position < 0.4 else after if position > 0.6 else ""


def _shape(mask: np.ndarray) -> str:
    rows, columns = np.nonzero(mask)
    crop = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    square = np.asarray(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.NEAREST))
    return max(_drawings(), key=lambda name: _overlap(square, _drawings()[name]))


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def _drawings() -> dict[str, np.ndarray]:
    """The known shapes, each filling a square."""
    if not _DRAWN:
        points = {
            "square": [(0, 0), (1, 0), (1, 1), (0, 1)],
            "triangle": [(0.5, 0), (1, 1), (0, 1)],
            "diamond": [(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)],
            "cross": [(a, 0) for a in (0.34, 0.66)] + [(0.66, 0.34), (1, 0.34), (1, 0.66), (0.66, 0.66), (0.66, 1)]
            + [(0.34, 1), (0.34, 0.66), (0, 0.66), (0, 0.34), (0.34, 0.34)],
            "star": _star(),
            "heart": _heart(),
        }  # fmt: skip
        for name, outline in points.items():
            _DRAWN[name] = _fill(lambda draw, size, outline=outline: draw.polygon(
                [(x * size, y * size) for x, y in _fitted(outline)], fill=1
            ))  # fmt: skip
        _DRAWN["circle"] = _fill(lambda draw, size: draw.ellipse((0, 0, size, size), fill=1))

        def ring(draw: ImageDraw.ImageDraw, size: int) -> None:
            draw.ellipse((0, 0, size, size), fill=1)
            draw.ellipse((size * 0.27, size * 0.27, size * 0.73, size * 0.73), fill=0)

        _DRAWN["ring"] = _fill(ring)
    return _DRAWN


_DRAWN: dict[str, np.ndarray] = {}


def _fill(paint) -> np.ndarray:
    canvas = Image.new("1", (SIDE, SIDE))
    paint(ImageDraw.Draw(canvas), SIDE - 1)
    return np.asarray(canvas)


def _star() -> list[tuple[float, float]]:
    corners = []
    for index in range(10):
        radius, angle = (1.0, 0.45)[index % 2], math.pi * index / 5
        corners.append((radius * math.sin(angle), -radius * math.cos(angle)))
    return corners


def _heart() -> list[tuple[float, float]]:
    turns = [2 * math.pi * index / 60 for index in range(60)]
    return [
        (16 * math.sin(t) ** 3, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)))
        for t in turns
    ]


def _fitted(outline: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretched to the unit square."""
    corners = np.array(outline, dtype=float)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return [tuple(point) for point in ((corners - low) / (high - low)).tolist()]
