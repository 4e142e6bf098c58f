"""Samplers for checkpoints that were distilled to paint in a few steps."""

import math

import numpy as np

from modules.schema.sampling import Latents, Levels, Step

ORIGINAL_STEPS = 50
"""How many timesteps of training such checkpoints know."""

DATA_VARIANCE, TIMESTEP_SCALE = 0.25, 10.0
"""Of the consistency function's boundary condition."""


def lcm(latents: Latents, step: Step) -> Latents:
    """Latent consistency models (https://arxiv.org/abs/2310.04378): jump to the clean latents, add noise anew.

    Near timestep 0 the latents themselves count: the paper's boundary condition.
    """
    scaled = TIMESTEP_SCALE * step.levels.timestep_of(step.sigma)
    skip = DATA_VARIANCE / (scaled**2 + DATA_VARIANCE)
    clean = step.denoise(latents) * (scaled / math.sqrt(scaled**2 + DATA_VARIANCE)) + latents * skip
    return clean + step.noise() * step.sigma_next if step.sigma_next > 0 else clean


def tcd(latents: Latents, step: Step) -> Latents:
    """Trajectory consistency distillation (https://arxiv.org/abs/2402.19159), algorithm 4.

    A jump along the trajectory beyond the next level, to (1 - eta) of its timestep, then noise up to the level; eta is
    the paper's gamma.
    """
    denoised = step.denoise(latents)
    if step.sigma_next == 0:
        return denoised
    beyond = step.levels.sigma_of((1 - step.dials.eta) * step.levels.timestep_of(step.sigma_next))
    latents = denoised + (latents - denoised) * (beyond / step.sigma)
    if step.index == step.count - 1:
        return latents
    return latents + step.noise() * math.sqrt(max(step.sigma_next**2 - beyond**2, 0.0))


def lcm_levels(levels: Levels) -> Levels:
    """The levels of every 20th timestep, 19 to 999; the model is told the nearest of these timesteps."""
    every = len(levels.sigmas) // ORIGINAL_STEPS
    sigmas = levels.sigmas[every - 1 :: every]
    logs, places = np.log(sigmas), np.arange(len(sigmas))
    return Levels(
        sigmas=tuple(sigmas),
        sigma_of=lambda place: float(np.exp(np.interp(place, places, logs))),
        timestep_of=lambda sigma: float(np.abs(logs - math.log(sigma)).argmin() * every + every - 1),
    )


def tcd_timesteps(steps: int, levels: Levels) -> list[float]:
    """So many of the 50 timesteps as evenly as whole numbers allow, from the noisiest, and timestep 0 at the end."""
    every = len(levels.sigmas) // ORIGINAL_STEPS
    places = sorted({ORIGINAL_STEPS - index * ORIGINAL_STEPS // steps for index in range(steps)}, reverse=True)
    return [*(levels.sigma_of(place * every - 1) for place in places), levels.sigmas[0]]
