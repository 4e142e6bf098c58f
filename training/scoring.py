"""What is in a picture of the little world, by segmentation and geometry.

No network takes part: outlines are told apart by holes, convexity and the circle, triangle and rectangle around them,
and a name is given only when the outline then covers a drawing of that shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.world import COLOURS, SIZES, Figure, Scene, outline

Pixels = NDArray[np.uint8]
"""[height, width, 3], sRGB."""
Mask = NDArray[np.bool_]

UNKNOWN = "unknown"
CONTRAST = 60.0
"""Distance in RGB from which on a pixel is not background."""
LEAST_AREA = 0.003
"""Share of the picture below which something is a speck."""
LEAST_OVERLAP = 0.8
"""Intersection over union with the drawing of a shape, from which on an outline is that shape."""
STRIPED = 0.34
"""Standard deviation of the share of the second colour over a figure's columns, from which on it has stripes."""
_SIDE = 96
_LENS = 256


@dataclass(frozen=True)
class Seen:
    """One figure. Lengths are shares of the picture's side; `radius` is half its larger extent."""

    shape: str
    colour: str
    x: float
    y: float
    radius: float
    area: float
    texture: str = ""
    ink: str = ""
    """The second colour of a textured figure."""

    @property
    def place(self) -> str:
        """Such as "top left" or "center"."""
        vertical = "top" if self.y < 0.4 else "bottom" if self.y > 0.6 else ""
        horizontal = "left" if self.x < 0.4 else "right" if self.x > 0.6 else ""
        return " ".join(word for word in (vertical, horizontal) if word) or "center"

    @property
    def size(self) -> str:
        """small, medium or large, whichever is nearest."""
        return min(SIZES, key=lambda name: abs(sum(SIZES[name]) / 2 - self.radius))


@dataclass(frozen=True)
class View:
    """A picture's background and figures, from left to right."""

    background: str
    figures: tuple[Seen, ...]


@dataclass(frozen=True)
class Verdict:
    """Whether a picture shows what was asked for, point by point; what was not asked for is True."""

    background: bool
    colour: bool
    shape: bool
    place: bool
    size: bool
    count: bool
    texture: bool = True

    @property
    def all_three(self) -> bool:
        """Background, colour and shape."""
        return self.background and self.colour and self.shape

    @property
    def whole(self) -> bool:
        """Everything that was asked for."""
        return self.all_three and self.place and self.size and self.count and self.texture


def look(pixels: Pixels) -> View:
    """Say what is in a picture of any size; small ones are looked at through a lens."""
    if max(pixels.shape[:2]) < _LENS:
        scale = _LENS / max(pixels.shape[:2])
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    colours = pixels.astype(np.float32)
    edge = np.concatenate([colours[:3].reshape(-1, 3), colours[-3:].reshape(-1, 3),
                           colours[:, :3].reshape(-1, 3), colours[:, -3:].reshape(-1, 3)])  # fmt: skip
    background = np.median(edge, axis=0)
    different = np.linalg.norm(colours - background, axis=2) > CONTRAST
    figures = [_figure(pixels, part) for part in _parts(different)]
    return View(name_of(background), tuple(sorted(figures, key=lambda figure: figure.x)))


def judge(pixels: Pixels, scene: Scene) -> Verdict:
    """Whether a picture shows a scene: its figures in their order and places, no more and no fewer."""
    view = look(pixels)
    count = len(view.figures) == len(scene.figures)
    background = view.background == scene.background
    if not view.figures:
        return Verdict(background, False, False, not scene.place, not scene.size, count, False)
    pairs = _matched(view, scene) if count else []
    first = max(view.figures, key=lambda figure: figure.area)
    asked = scene.figures[0]
    if scene.kind in ("single", "texture"):
        return Verdict(
            background,
            asked.colour in (first.colour, first.ink) if asked.texture else asked.colour == first.colour,
            asked.shape == first.shape,
            not scene.place or scene.place == first.place,
            not scene.size or scene.size == first.size,
            count,
            asked.texture == first.texture,
        )
    return Verdict(
        background,
        count and all(seen.colour == asked.colour for seen, asked in pairs),
        count and all(seen.shape == asked.shape for seen, asked in pairs),
        count and _stands(scene.place, [seen for seen, _ in pairs]),
        True,
        count,
    )


def name_of(colour: NDArray[np.float32]) -> str:
    """The nearest of the world's colours."""
    return min(COLOURS, key=lambda name: float(np.linalg.norm(colour - np.array(COLOURS[name]))))


def shape_of(mask: Mask) -> str:
    """Which shape a mask is, or UNKNOWN."""
    contours, tree = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    outer = max((index for index in range(len(contours)) if tree[0][index][3] < 0),
                key=lambda index: cv2.contourArea(contours[index]))  # fmt: skip
    guess = _by_geometry(mask, contours, tree, outer)
    return guess if _covers(mask, guess) >= LEAST_OVERLAP else UNKNOWN


