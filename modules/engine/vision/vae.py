"""The autoencoder: latents to pictures, pictures to latents, and a cheap look at latents on their way."""

import io
from collections.abc import Sequence

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from PIL import Image
from torch import Tensor

from modules.engine.devices import Hardware
from modules.schema.errors import KararliError
from modules.schema.media import Picture

PREVIEW_SIDE = 384
"""Pixels of a preview's longer side at most."""


class Vae:
    """An AutoencoderKL with its latent scale, on its hardware."""

    def __init__(self, model: AutoencoderKL, scaling_factor: float, hardware: Hardware) -> None:
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._scale, self._hardware = scaling_factor, hardware
        self._projection: Tensor | None = None
        if hardware.tiled:
            self.model.enable_tiling()

    def decode(self, latents: Tensor) -> list[Picture]:
        """Latents [batch, channels, h, w] on the model's scale -> one picture each.

        One at a time, so that a picture does not depend on its batch. In half precision a picture that overflows is
        decoded again in float32. Raises KararliError when that overflows too.
        """
        with self._hardware.hosting(self.model):
            return [self._decode_one(latent[None] / self._scale) for latent in latents]

    def encode(self, images: Sequence[Image.Image], chance: torch.Generator | None = None) -> Tensor:
        """RGB pictures of one size -> latents [batch, channels, h, w] in float32 on the model's scale.

        The mode of the encoder's distribution, so that the same picture has the same latents each time; with a
        generator (on the CPU), a draw from it.
        """
        with self._hardware.hosting(self.model):
            return torch.cat([self._encode_one(image, chance) for image in images]) * self._scale

    def preview(self, latents: Tensor) -> bytes:
        """A small JPEG of the first of the latents [batch, channels, h, w], by a linear map to RGB."""
        if self._projection is None:
            self._projection = self._fit_projection()
        first = latents[0].float().cpu() / self._scale
        rgb = torch.einsum("chw,cr->hwr", first, self._projection[:-1]) + self._projection[-1]
        image = Image.fromarray((rgb.clamp(0, 1) * 255).to(torch.uint8).numpy())
        factor = 2 ** (len(self.model.config["block_out_channels"]) - 1)
        scale = min(factor, PREVIEW_SIDE / max(image.size))
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85)
        return file.getvalue()

    def _encode_one(self, image: Image.Image, chance: torch.Generator | None) -> Tensor:
        pixels = torch.from_numpy(np.array(image.convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1)[None] * 2 - 1
        spread = self.model.encode(pixels.to(self.model.device, self.model.dtype)).latent_dist
        if not torch.isfinite(spread.mean).all() and self.model.dtype != torch.float32:
            self.model.to(torch.float32)
            spread = self.model.encode(pixels.to(self.model.device)).latent_dist
        latents = spread.mean.float()
        if chance is not None:
            latents = latents + spread.std.float() * torch.randn(latents.shape, generator=chance).to(latents)
        return latents.to(self._hardware.device)

    def _decode_one(self, latent: Tensor) -> Picture:
        pixels = self.model.decode(latent.to(self.model.device, self.model.dtype)).sample
        if not torch.isfinite(pixels).all() and self.model.dtype != torch.float32:
            self.model.to(torch.float32)
            pixels = self.model.decode(latent.to(self.model.device, torch.float32)).sample
        if not torch.isfinite(pixels).all():
            raise KararliError(
                "The VAE's result is not a picture (NaN): this checkpoint's VAE is damaged. Use another checkpoint."
            )
        shades = ((pixels[0].float() / 2 + 0.5).clamp(0, 1) * 255).to(torch.uint8)
        return Picture(shades.shape[2], shades.shape[1], shades.permute(1, 2, 0).cpu().numpy().tobytes())

    def _fit_projection(self) -> Tensor:
        """A matrix [channels + 1, 3] from a latent (and 1) to the mean colour of its square of pixels.

        Fitted to what this very encoder makes of a picture of coloured squares, so that it suits any checkpoint.
        """
        factor = 2 ** (len(self.model.config["block_out_channels"]) - 1)
        random = np.random.default_rng(0)
        colours = torch.tensor(random.random((12, 12, 3)), dtype=torch.float32)
        squares = colours.permute(2, 0, 1)[None].repeat_interleave(2 * factor, 2).repeat_interleave(2 * factor, 3)
        with self._hardware.hosting(self.model):
            pixels = (squares * 2 - 1).to(self.model.device, self.model.dtype)
            latents = self.model.encode(pixels).latent_dist.mean[0].float().cpu()
        targets = colours.repeat_interleave(2, 0).repeat_interleave(2, 1).reshape(-1, 3)
        inputs = latents.flatten(1).T
        inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
        return torch.linalg.lstsq(inputs, targets).solution
