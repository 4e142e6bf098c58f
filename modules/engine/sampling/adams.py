"""Methods that extrapolate the directions of earlier steps: Adams and Bashforth's, in three variables.

The direction is (x - denoised) / sigma, in which latents change with sigma. A polynomial through the latest directions
is integrated over the step.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from modules.schema.sampling import Latents, Step

LMS_ORDER = 4
DEIS_ORDER = 3

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
"""Gauss and Legendre's quadrature on -1 to 1; exact for what is integrated here, to the last digits."""

PLMS_WEIGHTS = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
"""Adams and Bashforth's for evenly spaced steps, the latest direction first."""


def lms() -> Callable[[Latents, Step], Latents]:
    """Linear multistep method of order 4: Adams and Bashforth's for uneven steps, over the sigma of
    https://arxiv.org/abs/2206.00364. Returns a step function with the memory of one walk."""
    directions: list[tuple[float, Latents]] = []

    def take(latents: Latents, step: Step) -> Latents:
        directions.insert(0, (step.sigma, (latents - step.denoise(latents)) / step.sigma))
        del directions[LMS_ORDER:]
        sigmas = [sigma for sigma, _ in directions]
        weights = integrals(sigmas, step.sigma, step.sigma_next, np.ones_like)
        return _moved(latents, weights, [direction for _, direction in directions])

    return take


def deis() -> Callable[[Latents, Step], Latents]:
    """DEIS of order 3 (https://arxiv.org/abs/2204.13902): the polynomial is one in log sigma.

    Returns a step function with the memory of one walk.
    """
    directions: list[tuple[float, Latents]] = []

    def take(latents: Latents, step: Step) -> Latents:
        denoised = step.denoise(latents)
        if step.sigma_next == 0:
            return denoised
        directions.insert(0, (math.log(step.sigma), (latents - denoised) / step.sigma))
        del directions[DEIS_ORDER:]
        logs = [place for place, _ in directions]
        weights = integrals(logs, math.log(step.sigma), math.log(step.sigma_next), np.exp)
        return _moved(latents, weights, [direction for _, direction in directions])

    return take


def plms() -> Callable[[Latents, Step], Latents]:
    """PLMS (https://arxiv.org/abs/2202.09778) of order 4, whose first step is Heun's method.

    The weights are those for even steps, whatever the steps are. Returns a step function with the memory of one walk.
    """
    directions: list[Latents] = []

    def take(latents: Latents, step: Step) -> Latents:
        direction, size = (latents - step.denoise(latents)) / step.sigma, step.sigma_next - step.sigma
        directions.insert(0, direction)
        del directions[len(PLMS_WEIGHTS) :]
        if len(directions) == 1 and step.sigma_next > 0:
            ahead = latents + direction * size
            there = (ahead - step.denoise(ahead, step.sigma_next)) / step.sigma_next
            return latents + (direction + there) / 2 * size
        weights = PLMS_WEIGHTS[len(directions) - 1]
        return _moved(latents, [weight * size for weight in weights], directions)

    return take


def integrals(
    places: Sequence[float], start: float, end: float, density: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> list[float]:
    """For each place the integral, from start to end, of `density` times the polynomial that is 1 there and 0 at the
    other places."""
    points = (start + end) / 2 + (end - start) / 2 * NODES
    weights = WEIGHTS * density(points) * (end - start) / 2
    return [
        float(sum(weights * math.prod((points - other) / (place - other) for other in places if other != place)))
        for place in places
    ]


def _moved(latents: Latents, weights: Sequence[float], directions: Sequence[Latents]) -> Latents:
    for weight, direction in zip(weights, directions, strict=True):
        latents = latents + weight * direction
    return latents
