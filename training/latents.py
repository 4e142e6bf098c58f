"""The latents of the little world: an encoder set by hand, so that the UNet and the decoder can learn at the same time.

A latent says of its 8 x 8 pixels the mean red, green and blue, and how brightness moves across it: four linear
functions, whitened. `training.vae` writes the same functions into an ordinary SD 1 encoder.
"""

import torch
from torch import Tensor
from torch.nn import functional

FACTOR = 8
SCALING = 0.18215
"""What Stable Diffusion 1 multiplies latents with."""
LUMINANCE = (0.299, 0.587, 0.114)
SLOPE_WEIGHT = 0.6
"""Standard deviation of the fourth channel; the others have 1. Its large values stand at edges only."""


def features(pictures: Tensor) -> Tensor:
    """[batch, 3, h, w] from 0 to 1 -> mean red, green, blue and slope of each square: [batch, 4, h / 8, w / 8].

    The slope is the mean of brightness x (place along the diagonal, -1 to 1), of pictures from -1 to 1.
    """
    scaled = pictures * 2 - 1
    means = functional.avg_pool2d(scaled, FACTOR)
    brightness = (scaled * torch.tensor(LUMINANCE)[:, None, None]).sum(1, keepdim=True)
    at = (torch.arange(FACTOR) + 0.5) / FACTOR - 0.5
    ramp = (at[:, None] + at[None, :]) / FACTOR**2
    return torch.cat([means, functional.conv2d(brightness, ramp[None, None], stride=FACTOR)], dim=1)


MEAN = (0.18242255, -0.03388877, -0.08931253, 0.00006980)
WHITENING = (
    (1.3605820, -0.3010575, 0.1415926, 0.0),
    (-0.3010575, 1.7788178, -0.2998599, 0.0),
    (0.1415926, -0.2998599, 1.5097463, 0.0),
    (0.0, 0.0, 0.0, 25.2556973),
)
"""latents = WHITENING @ (features - MEAN): the means decorrelated (ZCA), the slope brought to SLOPE_WEIGHT. Measured
once by measure_whitening(), and fixed since: whatever was trained on these latents depends on them."""


def measure_whitening(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """(matrix [4, 4], mean [4]) that whiten the features of pictures [batch, 3, h, w]."""
    values = features(pictures).permute(1, 0, 2, 3).flatten(1).double()
    mean = values.mean(1)
    centred = values - mean[:, None]
    size, axes = torch.linalg.eigh(centred[:3] @ centred[:3].T / centred.shape[1])
    matrix = torch.zeros(4, 4, dtype=torch.float64)
    matrix[:3, :3] = axes @ torch.diag(size**-0.5) @ axes.T
    matrix[3, 3] = SLOPE_WEIGHT / centred[3].std()
    return matrix.float(), mean.float()


def encode(pictures: Tensor) -> Tensor:
    """[batch, 3, h, w] from 0 to 1 -> latents [batch, 4, h / 8, w / 8] on the scale that the UNet sees."""
    centred = features(pictures) - torch.tensor(MEAN)[:, None, None]
    return torch.einsum("dc,bchw->bdhw", torch.tensor(WHITENING), centred)
