"""A picture taken through a model in parts that overlap, and put together without seams.

In the middle of what two tiles share there is a ramp from the one to the other; what lies beyond it, near a tile's
edge, has seen too little of its surroundings and is left out. With a ramp of a quarter of the overlap, the result is
that of the whole picture at once where no pixel looks farther than 3/8 of the overlap.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Grid = list[tuple[int, int]]
"""Where tiles begin and end along a side."""

UNIT = 4
"""Tiles begin at multiples of it, so that networks which take squares of pixels together take the same ones."""

Pixels = np.ndarray
"""[height, width, 3]"""

Size = tuple[int, int]
"""Width and height."""


@dataclass(frozen=True)
class Plan:
    """The tiles of a picture."""

    columns: Grid
    rows: Grid
    ramp: int
    """Pixels over which one tile fades into the next."""

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return len(self.columns) * len(self.rows)


def plan_tiles(size: Size, tile: Size, overlap: int, ramp: float = 0.25, unit: int = UNIT) -> Plan:
    """Tiles of a width and height for a picture of a width and height; 0 is as large as the picture.

    `overlap` is what two neighbours share at least; it acts up to half a tile. `ramp` is a share of it.
    """
    overlap = min(overlap, *(side // 2 for side in tile if side)) if any(tile) else 0
    columns, rows = (_places(*sides, overlap // unit * unit, unit) for sides in zip(size, tile, strict=True))
    return Plan(columns, rows, max(1, round(overlap * ramp)))


def in_tiles(pixels: Pixels, plan: Plan, scale: int, work: Callable[[Pixels], Pixels]) -> Pixels:
    """The picture after `work`, which makes 8-bit tiles `scale` times larger with values from 0 to 1; as 8-bit pixels.

    It is put together row by row of tiles, so that no more than two of these are in memory unrounded.
    """
    height, width = pixels.shape[:2]
    result = np.empty((height * scale, width * scale, 3), np.uint8)
    above: Pixels | None = None
    for number, (top, bottom) in enumerate(plan.rows):
        strip = _strip(pixels[top:bottom], plan, scale, work)
        begin = top
        if above is not None:  # from the one to the other, over what both have
            shared = (plan.rows[number - 1][1] - top) * scale
            strip[:shared] = _mixed(above[len(above) - shared :], strip[:shared], plan.ramp * scale, axis=0)
        last = number == len(plan.rows) - 1
        end = bottom if last else plan.rows[number + 1][0]
        result[begin * scale : end * scale] = _rounded(strip[: (end - begin) * scale])
        above = strip
    return result


def _strip(pixels: Pixels, plan: Plan, scale: int, work: Callable[[Pixels], Pixels]) -> Pixels:
    """A row of tiles."""
    strip = np.empty((pixels.shape[0] * scale, pixels.shape[1] * scale, 3), np.float32)
    reached = 0
    for left, right in plan.columns:
        tile = work(pixels[:, left:right])
        shared = (reached - left) * scale if reached else 0
        before = strip[:, left * scale : left * scale + shared]
        tile[:, :shared] = _mixed(before, tile[:, :shared], plan.ramp * scale, axis=1)
        strip[:, left * scale : right * scale] = tile
        reached = right
    return strip


def _mixed(one: Pixels, other: Pixels, ramp: int, axis: int) -> Pixels:
    """From the one to the other along an axis, by a ramp in the middle of what both have."""
    length = one.shape[axis]
    share = np.clip((np.arange(length) + 0.5 - (length - ramp) / 2) / ramp, 0, 1).astype(np.float32)
    share = share.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return one * (1 - share) + other * share


def _places(length: int, tile: int, overlap: int, unit: int) -> Grid:
    return list(_walk(length, tile, overlap, unit)) if 0 < tile < length else [(0, length)]


def _walk(length: int, tile: int, overlap: int, unit: int) -> Iterator[tuple[int, int]]:
    """Tiles of one size; the last one is moved back to end with the picture."""
    begin = 0
    while begin + tile < length:
        yield begin, begin + tile
        begin += tile - overlap
    yield max(0, length - tile) // unit * unit, length


def _rounded(values: Pixels) -> Pixels:
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
