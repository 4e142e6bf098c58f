"""Checkpoints of Stable Diffusion 1's shape with seeded random weights, in the original layout.

The full-size one is the file that the golden pictures were painted with: its SHA-256 begins with 264af5710f.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

FULL_SIZE_HASH = "264af5710f"


@dataclass(frozen=True)
class Sizes:
    """What a checkpoint is built from; the defaults are SD 1.5's."""

    channels: int = 320
    multipliers: Sequence[int] = (1, 2, 4, 4)
    blocks: int = 2
    attention_levels: Sequence[int] = (0, 1, 2)
    text_width: int = 768
    text_layers: int = 12
    text_intermediate: int = 3072
    vocabulary: int = 49408
    vae_channels: int = 128
    vae_multipliers: Sequence[int] = (1, 2, 4, 4)


class _Writer:
    """Draws weights in a fixed order from one generator."""

    def __init__(self, seed: int) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, name: str, shape: tuple[int, ...], scale: float) -> None:
        self.tensors[name] = (torch.randn(shape, generator=self._generator) * scale).half()

    def weight(self, name: str, shape: tuple[int, ...], scale: float = 1.0) -> None:
        self.draw(name, shape, scale / math.sqrt(math.prod(shape[1:])))

    def linear(self, name: str, out: int, into: int, bias: bool = True, scale: float = 1.0) -> None:
        self.weight(f"{name}.weight", (out, into), scale)
        if bias:
            self.draw(f"{name}.bias", (out,), 0.01)

    def conv(self, name: str, out: int, into: int, kernel: int, scale: float = 1.0) -> None:
        self.weight(f"{name}.weight", (out, into, kernel, kernel), scale)
        self.draw(f"{name}.bias", (out,), 0.01)

    def norm(self, name: str, width: int) -> None:
        drawn = torch.randn(width, generator=self._generator)
        self.tensors[f"{name}.weight"] = (1 + 0.02 * drawn).half()
        self.draw(f"{name}.bias", (width,), 0.01)


def random_weights(sizes: Sizes, seed: int = 0) -> dict[str, Tensor]:
    """All tensors of a checkpoint."""
    writer = _Writer(seed)
    _unet(writer, sizes)
    _vae(writer, sizes)
    _text_encoder(writer, sizes)
    return {**writer.tensors, **_schedule()}


