"""The two families of upscalers that are read by us. catalog/upscaler_architecture.py has their sizes and sources.

Pictures are [batch, 3, height, width], from 0 to 1.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.catalog.upscaler_architecture import Compact, Rrdb

RESIDUAL_SCALE = 0.2
"""How much of a block's result is added to what went in: section 3.1 of ESRGAN's paper."""

SLOPE = 0.2
"""Of the leaky ReLU below zero."""


def build_network(architecture: Rrdb | Compact) -> nn.Module:
    """The network without weights."""
    return RrdbNetwork(architecture) if isinstance(architecture, Rrdb) else CompactNetwork(architecture)


class RrdbNetwork(nn.Module):
    """Residual in residual dense blocks at the small size, then doublings by nearest neighbours and convolutions."""

    def __init__(self, architecture: Rrdb) -> None:
        super().__init__()
        self._unshuffle, self._doublings = architecture.unshuffle, architecture.doublings
        width = architecture.width
        self.conv_first = _convolution(3 * architecture.unshuffle**2, width)
        self.body = nn.Sequential(*(_ResidualBlock(architecture) for _ in range(architecture.blocks)))
        self.conv_body = _convolution(width, width)
        for doubling in range(1, architecture.doublings + 1):
            self.add_module(f"conv_up{doubling}", _convolution(width, width))
        self.conv_hr = _convolution(width, width)
        self.conv_last = _convolution(width, 3)

    def forward(self, small: Tensor) -> Tensor:
        """The picture, larger. Sides that cannot be divided for the unshuffling are drawn out, and cut again."""
        height, width = small.shape[-2:]
        features = self.conv_first(self._unshuffled(small))
        features = features + self.conv_body(self.body(features))
        for doubling in range(1, self._doublings + 1):
            features = functional.interpolate(features, scale_factor=2, mode="nearest")
            features = _leaky(self.get_submodule(f"conv_up{doubling}")(features))
        scale = 2**self._doublings // self._unshuffle
        return self.conv_last(_leaky(self.conv_hr(features)))[..., : height * scale, : width * scale]

    def _unshuffled(self, small: Tensor) -> Tensor:
        side = self._unshuffle
        if side == 1:
            return small
        padded = functional.pad(small, (0, -small.shape[-1] % side, 0, -small.shape[-2] % side), mode="replicate")
        return functional.pixel_unshuffle(padded, side)


class _ResidualBlock(nn.Module):
    """Three dense blocks with a shortcut around them."""

    def __init__(self, architecture: Rrdb) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_DenseBlock(architecture) for _ in range(3))

    def forward(self, features: Tensor) -> Tensor:
        return features + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(features)))


class _DenseBlock(nn.Module):
    """Five convolutions, each of which sees all that came before it; in ESRGAN+ with shortcuts two by two."""

    def __init__(self, architecture: Rrdb) -> None:
        super().__init__()
        width, growth = architecture.width, architecture.growth
        for layer in range(5):
            self.add_module(f"conv{layer + 1}", _convolution(width + layer * growth, growth if layer < 4 else width))
        self.conv1x1 = nn.Conv2d(width, growth, 1, bias=False) if architecture.plus else None

    def forward(self, features: Tensor) -> Tensor:
        seen = [features]
        for layer in range(1, 5):
            added = _leaky(self.get_submodule(f"conv{layer}")(torch.cat(seen, dim=1)))
            if self.conv1x1 is not None and layer == 2:
                added = added + self.conv1x1(features)
            if self.conv1x1 is not None and layer == 4:
                added = added + seen[2]
            seen.append(added)
        return features + RESIDUAL_SCALE * self.get_submodule("conv5")(torch.cat(seen, dim=1))


class CompactNetwork(nn.Module):
    """All work is done at the small size; the result is added to nearest neighbours."""

    def __init__(self, architecture: Compact) -> None:
        super().__init__()
        width, slopes = architecture.width, architecture.slopes
        self._scale = architecture.scale
        layers: list[nn.Module] = [_convolution(3, width), nn.PReLU(slopes)]
        for _ in range(architecture.layers):
            layers += [_convolution(width, width), nn.PReLU(slopes)]
        self.body = nn.Sequential(*layers, _convolution(width, 3 * architecture.scale**2))

    def forward(self, small: Tensor) -> Tensor:
        """The picture, larger."""
        details = functional.pixel_shuffle(cast(Tensor, self.body(small)), self._scale)
        return details + functional.interpolate(small, scale_factor=self._scale, mode="nearest")


def _convolution(into: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(into, out, 3, padding=1)


def _leaky(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, SLOPE)
