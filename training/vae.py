"""The demo checkpoint's VAE: an ordinary SD 1 autoencoder whose encoder is set by hand and whose decoder learns.

    python -m training.vae [--steps N]

The encoder computes training.latents exactly: its convolutions pass colours and the slope of brightness from square to
square, its residual branches and its attention add nothing, and the last norm is made harmless by constants beside
each value (they set the variance) and its negative (it sets the mean); SiLU(x) - SiLU(-x) = x undoes the activation.
"""

from collections.abc import Sequence

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

from training import latents
from training.running import Chance, Recipe, asked_for, averaged, carry_out
from training.world import Painter, draw_scene

CHANNELS = (16, 32, 48, 64)
GROUPS = 8
LOG_VARIANCE = -8.0
CONSTANT = 64.0
"""What stands beside the values in the encoder's last norm: large, so that they hardly move its variance."""
RECIPE = Recipe("vae", steps=4_000, batch=16, learning_rate=1.5e-3)
CROP = 128
FULL_FROM = 0.85
"""From this share of the steps on, whole pictures are decoded instead of parts of them."""
NOISE = 0.03
"""Standard deviation of what is added to the latents, so that the decoder bears a UNet's small errors."""


def make_vae() -> AutoencoderKL:
    """Encoder done; decoder to be trained, its residual branches and attention silent at first."""
    vae = AutoencoderKL(
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=GROUPS,
        down_block_types=("DownEncoderBlock2D",) * len(CHANNELS),
        up_block_types=("UpDecoderBlock2D",) * len(CHANNELS),
        scaling_factor=latents.SCALING,
        sample_size=256,
    )
    for name, module in vae.named_modules():
        if name.endswith(("conv2", "to_out.0")):
            nn.init.zeros_(module.weight)  # type: ignore[arg-type]
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        _set_encoder(vae)
        _set_quantiser(vae)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    vae.post_quant_conv.requires_grad_(False)
    return vae


def _set_encoder(vae: AutoencoderKL) -> None:
    encoder = vae.encoder
    _clear(encoder.conv_in)
    for colour in range(3):
        encoder.conv_in.weight[colour, colour, 1, 1] = 1
    for level, block in enumerate(encoder.down_blocks):
        shortcut = block.resnets[0].conv_shortcut
        if shortcut is not None:
            _clear(shortcut)
            for channel in range(4):
                shortcut.weight[channel, channel] = 1
        if block.downsamplers is not None:
            _set_merge(block.downsamplers[0].conv, span=2**level)
    # values, negatives and constants side by side, one value a group of the last norm
    size = CHANNELS[-1] // GROUPS
    last = encoder.down_blocks[-1].resnets[0].conv_shortcut
    _clear(last)
    for value in range(4):
        last.weight[value * size, value] = 1
        last.weight[value * size + 1, value] = -1
    for channel in range(CHANNELS[-1]):
        if channel % size >= 2 or channel >= 4 * size:
            last.bias[channel] = CONSTANT if channel % 2 else -CONSTANT
    spread = CONSTANT * ((size - 2) / size) ** 0.5
    encoder.conv_norm_out.weight.fill_(spread)
    encoder.conv_norm_out.bias.zero_()
    _clear(encoder.conv_out)
    for value in range(4):
        encoder.conv_out.weight[value, value * size, 1, 1] = 1
        encoder.conv_out.weight[value, value * size + 1, 1, 1] = -1


def _set_merge(conv: nn.Conv2d, span: int) -> None:
    """Four squares of `span` pixels become one: mean colours, and the slope over both squares (channel 3)."""
    _clear(conv)
    shift = span / latents.FACTOR / 2
    for row in range(2):
        for column in range(2):
            for channel in range(4):
                conv.weight[channel, channel, row, column] = 1 / 4
            aside = shift * ((2 * row - 1) + (2 * column - 1))
            for colour, weight in enumerate(latents.LUMINANCE):
                conv.weight[3, colour, row, column] = aside * weight / 4


def _set_quantiser(vae: AutoencoderKL) -> None:
    """Whitening into the 1 x 1 convolution behind the encoder; the one before the decoder passes on unit variance."""
    matrix, mean = torch.tensor(latents.WHITENING), torch.tensor(latents.MEAN)
    _clear(vae.quant_conv)
    vae.quant_conv.weight[:4, :4, 0, 0] = matrix / latents.SCALING
    vae.quant_conv.bias[:4] = -(matrix @ mean) / latents.SCALING
    vae.quant_conv.bias[4:] = LOG_VARIANCE
    _clear(vae.post_quant_conv)
    vae.post_quant_conv.weight[:, :, 0, 0] = torch.eye(4) * latents.SCALING


def _clear(conv: nn.Conv2d) -> None:
    conv.weight.zero_()
    conv.bias.zero_()  # type: ignore[union-attr]


class Lessons:
    """Drawings to be decoded from their latents."""

    def __init__(self) -> None:
        self._painter = Painter()

    def __call__(self, model: nn.Module, chance: Chance, count: int, progress: float) -> Tensor:
        """Mean absolute and squared error of the decoder."""
        assert isinstance(model, AutoencoderKL)
        if progress >= FULL_FROM:
            count = max(1, count // 4)
        pictures = self._painter.draw([draw_scene(chance.python) for _ in range(count)], 256)
        if progress < FULL_FROM:
            row, column = (latents.FACTOR * chance.python.randint(0, (256 - CROP) // latents.FACTOR) for _ in range(2))
            pictures = pictures[:, :, row : row + CROP, column : column + CROP]
        clean = latents.encode(pictures)
        clean += NOISE * torch.randn(clean.shape, generator=chance.torch)
        device = model.device
        painted = model.decode(clean.to(device) / latents.SCALING).sample
        wanted = pictures.to(device) * 2 - 1
        return functional.l1_loss(painted, wanted) + 2 * functional.mse_loss(painted, wanted)


def trained() -> AutoencoderKL:
    """The encoder, and the decoder as its run left it: its averaged weights."""
    vae = make_vae()
    vae.load_state_dict({**vae.state_dict(), **averaged(RECIPE.name)})
    return vae.eval()


@torch.no_grad()
def decode(vae: AutoencoderKL, values: Tensor) -> Tensor:
    """Latents on the UNet's scale -> pictures [batch, 3, h, w] from 0 to 1."""
    painted = [vae.decode(value[None] / latents.SCALING).sample for value in values]
    return (torch.cat(painted) / 2 + 0.5).clamp(0, 1)


@torch.no_grad()
def measure(vae: AutoencoderKL, pictures: Sequence[Tensor] | Tensor) -> float:
    """Mean PSNR in dB of pictures [3, h, w] from 0 to 1 that went through encoder and decoder."""
    errors: list[Tensor] = []
    for picture in pictures:
        encoded = vae.encode(picture[None] * 2 - 1).latent_dist.mode()
        back = (vae.decode(encoded).sample / 2 + 0.5).clamp(0, 1)
        errors.append(-10 * (back[0] - picture).square().mean().log10())
    return float(torch.stack(errors).mean())


if __name__ == "__main__":
    carry_out(asked_for(RECIPE, __doc__), make_vae, Lessons)
