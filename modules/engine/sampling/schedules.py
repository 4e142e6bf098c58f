"""Schedules: how noise levels are spread over the steps.

Sigmas are those of Karras et al. 2022 (https://arxiv.org/abs/2206.00364): latents at a level are clean + sigma * noise.
Each function takes the number of steps and the model's levels, and returns steps + 1 falling sigmas that end in 0.
"""

import math

from modules.schema.sampling import Levels, Schedule


def spread(start: float, end: float, count: int) -> list[float]:
    """`count` evenly spaced numbers from start to end, both included."""
    if count == 1:
        return [start]
    return [start + (end - start) * index / (count - 1) for index in range(count)]


def uniform(steps: int, levels: Levels) -> list[float]:
    """Evenly spaced timesteps from the noisiest to the cleanest."""
    last = len(levels.sigmas) - 1
    return [*(levels.sigma_of(timestep) for timestep in spread(last, 0, steps)), 0.0]


def karras(steps: int, levels: Levels, rho: float = 7.0) -> list[float]:
    """Even in the rho-th root of sigma; equation 5 of https://arxiv.org/abs/2206.00364."""
    low, high = levels.sigmas[0] ** (1 / rho), levels.sigmas[-1] ** (1 / rho)
    return [*(root**rho for root in spread(high, low, steps)), 0.0]


def exponential(steps: int, levels: Levels) -> list[float]:
    """Even in the logarithm of sigma."""
    low, high = math.log(levels.sigmas[0]), math.log(levels.sigmas[-1])
    return [*(math.exp(value) for value in spread(high, low, steps)), 0.0]


def sgm_uniform(steps: int, levels: Levels) -> list[float]:
    """Evenly spaced timesteps as Stability's generative-models have them: one more, the last one dropped."""
    last = len(levels.sigmas) - 1
    return [*(levels.sigma_of(timestep) for timestep in spread(last, 0, steps + 1)[:-1]), 0.0]


def simple(steps: int, levels: Levels) -> list[float]:
    """Every n-th training level, counted from the noisiest."""
    stride = len(levels.sigmas) / steps
    return [*(levels.sigmas[-(1 + int(index * stride))] for index in range(steps)), 0.0]


SCHEDULES = (
    Schedule("uniform", "Uniform", uniform),
    Schedule("karras", "Karras", karras),
    Schedule("exponential", "Exponential", exponential),
    Schedule("sgm_uniform", "SGM Uniform", sgm_uniform, aliases=("SGMUniform",)),
    Schedule("simple", "Simple", simple),
    Schedule("normal", "Normal", uniform),
)
