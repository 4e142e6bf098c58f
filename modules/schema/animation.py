"""What an animation is made of: keyframes, how one goes over into the next, a camera, and how it is filmed.

Times are in seconds; a keyframe stands on the frame nearest to its time, so that its picture is among the frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from modules.schema.easing import Easing, check_curve, check_expression, eased
from modules.schema.values import LARGEST_SEED, RANDOM_SEED, Digest, Frozen

MOST_FRAMES = 18_000
"""Frames of one animation: ten minutes at 30 a second."""

LONGEST = 3600.0
"""Seconds: the latest time of a keyframe."""

Mode: TypeAlias = Literal["walk", "morph", "orbit", "camera"]
"""Walk from words and noise to others; from picture to picture; around one noise; or move over the last frame."""

TextPath: TypeAlias = Literal["linear", "slerp"]
"""How embeddings of words go over into others: straight, or along an arc."""

ClipFormat: TypeAlias = Literal["mp4", "webm", "gif", "apng", "webp", "png"]
"""`png` is a folder of pictures."""

Border: TypeAlias = Literal["replicate", "reflect", "wrap"]

Curve: TypeAlias = Annotated[str, Field(max_length=2000), AfterValidator(check_curve)]
"""Values over frames, as 0:(1.0), 30:(1.05): modules.schema.easing."""


class Keyframe(Frozen):
    """A point that the animation passes through."""

    time: float = Field(default=0.0, ge=0.0, le=LONGEST, title="Time", description="Seconds from the beginning.")
    prompt: str = Field(default="", max_length=20_000, title="Prompt", description="What is to be seen there.")
    negative_prompt: str = Field(
        default="", max_length=20_000, title="Negative prompt", description="What is not; empty: that of all."
    )
    seed: int | None = Field(
        default=None,
        ge=RANDOM_SEED,
        le=LARGEST_SEED,
        title="Seed",
        description="Where the noise comes from there; not given, the animation's seed; -1 chooses one at random.",
    )
    picture: Digest = Field(
        default="", title="Picture", description="A picture to start from there, or to be there, by its digest."
    )
    guidance_scale: float | None = Field(
        default=None, ge=1.0, le=30.0, title="CFG scale", description="Of this keyframe; not given, the animation's."
    )
    strength: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        title="Strength",
        description="How much of the keyframe's picture may change; not given, the animation's.",
    )
    easing: Easing = Field(
        default="linear", title="Easing", description="How the way to the next keyframe is spread over its time."
    )
    expression: str = Field(
        default="", max_length=200, title="Expression", description="With custom: a formula of t, such as t ** 2."
    )
    hold: float = Field(
        default=0.0, ge=0.0, le=600.0, title="Hold", description="Seconds for which the clip stands still there."
    )

    @model_validator(mode="after")
    def _expression_works(self) -> "Keyframe":
        if self.easing == "custom":
            check_expression(self.expression)
        return self


class Camera(Frozen):
    """How the last frame is moved before the next one is painted over it, in curves over the frames."""

    zoom: Curve = Field(
        default="0:(1.02)", title="Zoom", description="How many times larger each frame becomes, as 0:(1.0), 30:(1.05)."
    )
    angle: Curve = Field(default="0:(0)", title="Angle", description="Degrees by which each frame turns to the left.")
    pan_x: Curve = Field(default="0:(0)", title="Pan right", description="Pixels by which each frame moves.")
    pan_y: Curve = Field(default="0:(0)", title="Pan down", description="Pixels by which each frame moves.")
    strength: Curve = Field(
        default="0:(0.5)", title="Strength", description="How much each frame may change: 0 nothing, 1 everything."
    )
    border: Border = Field(
        default="reflect", title="Border", description="What comes in at the sides: the edge, a mirror, the other side."
    )
    colours: bool = Field(
        default=True, title="Keep colours", description="Bring each frame's colours back to those of the first one."
    )


class Filming(Frozen):
    """How frames become a clip."""

    fps: int = Field(default=12, ge=1, le=60, title="Frames per second", description="How many frames are painted.")
    closing: float = Field(
        default=0.0,
        ge=0.0,
        le=600.0,
        title="Closing",
        description="Seconds from the last keyframe back to the first, so that the clip can be repeated; 0: none.",
        json_schema_extra={"step": 0.25},
    )
    smooth: int = Field(
        default=1,
        ge=1,
        le=8,
        title="Smooth",
        description="How many times as many frames the clip has: those between are found by optical flow.",
    )
    format: ClipFormat = Field(
        default="mp4", title="Format", description="What is written: a clip, or single pictures."
    )
    keep_frames: bool = Field(
        default=False, title="Keep the frames", description="Keep the painted frames as PNG files beside the clip."
    )


@dataclass(frozen=True)
class Place:
    """Where a frame lies: between two keyframes, by their numbers, and how far it is on its way (eased)."""

    first: int
    second: int
    share: float

    @property
    def nearest(self) -> int:
        """The keyframe that counts where there is nothing between."""
        return self.second if self.share >= 0.5 else self.first


def frame_of(keyframes: Sequence[Keyframe], filming: Filming, number: int) -> int:
    """The frame on which a keyframe stands; the first one stands on frame 0."""
    return round((keyframes[number].time - keyframes[0].time) * filming.fps)


def total_frames(keyframes: Sequence[Keyframe], filming: Filming) -> int:
    """How many frames are painted. A closed animation leaves out the last one, which is the first."""
    if not keyframes:
        return 0
    last = frame_of(keyframes, filming, len(keyframes) - 1)
    return last + (max(1, round(filming.closing * filming.fps)) if filming.closing else 1)


def place_at(keyframes: Sequence[Keyframe], filming: Filming, frame: int) -> Place:
    """Between which keyframes a frame lies. No frame lies twice at the same place."""
    numbers = range(len(keyframes))
    first = max(number for number in numbers if frame_of(keyframes, filming, number) <= frame)
    begin, second = frame_of(keyframes, filming, first), first + 1
    if second == len(keyframes):
        second, end = 0, total_frames(keyframes, filming)
    else:
        end = frame_of(keyframes, filming, second)
    if frame == begin:
        return Place(first, first, 0.0)
    key = keyframes[first]
    return Place(first, second, eased((frame - begin) / (end - begin), key.easing, key.expression))


def repeats(keyframes: Sequence[Keyframe], filming: Filming, frame: int) -> int:
    """How often a frame is shown, counted in painted frames: longer where a keyframe is held."""
    held = (key.hold for number, key in enumerate(keyframes) if frame_of(keyframes, filming, number) == frame)
    return 1 + round(next(held, 0.0) * filming.fps)
