"""The noise levels of a model's training timesteps."""

import numpy as np

from modules.schema.sampling import Levels


def scaled_linear_levels(start: float = 0.00085, end: float = 0.012, count: int = 1000) -> Levels:
    """Stable Diffusion's levels: betas whose square roots are evenly spaced (https://arxiv.org/abs/2112.10752)."""
    betas = np.linspace(start**0.5, end**0.5, count) ** 2
    products = np.cumprod(1.0 - betas)
    sigmas = np.sqrt((1.0 - products) / products)
    logs, timesteps = np.log(sigmas), np.arange(count, dtype=np.float64)
    return Levels(
        sigmas=tuple(float(sigma) for sigma in sigmas),
        sigma_of=lambda timestep: float(np.exp(np.interp(timestep, timesteps, logs))),
        timestep_of=lambda sigma: float(np.interp(np.log(sigma), logs, timesteps)),
    )
