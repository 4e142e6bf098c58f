"""A Brownian motion that depends on its seed alone, not on where and in which order it is asked.

The motion is refined by halving intervals: given its change over one, the change over the left half is normally
distributed with a known mean and variance: the virtual Brownian tree of https://arxiv.org/abs/2001.01328. Each interval
has a seed of its own, by its place in the tree. Seeds and places are those of torchsde's BrownianTree, so that a
picture's noise is the one that other programs draw.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

DIGITS = 6
"""Times are told apart to so many digits after the point."""

POOL = 24
"""Words of entropy that a seed is mixed in."""

Draw = Callable[[int], Tensor]
"""From a seed to unit noise."""


@dataclass(frozen=True)
class _Interval:
    start: float
    end: float
    change: Tensor
    place: int = 0
    depth: int = 0

    def halves(self, seed: int, draw: Draw) -> tuple["_Interval", "_Interval"]:
        middle = round((self.start + self.end) / 2, DIGITS)
        left, right, whole = middle - self.start, self.end - middle, self.end - self.start
        noise = draw(_seed(seed, 4, (self.place, self.depth)))
        change = self.change * (left / whole) + noise * math.sqrt(left * right / whole)
        return (
            _Interval(self.start, middle, change, 2 * self.place, self.depth + 1),
            _Interval(middle, self.end, self.change - change, 2 * self.place + 1, self.depth + 1),
        )


class BrownianTree:
    """A motion between the times `start` and `end`; `draw` makes unit noise of a seed."""

    def __init__(self, start: float, end: float, seed: int, draw: Draw) -> None:
        self._seed, self._draw = seed, draw
        change = draw(_seed(seed, 3)) * math.sqrt(end - start)
        self._whole = _Interval(_rounded(start), _rounded(end), change)

    def change(self, start: float, end: float) -> Tensor:
        """How far the motion goes from `start` to `end`, which are moved into its span and rounded."""
        low, high = self._whole.start, self._whole.end
        start, end = (min(max(_rounded(time), low), high) for time in (start, end))
        if start == end:
            return self._whole.change * 0
        return self._within(self._whole, start, end)

    def _within(self, interval: _Interval, start: float, end: float) -> Tensor:
        if (start, end) == (interval.start, interval.end):
            return interval.change
        left, right = interval.halves(self._seed, self._draw)
        if end <= left.end:
            return self._within(left, start, end)
        if start >= left.end:
            return self._within(right, start, end)
        return self._within(left, start, left.end) + self._within(right, left.end, end)


def _rounded(time: float) -> float:
    """In single precision first, in which other programs hold their times: a digit more or less is other noise."""
    return round(float(np.float32(time)), DIGITS)


def _seed(entropy: int, words: int, place: tuple[int, ...] = ()) -> int:
    """The first of `words` words that belong to a place in the tree."""
    sequence = np.random.SeedSequence(entropy, spawn_key=place, pool_size=POOL)
    return int(sequence.generate_state(words)[0])
