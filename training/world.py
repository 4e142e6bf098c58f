"""The little world that the embedded models know: its words, its drawings, and what it keeps back for the exam.

A scene is drawn from signed-distance textures of its shapes, so that a batch costs milliseconds and edges are smooth.
Lengths are shares of the picture's side; y grows downwards.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

COLOURS = {
    "red": (228, 20, 35), "green": (32, 160, 62), "blue": (30, 70, 215), "yellow": (250, 222, 40),
    "purple": (128, 32, 165), "orange": (250, 140, 10), "pink": (250, 125, 185), "cyan": (55, 195, 225),
    "white": (245, 245, 245), "black": (12, 12, 12),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "cross", "ring")
SIZES = {"small": (0.105, 0.135), "medium": (0.17, 0.21), "large": (0.27, 0.32)}
"""Half the figure's extent. A figure whose size is not said is a medium one."""
SIZE_WORDS = {"small": ("small", "tiny"), "medium": ("medium", "medium"), "large": ("large", "big")}
PLACES = {
    "top left": (-1, -1), "top": (0, -1), "top right": (1, -1),
    "left": (-1, 0), "center": (0, 0), "right": (1, 0),
    "bottom left": (-1, 1), "bottom": (0, 1), "bottom right": (1, 1),
}  # fmt: skip
TEXTURES = ("striped", "dotted")
PLURALS = {shape: "crosses" if shape == "cross" else f"{shape}s" for shape in SHAPES}
NUMBERS = {2: "two", 3: "three"}
RELATIONS = ("left of", "right of", "above", "below")
SKIES = {"day": ("cyan", "yellow", "sun"), "night": ("black", "white", "moon")}
"""Sky, colour of what shines in it, its name."""
MARGIN = 0.03
EXTRA_SHAPES = ("house", "arrow")
"""Drawn in scenes and by the object LoRA; not among the shapes that captions combine."""


@dataclass(frozen=True)
class Figure:
    """One thing in a picture; `angle` in radians, clockwise."""

    shape: str
    colour: str
    x: float = 0.5
    y: float = 0.5
    radius: float = 0.19
    angle: float = 0.0
    texture: str = ""
    opacity: float = 1.0


@dataclass(frozen=True)
class Scene:
    """A picture and what is said of it. `ground` is the colour of the lower part of an outdoor scene."""

    background: str
    figures: tuple[Figure, ...]
    caption: str
    kind: str
    """single, texture, count, pair or house."""
    size: str = ""
    place: str = ""
    """As the caption says them; empty when it does not."""
    ground: str = ""


def held_out(shape: str, colour: str, background: str) -> bool:
    """Whether a combination is kept out of training: 11 of 80 shapes with colours, 10 of 80 with backgrounds."""
    i, j, k = SHAPES.index(shape), list(COLOURS).index(colour), list(COLOURS).index(background)
    return (3 * i + j) % 7 == 0 or (5 * i + 3 * k) % 8 == 5


def draw_scene(random: random.Random, kind: str = "", unseen: bool = False) -> Scene:
    """A scene of the world: of those in training, or (`unseen`) of those kept out of it."""
    kind = kind or random.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
    make = KINDS[kind][1]
    while True:
        scene = make(random)
        if kind == "house" or unseen == any(
            held_out(figure.shape, figure.colour, scene.background) for figure in scene.figures
        ):
            return scene


def say_figure(figure: Figure, size: str = "", plural: bool = False) -> str:
    """Such as "small striped red circle"."""
    shape = PLURALS[figure.shape] if plural else figure.shape
    return " ".join(word for word in (size, figure.texture, figure.colour, shape) if word)


def _colours(random: random.Random, count: int) -> list[str]:
    return random.sample(list(COLOURS), count)


def _place_word(random: random.Random, place: str) -> str:
    if place == "center":
        return random.choice(("in the center", "in the middle"))
    if " " in place:
        return random.choice((f"in the {place}", f"at the {place}", f"in the {place} corner"))
    return random.choice((f"on the {place}", f"at the {place}"))


