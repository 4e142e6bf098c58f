"""What the diffusion models here share: Stable Diffusion 1's noise levels, v-prediction, and a short way to pictures.

Salimans and Ho 2022 (https://arxiv.org/abs/2202.00512): v = sqrt(a) noise - sqrt(1 - a) clean.
"""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from training.running import Chance

TIMESTEPS = 1000
SILENT = 975
"""From this timestep on, the model is shown noise alone: the first step of a walk starts from nothing but noise, while
the noise levels of Stable Diffusion 1 leave a trace of the picture's mean colour there."""


def signal_shares() -> Tensor:
    """The share of the clean latents' variance that is left at each timestep, falling: [1000]."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


_SHARES = signal_shares()


def noised(clean: Tensor, noise: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """(what the model sees, what it shall say: v); timesteps [batch]."""
    share = _SHARES.to(clean.device)[timesteps].view(-1, *[1] * (clean.ndim - 1))
    target = share.sqrt() * noise - (1 - share).sqrt() * clean
    heard = (timesteps < SILENT).to(clean.dtype).view_as(share)
    return share.sqrt() * heard * clean + (1 - share).sqrt() * noise, target


def lesson(clean: Tensor, chance: Chance, predict: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Mean squared error of v at random timesteps; predict(noisy, timesteps [batch]) says v."""
    noise = torch.randn(clean.shape, generator=chance.torch).to(clean.device)
    timesteps = torch.randint(0, TIMESTEPS, (len(clean),), generator=chance.torch).to(clean.device)
    noisy, target = noised(clean, noise, timesteps)
    return functional.mse_loss(predict(noisy, timesteps), target)


def seeded(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Unit noise [seeds, *shape]."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def guided(
    unet: Callable[..., tuple[Tensor]], both: Tensor, guidance: float, see: Callable[[Tensor], Tensor] = lambda now: now
) -> Callable[[Tensor, Tensor], Tensor]:
    """What a UNet says under guidance; `both` holds the captions' embeddings and then as many of the empty one, and
    see(latents) is what the UNet is shown."""

    def predict(now: Tensor, timestep: Tensor) -> Tensor:
        shown = see(now)
        towards, away = unet(torch.cat([shown, shown]), timestep, both, return_dict=False)[0].chunk(2)
        return away + guidance * (towards - away)

    return predict


@torch.no_grad()
def walk(
    predict: Callable[[Tensor, Tensor], Tensor], latents: Tensor, steps: int = 20, start: int = TIMESTEPS - 1
) -> Tensor:
    """DDIM (https://arxiv.org/abs/2010.02502) from latents at `start` to clean ones; predict(latents, time) says v."""
    times = torch.linspace(start, 0, steps + 1).round().long()
    for now, after in itertools.pairwise(times):
        share, share_after = _SHARES[now], _SHARES[after]
        v = predict(latents, now)
        clean = share.sqrt() * latents - (1 - share).sqrt() * v
        noise = (1 - share).sqrt() * latents + share.sqrt() * v
        latents = share_after.sqrt() * clean + (1 - share_after).sqrt() * noise if after > 0 else clean
    return latents
