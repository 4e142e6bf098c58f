"""Samplers: how one step is taken from a noise level to the next.

In the terms of Karras et al. 2022 (https://arxiv.org/abs/2206.00364): latents x = clean + sigma * noise, and the
model's guess of the clean latents gives the direction (x - denoised) / sigma in which x changes with sigma. The papers
on DPM-Solver and UniPC work in lambda = -log(sigma), in which their exponential integrators are simple.
"""

import math
from collections.abc import Callable

import numpy as np

from modules.engine.sampling.schedules import spread
from modules.schema.sampling import Latents, Levels, Sampler, Step


def euler(latents: Latents, step: Step) -> Latents:
    """Euler's method, algorithm 1 of https://arxiv.org/abs/2206.00364 without its second half."""
    direction = (latents - step.denoise(latents)) / step.sigma
    return latents + direction * (step.sigma_next - step.sigma)


def euler_ancestral(latents: Latents, step: Step) -> Latents:
    """Euler's method to a level below the next one, then noise up to it; algorithm 1 of DDPM in sigma's terms."""
    direction = (latents - step.denoise(latents)) / step.sigma
    down, up = split_ancestral(step.sigma, step.sigma_next)
    latents = latents + direction * (down - step.sigma)
    return latents + step.noise() * up if step.sigma_next > 0 else latents


def dpmpp_2m(latents: Latents, step: Step) -> Latents:
    """DPM-Solver++(2M), algorithm 2 of https://arxiv.org/abs/2211.01095, in sigma's terms."""
    denoised = step.denoise(latents)
    if step.sigma_next == 0:
        return denoised
    size = math.log(step.sigma / step.sigma_next)
    target = denoised
    if step.past:
        ratio = math.log(step.past[-1].sigma / step.sigma) / size
        target = (1 + 1 / (2 * ratio)) * denoised - 1 / (2 * ratio) * step.past[-1].denoised
    return step.sigma_next / step.sigma * latents - math.expm1(-size) * target


def dpmpp_sde(latents: Latents, step: Step) -> Latents:
    """DPM-Solver++ (SDE) with a midpoint: https://arxiv.org/abs/2211.01095, the noise from a Brownian motion."""
    denoised = step.denoise(latents)
    if step.sigma_next == 0:
        return denoised
    middle = math.sqrt(step.sigma * step.sigma_next)
    halfway = _exponential_step(latents, denoised, step, middle)
    denoised_halfway = step.denoise(halfway, middle)
    return _exponential_step(latents, denoised_halfway, step, step.sigma_next)


def ddim(latents: Latents, step: Step) -> Latents:
    """DDIM with eta 0 (https://arxiv.org/abs/2010.02502): in sigma's terms Euler's method; its schedule is its own."""
    return euler(latents, step)


def lcm(latents: Latents, step: Step) -> Latents:
    """Latent consistency models (https://arxiv.org/abs/2310.04378): jump to the clean latents, add noise anew."""
    denoised = step.denoise(latents)
    return denoised + step.noise() * step.sigma_next if step.sigma_next > 0 else denoised


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
        here = min(order, len(past) + 1, _steps_left(step))
        corrected.append(latents)
        orders.append(here)
        recent = [(step.sigma, denoised), *((entry.sigma, entry.denoised) for entry in past[::-1][: here - 1])]
        return _unipc_update(latents, step.sigma_next, recent)

    return take


def ddim_timesteps(steps: int, levels: Levels) -> list[float]:
    """Every n-th timestep and one more, without a last step to 0: the spacing of the original DDIM sampler."""
    count = len(levels.sigmas)
    timesteps = [min(timestep + 1, count - 1) for timestep in range(0, count, count // steps)]
    if len(timesteps) == 1:
        timesteps = [0, count - 1]
    return [levels.sigma_of(timestep) for timestep in reversed(timesteps)]


def unipc_timesteps(steps: int, levels: Levels) -> list[float]:
    """Evenly spaced timesteps down to the cleanest training level, where UniPC ends (it is not defined at 0)."""
    return [levels.sigma_of(timestep) for timestep in spread(len(levels.sigmas) - 1, 0, steps + 1)]


def split_ancestral(sigma: float, sigma_next: float, eta: float = 1.0) -> tuple[float, float]:
    """(level to step down to, noise to add) so that their squares sum to sigma_next's."""
    variance = sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2
    up = min(sigma_next, eta * math.sqrt(max(variance, 0.0)))
    return math.sqrt(sigma_next**2 - up**2), up


def _exponential_step(latents: Latents, denoised: Latents, step: Step, sigma_to: float) -> Latents:
    down, up = split_ancestral(step.sigma, sigma_to)
    latents = down / step.sigma * latents - math.expm1(math.log(down / step.sigma)) * denoised
    return latents + step.brownian(step.sigma, sigma_to) * up


def _steps_left(step: Step) -> int:
    return step.count - step.index


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


SAMPLERS = (
    Sampler("Euler", lambda: euler, aliases=("k_euler",)),
    Sampler("Euler a", lambda: euler_ancestral, aliases=("k_euler_a", "k_euler_ancestral")),
    Sampler("DPM++ 2M", lambda: dpmpp_2m, automatic="Karras", aliases=("k_dpmpp_2m",)),
    Sampler("DPM++ SDE", lambda: dpmpp_sde, automatic="Karras", aliases=("k_dpmpp_sde",), model_calls=2),
    Sampler("DDIM", lambda: ddim, automatic=ddim_timesteps, start="vp", aliases=("ddim",)),
    Sampler("UniPC", unipc, automatic=unipc_timesteps, start="vp", aliases=("unipc",)),
    Sampler("LCM", lambda: lcm, automatic="SGM Uniform", aliases=("k_lcm",)),
)
