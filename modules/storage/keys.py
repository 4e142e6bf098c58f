"""The keys of the "parameters" text: one table, from which they are written and read.

A row says which values of a request stand behind a key and how they are spelled. A new field of a request gets a row
here, and is then written, read, shown and filled in; a test holds the table against the requests.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from modules.schema.animation import Camera, Filming, Keyframe
from modules.schema.requests import NO_ENCODER_NOISE, RANDOM_SEED


@dataclass(frozen=True)
class Codec:
    """How values are spelled. `write` gives None for what goes without saying; `read` raises ValueError."""

    write: Callable[..., str | None]
    read: Callable[[str], tuple[Any, ...]]


def _write_size(width: int, height: int) -> str:
    return f"{width}x{height}"


def _read_size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    return int(width), int(height)


def _read_flag(text: str) -> tuple[bool]:
    return (text.strip().lower() == "true",)


def _named(name: str) -> Codec:
    """A yes under a name; a no is left out."""

    def write(flag: bool) -> str | None:
        return name if flag else None

    return Codec(write, lambda text: (text == name,))


def _unwritten(*_values: object) -> None:
    """Nothing: other keys imply it."""


TEXT = Codec(str, lambda text: (text,))
WHOLE = Codec(str, lambda text: (int(text),))
NUMBER = Codec(str, lambda text: (float(text),))
SEED = Codec(str, lambda text: (max(RANDOM_SEED, int(text)),))
SIZE = Codec(_write_size, _read_size)
TITLE = Codec(str, lambda text: (re.sub(r" \[[0-9a-f]{8,12}\]$", "", text),))
"""A checkpoint; others write the beginning of its digest behind its name."""
FLAG = Codec(str, _read_flag)
IMPLIED = Codec(_unwritten, _read_flag)


def _write_keyframes(keyframes: tuple[Keyframe, ...]) -> str:
    """Each with its time, and with what is not as it would be anyway."""
    return json.dumps(
        [{"time": one.time, **one.model_dump(mode="json", exclude_defaults=True)} for one in keyframes],
        ensure_ascii=False,
    )


def _read_keyframes(text: str) -> tuple[tuple[Keyframe, ...]]:
    return (tuple(_KEYFRAMES.validate_json(text)),)


_KEYFRAMES = TypeAdapter(list[Keyframe])
KEYFRAMES = Codec(_write_keyframes, _read_keyframes)


@dataclass(frozen=True)
class Row:
    """A key. Without paths it is a fact about the picture that no request holds.

    `absent` are the values that a text without this key means; they are not written, unless `always`. `when` is the
    path of a switch: while it is off, nothing is written.
    """

    key: str
    paths: tuple[str, ...] = ()
    codec: Codec = TEXT
    absent: tuple[Any, ...] | None = None
    always: bool = False
    when: str = ""


ROWS = (
    Row("Task", ("task",), absent=("txt2img",)),
    Row("Steps", ("sampling.steps",), WHOLE),
    Row("Sampler", ("sampling.sampler",)),
    Row("Schedule type", ("sampling.schedule",), absent=("Automatic",), always=True),
    Row("CFG scale", ("sampling.guidance_scale",), NUMBER),
    Row("Image CFG scale", ("image_guidance_scale",), NUMBER),
    Row("Seed", ("seed",), SEED),
    Row("Size", ("width", "height"), SIZE),
    Row("Model hash"),
    Row("Model"),
    Row("Variation seed", ("seeding.variation_seed",), SEED, absent=(RANDOM_SEED,)),
    Row("Variation seed strength", ("seeding.variation_strength",), NUMBER, absent=(0.0,)),
    Row("Seed resize from", ("seeding.resize_from_width", "seeding.resize_from_height"), SIZE, absent=(0, 0)),
    Row("Denoising strength", ("strength",), NUMBER),
    Row("Denoising strength", ("hires.strength",), NUMBER, absent=(0.7,), always=True, when="hires.enabled"),
    Row("Noise multiplier", ("noise_multiplier",), NUMBER, absent=(1.0,)),
    Row("Resize mode", ("resize_mode",), absent=("stretch",)),
    Row("Encoder noise", ("encoder_noise",), WHOLE, absent=(NO_ENCODER_NOISE,)),
    Row("Input picture", ("picture",)),
    Row("Refiner", ("refiner.checkpoint",), TITLE, absent=("",)),
    Row("Refiner switch at", ("refiner.switch_at",), NUMBER, absent=(0.8,)),
    Row("Clip skip", ("reading.clip_skip",), WHOLE, absent=(1,)),
    Row("ENSD", ("seeding.eta_seed_delta",), WHOLE, absent=(0,)),
    Row("RNG", ("seeding.noise_source",), always=True),
    Row("Hires fix", ("hires.enabled",), IMPLIED, absent=(False,)),
    Row("Hires upscale", ("hires.scale",), NUMBER, absent=(2.0,), always=True, when="hires.enabled"),
    Row("Hires resize", ("hires.width", "hires.height"), SIZE, absent=(0, 0), when="hires.enabled"),
    Row("Hires upscaler", ("hires.upscaler",), absent=("Latent",), always=True, when="hires.enabled"),
    Row("Hires steps", ("hires.steps",), WHOLE, absent=(0,), when="hires.enabled"),
    Row("Hires checkpoint", ("hires.checkpoint",), TITLE, absent=("",), when="hires.enabled"),
    Row("Hires sampler", ("hires.sampler",), absent=("",), when="hires.enabled"),
    Row("Hires schedule type", ("hires.schedule",), absent=("",), when="hires.enabled"),
    Row("Hires prompt", ("hires.prompt",), absent=("",), when="hires.enabled"),
    Row("Hires negative prompt", ("hires.negative_prompt",), absent=("",), when="hires.enabled"),
    Row("Hires first pass", ("hires.first_pass",), absent=("",), when="hires.enabled"),
    Row("Mask", ("mask",), absent=("",)),
    Row("Mask blur", ("masking.blur",), WHOLE, always=True),
    Row("Mask growth", ("masking.grow",), WHOLE, absent=(0,)),
    Row("Mask mode", ("masking.invert",), _named("Inpaint not masked"), absent=(False,)),
    Row("Masked content", ("masking.content",), absent=("original",)),
    Row("Inpaint area", ("masking.only_masked",), _named("Only masked"), absent=(False,)),
    Row("Masked area padding", ("masking.padding",), WHOLE, absent=(32,)),
    Row("Soft inpainting", ("masking.soft",), FLAG, absent=(False,)),
    Row("Size kept", ("masking.own_size",), FLAG, absent=(True,)),
    Row("Canvas left", ("canvas.left",), WHOLE, absent=(0,)),
    Row("Canvas right", ("canvas.right",), WHOLE, absent=(0,)),
    Row("Canvas top", ("canvas.top",), WHOLE, absent=(0,)),
    Row("Canvas bottom", ("canvas.bottom",), WHOLE, absent=(0,)),
    Row("Canvas fill", ("canvas.fill",)),
    Row("Canvas overlap", ("canvas.overlap",), WHOLE),
    Row("Canvas rounds", ("canvas.rounds",), WHOLE, absent=(1,)),
    Row("Eta", ("stochastic.eta",), NUMBER, absent=(None,)),
    Row("Sigma churn", ("stochastic.churn",), NUMBER, absent=(0.0,)),
    Row("Sigma tmin", ("stochastic.churn_from",), NUMBER, absent=(0.0,)),
    Row("Sigma tmax", ("stochastic.churn_to",), NUMBER, absent=(0.0,)),
    Row("Sigma noise", ("stochastic.noise_scale",), NUMBER, absent=(1.0,)),
    Row("Beta schedule alpha"),
    Row("Beta schedule beta"),
    Row("Template"),
    Row("Negative Template"),
    Row("Emphasis", ("reading.emphasis",), absent=("Original",)),
    Row("TI hashes"),
    Row("Resize upscaler", ("upscaler",), absent=("None",)),
    Row("SD upscale by", ("redrawing.scale",), NUMBER),
    Row("SD upscale overlap", ("redrawing.overlap",), WHOLE),
    Row("SD upscale upscaler", ("redrawing.upscaler",)),
    Row("Postprocess upscale by", ("enlarging.scale",), NUMBER, absent=(2.0,), always=True),
    Row("Postprocess upscale to", ("enlarging.width", "enlarging.height"), SIZE, absent=(0, 0)),
    Row("Postprocess upscale crop", ("enlarging.crop",), FLAG, absent=(True,)),
    Row("Postprocess upscaler", ("enlarging.upscaler",)),
    Row("Postprocess upscaler 2", ("enlarging.second",), absent=("",)),
    Row("Postprocess upscaler 2 visibility", ("enlarging.second_share",), NUMBER, absent=(0.5,)),
    Row("Postprocess tile size", ("enlarging.tiles.tile",), WHOLE, absent=(256,)),
    Row("Postprocess tile overlap", ("enlarging.tiles.overlap",), WHOLE, absent=(32,)),
    Row("GFPGAN visibility", ("faces.gfpgan",), NUMBER, absent=(0.0,)),
    Row("CodeFormer visibility", ("faces.codeformer",), NUMBER, absent=(0.0,)),
    Row("CodeFormer weight", ("faces.codeformer_weight",), NUMBER, absent=(0.5,)),
    Row("Faces after upscale", ("faces.enlarge_first",), FLAG, absent=(False,)),
    Row("Animation", ("mode",)),
    Row("Way of the words", ("text_path",), absent=("linear",)),
    Row("Orbit", ("orbit",), NUMBER, absent=(0.25,)),
    *(
        Row(f"Camera {name.replace('_', ' ')}", (f"camera.{name}",), absent=(field.default,))
        for name, field in Camera.model_fields.items()
        if name != "colours"
    ),
    Row("Camera colours", ("camera.colours",), FLAG, absent=(True,)),
    Row("Frames per second", ("filming.fps",), WHOLE, absent=(Filming().fps,), always=True),
    Row("Closing", ("filming.closing",), NUMBER, absent=(0.0,)),
    Row("Smooth", ("filming.smooth",), WHOLE, absent=(1,)),
    Row("Clip format", ("filming.format",), absent=("mp4",)),
    Row("Frames kept", ("filming.keep_frames",), FLAG, absent=(False,)),
    Row("Keyframes", ("keyframes",), KEYFRAMES),
    Row("Version"),
)
"""In the order in which they are written. A row whose values a request does not have is passed over."""

ETA, ETA_OF_DDIM = "Eta", "Eta DDIM"
"""A1111 has a setting for DDIM of its own, and a key for it."""

NOT_IN_THE_TEXT = frozenset(
    {"prompt", "negative_prompt", "checkpoint", "batch_count", "batch_size", "pictures", "names"}
)
"""Values without a row: the prompts stand above the pairs, the checkpoint is a fact (a name and a digest), and a text
is about one picture, which it does not name."""


def pairs_of(request: BaseModel, facts: Mapping[str, str]) -> dict[str, str]:
    """The pairs for a request. A fact stands where the request leaves something open, or has no say."""
    pairs: dict[str, str] = {}
    for row in ROWS:
        text = _written(row, request)
        if text is None and row.key in facts:
            text = facts[row.key]
        if text is not None:
            pairs[row.key] = text
    return pairs


def older(pairs: Mapping[str, str]) -> dict[str, str]:
    """The pairs as A1111 spells them where its keys depend on the sampler."""
    of_ddim = pairs.get("Sampler", "").startswith("DDIM")
    return {ETA_OF_DDIM if of_ddim and key == ETA else key: text for key, text in pairs.items()}


def values_of(pairs: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values by their paths in a request, and the pairs that give none."""
    values: dict[str, Any] = {}
    understood: set[str] = set()
    for row in ROWS:
        text = pairs.get(row.key)
        if text is None:
            values |= zip(row.paths, row.absent or (), strict=False)
            continue
        try:
            read = row.codec.read(text)
        except ValueError:
            continue  # it stays in the rest, where it is shown
        if row.paths:
            values |= zip(row.paths, read, strict=True)
            understood.add(row.key)
    return values, {key: text for key, text in pairs.items() if key not in understood}


def _written(row: Row, request: BaseModel) -> str | None:
    values = tuple(_value(request, path) for path in row.paths)
    if not values or None in values or (row.when and not _value(request, row.when)):
        return None
    if values == row.absent and not row.always:
        return None
    return row.codec.write(*values)


def _value(request: BaseModel, path: str) -> Any:
    value: Any = request
    for part in path.split("."):
        value = getattr(value, part, None)
    return value
