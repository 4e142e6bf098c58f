"""Which model a checkpoint holds, inferred from the names and shapes in its header.

What shapes cannot tell (attention heads, norm groups, prediction type) follows the family's convention unless the
file's own metadata says otherwise: `modelspec.*` (https://github.com/Stability-AI/ModelSpec) as far as it goes, and
`kararli.architecture`, a JSON object whose parts override the fields below.
"""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from modules.catalog.headers import Header
from modules.schema.errors import UnusableFile
from modules.schema.requests import Frozen

Shapes = Mapping[str, tuple[int, ...]]
Count = Annotated[int, Field(ge=1, le=100_000)]

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
"""The names' beginnings in the original layout, which every variant below is brought to."""

PREFIX_VARIANTS: tuple[tuple[str, str], ...] = (
    (UNET, UNET),
    ("diffusion_model.", UNET),
    ("unet.", UNET),
    (VAE, VAE),
    ("vae.", VAE),
    (TEXT, TEXT),
    ("cond_stage_model.transformer.", TEXT),
    ("cond_stage_model.text_model.", TEXT),
    ("conditioner.embedders.0.transformer.text_model.", TEXT),
    ("text_encoders.clip_l.transformer.text_model.", TEXT),
    ("text_encoder.text_model.", TEXT),
    ("text_model.", TEXT),
)
"""As they are found in the wild, tried in this order."""


class UNetShape(Frozen):
    """Sizes of the UNet; tuples go from the outermost level to the innermost."""

    in_channels: Count
    out_channels: Count
    channels: tuple[Count, ...] = Field(min_length=1)
    layers_per_block: Count
    attention: tuple[bool, ...]
    context_width: Count
    attention_heads: Count = 8
    norm_num_groups: Count = 32

    @model_validator(mode="after")
    def _agrees(self) -> "UNetShape":
        if len(self.attention) != len(self.channels):
            raise ValueError(f"{len(self.attention)} values of attention for {len(self.channels)} levels")
        if any(width % self.norm_num_groups for width in self.channels):
            raise ValueError(f"unet channels {self.channels} cannot be split into {self.norm_num_groups} norm groups")
        if any(width % self.attention_heads for width in self.channels):
            raise ValueError(f"unet channels {self.channels} cannot be split into {self.attention_heads} heads")
        return self


