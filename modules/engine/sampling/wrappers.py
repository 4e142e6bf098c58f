"""Denoisers around denoisers: a mask that keeps a part, a refiner that takes over, a UNet that sees a picture too."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from modules.engine.sampling.loop import Denoiser
from modules.schema.sampling import Levels

MaskAt = Callable[[float], Tensor]
"""From a noise level to the mask there, [1, 1, h, w]: 1 where to paint, 0 where the latents stay."""


class MaskedDenoiser:
    """Outside the mask the model is taken to see the original latents.

    `in_noise` puts them into what the model looks at instead of into what it sees: AUTOMATIC1111's way with the
    samplers that count in timesteps.
    """

    def __init__(self, model: Denoiser, original: Tensor, mask: MaskAt, in_noise: bool = False) -> None:
        self._model, self._original, self._mask, self._in_noise = model, original, mask, in_noise

    def __call__(self, latents: Tensor, sigma: float, timestep: float | None = None) -> Tensor:
        """The clean latents in `latents` at the level `sigma`."""
        shown = self._shown(latents, sigma)
        return self._seen(latents, shown, self._model(shown, sigma, timestep), sigma)

    def apart(
        self, latents: Tensor, sigma: float, guidance: float, timestep: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same with `guidance` times the guidance scale, and without the prompt."""
        shown = self._shown(latents, sigma)
        guided, unguided = self._model.apart(shown, sigma, guidance, timestep)
        return self._seen(latents, shown, guided, sigma), self._seen(latents, shown, unguided, sigma)

    def alone(self, index: int) -> "MaskedDenoiser":
        """The same for picture `index` of the batch."""
        original = self._original[index : index + 1]
        return MaskedDenoiser(self._model.alone(index), original, self._mask, self._in_noise)

    def _shown(self, latents: Tensor, sigma: float) -> Tensor:
        if not self._in_noise:
            return latents
        mask = self._mask(sigma)
        return latents * mask + self._original * (1 + sigma**2) ** 0.5 * (1 - mask)

    def _seen(self, latents: Tensor, shown: Tensor, denoised: Tensor, sigma: float) -> Tensor:
        if self._in_noise:
            return latents - shown + denoised
        mask = self._mask(sigma)
        return denoised * mask + self._original * (1 - mask)


def fading_mask(shades: Tensor, levels: Levels, start: float) -> MaskAt:
    """Differential diffusion (https://arxiv.org/abs/2306.00950): the darker a part of the mask, the later it changes.

    `shades` [1, 1, h, w] from 0 to 1 say for how much of the walk, from the level `start` to its end, a part is free.
    """
    whole = max(levels.timestep_of(start), 1.0)

    def mask(sigma: float) -> Tensor:
        left = min(1.0, levels.timestep_of(max(sigma, levels.sigmas[0])) / whole)
        return ((shades >= left) & (shades > 0)).to(shades.dtype)

    return mask


class RefinedDenoiser:
    """One model first, then another one: from a share `switch_at` of the training timesteps on, counted from noise."""

    def __init__(self, first: Denoiser, second: Callable[[], Denoiser], levels: Levels, switch_at: float) -> None:
        self._now, self._second, self._levels = first, second, levels
        self._sigmas, self._switch_at, self._switched = np.array(levels.sigmas), switch_at, False

    def __call__(self, latents: Tensor, sigma: float, timestep: float | None = None) -> Tensor:
        """The clean latents in `latents` at the level `sigma`."""
        return self._at(sigma)(latents, sigma, timestep)

    def apart(
        self, latents: Tensor, sigma: float, guidance: float, timestep: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same with `guidance` times the guidance scale, and without the prompt."""
        return self._at(sigma).apart(latents, sigma, guidance, timestep)

    def alone(self, index: int) -> "RefinedDenoiser":
        """The same for picture `index` of the batch, at the beginning of a walk of its own."""
        first = self._now.alone(index)
        return RefinedDenoiser(first, lambda: self._second().alone(index), self._levels, self._switch_at)

    def _at(self, sigma: float) -> Denoiser:
        timestep = int(np.abs(self._sigmas - sigma).argmin())
        passed = (len(self._sigmas) - 1 - timestep) / len(self._sigmas)
        if not self._switched and passed >= self._switch_at:
            self._now, self._switched = self._second(), True
        return self._now


class EditDenoiser:
    """InstructPix2Pix's two guidance scales (https://arxiv.org/abs/2211.09800, equation 3).

    `guided` follows the text and sees the picture, `blind` has the negative prompt alone.
    """

    def __init__(self, guided: Denoiser, blind: Denoiser, image_guidance_scale: float) -> None:
        self._guided, self._blind, self._scale = guided, blind, image_guidance_scale

    def __call__(self, latents: Tensor, sigma: float, timestep: float | None = None) -> Tensor:
        """The clean latents in `latents` at the level `sigma`."""
        if self._scale == 1:
            return self._guided(latents, sigma, timestep)
        return self.apart(latents, sigma, 1.0, timestep)[0]

    def apart(
        self, latents: Tensor, sigma: float, guidance: float, timestep: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same with `guidance` times the guidance scale, and without the prompt."""
        guided, seeing = self._guided.apart(latents, sigma, guidance, timestep)
        if self._scale == 1:
            return guided, seeing
        pull = (self._scale - 1) * (seeing - self._blind(latents, sigma, timestep))
        return guided + pull, seeing + pull

    def alone(self, index: int) -> "EditDenoiser":
        """The same for picture `index` of the batch."""
        return EditDenoiser(self._guided.alone(index), self._blind.alone(index), self._scale)


class SeeingUNet:
    """A UNet with more input channels, which are the same at each step: `seen` [1, channels, h, w]."""

    def __init__(self, unet: UNet2DConditionModel, seen: Tensor) -> None:
        self._unet, self._seen = unet, seen

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self._unet.dtype

    def __call__(self, latents: Tensor, *others: Any, **named: Any) -> Sequence[Tensor]:
        """The UNet's answer, for latents that lack the additional channels."""
        seen = self._seen.to(latents).expand(len(latents), -1, -1, -1)
        return self._unet(torch.cat([latents, seen], dim=1), *others, **named)
