"""Noise between noises: on the arc between two, or on a circle around one.

Every draw of a walk lies there, not only the first one, so that samplers that add noise move as smoothly as the others.
"""

import math

import torch
from torch import Tensor

from modules.engine.sampling.noise import NEARLY_PARALLEL, OneNoise


class ArcNoise:
    """The noise at a share of the way from one to another."""

    def __init__(self, low: OneNoise, high: OneNoise, share: float) -> None:
        self._low, self._high, self._share = low, high, share

    def draw(self) -> Tensor:
        """Fresh noise."""
        return along_arc(self._low.draw(), self._high.draw(), self._share)

    def brownian(self, sigma: float, sigma_next: float, span: tuple[float, float]) -> Tensor:
        """The change of a Brownian motion between the two."""
        low, high = (noise.brownian(sigma, sigma_next, span) for noise in (self._low, self._high))
        return along_arc(low, high, self._share)


class OrbitNoise:
    """The noise on a circle around one, in the plane of two others. `radius` is an angle, `turn` goes from 0 to 1."""

    def __init__(self, centre: OneNoise, across: OneNoise, up: OneNoise, radius: float, turn: float) -> None:
        self._parts, self._radius, self._turn = (centre, across, up), radius, 2 * math.pi * turn

    def draw(self) -> Tensor:
        """Fresh noise."""
        return self._around(*(part.draw() for part in self._parts))

    def brownian(self, sigma: float, sigma_next: float, span: tuple[float, float]) -> Tensor:
        """The change of a Brownian motion around the middle one."""
        return self._around(*(part.brownian(sigma, sigma_next, span) for part in self._parts))

    def _around(self, centre: Tensor, across: Tensor, up: Tensor) -> Tensor:
        """At an even distance from the middle: the two directions are made upright to it and to each other."""
        length = centre.norm()
        forward = centre / length
        across = _upright(across, [forward])
        up = _upright(up, [forward, across])
        side = math.cos(self._turn) * across + math.sin(self._turn) * up
        return length * (math.cos(self._radius) * forward + math.sin(self._radius) * side)


class GivenNoise:
    """Noise that a walk begins with, and none after that."""

    def __init__(self, first: Tensor) -> None:
        self._first = first

    def draw(self) -> Tensor:
        """What was given."""
        return self._first

    def brownian(self, sigma: float, sigma_next: float, span: tuple[float, float]) -> Tensor:
        """There is none: it belongs to walks without chance."""
        raise AssertionError("a walk from given noise adds none")


def along_arc(low: Tensor, high: Tensor, share: float, dim: int | None = None) -> Tensor:
    """Spherical interpolation over the whole tensor, or over `dim`; lengths go over evenly from one to the other.

    https://doi.org/10.1145/325165.325242
    """
    if share in (0.0, 1.0):
        return high if share else low
    lengths = [_length(part, dim) for part in (low, high)]
    first, second = (part / length.clamp_min(1e-12) for part, length in zip((low, high), lengths, strict=True))
    cosine = (first * second).sum() if dim is None else (first * second).sum(dim, keepdim=True)
    angle = torch.acos(cosine.clamp(-1, 1))
    arc = (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / torch.sin(angle)
    straight = first * (1 - share) + second * share
    straight = straight / _length(straight, dim).clamp_min(1e-12)
    way = torch.where(cosine.abs() > NEARLY_PARALLEL, straight, arc)
    return way * (lengths[0] * (1 - share) + lengths[1] * share)


def _length(part: Tensor, dim: int | None) -> Tensor:
    return part.norm() if dim is None else part.norm(dim=dim, keepdim=True)


def _upright(part: Tensor, to: list[Tensor]) -> Tensor:
    for direction in to:
        part = part - (part * direction).sum() * direction
    return part / part.norm()