def _on_background(random: random.Random, colour: str) -> str:
    return random.choice((f"on {_article(colour)} background",) * 4 + (f"on {colour}", f", {colour} background"))


def _article(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def placed(random: random.Random, place: str, radius: float) -> tuple[float, float]:
    """Centre of a figure at a place, wholly inside the picture."""

    def along(side: int) -> float:
        if side == 0:
            return 0.5 + random.uniform(-0.04, 0.04)
        gap = radius + MARGIN + random.uniform(0, max(0.0, 0.06 - radius / 8))
        return gap if side < 0 else 1 - gap

    horizontal, vertical = PLACES[place]
    return along(horizontal), along(vertical)


def _single(random: random.Random, texture: str = "") -> Scene:
    colour, background = _colours(random, 2)
    size = random.choice(list(SIZES)) if random.random() < 0.45 and not texture else ""
    place = random.choice(list(PLACES)) if random.random() < 0.4 else ""
    lowest, highest = SIZES[size or "medium"] if not texture else (0.2, 0.3)
    radius = random.uniform(lowest, highest)
    if place:
        x, y = placed(random, place, radius)
    else:
        x, y = (0.5 + random.uniform(-0.07, 0.07) for _ in range(2))
    angle = random.gauss(0, 0.05)
    figure = Figure(random.choice(SHAPES), colour, x, y, radius, angle, texture)
    size_word = random.choice(SIZE_WORDS[size]) if size else ""
    opening = random.choice(("", "", "", "a picture of ", "a drawing of ", "a photo of "))
    where = f" {_place_word(random, place)}" if place else ""
    caption = f"{opening}{_article(say_figure(figure, size_word))}{where} {_on_background(random, background)}"
    caption = caption.replace(" ,", ",")
    return Scene(background, (figure,), caption, "texture" if texture else "single", size, place)


def _texture(random: random.Random) -> Scene:
    return _single(random, random.choice(TEXTURES))


def _count(random: random.Random) -> Scene:
    colour, background = _colours(random, 2)
    number = random.choice(list(NUMBERS))
    radius = random.uniform(0.14, 0.17) if number == 2 else random.uniform(0.115, 0.135)
    xs = (0.28, 0.72) if number == 2 else (0.18, 0.5, 0.82)
    first = Figure(random.choice(SHAPES), colour, radius=radius)
    lift = random.uniform(-0.1, 0.1)
    figures = tuple(
        replace(first, x=x + random.uniform(-0.03, 0.03), y=0.5 + lift + random.uniform(-0.04, 0.04),
                angle=random.gauss(0, 0.05))
        for x in xs
    )  # fmt: skip
    caption = f"{NUMBERS[number]} {say_figure(first, plural=True)} {_on_background(random, background)}"
    return Scene(background, figures, caption.replace(" ,", ","), "count")


def _pair(random: random.Random) -> Scene:
    background, *colours = _colours(random, 3)
    shapes = random.sample(SHAPES, 2) if random.random() < 0.85 else [random.choice(SHAPES)] * 2
    relation = random.choice((*RELATIONS, "and"))
    first, second = (
        Figure(shape, colour, radius=random.uniform(0.14, 0.175), angle=random.gauss(0, 0.05))
        for shape, colour in zip(shapes, colours, strict=True)
    )
    far = [0.27 + random.uniform(-0.03, 0.03), 0.73 + random.uniform(-0.03, 0.03)]
    near = [0.5 + random.uniform(-0.05, 0.05) for _ in range(2)]
    if relation in ("right of", "below"):
        far.reverse()
    xs, ys = (near, far) if relation in ("above", "below") else (far, near)
    first, second = replace(first, x=xs[0], y=ys[0]), replace(second, x=xs[1], y=ys[1])
    said = f"{_article(say_figure(first))} {relation} {_article(say_figure(second))}"
    caption = f"{said} {_on_background(random, background)}".replace(" ,", ",")
    return Scene(background, (first, second), caption, "pair", place=relation)


def _house(random: random.Random) -> Scene:
    time = random.choice(list(SKIES))
    sky, light, name = SKIES[time]
    wall = random.choice([colour for colour in COLOURS if colour not in ("green", "cyan", "black")])
    radius = random.uniform(0.22, 0.26)
    house = Figure("house", wall, 0.5 + random.uniform(-0.12, 0.12), 0.72 - radius + 0.06, radius)
    side = random.choice((-1, 1))
    shine = Figure("circle", light, 0.5 + side * random.uniform(0.3, 0.36), random.uniform(0.15, 0.2), 0.1)
    when = {"day": ("by day", "at day"), "night": ("at night", "by night")}[time]
    caption = random.choice(
        (
            f"a {wall} house under a {light} {name}",
            f"a {wall} house under a {light} {name} {random.choice(when)}",
            f"{_article(wall)} house {random.choice(when)}",
        )
    ).replace("a orange", "an orange")
    return Scene(sky, (shine, house), caption, "house", place=time, ground="green")


KINDS = {"single": (0.5, _single), "texture": (0.08, _texture), "count": (0.16, _count), "pair": (0.2, _pair),
         "house": (0.06, _house)}  # fmt: skip
"""How often each kind is drawn, and by what."""


# drawing

_ATLAS_SIDE = 256
_REACH = 1.5
"""A texture covers [-reach, reach] of a figure's radius."""


def outline(shape: str) -> list[tuple[float, float]]:
    """Corners of a shape that reaches from -1 to 1; circles and rings have none."""
    if shape in ("square", "diamond"):
        points = [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]
        return points if shape == "square" else [(0, -1), (0.85, 0), (0, 1), (-0.85, 0)]
    if shape == "triangle":
        return [(0, -0.95), (1, 0.85), (-1, 0.85)]
    if shape == "cross":
        arm = 0.32
        return [(-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm), (arm, 1), (-arm, 1), (-arm, arm),
                (-1, arm), (-1, -arm), (-arm, -arm)]  # fmt: skip
    if shape == "star":
        corners = [(index, 1.05 if index % 2 == 0 else 0.44) for index in range(10)]
        return [(r * math.sin(i * math.pi / 5), 0.05 - r * math.cos(i * math.pi / 5)) for i, r in corners]
    if shape == "heart":
        turns = np.linspace(0, 2 * math.pi, 120, endpoint=False)
        x = 16 * np.sin(turns) ** 3
        y = -(13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns))
        return [(float(a) / 16.5, float(b) / 15.5 - 0.12) for a, b in zip(x, y, strict=True)]
    if shape == "house":
        return [(0, -1), (1, -0.15), (0.75, -0.15), (0.75, 1), (-0.75, 1), (-0.75, -0.15), (-1, -0.15)]
    if shape == "arrow":
        return [(1, 0), (0.25, -0.75), (0.25, -0.28), (-1, -0.28), (-1, 0.28), (0.25, 0.28), (0.25, 0.75)]
    return []


