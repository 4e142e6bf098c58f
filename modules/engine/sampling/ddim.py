"""DDIM and its kin: methods over the original implementation's timesteps.

In the papers latents have unit variance; divided by the clean part's factor they are clean + sigma * noise as
everywhere here, and DDIM is Euler's method in sigma.
"""

from modules.engine.sampling.euler import euler_ancestral, split_ancestral
from modules.schema.sampling import Latents, Levels, Step

CFGPP_SHARE = 1 / 12.5
"""A guidance scale of 12.5 stands for the paper's 1, so that the usual scales can be kept."""


def ddim(latents: Latents, step: Step) -> Latents:
    """DDIM (https://arxiv.org/abs/2010.02502): with eta 0 Euler's method, with eta 1 DDPM."""
    return euler_ancestral(latents, step)


def ddim_cfgpp(latents: Latents, step: Step) -> Latents:
    """DDIM with CFG++ (https://arxiv.org/abs/2406.08070): the noise that is put back is the model's without prompt."""
    guided, unguided = step.denoise_apart(latents, CFGPP_SHARE)
    down, up = split_ancestral(step.sigma, step.sigma_next, step.dials.eta)
    result = guided + (latents - unguided) * (down / step.sigma)
    return result + step.noise() * up if up else result


def ddim_timesteps(steps: int, levels: Levels) -> list[float]:
    """Every n-th timestep and one more, without a last step to 0: the spacing of the original DDIM sampler."""
    count = len(levels.sigmas)
    timesteps = [min(timestep + 1, count - 1) for timestep in range(0, count, count // steps)]
    if len(timesteps) == 1:
        timesteps = [0, count - 1]
    return [levels.sigma_of(timestep) for timestep in reversed(timesteps)]
