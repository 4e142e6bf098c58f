"""UniPC: a predictor and a corrector of any order. The paper works in lambda = -log(sigma)."""

import math
from collections.abc import Callable

import numpy as np

from modules.engine.sampling.schedules import spread
from modules.schema.sampling import Latents, Levels, Step


def unipc(order: int = 3) -> Callable[[Latents, Step], Latents]:
    """UniPC with B1(h) = h, predicting the clean latents: https://arxiv.org/abs/2302.04867.

    Each step first corrects the latents that the step before had predicted, then predicts the next ones. The first
    steps and the last ones are of lower order. Returns a step function with the memory of one walk.
    """
    corrected: list[Latents] = []
    orders: list[int] = []

    def take(latents: Latents, step: Step) -> Latents:
        denoised = step.denoise(latents)
        past = step.past
        if past:
            earlier = [(entry.sigma, entry.denoised) for entry in past[::-1][: orders[-1]]]
            latents = _unipc_update(corrected[-1], step.sigma, earlier, denoised)
        here = min(order, len(past) + 1, step.count - step.index)
        corrected.append(latents)
        orders.append(here)
        recent = [(step.sigma, denoised), *((entry.sigma, entry.denoised) for entry in past[::-1][: here - 1])]
        return _unipc_update(latents, step.sigma_next, recent)

    return take


def unipc_timesteps(steps: int, levels: Levels) -> list[float]:
    """Evenly spaced timesteps down to the cleanest training level, where UniPC ends (it is not defined at 0).

    There are as many steps as whole strides of 1000 // steps fit into 1000, as AUTOMATIC1111's program counts them.
    """
    count = len(levels.sigmas)
    return [levels.sigma_of(timestep) for timestep in spread(count - 1, 0, len(range(0, count, count // steps)) + 1)]


def _unipc_update(
    latents: Latents, sigma_to: float, known: list[tuple[float, Latents]], arrived: Latents | None = None
) -> Latents:
    """Equations 3 (predictor) and 5 (corrector, when the model's guess at `sigma_to` has arrived) of the paper.

    `known` holds (sigma, clean latents), the latest first; `latents` belong to the first of them. Steps that would
    end at 0 fall back on the exact solution there, which is the clean latents.
    """
    sigma, denoised = known[0]
    if sigma_to == 0:
        return denoised
    size = math.log(sigma / sigma_to)
    ratios = [math.log(sigma / other) / size for other, _ in known[1:]]
    differences = [(other - denoised) / ratio for ratio, (_, other) in zip(ratios, known[1:], strict=True)]
    if arrived is not None:
        ratios, differences = [*ratios, 1.0], [*differences, arrived - denoised]
    result = sigma_to / sigma * latents - math.expm1(-size) * denoised
    for weight, difference in zip(_unipc_weights(ratios, size), differences, strict=True):
        result = result + size * weight * difference
    return result


def _unipc_weights(ratios: list[float], size: float) -> list[float]:
    """Solve R a = b, equation 4 of the paper with B(h) = h for h = -size; one ratio alone weighs a half."""
    if len(ratios) < 2:
        return [0.5] * len(ratios)
    phi, rows, right = math.expm1(-size) / -size - 1, [], []
    for power in range(1, len(ratios) + 1):
        rows.append([ratio ** (power - 1) for ratio in ratios])
        right.append(phi * math.factorial(power) / -size)
        phi = phi / -size - 1 / math.factorial(power + 1)
    return [float(weight) for weight in np.linalg.solve(np.array(rows), np.array(right))]