def _distance_texture(shape: str) -> np.ndarray:
    """Signed distance to the outline in radii, negative inside."""
    side = _ATLAS_SIDE * 4
    canvas = np.zeros((side, side), np.uint8)
    middle, unit = (side - 1) / 2, side / (2 * _REACH)
    if corners := outline(shape):
        points = np.array([[middle + x * unit, middle + y * unit] for x, y in corners])
        cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], 1, shift=4)
    else:
        y, x = np.mgrid[:side, :side]
        distance = np.hypot(x - middle, y - middle) / unit
        canvas[:] = (distance < 1) & (distance > (0.52 if shape == "ring" else -1))
    inside = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform(1 - canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    signed = np.where(canvas > 0, 0.5 - inside, outside - 0.5) / unit
    return cv2.resize(signed.astype(np.float32), (_ATLAS_SIDE, _ATLAS_SIDE), interpolation=cv2.INTER_AREA)


class Painter:
    """Draws scenes; holds the distance textures."""

    def __init__(self) -> None:
        self._names = (*SHAPES, *EXTRA_SHAPES)
        self._atlas = torch.from_numpy(np.stack([_distance_texture(shape) for shape in self._names]))[:, None]
        self._palette = torch.tensor(list(COLOURS.values()), dtype=torch.float32) / 255

    def draw(self, scenes: Sequence[Scene], side: int) -> Tensor:
        """Pictures [batch, 3, side, side] from 0 to 1."""
        pictures = self._colours([scene.background for scene in scenes])[:, :, None, None].repeat(1, 1, side, side)
        for index, scene in enumerate(scenes):
            if scene.ground:
                pictures[index, :, round(side * 0.72) :] = self._colours([scene.ground])[0][:, None, None]
        for layer in range(max(len(scene.figures) for scene in scenes)):
            rows = [index for index, scene in enumerate(scenes) if len(scene.figures) > layer]
            figures = [scenes[index].figures[layer] for index in rows]
            cover = self.cover(figures, side)
            paint = self._paint(figures, [scenes[index].background for index in rows], side)
            pictures[rows] = torch.lerp(pictures[rows], paint, cover)
        return pictures

    def cover(self, figures: Sequence[Figure], side: int) -> Tensor:
        """How much of each pixel a figure covers: [figures, 1, side, side] from 0 to 1."""
        own = self._own_coordinates(figures, side)
        textures = self._atlas[[self._names.index(figure.shape) for figure in figures]]
        distance = functional.grid_sample(textures, own / _REACH, padding_mode="border", align_corners=False)
        radius, opacity = torch.tensor([[f.radius, f.opacity] for f in figures]).T[:, :, None, None, None]
        return (0.5 - distance * radius * side).clamp(0, 1) * opacity

    def _own_coordinates(self, figures: Sequence[Figure], side: int) -> Tensor:
        """Each pixel's place in radii from each figure's centre, turned with it: [figures, side, side, 2]."""
        at = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(at, at, indexing="ij")
        values = torch.tensor([[f.x, f.y, f.radius, math.cos(f.angle), math.sin(f.angle)] for f in figures])
        centre_x, centre_y, radius, cosine, sine = (value[:, None, None] for value in values.T)
        dx, dy = (x - centre_x) / radius, (y - centre_y) / radius
        return torch.stack([dx * cosine + dy * sine, dy * cosine - dx * sine], dim=-1)

    def _paint(self, figures: Sequence[Figure], backgrounds: Sequence[str], side: int) -> Tensor:
        """The figures' colours at each pixel: [figures, 3, side or 1, side or 1]."""
        flat = self._colours([figure.colour for figure in figures])[:, :, None, None]
        if not any(figure.texture for figure in figures):
            return flat
        own = self._own_coordinates(figures, side)
        inks = self._colours([ink_of(f.colour, b) for f, b in zip(figures, backgrounds, strict=True)])[:, :, None, None]
        share = torch.zeros(len(figures), 1, side, side)
        for index, figure in enumerate(figures):
            sharpness = figure.radius * side
            if figure.texture == "striped":
                wave = ((own[index, ..., 0] / STRIPE + 0.25) % 1 - 0.5).abs() - 0.25
                share[index, 0] = (0.5 + wave * STRIPE * sharpness).clamp(0, 1)
            elif figure.texture == "dotted":
                cell = ((own[index] / DOT + 0.5) % 1 - 0.5) * DOT
                share[index, 0] = (0.5 + (DOT * 0.29 - cell.norm(dim=-1)) * sharpness).clamp(0, 1)
        return torch.lerp(flat.expand(-1, -1, side, side), inks.expand(-1, -1, side, side), share)

    def _colours(self, names: Sequence[str]) -> Tensor:
        return self._palette[[list(COLOURS).index(name) for name in names]]


STRIPE, DOT = 0.5, 0.56
"""Period of a texture, in radii."""


def ink_of(colour: str, background: str) -> str:
    """What stripes and dots on a figure are painted with."""
    return next(ink for ink in ("white", "black", "yellow") if ink not in (colour, background))
