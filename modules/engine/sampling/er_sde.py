"""Extended reverse-time SDE: https://arxiv.org/abs/2309.06169."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from modules.engine.sampling.adams import NODES, WEIGHTS
from modules.schema.sampling import Latents, Step

Numbers = NDArray[np.float64]


def er_sde(latents: Latents, step: Step) -> Latents:
    """ER-SDE-Solver-3 of https://arxiv.org/abs/2309.06169, variance exploding, with the noise scale it recommends.

    The clean latents are extrapolated by their first two divided differences in sigma.
    """
    sigma, sigma_next, past = step.sigma, step.sigma_next, step.past
    denoised = step.denoise(latents)
    if sigma_next == 0:
        return denoised
    ratio = float(_noise_scale(sigma_next) / _noise_scale(sigma))
    result = latents * ratio + denoised * (1 - ratio)
    if past:
        slope = (denoised - past[-1].denoised) / (sigma - past[-1].sigma)
        weight = sigma_next - sigma + _scaled(sigma, sigma_next, np.ones_like)
        result = result + slope * weight
    if len(past) > 1:
        earlier = (past[-1].denoised - past[-2].denoised) / (past[-1].sigma - past[-2].sigma)
        bend = (slope - earlier) / ((sigma - past[-2].sigma) / 2)
        weight = (sigma_next - sigma) ** 2 / 2 + _scaled(sigma, sigma_next, lambda level: level - sigma)
        result = result + bend * weight
    variance = max(sigma_next**2 - (sigma * ratio) ** 2, 0.0)
    return result + step.noise() * (step.dials.noise_scale * math.sqrt(variance))


def _noise_scale(sigma: float | Numbers) -> Numbers:
    """The paper's phi: how strongly noise is renewed at a level."""
    return sigma * (np.exp(np.asarray(sigma) ** 0.3) + 10)


def _scaled(sigma: float, sigma_next: float, of: Callable[[Numbers], Numbers]) -> float:
    """phi(sigma_next) times the integral of of(level) / phi(level) from sigma_next to sigma; over log level, in which
    what is integrated is smooth."""
    low, high = math.log(sigma_next), math.log(sigma)
    levels = np.exp((low + high) / 2 + (high - low) / 2 * NODES)
    integral = float(sum(WEIGHTS * of(levels) / _noise_scale(levels) * levels)) * (high - low) / 2
    return float(_noise_scale(sigma_next)) * integral
