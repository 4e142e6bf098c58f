"""Is the scorer right? Says yes to fresh drawings, and no to wrong ones.

    python -m training.proof [--side 256]

Wrong ones: what was asked for with one thing changed (colour, shape, background, place, size, number, texture), and
damaged drawings (nothing, half a figure, two that touch, noise, a shape of no name).
"""

import argparse
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import torch

from training.scoring import Pixels, judge
from training.world import COLOURS, PLACES, SHAPES, SIZES, Figure, Painter, Scene, draw_scene, placed

KINDS = ("single", "single", "texture", "count", "pair")


def pixels_of(painter: Painter, scenes: list[Scene], side: int) -> list[Pixels]:
    """Drawings as a picture file would hold them."""
    drawn = (painter.draw(scenes, side) * 255).round().to(torch.uint8)
    return list(drawn.permute(0, 2, 3, 1).numpy())


def right_share(count: int, side: int, seed: int = 1) -> float:
    """The share of fresh drawings that the scorer finds to be what their captions say."""
    source, painter = random.Random(seed), Painter()
    right = 0
    for _ in range(count):
        scene = draw_scene(source, source.choice(KINDS), unseen=source.random() < 0.25)
        right += judge(pixels_of(painter, [scene], side)[0], scene).whole
    return right / count


def wrong_found(count: int, side: int, seed: int = 2) -> tuple[float, Counter[str]]:
    """The share of wrong pictures that the scorer refuses, and what it let pass."""
    source, painter = random.Random(seed), Painter()
    passed: Counter[str] = Counter()
    for number in range(count):
        name = list(WRONGS)[number % len(WRONGS)]
        scene = draw_scene(source, "single")
        while (name == "place" and not scene.place) or (name == "size" and not scene.size):
            scene = draw_scene(source, "single")
        if judge(WRONGS[name](source, painter, scene, side), scene).whole:
            passed[name] += 1
    return 1 - passed.total() / count, passed


def _other(source: random.Random, names: tuple[str, ...], *but: str) -> str:
    return source.choice([name for name in names if name not in but])


def _changed(change: Callable[[random.Random, Scene], Scene]) -> Callable[[random.Random, Painter, Scene, int], Pixels]:
    return lambda source, painter, scene, side: pixels_of(painter, [change(source, scene)], side)[0]


def _figure(scene: Scene, **values: object) -> Scene:
    return replace(scene, figures=(replace(scene.figures[0], **values),))  # type: ignore[arg-type]


def _colour(source: random.Random, scene: Scene) -> Scene:
    return _figure(scene, colour=_other(source, tuple(COLOURS), scene.background, scene.figures[0].colour))


def _background(source: random.Random, scene: Scene) -> Scene:
    return replace(scene, background=_other(source, tuple(COLOURS), scene.background, scene.figures[0].colour))


def _shape(source: random.Random, scene: Scene) -> Scene:
    return _figure(scene, shape=_other(source, SHAPES, scene.figures[0].shape))


def _place(source: random.Random, scene: Scene) -> Scene:
    radius = min(scene.figures[0].radius, 0.2)
    x, y = placed(source, _other(source, tuple(PLACES), scene.place), radius)
    return _figure(scene, x=x, y=y, radius=radius)


def _number(source: random.Random, scene: Scene) -> Scene:
    first = replace(scene.figures[0], radius=0.13, x=0.25, y=0.3)
    return replace(scene, figures=(first, replace(first, x=0.75, y=0.7)))


def _texture(source: random.Random, scene: Scene) -> Scene:
    return _figure(scene, texture=source.choice(("striped", "dotted")), radius=0.25, x=0.5, y=0.5)


def _empty(source: random.Random, scene: Scene) -> Scene:
    return replace(scene, figures=(replace(scene.figures[0], opacity=0.0),))


def _half(source: random.Random, painter: Painter, scene: Scene, side: int) -> Pixels:
    whole = pixels_of(painter, [_figure(scene, x=0.5, y=0.5)], side)[0].copy()
    whole[:, side // 2 :] = COLOURS[scene.background]
    return whole


def _touching(source: random.Random, painter: Painter, scene: Scene, side: int) -> Pixels:
    first = replace(scene.figures[0], radius=0.18, x=0.38, y=0.5)
    return pixels_of(painter, [replace(scene, figures=(first, replace(first, x=0.62)))], side)[0]


def _noise(source: random.Random, painter: Painter, scene: Scene, side: int) -> Pixels:
    return np.random.default_rng(source.randrange(2**31)).integers(0, 256, (side, side, 3), dtype=np.uint8)


def _nameless(source: random.Random, painter: Painter, scene: Scene, side: int) -> Pixels:
    canvas = np.full((side, side, 3), COLOURS[scene.background], np.uint8)
    corners = np.array([[source.uniform(0.25, 0.75) * side, source.uniform(0.25, 0.75) * side] for _ in range(7)])
    cv2.fillPoly(canvas, [corners.astype(np.int32)], COLOURS[scene.figures[0].colour])
    return canvas


def _arrow(source: random.Random, scene: Scene) -> Scene:
    return replace(scene, figures=(Figure("arrow", scene.figures[0].colour, radius=0.22),))


def _wrong_size(source: random.Random, scene: Scene) -> Scene:
    size = "large" if scene.size in ("", "small", "medium") else "small"
    return _figure(scene, radius=sum(SIZES[size]) / 2, x=0.5, y=0.5)


WRONGS: dict[str, Callable[[random.Random, Painter, Scene, int], Pixels]] = {
    "colour": _changed(_colour),
    "background": _changed(_background),
    "shape": _changed(_shape),
    "place": _changed(_place),
    "size": _changed(_wrong_size),
    "number": _changed(_number),
    "texture": _changed(_texture),
    "nothing": _changed(_empty),
    "arrow": _changed(_arrow),
    "half": _half,
    "touching": _touching,
    "noise": _noise,
    "nameless": _nameless,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256)
    side = parser.parse_args().side
    print(f"fresh drawings, n = 2000: {right_share(2000, side):.2%} right")
    refused, passed = wrong_found(500, side)
    print(f"wrong ones, n = 500: {refused:.2%} refused; let pass: {dict(passed) or 'none'}")