def overlap(one: Mask, other: Mask) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def _by_geometry(mask: Mask, contours: Sequence[NDArray[np.int32]], tree: NDArray[np.int32], outer: int) -> str:
    contour = contours[outer]
    area = float(cv2.contourArea(contour))
    holes = sum(cv2.contourArea(c) for c, links in zip(contours, tree[0], strict=True) if links[3] == outer)
    if holes > 0.08 * area:
        return "ring"
    hull = cv2.convexHull(contour)
    solidity = area / max(1.0, float(cv2.contourArea(hull)))
    if solidity < 0.8:
        return "star" if solidity < 0.62 else "cross"
    _, radius = cv2.minEnclosingCircle(contour)
    if area / (np.pi * radius**2) > 0.85:
        return "circle"
    triangle, _ = cv2.minEnclosingTriangle(contour)
    if area / max(1.0, triangle) > 0.8:
        return "triangle"
    _, (width, height), _ = cv2.minAreaRect(contour)
    if solidity > 0.93 and area / max(1.0, width * height) > 0.8:
        rows, columns = np.nonzero(mask)
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        return "square" if mask.sum() / box > 0.68 else "diamond"
    return "heart"


def _covers(mask: Mask, shape: str) -> float:
    """The best overlap with drawings of a shape, turned a little this way and that, each brought to a square."""
    square = _squared(mask)
    return max(overlap(square, drawing) for drawing in _drawings(shape))


@cache
def _drawings(shape: str) -> tuple[Mask, ...]:
    drawn: list[Mask] = []
    for angle in np.linspace(-0.18, 0.18, 7):
        canvas = np.zeros((256, 256), np.uint8)
        if corners := outline(shape):
            points = np.array(corners) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            cv2.fillPoly(canvas, [np.round((128 + 80 * points) * 16).astype(np.int32)], 1, shift=4)
        else:
            cv2.circle(canvas, (128, 128), 80, 1, -1)
            if shape == "ring":
                cv2.circle(canvas, (128, 128), 42, 0, -1)
        drawn.append(_squared(canvas > 0))
    return tuple(drawn)


def _squared(mask: Mask) -> Mask:
    """The mask's own rectangle, its longer side brought to a fixed length, in the middle of a square."""
    rows, columns = np.nonzero(mask)
    crop = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32)
    scale = _SIDE / max(crop.shape)
    height, width = (max(1, round(length * scale)) for length in crop.shape)
    square = np.zeros((_SIDE, _SIDE), bool)
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    resized = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    square[top : top + height, left : left + width] = resized
    return square


def _parts(different: Mask) -> list[Mask]:
    """The connected parts that are no specks."""
    cleaned = cv2.medianBlur(different.astype(np.uint8), 3)
    count, labels = cv2.connectedComponents(cleaned, connectivity=8)
    parts = (labels == index for index in range(1, count))
    return [part for part in parts if part.sum() >= LEAST_AREA * different.size]


def _figure(pixels: Pixels, part: Mask) -> Seen:
    height, width = part.shape
    rows, columns = np.nonzero(part)
    inside = cv2.erode(part.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    inside = inside if inside.sum() > 20 else part
    texture, colour, ink = _texture(pixels, inside)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    return Seen(
        shape_of(part),
        colour,
        float((left + right) / 2 / width),
        float((top + bottom) / 2 / height),
        float(max(right - left, bottom - top) / 2 / max(width, height)),
        float(part.mean()),
        texture,
        ink,
    )


def _texture(pixels: Pixels, inside: Mask) -> tuple[str, str, str]:
    """(striped, dotted or nothing; the figure's colour; the second one)."""
    colours = pixels[inside].astype(np.float32)
    palette = np.array(list(COLOURS.values()), np.float32)
    nearest = np.linalg.norm(colours[:, None] - palette[None], axis=2)
    sure = nearest.min(1) < CONTRAST
    counts = np.bincount(nearest.argmin(1)[sure], minlength=len(palette)) / max(1, len(colours))
    order = counts.argsort()[::-1]
    names = list(COLOURS)
    if counts[order[1]] < 0.1:
        return "", name_of(np.median(colours, axis=0)), ""
    marks = np.zeros(inside.shape, bool)
    marks[inside] = nearest.argmin(1) == order[1]
    striped = max(_unevenness(inside, marks, angle) for angle in (-8, -4, 0, 4, 8)) > STRIPED
    return ("striped" if striped else "dotted"), names[order[0]], names[order[1]]


def _unevenness(inside: Mask, marks: Mask, angle: float) -> float:
    """How much the share of marks differs from column to column, of a figure turned by some degrees."""
    height, width = inside.shape
    rows, columns = np.nonzero(inside)
    turn = cv2.getRotationMatrix2D((float(columns.mean()), float(rows.mean())), angle, 1)
    whole, marked = (cv2.warpAffine(mask.astype(np.float32), turn, (width, height)).sum(0) for mask in (inside, marks))
    kept = whole >= 1
    share = marked[kept] / whole[kept]
    mean = np.average(share, weights=whole[kept])
    return float(np.average((share - mean) ** 2, weights=whole[kept]) ** 0.5)


def _matched(view: View, scene: Scene) -> list[tuple[Seen, Figure]]:
    """Each figure asked for with the one seen that stands for it: by colour and shape first."""
    left = list(view.figures)
    pairs: list[tuple[Seen, Figure]] = []
    for asked in scene.figures:
        best = max(left, key=lambda seen: (seen.colour == asked.colour) * 2 + (seen.shape == asked.shape))
        left.remove(best)
        pairs.append((best, asked))
    return pairs


def _stands(relation: str, seen: Sequence[Seen]) -> bool:
    """Whether the first figure stands so to the second."""
    if relation not in ("left of", "right of", "above", "below"):
        return True
    first, second = seen[:2]
    dx, dy = first.x - second.x, first.y - second.y
    return {
        "left of": dx < -abs(dy), "right of": dx > abs(dy), "above": dy < -abs(dx), "below": dy > abs(dx),
    }[relation]  # fmt: skip
