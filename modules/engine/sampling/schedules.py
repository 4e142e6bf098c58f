"""Schedules: how noise levels are spread over the steps.

Sigmas are those of Karras et al. 2022 (https://arxiv.org/abs/2206.00364): latents at a level are clean + sigma * noise.
Each function takes the number of steps and the model's levels, and returns steps + 1 falling sigmas that end in 0,
but for those that say otherwise.
"""

import math

import numpy as np

from modules.schema.sampling import Levels, Schedule

ALIGNED = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
"""The paper's levels for Stable Diffusion 1.5."""

BETA = 0.6
"""Both of the beta distribution's parameters."""


def spread(start: float, end: float, count: int) -> list[float]:
    """`count` evenly spaced numbers from start to end, both included."""
    if count == 1:
        return [start]
    return [start + (end - start) * index / (count - 1) for index in range(count)]


def uniform(steps: int, levels: Levels) -> list[float]:
    """Evenly spaced timesteps from the noisiest to the cleanest."""
    last = len(levels.sigmas) - 1
    return [*(levels.sigma_of(timestep) for timestep in spread(last, 0, steps)), 0.0]


def karras(steps: int, levels: Levels) -> list[float]:
    """Even in the 7th root of sigma; equation 5 of https://arxiv.org/abs/2206.00364."""
    return [*karras_between(steps, levels.sigmas[0], levels.sigmas[-1]), 0.0]


def karras_between(count: int, low: float, high: float, rho: float = 7.0) -> list[float]:
    """`count` falling levels from high to low, both included, even in the rho-th root."""
    return [root**rho for root in spread(high ** (1 / rho), low ** (1 / rho), count)]


def exponential(steps: int, levels: Levels) -> list[float]:
    """Even in the logarithm of sigma."""
    low, high = math.log(levels.sigmas[0]), math.log(levels.sigmas[-1])
    return [*(math.exp(value) for value in spread(high, low, steps)), 0.0]


def polyexponential(steps: int, levels: Levels, rho: float = 1.0) -> list[float]:
    """Even in the logarithm of sigma after raising the place to a power; the usual power 1 makes it Exponential."""
    low, high = math.log(levels.sigmas[0]), math.log(levels.sigmas[-1])
    return [*(math.exp(low + (high - low) * place**rho) for place in spread(1, 0, steps)), 0.0]


def sgm_uniform(steps: int, levels: Levels) -> list[float]:
    """Evenly spaced timesteps as Stability's generative-models have them: one more, the last one dropped."""
    last = len(levels.sigmas) - 1
    return [*(levels.sigma_of(timestep) for timestep in spread(last, 0, steps + 1)[:-1]), 0.0]


def simple(steps: int, levels: Levels) -> list[float]:
    """Every n-th training level, counted from the noisiest."""
    stride = len(levels.sigmas) / steps
    return [*(levels.sigmas[-(1 + int(index * stride))] for index in range(steps)), 0.0]


def kl_optimal(steps: int, levels: Levels) -> list[float]:
    """Even in the arc tangent of sigma, down to the cleanest level and not to 0: https://arxiv.org/abs/2404.14507,
    section 3."""
    return [math.tan(angle) for angle in spread(math.atan(levels.sigmas[-1]), math.atan(levels.sigmas[0]), steps + 1)]


def align_your_steps(steps: int, _levels: Levels) -> list[float]:
    """Levels that were optimised for Stable Diffusion 1.5 with 10 steps, interpolated in their logarithm:
    https://arxiv.org/abs/2404.14507."""
    logs, places = [math.log(sigma) for sigma in ALIGNED], range(len(ALIGNED))
    return [*(math.exp(float(np.interp(place, places, logs))) for place in spread(0, places[-1], steps)), 0.0]


def ddim(steps: int, levels: Levels) -> list[float]:
    """Every n-th level of training, counted from the second cleanest; where n leaves a rest there is a step more."""
    count = len(levels.sigmas)
    return [*reversed(levels.sigmas[1 :: max(count // steps, 1)]), 0.0]


def beta(steps: int, levels: Levels, alpha: float = BETA, beta: float = BETA) -> list[float]:
    """Quantiles of the beta distribution, denser at both ends (https://arxiv.org/abs/2407.12173), over sigma."""
    from scipy.special import betaincinv  # takes a moment to load: only who uses it waits

    low, high = levels.sigmas[0], levels.sigmas[-1]
    return [*(low + (high - low) * float(betaincinv(alpha, beta, place)) for place in spread(1, 0, steps)), 0.0]


def turbo(steps: int, levels: Levels) -> list[float]:
    """The last timestep of each of `steps` equal stretches, as SDXL Turbo was distilled for:
    https://arxiv.org/abs/2311.17042."""
    stretch = len(levels.sigmas) / steps
    places = [max(round(stretch * number - 1), 0) for number in range(steps, 0, -1)]
    return [*(levels.sigmas[place] for place in places), 0.0]


SCHEDULES = (
    Schedule("uniform", "Uniform", uniform),
    Schedule("karras", "Karras", karras),
    Schedule("exponential", "Exponential", exponential),
    Schedule("polyexponential", "Polyexponential", polyexponential),
    Schedule("sgm_uniform", "SGM Uniform", sgm_uniform, aliases=("SGMUniform",)),
    Schedule("kl_optimal", "KL Optimal", kl_optimal),
    Schedule("align_your_steps", "Align Your Steps", align_your_steps),
    Schedule("simple", "Simple", simple),
    Schedule("normal", "Normal", uniform),
    Schedule("ddim", "DDIM", ddim),
    Schedule("beta", "Beta", beta),
    Schedule("turbo", "Turbo", turbo),
)
