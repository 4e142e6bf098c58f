"""Upscaler files with seeded random weights, in each of the spellings that are in use, and with weights set by hand."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from modules.catalog.upscaler_architecture import Compact, Rrdb

Weights = dict[str, Tensor]


def drawn(architecture: Rrdb | Compact, seed: int = 0, strength: float = 1.5) -> Weights:
    """Random weights under the newest names."""
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name, shape in architecture.shapes().items():
        fan = max(1, torch.Size(shape[1:]).numel())
        weights[name] = torch.randn(shape, generator=generator) * (strength / fan**0.5)
    return weights


def newest(name: str, _doublings: int) -> str:
    return name


def ema(name: str, _doublings: int) -> str:
    return f"params_ema.{name}"


def middle(name: str, _doublings: int) -> str:
    """As ESRGAN's own repository spells it."""
    name = re.sub(r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", name)
    for ours, theirs in (("conv_body", "trunk_conv"), ("conv_up", "upconv"), ("conv_hr", "HRconv")):
        name = re.sub(f"^{ours}", theirs, name)
    return name


def oldest(blocks: int) -> Callable[[str, int], str]:
    """As BasicSR spelled it in its first years."""

    def rename(name: str, doublings: int) -> str:
        stem, _, kind = name.rpartition(".")
        if match := re.fullmatch(r"body\.(\d+)\.rdb(\d)\.(conv\d)", stem):
            return f"model.1.sub.{match[1]}.RDB{match[2]}.{match[3]}.0.{kind}"
        if match := re.fullmatch(r"body\.(\d+)\.rdb(\d)\.conv1x1", stem):
            return f"model.1.sub.{match[1]}.RDB{match[2]}.conv1x1.{kind}"
        if match := re.fullmatch(r"conv_up(\d)", stem):
            return f"model.{3 * int(match[1])}.{kind}"
        end = 3 * doublings
        places = {"conv_first": "0", "conv_body": f"1.sub.{blocks}", "conv_hr": f"{end + 2}", "conv_last": f"{end + 4}"}
        return f"model.{places[stem]}.{kind}"

    return rename


def spelled(weights: Weights, spelling: Callable[[str, int], str]) -> Weights:
    """The same weights under other names."""
    doublings = sum(name.startswith("conv_up") and name.endswith(".weight") for name in weights)
    return {spelling(name, doublings): tensor for name, tensor in weights.items()}


def save(folder: Path, name: str, weights: Mapping[str, Tensor]) -> Path:
    """A file in models/ESRGAN/ of a data folder."""
    path = folder / "models" / "ESRGAN" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, path)
    return path


def silent(architecture: Rrdb | Compact) -> Weights:
    """All zero: a compact network is nearest neighbours then."""
    return {name: torch.zeros(shape) for name, shape in architecture.shapes().items()}


def carrying(architecture: Rrdb) -> Weights:
    """An RRDB network that hands pixels on: nearest neighbours, of averaged squares where it takes them together."""
    weights, squares = silent(architecture), architecture.unshuffle**2
    for name, tensor in weights.items():
        if name == "conv_first.weight":
            for colour in range(3):
                tensor[colour, colour * squares : (colour + 1) * squares, 1, 1] = 1 / squares
        elif re.fullmatch(r"conv_(up\d|hr|last)\.weight", name):
            for colour in range(3):
                tensor[colour, colour, 1, 1] = 1
    return weights


# ---- what the networks compute, written down a second time and straight ahead


def conv(x: Tensor, weights: Weights, name: str) -> Tensor:
    kernel = weights[f"{name}.weight"]
    return functional.conv2d(x, kernel, weights.get(f"{name}.bias"), padding=kernel.shape[-1] // 2)


def lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def nearest(x: Tensor, factor: int) -> Tensor:
    return x.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)


def dense_block(x: Tensor, weights: Weights, name: str) -> Tensor:
    plus = f"{name}.conv1x1.weight" in weights
    x1 = lrelu(conv(x, weights, f"{name}.conv1"))
    x2 = lrelu(conv(torch.cat((x, x1), 1), weights, f"{name}.conv2"))
    if plus:
        x2 = x2 + conv(x, weights, f"{name}.conv1x1")
    x3 = lrelu(conv(torch.cat((x, x1, x2), 1), weights, f"{name}.conv3"))
    x4 = lrelu(conv(torch.cat((x, x1, x2, x3), 1), weights, f"{name}.conv4"))
    if plus:
        x4 = x4 + x2
    return x + 0.2 * conv(torch.cat((x, x1, x2, x3, x4), 1), weights, f"{name}.conv5")


def rrdb(x: Tensor, weights: Weights, blocks: int, doublings: int, unshuffle: int = 1) -> Tensor:
    if unshuffle > 1:
        batch, channels, height, width = x.shape
        x = x.reshape(batch, channels, height // unshuffle, unshuffle, width // unshuffle, unshuffle)
        x = x.permute(0, 1, 3, 5, 2, 4).reshape(batch, -1, height // unshuffle, width // unshuffle)
    first = conv(x, weights, "conv_first")
    inner = first
    for block in range(blocks):
        before = inner
        for number in (1, 2, 3):
            inner = dense_block(inner, weights, f"body.{block}.rdb{number}")
        inner = before + 0.2 * inner
    x = first + conv(inner, weights, "conv_body")
    for doubling in range(1, doublings + 1):
        x = lrelu(conv(nearest(x, 2), weights, f"conv_up{doubling}"))
    return conv(lrelu(conv(x, weights, "conv_hr")), weights, "conv_last")


def compact(x: Tensor, weights: Weights, scale: int) -> Tensor:
    places = sorted({int(name.split(".")[1]) for name in weights})
    inner = x
    for place in places:
        kernel = weights[f"body.{place}.weight"]
        if kernel.dim() == 4:
            inner = conv(inner, weights, f"body.{place}")
        else:
            inner = torch.where(inner > 0, inner, kernel.reshape(1, -1, 1, 1) * inner)
    batch, _, height, width = inner.shape
    inner = inner.reshape(batch, 3, scale, scale, height, width).permute(0, 1, 4, 2, 5, 3)
    return inner.reshape(batch, 3, height * scale, width * scale) + nearest(x, scale)
