"""Moving scenes: one figure that does one thing, as the motion module and the TimeSformer learn them."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from training.world import COLOURS, SHAPES, Figure, Painter, Scene, held_out

MOTIONS = (
    "moving left", "moving right", "moving up", "moving down", "growing", "shrinking", "turning", "appearing",
    "standing still",
)  # fmt: skip
ROUND = ("circle", "ring")
"""Shapes that nobody sees turning."""


@dataclass(frozen=True)
class Clip:
    """A figure at the beginning and at the end of a clip; between them it changes evenly."""

    background: str
    first: Figure
    last: Figure
    motion: str

    @property
    def label(self) -> str:
        """Such as "red circle moving right"."""
        return label_of(self.first.colour, self.first.shape, self.motion)

    @property
    def caption(self) -> str:
        """The label with its background, as the motion module is asked."""
        return f"a {self.label} on a {self.background} background"

    def at(self, moment: float) -> Scene:
        """The scene at a moment from 0 to 1."""
        a, b = self.first, self.last

        def between(name: str) -> float:
            return getattr(a, name) + moment * (getattr(b, name) - getattr(a, name))

        values = {name: between(name) for name in ("x", "y", "radius", "angle", "opacity")}
        return Scene(self.background, (replace(a, **values),), self.caption, "clip")  # type: ignore[arg-type]


def label_of(colour: str, shape: str, motion: str) -> str:
    """What a TimeSformer says of a clip."""
    return f"{colour} {shape} {motion}"


def labels() -> list[tuple[str, str, str]]:
    """All (colour, shape, motion) that can be told apart, in the order of the classes."""
    return [
        (colour, shape, motion)
        for colour in COLOURS
        for shape in SHAPES
        for motion in MOTIONS
        if not (motion == "turning" and shape in ROUND)
    ]


def draw_clip(source: random.Random, motion: str = "") -> Clip:
    """A clip of the world."""
    motion = motion or source.choice(MOTIONS)
    colour, background = source.sample(list(COLOURS), 2)
    shape = source.choice([shape for shape in SHAPES if motion != "turning" or shape not in ROUND])
    radius = source.uniform(0.15, 0.22)
    x, y = (0.5 + source.uniform(-0.1, 0.1) for _ in range(2))
    first = Figure(shape, colour, x, y, radius, source.gauss(0, 0.05))
    near, far = source.uniform(0.24, 0.36), source.uniform(0.64, 0.76)
    last = first
    if motion in ("moving right", "moving left"):
        first, last = replace(first, x=near), replace(first, x=far)
    elif motion in ("moving down", "moving up"):
        first, last = replace(first, y=near), replace(first, y=far)
    elif motion in ("growing", "shrinking"):
        first = replace(first, radius=source.uniform(0.1, 0.14))
        last = replace(first, radius=source.uniform(0.25, 0.32))
    elif motion == "turning":
        last = replace(first, angle=first.angle + source.choice((-1, 1)) * source.uniform(0.4, 1.0) * math.pi)
    elif motion == "appearing":
        first = replace(first, opacity=0.0)
    if motion in ("moving left", "moving up", "shrinking"):
        first, last = last, first
    return Clip(background, first, last, motion)


def draw_frame(source: random.Random) -> Scene:
    """One picture of a clip with the clip's caption; later ones are more likely, so that left differs from right."""
    while True:
        clip = draw_clip(source)
        if not held_out(clip.first.shape, clip.first.colour, clip.background):
            return clip.at(source.random() ** 0.5)


def film(painter: Painter, clips: Sequence[Clip], moments: Sequence[Sequence[float]], side: int) -> Tensor:
    """Frames [clips, frames, 3, side, side] from 0 to 1, each clip at its own moments."""
    scenes = [clip.at(moment) for clip, times in zip(clips, moments, strict=True) for moment in times]
    pictures = painter.draw(scenes, side)
    return pictures.unflatten(0, (len(clips), len(moments[0])))


def evenly(frames: int) -> list[float]:
    """Moments of so many frames from the beginning to the end."""
    return torch.linspace(0, 1, frames).tolist()
