"""From diffusers' and transformers' names to those of the original single-file layout.

The names are those of the Latent Diffusion repository's checkpoints (https://github.com/CompVis/latent-diffusion).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
VOCABULARY = 49408

_RESIDUAL = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet_names(levels: int, layers: int, attention: tuple[bool, ...]) -> dict[str, str]:
    """Beginnings of names: diffusers' -> original, of a UNet of so many levels and layers a level."""
    names = {
        "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }  # fmt: skip
    block = 1
    for level in range(levels):
        for layer in range(layers):
            names[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{block}.0"
            names[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{block}.1"
            block += 1
        if level < levels - 1:
            names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{block}.0.op"
            block += 1
    block = 0
    for level in range(levels):
        for layer in range(layers + 1):
            names[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{block}.0"
            names[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{block}.1"
            if layer == layers:
                place = 2 if attention[levels - 1 - level] else 1
                names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{block}.{place}.conv"
            block += 1
    return names


def unet_layout(weights: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """A UNet's weights under their original names, without the prefix."""
    return {_renamed(name, names, _RESIDUAL if ".resnets." in name else {}): value for name, value in weights.items()}


def vae_layout(weights: Mapping[str, Tensor], levels: int, layers: int) -> dict[str, Tensor]:
    """An AutoencoderKL's weights under their original names, without the prefix."""
    names: dict[str, str] = {}
    for level in range(levels):
        up = levels - 1 - level
        names[f"encoder.down_blocks.{level}.downsamplers.0.conv"] = f"encoder.down.{level}.downsample.conv"
        names[f"decoder.up_blocks.{level}.upsamplers.0.conv"] = f"decoder.up.{up}.upsample.conv"
        for layer in range(layers + 1):
            names[f"encoder.down_blocks.{level}.resnets.{layer}"] = f"encoder.down.{level}.block.{layer}"
            names[f"decoder.up_blocks.{level}.resnets.{layer}"] = f"decoder.up.{up}.block.{layer}"
    for side in ("encoder", "decoder"):
        names[f"{side}.conv_norm_out"] = f"{side}.norm_out"
        names[f"{side}.mid_block.attentions.0"] = f"{side}.mid.attn_1"
        for number in range(2):
            names[f"{side}.mid_block.resnets.{number}"] = f"{side}.mid.block_{number + 1}"
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        attends = ".attentions." in name
        parts = _ATTENTION if attends else {"conv_shortcut": "nin_shortcut"}
        image_like = attends and value.ndim == 2  # there, attention's projections are 1 x 1 convolutions
        renamed[_renamed(name, names, parts)] = value[:, :, None, None] if image_like else value
    return renamed


def whole_table(compact: Tensor, ids: list[int]) -> Tensor:
    """Token embeddings for CLIP's whole vocabulary: learned rows in their places, zeros elsewhere."""
    table = torch.zeros(VOCABULARY, compact.shape[1])
    for row, token in enumerate(ids):
        if token >= 0:
            table[token] = compact[row]
    return table


def write(file: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Save in half precision; values that are no strings become JSON."""
    halves = {name: value.to(torch.float16).contiguous().cpu() for name, value in weights.items()}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in metadata.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(halves, file, {"format": "pt", **texts})


def prefixed(prefix: str, weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The same weights with longer names."""
    return ((prefix + name, value) for name, value in weights.items())


def _renamed(name: str, beginnings: Mapping[str, str], parts: Mapping[str, str]) -> str:
    """A name with its beginning and its last part but one replaced, where the tables say so."""
    for beginning in sorted(beginnings, key=len, reverse=True):
        if name.startswith(f"{beginning}."):
            rest = name.removeprefix(f"{beginning}.")
            part, _, kind = rest.rpartition(".")
            own = f"{parts.get(part, part)}.{kind}" if part else kind
            return f"{beginnings[beginning]}.{own}"
    return name
