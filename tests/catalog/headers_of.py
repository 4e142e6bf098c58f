"""Hand-made model files: the names and shapes of Stable Diffusion 1 in the original layout, and files of zeros."""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modules.catalog.headers import Header, Tensor

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sizes:
    """What a checkpoint is made of; channels are `base * multiplier`, outermost level first."""

    base: int
    multipliers: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    context: int
    text_layers: int
    intermediate: int
    vocabulary: int
    vae_base: int
    vae_multipliers: tuple[int, ...]
    vae_blocks: int
    latents: int = 4


TINY = Sizes(32, (1, 2), 1, (True, False), 64, 2, 128, 60, 32, (1, 2), 1)
FULL = Sizes(320, (1, 2, 4, 4), 2, (True, True, True, False), 768, 12, 3072, 49408, 128, (1, 2, 4, 4), 2)


def sd1(sizes: Sizes = TINY) -> Shapes:
    """Name -> shape of every weight."""
    return {**_unet(sizes), **_vae(sizes), **_text_encoder(sizes)}


def header_of(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str] | None = None) -> Header:
    """The header of a file with these weights in half precision."""
    return Header({name: Tensor("F16", shape, 0, 0) for name, shape in shapes.items()}, dict(metadata or {}))


def safetensors(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a file with these weights, all zero."""
    table: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    for name, shape in shapes.items():
        end = position + 2 * math.prod(shape)
        table[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [position, end]}
        position = end
    return with_header(json.dumps(table).encode(), bytes(position))


def with_header(header: bytes, data: bytes = b"") -> bytes:
    """A file with this header, whatever stands in it."""
    return struct.pack("<Q", len(header)) + header + data


def write(file: Path, shapes: Mapping[str, tuple[int, ...]] | None = None, **metadata: str) -> Path:
    """Write a file of zeros: a tiny checkpoint if no shapes are given."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(safetensors(sd1() if shapes is None else shapes, metadata))
    return file


def _linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _conv(name: str, out: int, into: int, kernel: int) -> Shapes:
    return {f"{name}.weight": (out, into, kernel, kernel), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _unet(sizes: Sizes) -> Shapes:
    unet, embedding = "model.diffusion_model.", 4 * sizes.base
    widths = [sizes.base * multiplier for multiplier in sizes.multipliers]

    def residual(name: str, into: int, out: int) -> Shapes:
        return {
            **_norm(f"{unet}{name}.in_layers.0", into),
            **_conv(f"{unet}{name}.in_layers.2", out, into, 3),
            **_linear(f"{unet}{name}.emb_layers.1", out, embedding),
            **_norm(f"{unet}{name}.out_layers.0", out),
            **_conv(f"{unet}{name}.out_layers.3", out, out, 3),
            **({} if into == out else _conv(f"{unet}{name}.skip_connection", out, into, 1)),
        }

    def attention(name: str, width: int) -> Shapes:
        block = f"{unet}{name}.transformer_blocks.0"
        shapes = {**_norm(f"{unet}{name}.norm", width), **_conv(f"{unet}{name}.proj_in", width, width, 1)}
        for part, source in (("attn1", width), ("attn2", sizes.context)):
            shapes[f"{block}.{part}.to_q.weight"] = (width, width)
            shapes[f"{block}.{part}.to_k.weight"] = (width, source)
            shapes[f"{block}.{part}.to_v.weight"] = (width, source)
            shapes |= _linear(f"{block}.{part}.to_out.0", width, width)
        shapes |= {
            **_linear(f"{block}.ff.net.0.proj", 8 * width, width),
            **_linear(f"{block}.ff.net.2", width, 4 * width),
        }
        for number in (1, 2, 3):
            shapes |= _norm(f"{block}.norm{number}", width)
        return {**shapes, **_conv(f"{unet}{name}.proj_out", width, width, 1)}

    shapes = {
        **_linear(f"{unet}time_embed.0", embedding, sizes.base),
        **_linear(f"{unet}time_embed.2", embedding, embedding),
    }
    shapes |= _conv(f"{unet}input_blocks.0.0", sizes.base, sizes.latents, 3)
    width, skips, block = sizes.base, [sizes.base], 1
    for level, out in enumerate(widths):
        for _ in range(sizes.blocks):
            shapes |= residual(f"input_blocks.{block}.0", width, out)
            if sizes.attention[level]:
                shapes |= attention(f"input_blocks.{block}.1", out)
            width, block = out, block + 1
            skips.append(width)
        if level + 1 < len(widths):
            shapes |= _conv(f"{unet}input_blocks.{block}.0.op", width, width, 3)
            skips.append(width)
            block += 1
    shapes |= residual("middle_block.0", width, width)
    shapes |= attention("middle_block.1", width)
    shapes |= residual("middle_block.2", width, width)
    block = 0
    for level, out in reversed(list(enumerate(widths))):
        for number in range(sizes.blocks + 1):
            shapes |= residual(f"output_blocks.{block}.0", width + skips.pop(), out)
            if sizes.attention[level]:
                shapes |= attention(f"output_blocks.{block}.1", out)
            if level > 0 and number == sizes.blocks:
                place = 2 if sizes.attention[level] else 1
                shapes |= _conv(f"{unet}output_blocks.{block}.{place}.conv", out, out, 3)
            width, block = out, block + 1
    return {**shapes, **_norm(f"{unet}out.0", width), **_conv(f"{unet}out.2", sizes.latents, width, 3)}


def _vae(sizes: Sizes) -> Shapes:
    encoder, decoder = "first_stage_model.encoder.", "first_stage_model.decoder."
    widths = [sizes.vae_base * multiplier for multiplier in sizes.vae_multipliers]

    def residual(name: str, into: int, out: int) -> Shapes:
        return {
            **_norm(f"{name}.norm1", into),
            **_conv(f"{name}.conv1", out, into, 3),
            **_norm(f"{name}.norm2", out),
            **_conv(f"{name}.conv2", out, out, 3),
            **({} if into == out else _conv(f"{name}.nin_shortcut", out, into, 1)),
        }

    def middle(name: str, width: int) -> Shapes:
        shapes = {**residual(f"{name}mid.block_1", width, width), **_norm(f"{name}mid.attn_1.norm", width)}
        for part in ("q", "k", "v", "proj_out"):
            shapes |= _conv(f"{name}mid.attn_1.{part}", width, width, 1)
        return {**shapes, **residual(f"{name}mid.block_2", width, width), **_norm(f"{name}norm_out", width)}

    width = sizes.vae_base
    shapes = _conv(f"{encoder}conv_in", width, 3, 3)
    for level, out in enumerate(widths):
        for number in range(sizes.vae_blocks):
            shapes |= residual(f"{encoder}down.{level}.block.{number}", width, out)
            width = out
        if level + 1 < len(widths):
            shapes |= _conv(f"{encoder}down.{level}.downsample.conv", width, width, 3)
    shapes |= {**middle(encoder, width), **_conv(f"{encoder}conv_out", 2 * sizes.latents, width, 3)}
    shapes |= {**_conv(f"{decoder}conv_in", width, sizes.latents, 3), **middle(decoder, width)}
    for level, out in reversed(list(enumerate(widths))):
        for number in range(sizes.vae_blocks + 1):
            shapes |= residual(f"{decoder}up.{level}.block.{number}", width, out)
            width = out
        if level > 0:
            shapes |= _conv(f"{decoder}up.{level}.upsample.conv", width, width, 3)
    shapes[f"{decoder}norm_out.weight"] = shapes[f"{decoder}norm_out.bias"] = (width,)
    shapes |= _conv(f"{decoder}conv_out", 3, width, 3)
    shapes |= _conv("first_stage_model.quant_conv", 2 * sizes.latents, 2 * sizes.latents, 1)
    return {**shapes, **_conv("first_stage_model.post_quant_conv", sizes.latents, sizes.latents, 1)}


def _text_encoder(sizes: Sizes) -> Shapes:
    text, width = "cond_stage_model.transformer.text_model.", sizes.context
    shapes: Shapes = {
        f"{text}embeddings.position_ids": (1, 77),
        f"{text}embeddings.token_embedding.weight": (sizes.vocabulary, width),
        f"{text}embeddings.position_embedding.weight": (77, width),
    }
    for layer in range(sizes.text_layers):
        name = f"{text}encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{name}.self_attn.{part}", width, width)
        shapes |= {**_norm(f"{name}.layer_norm1", width), **_norm(f"{name}.layer_norm2", width)}
        shapes |= {
            **_linear(f"{name}.mlp.fc1", sizes.intermediate, width),
            **_linear(f"{name}.mlp.fc2", width, sizes.intermediate),
        }
    return {**shapes, **_norm(f"{text}final_layer_norm", width)}