class VaeShape(Frozen):
    """Sizes of the autoencoder, from the outermost level to the innermost."""

    latent_channels: Count
    channels: tuple[Count, ...] = Field(min_length=1)
    layers_per_block: Count
    norm_num_groups: Count = 32
    scaling_factor: float = Field(default=0.18215, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _agrees(self) -> "VaeShape":
        if any(width % self.norm_num_groups for width in self.channels):
            raise ValueError(f"vae channels {self.channels} cannot be split into {self.norm_num_groups} norm groups")
        return self

    @property
    def factor(self) -> int:
        """How many pixels a latent stands for, along each side."""
        return int(2 ** (len(self.channels) - 1))


class TextEncoderShape(Frozen):
    """Sizes of the CLIP text encoder."""

    width: Count
    layers: Count
    intermediate: Count
    vocabulary: Count
    positions: Count
    attention_heads: Count
    hidden_act: Literal["quick_gelu", "gelu"] = "quick_gelu"

    @model_validator(mode="after")
    def _agrees(self) -> "TextEncoderShape":
        if self.width % self.attention_heads:
            raise ValueError(f"text encoder width {self.width} cannot be split into {self.attention_heads} heads")
        return self


class Architecture(Frozen):
    """All that is needed to build the model before its weights are read."""

    family: Literal["sd1"]
    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"
    resolution: int = Field(default=512, ge=64, le=4096, multiple_of=8)
    unet: UNetShape
    vae: VaeShape
    text_encoder: TextEncoderShape

    @property
    def picture_channels(self) -> int:
        """Channels in which the unet sees another picture beside the noisy latents."""
        return self.unet.in_channels - self.unet.out_channels

    @property
    def edits(self) -> bool:
        """An InstructPix2Pix checkpoint: it sees the latents of the picture that it changes."""
        return self.picture_channels == self.vae.latent_channels

    @property
    def inpaints(self) -> bool:
        """An inpainting checkpoint: it sees the mask and the latents of the picture without what is masked."""
        return self.picture_channels == self.vae.latent_channels + 1

    @model_validator(mode="after")
    def _agrees(self) -> "Architecture":
        if self.unet.out_channels != self.vae.latent_channels or self.picture_channels not in (
            0,
            self.vae.latent_channels,
            self.vae.latent_channels + 1,
        ):
            raise ValueError("the unet and the vae differ in their latent channels")
        if self.unet.context_width != self.text_encoder.width:
            raise ValueError("the unet attends to another width than the text encoder gives")
        return self


def canonical_name(name: str) -> str | None:
    """The name a tensor has in the original layout, or None when it belongs to no part of the model."""
    if name.startswith("model_ema."):
        return None
    for prefix, canonical in PREFIX_VARIANTS:
        if name.startswith(prefix):
            return canonical + name.removeprefix(prefix)
    return None


def canonical_names(names: Collection[str]) -> dict[str, str]:
    """Each name in the file -> its name in the original layout; other tensors are left out."""
    bare = {"input_blocks.0.0.weight"} <= set(names)
    return {
        name: canonical
        for name in names
        if (canonical := UNET + name if bare and _is_bare_unet(name) else canonical_name(name)) is not None
    }


def detect(header: Header) -> Architecture:
    """The model that a file holds.

    Raises UnusableFile, saying what the file seems to be and where it belongs, when it is not a checkpoint that
    pictures can be painted with.
    """
    names = canonical_names(header.tensors)
    shapes = {canonical: header.tensors[name].shape for name, canonical in names.items()}
    if f"{UNET}input_blocks.0.0.weight" not in shapes:
        raise UnusableFile(_what_else(header.tensors))
    try:
        _refuse_other_families(shapes, header.tensors)
        inferred = {
            "family": "sd1",
            "unet": _unet(shapes),
            "vae": _vae(shapes),
            "text_encoder": _text_encoder(shapes),
        }
    except KeyError as error:
        raise UnusableFile(
            f"The file looks like Stable Diffusion 1, but the weight {error} is missing or has an unknown shape."
            " Download it again, or look for another version of it."
        ) from None
    return _with_metadata(inferred, header.metadata)


def _is_bare_unet(name: str) -> bool:
    return name.startswith(("input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "out."))


def _what_else(names: Collection[str]) -> str:
    """A file without a UNet: what it is and where it should lie."""
    if any(re.search(r"(^|[._])lora[._]", name) for name in names):
        return "This is a LoRA, not a checkpoint: move it to models/Lora/."
    if any(name.startswith(("control_model.", "controlnet_cond_embedding.")) for name in names):
        return "This is a ControlNet, not a checkpoint: move it to models/ControlNet/."
    if any(name in ("emb_params", "string_to_param") or name in ("clip_l", "clip_g") for name in names):
        return "This is a textual inversion embedding, not a checkpoint: move it to models/embeddings/."
    if any("double_blocks." in name or "joint_blocks." in name for name in names):  # some come with their VAE
        return "This is a transformer model (SD 3 or FLUX). Only Stable Diffusion 1.x checkpoints can be used yet."
    if any(name.startswith(("first_stage_model.", "vae.", "encoder.down", "decoder.up")) for name in names):
        return "This is a VAE without a UNet, not a checkpoint: move it to models/VAE/."
    if any(name.startswith("down_blocks.") for name in names):
        return "This is a part of a diffusers folder. Look for the checkpoint as a single file."
    return "No Stable Diffusion model was found in this file. Checkpoints of Stable Diffusion 1.x belong here."


def _refuse_other_families(shapes: Shapes, names: Collection[str]) -> None:
    if any(name.startswith("conditioner.embedders.1.") for name in names) or f"{UNET}label_emb.0.0.weight" in shapes:
        raise UnusableFile("This is an SDXL checkpoint. Only Stable Diffusion 1.x checkpoints can be used yet.")
    if any(name.startswith("cond_stage_model.model.") for name in names):
        raise UnusableFile(
            "This is a Stable Diffusion 2.x checkpoint. Only Stable Diffusion 1.x checkpoints can be used yet."
        )
    for prefix, part in ((VAE, "VAE"), (TEXT, "text encoder")):
        if not any(name.startswith(prefix) for name in shapes):
            raise UnusableFile(f"The file holds no {part}. Look for the full version of this checkpoint.")


def _sizes(shapes: Shapes, name: str, dimensions: int) -> tuple[int, ...]:
    """The shape of a weight. Raises KeyError when it is missing or has another number of dimensions."""
    shape = shapes[name]
    if len(shape) != dimensions:
        raise KeyError(name)
    return shape


def _indices(shapes: Shapes, pattern: str) -> list[int]:
    found = {int(match[1]) for name in shapes if (match := re.match(pattern, name))}
    return sorted(found)


def _unet(shapes: Shapes) -> dict[str, Any]:
    """Walk the input blocks: a residual block widens, a downsampler ends a level; all levels have as many blocks."""
    levels: list[list[int]] = [[]]
    attention: list[bool] = [False]
    for block in _indices(shapes, re.escape(UNET) + r"input_blocks\.(\d{1,4})\."):
        prefix = f"{UNET}input_blocks.{block}."
        if f"{prefix}0.op.weight" in shapes:
            levels.append([])
            attention.append(False)
        elif f"{prefix}0.in_layers.2.weight" in shapes:
            levels[-1].append(_sizes(shapes, f"{prefix}0.in_layers.2.weight", 4)[0])
            attention[-1] |= f"{prefix}1.transformer_blocks.0.attn2.to_k.weight" in shapes
        elif block > 0:
            raise KeyError(f"{prefix}0.in_layers.2.weight")
    uneven = [level for level, widths in enumerate(levels) if len(widths) != len(levels[-1]) or not widths]
    if uneven:
        raise KeyError(f"{UNET}input_blocks (level {uneven[0]})")
    context = next((name for name in shapes if name.startswith(UNET) and name.endswith("attn2.to_k.weight")), None)
    if context is None:
        raise KeyError("attn2.to_k.weight")
    return {
        "in_channels": _sizes(shapes, f"{UNET}input_blocks.0.0.weight", 4)[1],
        "out_channels": _sizes(shapes, f"{UNET}out.2.weight", 4)[0],
        "channels": tuple(widths[-1] for widths in levels),
        "layers_per_block": len(levels[0]),
        "attention": tuple(attention),
        "context_width": _sizes(shapes, context, 2)[1],
    }


def _vae(shapes: Shapes) -> dict[str, Any]:
    levels = _indices(shapes, re.escape(VAE) + r"encoder\.down\.(\d{1,4})\.block\.") or [0]
    blocks = _indices(shapes, re.escape(VAE) + r"encoder\.down\.0\.block\.(\d{1,4})\.")
    return {
        "latent_channels": _sizes(shapes, f"{VAE}decoder.conv_in.weight", 4)[1],
        "channels": tuple(_sizes(shapes, f"{VAE}encoder.down.{level}.block.0.conv1.weight", 4)[0] for level in levels),
        "layers_per_block": len(blocks),
    }


def _text_encoder(shapes: Shapes) -> dict[str, Any]:
    vocabulary, width = _sizes(shapes, f"{TEXT}embeddings.token_embedding.weight", 2)
    return {
        "width": width,
        "layers": len(_indices(shapes, re.escape(TEXT) + r"encoder\.layers\.(\d{1,4})\.")),
        "intermediate": _sizes(shapes, f"{TEXT}encoder.layers.0.mlp.fc1.weight", 2)[0],
        "vocabulary": vocabulary,
        "positions": _sizes(shapes, f"{TEXT}embeddings.position_embedding.weight", 2)[0],
        "attention_heads": max(1, width // 64),
    }


def _with_metadata(inferred: dict[str, Any], metadata: Mapping[str, str]) -> Architecture:
    own = _own_metadata(metadata)
    merged = {**inferred, **_modelspec(metadata), **{key: own[key] for key in own if key not in _PARTS}}
    for part in _PARTS:
        merged[part] = {**inferred[part], **own.get(part, {})}
    try:
        return Architecture.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnusableFile(
            f"The file does not fit Stable Diffusion 1's conventions ({place}: {first['msg']}). A model with other"
            " heads or norm groups has to say so in its metadata, under kararli.architecture."
        ) from None


_PARTS = ("unet", "vae", "text_encoder")
_TABLE: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def _own_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    text = metadata.get("kararli.architecture")
    if text is None:
        return {}
    try:
        own = _TABLE.validate_json(text)
        for part in _PARTS:
            _TABLE.validate_python(own.get(part, {}))
    except ValidationError:
        raise UnusableFile(
            "The file's metadata kararli.architecture is not a JSON object as docs/catalog.md has it."
        ) from None
    return own


def _modelspec(metadata: Mapping[str, str]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    prediction = metadata.get("modelspec.prediction_type", "").lower()
    if prediction in ("v", "v_prediction", "v-prediction"):
        known["prediction_type"] = "v_prediction"
    size = re.fullmatch(r"(\d{2,4})x(\d{2,4})", metadata.get("modelspec.resolution", ""))
    if size and size[1] == size[2] and 64 <= int(size[1]) <= 4096 and int(size[1]) % 8 == 0:
        known["resolution"] = int(size[1])
    return known