def write_checkpoint(path: Path, sizes: Sizes | None = None, seed: int = 0) -> Path:
    """A .safetensors file; 2.1 GB at full size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(random_weights(sizes or Sizes(), seed), path, metadata={"format": "pt"})
    return path


def _unet(writer: _Writer, sizes: Sizes) -> None:
    prefix, base, time = "model.diffusion_model.", sizes.channels, sizes.channels * 4
    writer.linear(f"{prefix}time_embed.0", time, base)
    writer.linear(f"{prefix}time_embed.2", time, time)
    writer.conv(f"{prefix}input_blocks.0.0", base, 4, 3)
    width, skips, number = base, [base], 1
    last = len(sizes.multipliers) - 1
    for level, multiplier in enumerate(sizes.multipliers):
        for _ in range(sizes.blocks):
            _residual(writer, f"{prefix}input_blocks.{number}.0", width, multiplier * base, time)
            width = multiplier * base
            if level in sizes.attention_levels:
                _transformer(writer, f"{prefix}input_blocks.{number}.1", width, sizes.text_width)
            skips.append(width)
            number += 1
        if level != last:
            writer.conv(f"{prefix}input_blocks.{number}.0.op", width, width, 3)
            skips.append(width)
            number += 1
    _residual(writer, f"{prefix}middle_block.0", width, width, time)
    _transformer(writer, f"{prefix}middle_block.1", width, sizes.text_width)
    _residual(writer, f"{prefix}middle_block.2", width, width, time)
    number = 0
    for level, multiplier in reversed(list(enumerate(sizes.multipliers))):
        for block in range(sizes.blocks + 1):
            _residual(writer, f"{prefix}output_blocks.{number}.0", width + skips.pop(), multiplier * base, time)
            width, place = multiplier * base, 1
            if level in sizes.attention_levels:
                _transformer(writer, f"{prefix}output_blocks.{number}.1", width, sizes.text_width)
                place = 2
            if level and block == sizes.blocks:
                writer.conv(f"{prefix}output_blocks.{number}.{place}.conv", width, width, 3)
            number += 1
    writer.norm(f"{prefix}out.0", width)
    writer.conv(f"{prefix}out.2", 4, width, 3)


def _residual(writer: _Writer, name: str, into: int, out: int, time: int) -> None:
    writer.norm(f"{name}.in_layers.0", into)
    writer.conv(f"{name}.in_layers.2", out, into, 3)
    writer.linear(f"{name}.emb_layers.1", out, time)
    writer.norm(f"{name}.out_layers.0", out)
    writer.conv(f"{name}.out_layers.3", out, out, 3, 0.3)
    if into != out:
        writer.conv(f"{name}.skip_connection", out, into, 1)


def _transformer(writer: _Writer, name: str, width: int, context: int) -> None:
    writer.norm(f"{name}.norm", width)
    writer.conv(f"{name}.proj_in", width, width, 1)
    block = f"{name}.transformer_blocks.0"
    for attention, into in (("attn1", width), ("attn2", context)):
        writer.linear(f"{block}.{attention}.to_q", width, width, bias=False)
        writer.linear(f"{block}.{attention}.to_k", width, into, bias=False)
        writer.linear(f"{block}.{attention}.to_v", width, into, bias=False)
        writer.linear(f"{block}.{attention}.to_out.0", width, width, scale=0.5)
    writer.linear(f"{block}.ff.net.0.proj", width * 8, width)
    writer.linear(f"{block}.ff.net.2", width, width * 4, scale=0.5)
    for number in (1, 2, 3):
        writer.norm(f"{block}.norm{number}", width)
    writer.conv(f"{name}.proj_out", width, width, 1, 0.3)


def _vae(writer: _Writer, sizes: Sizes) -> None:
    prefix, base = "first_stage_model.", sizes.vae_channels
    last = len(sizes.vae_multipliers) - 1
    writer.conv(f"{prefix}encoder.conv_in", base, 3, 3)
    width = base
    for level, multiplier in enumerate(sizes.vae_multipliers):
        for block in range(2):
            _vae_residual(writer, f"{prefix}encoder.down.{level}.block.{block}", width, multiplier * base)
            width = multiplier * base
        if level != last:
            writer.conv(f"{prefix}encoder.down.{level}.downsample.conv", width, width, 3)
    _vae_middle(writer, f"{prefix}encoder", width)
    writer.norm(f"{prefix}encoder.norm_out", width)
    writer.conv(f"{prefix}encoder.conv_out", 8, width, 3)
    writer.conv(f"{prefix}decoder.conv_in", width, 4, 3)
    _vae_middle(writer, f"{prefix}decoder", width)
    for level, multiplier in reversed(list(enumerate(sizes.vae_multipliers))):
        for block in range(3):
            _vae_residual(writer, f"{prefix}decoder.up.{level}.block.{block}", width, multiplier * base)
            width = multiplier * base
        if level:
            writer.conv(f"{prefix}decoder.up.{level}.upsample.conv", width, width, 3)
    writer.norm(f"{prefix}decoder.norm_out", width)
    writer.conv(f"{prefix}decoder.conv_out", 3, width, 3, 0.5)
    writer.conv(f"{prefix}quant_conv", 8, 8, 1)
    writer.conv(f"{prefix}post_quant_conv", 4, 4, 1)


def _vae_residual(writer: _Writer, name: str, into: int, out: int) -> None:
    writer.norm(f"{name}.norm1", into)
    writer.conv(f"{name}.conv1", out, into, 3)
    writer.norm(f"{name}.norm2", out)
    writer.conv(f"{name}.conv2", out, out, 3, 0.3)
    if into != out:
        writer.conv(f"{name}.nin_shortcut", out, into, 1)


def _vae_middle(writer: _Writer, name: str, width: int) -> None:
    _vae_residual(writer, f"{name}.mid.block_1", width, width)
    writer.norm(f"{name}.mid.attn_1.norm", width)
    for part in ("q", "k", "v"):
        writer.conv(f"{name}.mid.attn_1.{part}", width, width, 1)
    writer.conv(f"{name}.mid.attn_1.proj_out", width, width, 1, 0.3)
    _vae_residual(writer, f"{name}.mid.block_2", width, width)


def _text_encoder(writer: _Writer, sizes: Sizes) -> None:
    prefix, width = "cond_stage_model.transformer.text_model.", sizes.text_width
    writer.tensors[f"{prefix}embeddings.position_ids"] = torch.arange(77)[None]
    writer.draw(f"{prefix}embeddings.token_embedding.weight", (sizes.vocabulary, width), 0.02)
    writer.draw(f"{prefix}embeddings.position_embedding.weight", (77, width), 0.01)
    for layer in range(sizes.text_layers):
        name = f"{prefix}encoder.layers.{layer}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            writer.linear(f"{name}self_attn.{part}", width, width)
        writer.norm(f"{name}layer_norm1", width)
        writer.linear(f"{name}mlp.fc1", sizes.text_intermediate, width)
        writer.linear(f"{name}mlp.fc2", width, sizes.text_intermediate, scale=0.5)
        writer.norm(f"{name}layer_norm2", width)
    writer.norm(f"{prefix}final_layer_norm", width)


def _schedule() -> dict[str, Tensor]:
    """The buffers that files in the original layout carry along."""
    betas = torch.linspace(0.00085**0.5, 0.0120**0.5, 1000, dtype=torch.float64) ** 2
    products = torch.cumprod(1 - betas, 0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), products[:-1]])
    return {
        "betas": betas.float(),
        "alphas_cumprod": products.float(),
        "alphas_cumprod_prev": before.float(),
        "sqrt_alphas_cumprod": products.sqrt().float(),
        "sqrt_one_minus_alphas_cumprod": (1 - products).sqrt().float(),
    }
