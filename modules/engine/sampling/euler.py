"""Euler's method and its kin: Runge-Kutta methods over sigma, with and without fresh noise.

In the terms of Karras et al. 2022 (https://arxiv.org/abs/2206.00364): latents x = clean + sigma * noise, and the
model's guess of the clean latents gives the direction (x - denoised) / sigma in which x changes with sigma.
"""

import math

from modules.engine.sampling.schedules import karras_between
from modules.schema.sampling import Latents, Step

RESTART_AT, RESTART_FROM = 0.1, 2.0
"""The levels between which Restart walks again."""


def euler(latents: Latents, step: Step) -> Latents:
    """Euler's method, algorithm 2 of https://arxiv.org/abs/2206.00364 without the second half of its step."""
    latents, sigma = churned(latents, step)
    direction = (latents - step.denoise(latents, sigma)) / sigma
    return latents + direction * (step.sigma_next - sigma)


def euler_ancestral(latents: Latents, step: Step) -> Latents:
    """Euler's method to a level below the next one, then noise up to it; algorithm 1 of DDPM
    (https://arxiv.org/abs/2006.11239) in sigma's terms."""
    direction = (latents - step.denoise(latents)) / step.sigma
    down, up = split_ancestral(step.sigma, step.sigma_next, step.dials.eta)
    latents = latents + direction * (down - step.sigma)
    return latents + step.noise() * (up * step.dials.noise_scale) if step.sigma_next > 0 else latents


def heun(latents: Latents, step: Step) -> Latents:
    """Heun's method: algorithm 2 of https://arxiv.org/abs/2206.00364."""
    latents, sigma = churned(latents, step)
    direction = (latents - step.denoise(latents, sigma)) / sigma
    ahead = latents + direction * (step.sigma_next - sigma)
    if step.sigma_next == 0:
        return ahead
    there = (ahead - step.denoise(ahead, step.sigma_next)) / step.sigma_next
    return latents + (direction + there) / 2 * (step.sigma_next - sigma)


def dpm2(latents: Latents, step: Step) -> Latents:
    """DPM-Solver-2 in sigma's terms (https://arxiv.org/abs/2206.00927): the direction in the middle of log sigma."""
    latents, sigma = churned(latents, step)
    return _by_midpoint(latents, step, sigma, step.sigma_next)


def dpm2_ancestral(latents: Latents, step: Step) -> Latents:
    """DPM2 to a level below the next one, then noise up to it, as in DDPM (https://arxiv.org/abs/2006.11239)."""
    down, up = split_ancestral(step.sigma, step.sigma_next, step.dials.eta)
    latents = _by_midpoint(latents, step, step.sigma, down)
    return latents + step.noise() * (up * step.dials.noise_scale) if down > 0 else latents


def restart_levels(sigmas: list[float]) -> list[float]:
    """Restart sampling (https://arxiv.org/abs/2306.14878): near the end go back up and walk down again.

    From 20 steps on a part of them is spent on going from 2 to 0.1 once more, from 36 on twice; below 20 there is none.
    """
    steps = len(sigmas) - 1
    if steps < 20:
        return sigmas
    again, times = (steps // 4, 2) if steps >= 36 else (9, 1)
    sigmas = [*karras_between(steps - again * times, sigmas[-2], sigmas[0]), 0.0]
    low, high = (min(sigmas, key=lambda sigma: abs(sigma - level)) for level in (RESTART_AT, RESTART_FROM))
    if low >= high:
        return sigmas
    turn = sigmas.index(low) + 1
    return [*sigmas[:turn], *karras_between(again + 1, low, high) * times, *sigmas[turn:]]


def churned(latents: Latents, step: Step) -> tuple[Latents, float]:
    """The latents with noise added before the step, and the level to which that brings them."""
    dials = step.dials
    if not dials.churn:
        return latents, step.sigma
    noise = step.noise()  # also where there is no churn, so that its limits do not shift what later steps draw
    if not dials.churn_from <= step.sigma <= dials.churn_to:
        return latents, step.sigma
    sigma = step.sigma * (1 + min(dials.churn / step.count, math.sqrt(2) - 1))
    return latents + noise * (dials.noise_scale * math.sqrt(sigma**2 - step.sigma**2)), sigma


def split_ancestral(sigma: float, sigma_next: float, eta: float = 1.0) -> tuple[float, float]:
    """(level to step down to, noise to add) so that their squares sum to sigma_next's."""
    variance = sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2
    up = min(sigma_next, eta * math.sqrt(max(variance, 0.0)))
    return math.sqrt(sigma_next**2 - up**2), up


def _by_midpoint(latents: Latents, step: Step, sigma: float, sigma_to: float) -> Latents:
    direction = (latents - step.denoise(latents, sigma)) / sigma
    if sigma_to > 0:
        middle = math.sqrt(sigma * sigma_to)
        halfway = latents + direction * (middle - sigma)
        direction = (halfway - step.denoise(halfway, middle)) / middle
    return latents + direction * (sigma_to - sigma)
