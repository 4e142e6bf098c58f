"""Classifier-free guidance over a UNet (https://arxiv.org/abs/2207.12598)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """Embeddings [1, tokens, width] to go towards and to go away from."""

    positive: Tensor
    negative: Tensor


class GuidedDenoiser:
    """(latents, sigma) -> clean latents, in float32; the UNet sees what it was trained on.

    Latents come as clean + sigma * noise; the UNet wants unit variance and a timestep (Karras et al. 2022, table 1).
    `one_by_one` gives it one picture of a batch at a time.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        text: Conditioning,
        guidance_scale: float,
        timestep_of: Callable[[float], float],
        prediction_type: str,
        one_by_one: bool = False,
    ) -> None:
        self._unet, self._text, self._scale = unet, text, guidance_scale
        self._timestep_of, self._prediction_type = timestep_of, prediction_type
        self._one_by_one = one_by_one

    def __call__(self, latents: Tensor, sigma: float) -> Tensor:
        """The clean latents that the model sees in `latents` [batch, channels, h, w] at the level `sigma`."""
        scaled = (latents / (sigma**2 + 1) ** 0.5).to(self._unet.dtype)
        timestep = self._timestep_of(sigma)
        if self._one_by_one:
            output = torch.cat([self._guided(picture[None], timestep) for picture in scaled])
        else:
            output = self._guided(scaled, timestep)
        if self._prediction_type == "v_prediction":
            return latents / (sigma**2 + 1) - output * (sigma / (sigma**2 + 1) ** 0.5)
        return latents - sigma * output

    def _guided(self, scaled: Tensor, timestep: float) -> Tensor:
        positive, negative = self._text.positive, self._text.negative
        if self._scale == 1:
            return self._predict(scaled, timestep, positive)
        if positive.shape == negative.shape:
            both = self._predict(torch.cat([scaled, scaled]), timestep, positive, negative)
            towards, away = both.chunk(2)
        else:  # prompts of different lengths do not fit into one batch
            towards, away = self._predict(scaled, timestep, positive), self._predict(scaled, timestep, negative)
        return away + self._scale * (towards - away)

    def _predict(self, scaled: Tensor, timestep: float, *texts: Tensor) -> Tensor:
        count = scaled.shape[0] // len(texts)
        context = torch.cat([text.expand(count, -1, -1) for text in texts])
        times = torch.full((scaled.shape[0],), timestep, dtype=torch.float32, device=scaled.device)
        return self._unet(scaled, times, encoder_hidden_states=context, return_dict=False)[0].float()
