"""What can be asked for. A request together with the checkpoint that it names reproduces its result.

Bounds, steps, titles and help stand here once; the page, the command line and the API read them from here.
"""

import json
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from modules.schema.animation import (
    MOST_FRAMES,
    Camera,
    Filming,
    Keyframe,
    Mode,
    Place,
    TextPath,
    frame_of,
    place_at,
    total_frames,
)
from modules.schema.captioning import Caption, Interrogate
from modules.schema.divergence import Divergence
from modules.schema.values import LARGEST_SEED as LARGEST_SEED
from modules.schema.values import RANDOM_SEED as RANDOM_SEED
from modules.schema.values import Certain, Digest, FileStem, Frozen

MOST_PICTURES = 500
"""Pictures that one job starts from."""

Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""


class Sampling(Frozen):
    """How the noise is walked down to a picture."""

    steps: int = Field(
        default=20,
        ge=1,
        le=150,
        title="Steps",
        description="How many steps from noise to picture; more is slower and finer.",
    )
    sampler: str = Field(default="Euler", title="Sampler", description="The method that takes each step.")
    schedule: str = Field(
        default="Automatic",
        title="Schedule",
        description="How noise levels are spread over the steps; Automatic is what suits the sampler.",
    )
    guidance_scale: float = Field(
        default=7.0,
        ge=1.0,
        le=30.0,
        title="CFG scale",
        description="How strictly the picture follows the prompt; 1 turns guidance (and the negative prompt) off.",
        json_schema_extra={"step": 0.5},
    )


Emphasis: TypeAlias = Literal["Original", "No norm", "Ignore", "None"]
"""What brackets around words do: weigh them and restore the mean, weigh them, nothing, or stand for themselves."""


class Reading(Frozen):
    """How the words of the prompts are read."""

    emphasis: Emphasis = Field(
        default="Original",
        title="Emphasis",
        description="How (words:1.3) are weighed: Original keeps the mean, No norm does not, Ignore weighs nothing,"
        " None reads brackets as text.",
    )
    clip_skip: int = Field(
        default=1,
        ge=1,
        le=12,
        title="Clip skip",
        description="Which layer of the text encoder counts: 1 is the last one, 2 the one before.",
    )


class Filled(Frozen):
    """What wildcards came to, each picture's own words. Empty where the prompts have none."""

    template: str = ""
    """The prompt as it was typed."""
    negative_template: str = ""
    prompts: tuple[str, ...] = ()
    """The words of each picture of the job."""
    negative_prompts: tuple[str, ...] = ()
    hires_prompts: tuple[str, ...] = ()
    """Of the second pass, where that has words of its own with wildcards."""
    hires_negative_prompts: tuple[str, ...] = ()


class Seeding(Frozen):
    """Where the noise comes from, beside the seed."""

    noise_source: Literal["CPU", "GPU", "NV"] = Field(
        default="CPU",
        title="Noise source",
        description="CPU is the same on every machine; NV is what NVIDIA cards draw, anywhere; GPU asks the device.",
    )
    variation_seed: int = Field(
        default=RANDOM_SEED,
        ge=RANDOM_SEED,
        le=LARGEST_SEED,
        title="Variation seed",
        description="The seed of a second noise that is mixed in; -1 chooses one at random. Picture i has this + i.",
    )
    variation_strength: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        title="Variation strength",
        description="How much of the second noise: 0 none, 1 nothing else. Above 0 all pictures share one seed.",
        json_schema_extra={"step": 0.01},
    )
    resize_from_width: int = Field(
        default=0,
        ge=0,
        le=4096,
        multiple_of=8,
        title="Resize seed from width",
        description="Paint nearly what the seed gives at this width, in pixels; 0 turns it off.",
    )
    resize_from_height: int = Field(
        default=0,
        ge=0,
        le=4096,
        multiple_of=8,
        title="Resize seed from height",
        description="Paint nearly what the seed gives at this height, in pixels; 0 turns it off.",
    )
    eta_seed_delta: int = Field(
        default=0,
        ge=0,
        le=LARGEST_SEED,
        title="Eta noise seed delta",
        description="Added to the seed for all noise after the first; some programs have 31337 here.",
    )

    @property
    def resizes(self) -> bool:
        """Whether the noise is that of another size."""
        return self.resize_from_width > 0 and self.resize_from_height > 0


class Stochastic(Frozen):
    """How much chance there is in a walk, for samplers that have such dials."""

    eta: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        title="Eta",
        description="The share of each step's noise that is drawn afresh; not given, what the sampler is known for.",
    )
    churn: float = Field(
        default=0.0,
        ge=0.0,
        le=100.0,
        title="Sigma churn",
        description="Noise added before the steps of Euler, Heun and DPM2, summed over the walk.",
        json_schema_extra={"step": 0.01},
    )
    churn_from: float = Field(
        default=0.0,
        ge=0.0,
        le=10.0,
        title="Sigma tmin",
        description="The lowest noise level at which there is churn.",
        json_schema_extra={"step": 0.01},
    )
    churn_to: float = Field(
        default=0.0,
        ge=0.0,
        le=999.0,
        title="Sigma tmax",
        description="The highest noise level at which there is churn; 0 is no limit.",
        json_schema_extra={"step": 0.01},
    )
    noise_scale: float = Field(
        default=1.0,
        ge=0.0,
        le=1.1,
        title="Sigma noise",
        description="What the noise that samplers add is multiplied by.",
        json_schema_extra={"step": 0.001},
    )


class Refiner(Frozen):
    """Another checkpoint that takes over in the middle of the walk."""

    checkpoint: str = Field(
        default="",
        title="Refiner checkpoint",
        description="Takes over near the end of the walk; empty: none. With hires fix it acts in the second pass.",
    )
    switch_at: float = Field(
        default=0.8,
        ge=0.01,
        le=1.0,
        title="Switch at",
        description="The share of the walk after which the refiner takes over.",
        json_schema_extra={"step": 0.01},
    )


class Painting(Frozen):
    """What all painting tasks have."""

    prompt: str = Field(default="", max_length=20_000, title="Prompt", description="What the picture should show.")
    negative_prompt: str = Field(
        default="", max_length=20_000, title="Negative prompt", description="What the picture should not show."
    )
    checkpoint: str = Field(
        default="",
        title="Checkpoint",
        description="A file in models/Stable-diffusion/, by its path there; empty takes the default one.",
    )
    width: int | None = Field(
        default=None,
        ge=64,
        le=4096,
        multiple_of=8,
        title="Width",
        description="Pixels, a multiple of 8; not given, the size that the checkpoint was trained for.",
    )
    height: int | None = Field(
        default=None,
        ge=64,
        le=4096,
        multiple_of=8,
        title="Height",
        description="Pixels, a multiple of 8; not given, the size that the checkpoint was trained for.",
    )
    reading: Reading = Reading()
    filled: Filled = Field(default=Filled(), json_schema_extra={"resolved": True})
    """Decided when the request is submitted: no control and no option asks for it."""
    sampling: Sampling = Sampling()
    seed: int = Field(
        default=RANDOM_SEED,
        ge=RANDOM_SEED,
        le=LARGEST_SEED,
        title="Seed",
        description="The same seed paints the same picture again; -1 chooses one at random. Picture i has seed + i.",
    )
    seeding: Seeding = Seeding()
    stochastic: Stochastic = Stochastic()
    batch_count: int = Field(
        default=1, ge=1, le=100, title="Batch count", description="How many batches, one after the other."
    )
    batch_size: int = Field(
        default=1, ge=1, le=16, title="Batch size", description="How many pictures are made at once; takes more memory."
    )

    refiner: Refiner = Field(default=Refiner(), json_schema_extra={"prefix": True})

    @model_validator(mode="after")
    def _every_seed_fits(self) -> Self:
        last = max(self.seed_of(self.picture_count - 1), self.variation_seed_of(self.picture_count - 1))
        if last > LARGEST_SEED:
            raise ValueError(f"the last picture's seed would be above {LARGEST_SEED}; take a smaller one")
        return self

    @model_validator(mode="after")
    def _every_picture_has_words(self) -> Self:
        filled = self.filled
        drawn = {len(filled.prompts), len(filled.negative_prompts)}
        second = {len(filled.hires_prompts), len(filled.hires_negative_prompts)}
        if any(found not in ({0}, {self.picture_count}) for found in (drawn, second)):
            raise ValueError(f"the words of {self.picture_count} pictures are needed; leave them out to draw them anew")
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of a resolved request."""
        if self.width is None or self.height is None:
            raise ValueError("This request has no size yet: it was not resolved.")
        return self.width, self.height

    @property
    def picture_count(self) -> int:
        """How many pictures the whole job makes."""
        return self.batch_count * self.batch_size

    def seed_of(self, index: int) -> int:
        """The seed of picture `index`, counted over the whole job; with a variation all have the same."""
        return self.seed if self.seeding.variation_strength > 0 else self.seed + index

    def variation_seed_of(self, index: int) -> int:
        """The variation seed of picture `index`."""
        return self.seeding.variation_seed + index

    def words_of(self, index: int) -> tuple[str, str]:
        """The prompt and the negative prompt of picture `index`."""
        if not self.filled.prompts:
            return self.prompt, self.negative_prompt
        return self.filled.prompts[index], self.filled.negative_prompts[index]

    def alone(self, index: int) -> Self:
        """The request that paints picture `index` of the job and no other."""
        prompt, negative_prompt = self.words_of(index)
        filled = self.filled
        if filled.prompts:
            filled = filled.model_copy(update={"prompts": (prompt,), "negative_prompts": (negative_prompt,)})
        words = {"prompt": prompt, "negative_prompt": negative_prompt, "filled": filled}
        seeding = self.seeding
        if seeding.variation_strength:
            seeding = seeding.model_copy(update={"variation_seed": self.variation_seed_of(index)})
        one = {**words, "seed": self.seed_of(index), "seeding": seeding, "batch_count": 1, "batch_size": 1}
        return self.model_copy(update=one)

    def inputs(self) -> tuple[str, ...]:
        """The digests of the input pictures that the request refers to."""
        return ()

    def films(self) -> tuple[str, ...]:
        """The digests of the input videos that the request refers to."""
        return ()


class Hires(Frozen):
    """Hires fix: the picture is enlarged and painted once more, from a weaker noise."""

    enabled: bool = Field(
        default=False, title="Hires fix", description="Paint at width x height, enlarge, and paint once more."
    )
    scale: float = Field(
        default=2.0,
        ge=1.0,
        le=8.0,
        title="Enlarge by",
        description="How many times larger each side becomes.",
        json_schema_extra={"step": 0.05},
    )
    width: int = Field(
        default=0,
        ge=0,
        le=8192,
        multiple_of=8,
        title="Hires width",
        description="Pixels to come to, in place of the factor; 0 follows from the other side.",
    )
    height: int = Field(
        default=0,
        ge=0,
        le=8192,
        multiple_of=8,
        title="Hires height",
        description="Pixels to come to, in place of the factor; 0 follows from the other side.",
    )
    upscaler: str = Field(default="Latent", title="Upscaler", description="How the first picture is enlarged.")
    steps: int = Field(
        default=0, ge=0, le=150, title="Hires steps", description="Steps of the second pass; 0: as many as the first."
    )
    strength: float = Field(
        default=0.7,
        ge=0.0,
        le=1.0,
        title="Hires strength",
        description="How much the second pass may change: 0 nothing, 1 everything.",
        json_schema_extra={"step": 0.01},
    )
    sampler: str = Field(default="", title="Hires sampler", description="Of the second pass; empty: the same.")
    schedule: str = Field(default="", title="Hires schedule", description="Of the second pass; empty: the same.")
    checkpoint: str = Field(default="", title="Hires checkpoint", description="Of the second pass; empty: the same.")
    prompt: str = Field(
        default="", max_length=20_000, title="Hires prompt", description="For the second pass; empty: the same."
    )
    negative_prompt: str = Field(
        default="",
        max_length=20_000,
        title="Hires negative prompt",
        description="For the second pass; empty: the same.",
    )
    first_pass: Digest = Field(
        default="", title="First pass", description="A picture to enlarge in place of a first pass, by its digest."
    )


class Txt2Img(Painting):
    """A picture from words."""

    task: Literal["txt2img"] = "txt2img"
    hires: Hires = Field(default=Hires(), json_schema_extra={"prefix": True})

    def hires_words_of(self, index: int) -> tuple[str, str]:
        """The prompt and the negative prompt of picture `index` in the second pass."""
        prompt, negative_prompt = self.words_of(index)
        hires, filled = self.hires, self.filled
        if not filled.hires_prompts:
            return hires.prompt or prompt, hires.negative_prompt or negative_prompt
        return filled.hires_prompts[index] or prompt, filled.hires_negative_prompts[index] or negative_prompt

    def alone(self, index: int) -> Self:
        """The request that paints picture `index` of the job and no other."""
        one, filled = super().alone(index), self.filled
        if not filled.hires_prompts:
            return one
        prompt, negative_prompt = filled.hires_prompts[index], filled.hires_negative_prompts[index]
        drawn = {"hires_prompts": (prompt,), "hires_negative_prompts": (negative_prompt,)}
        hires = self.hires.model_copy(update={"prompt": prompt, "negative_prompt": negative_prompt})
        return one.model_copy(update={"hires": hires, "filled": one.filled.model_copy(update=drawn)})

    def inputs(self) -> tuple[str, ...]:
        """The digest of a first pass that is not to be painted again."""
        return (self.hires.first_pass,) if self.hires.enabled and self.hires.first_pass else ()


ResizeMode: TypeAlias = Literal["stretch", "crop", "fill", "latent"]
"""How a picture is brought to width x height. `latent` stretches its latents instead of its pixels."""


class FromPicture(Painting):
    """What the tasks have in common that start from a picture."""

    picture: Digest = Field(default="", title="Picture", description="The picture to start from, by its digest.")
    strength: float = Field(
        default=0.75,
        ge=0.0,
        le=1.0,
        title="Strength",
        description="How much may change: 0 nothing, 1 everything.",
        json_schema_extra={"step": 0.01},
    )
    noise_multiplier: float = Field(
        default=1.0,
        ge=0.0,
        le=1.5,
        title="Noise multiplier",
        description="Below 1 the result is smoother, above 1 it has more detail.",
        json_schema_extra={"step": 0.01},
    )

    def inputs(self) -> tuple[str, ...]:
        """The digests of the input pictures that the request refers to."""
        return (self.picture,) if self.picture else ()


NO_ENCODER_NOISE = -1


class Resized(FromPicture):
    """What the tasks have in common that bring the picture to a size first."""

    resize_mode: ResizeMode = Field(
        default="stretch",
        title="Resize mode",
        description="How the picture is brought to width x height: stretched; cropped; its edges drawn out; or its"
        " latents stretched.",
    )
    encoder_noise: int = Field(
        default=NO_ENCODER_NOISE,
        ge=NO_ENCODER_NOISE,
        le=1_000_000,
        title="Encoder noise",
        description="To equal pictures of AUTOMATIC1111's program, which encodes with chance: how many numbers its"
        " generator had given since the seed; -1: no chance.",
    )


class Series(Frozen):
    """Several pictures to start from in place of one, with one result for each."""

    pictures: tuple[Digest, ...] = Field(
        default=(), max_length=MOST_PICTURES, title="Pictures", description="The pictures to start from, by digests."
    )
    names: tuple[FileStem, ...] = Field(
        default=(), max_length=MOST_PICTURES, title="Names", description="What the results are called."
    )
    sizes: tuple[Size, ...] = ()
    """Width and height of each result; decided when the request is submitted."""

    @model_validator(mode="after")
    def _each_picture_has_a_name(self) -> Self:
        for what in (self.names, self.sizes):
            if what and len(what) != len(self.pictures):
                raise ValueError(f"there are {len(self.pictures)} pictures, and {len(what)} names or sizes for them")
        return self


class Img2Img(Resized):
    """A picture from words and another picture, or several from several."""

    task: Literal["img2img"] = "img2img"
    upscaler: str = Field(
        default="None",
        title="Upscaler",
        description="What enlarges the picture where it has to grow; None is a plain filter.",
    )
    image_guidance_scale: float = Field(
        default=1.5,
        ge=0.0,
        le=3.0,
        title="Image CFG scale",
        description="For InstructPix2Pix checkpoints: how strictly the result follows the picture.",
        json_schema_extra={"step": 0.05},
    )
    series: Series = Field(default=Series(), json_schema_extra={"resolved": True})

    @model_validator(mode="after")
    def _one_result_each(self) -> Self:
        if self.series.pictures and self.batch_size * self.batch_count > 1:
            raise ValueError("several pictures have one result each; take 1 for batch count and batch size")
        return self

    @property
    def picture_count(self) -> int:
        """How many pictures the whole job makes."""
        return len(self.series.pictures) or super().picture_count

    def alone(self, index: int) -> Self:
        """The request that paints picture `index` of the job and no other."""
        one = super().alone(index)
        if not self.series.pictures:
            return one
        width, height = self.series.sizes[index]
        own = {"picture": self.series.pictures[index], "width": width, "height": height, "series": Series()}
        return one.model_copy(update=own)

    def inputs(self) -> tuple[str, ...]:
        """The digests of the pictures to start from."""
        return tuple(dict.fromkeys(self.series.pictures)) or super().inputs()


MaskedContent: TypeAlias = Literal["fill", "original", "latent noise", "latent nothing"]


class Masking(Frozen):
    """How a mask is read, and what stands under it when the walk begins."""

    blur: int = Field(default=4, ge=0, le=64, title="Mask blur", description="Pixels over which the mask fades.")
    grow: int = Field(
        default=0, ge=-128, le=128, title="Grow mask", description="Pixels by which the mask grows; below 0 it shrinks."
    )
    invert: bool = Field(default=False, title="Invert mask", description="Paint what is not under the mask.")
    content: MaskedContent = Field(
        default="original",
        title="Masked content",
        description="What the walk starts from under the mask: colours from around it, the picture, noise, or nothing.",
    )
    only_masked: bool = Field(
        default=False,
        title="Only masked",
        description="Paint the masked part alone, at width x height, and put it back into the picture.",
    )
    padding: int = Field(
        default=32,
        ge=0,
        le=512,
        title="Padding",
        description="Pixels around the masked part that are seen too, with only masked.",
    )
    soft: bool = Field(
        default=False,
        title="Soft inpainting",
        description="Grey parts of the mask change in the last part of the walk only: the darker, the less.",
    )
    own_size: bool = Field(
        default=True,
        title="Keep the picture's size",
        description="The painted part goes back into the picture at its own size; off: the result is width x height.",
    )


class Inpaint(Resized):
    """A part of a picture painted anew; the rest stays as it is."""

    task: Literal["inpaint"] = "inpaint"
    mask: Digest = Field(
        default="",
        title="Mask",
        description="A picture, white where to paint, by its digest; empty: the picture's transparent parts.",
    )
    masking: Masking = Masking()

    def inputs(self) -> tuple[str, ...]:
        """The digests of the picture and of the mask."""
        return tuple(digest for digest in (self.picture, self.mask) if digest)


CanvasFill: TypeAlias = Literal["edge", "latent noise", "telea", "navier-stokes"]


class Canvas(Frozen):
    """By how much a picture is extended, and what stands there when the walk begins."""

    left: int = Field(default=0, ge=0, le=4096, title="Left", description="New pixels at the left side.")
    right: int = Field(default=0, ge=0, le=4096, title="Right", description="New pixels at the right side.")
    top: int = Field(default=0, ge=0, le=4096, title="Top", description="New pixels above.")
    bottom: int = Field(default=0, ge=0, le=4096, title="Bottom", description="New pixels below.")
    fill: CanvasFill = Field(
        default="edge",
        title="Fill",
        description="What the walk starts from: the edge drawn out under noise like the picture's, noise, or what"
        " OpenCV makes of the surroundings.",
    )
    overlap: int = Field(
        default=16,
        ge=0,
        le=256,
        title="Overlap",
        description="Pixels of the old picture's border that fade into the new one.",
    )
    rounds: int = Field(
        default=1,
        ge=1,
        le=16,
        title="Rounds",
        description="In how many rounds a large extension is painted, each from the one before.",
    )


class Outpaint(FromPicture):
    """A picture continued beyond its sides."""

    task: Literal["outpaint"] = "outpaint"
    strength: float = Field(
        default=0.9,
        ge=0.0,
        le=1.0,
        title="Strength",
        description="How much may change: 0 nothing, 1 everything.",
        json_schema_extra={"step": 0.01},
    )
    canvas: Canvas = Canvas()

    @model_validator(mode="after")
    def _rounds_have_pixels(self) -> Self:
        sides = (self.canvas.left, self.canvas.right, self.canvas.top, self.canvas.bottom)
        if max(sides) and self.canvas.rounds > max(sides):
            raise ValueError(f"{self.canvas.rounds} rounds are more than there are new pixels; take fewer")
        return self


class Tiles(Frozen):
    """In which parts a model sees a picture."""

    tile: int = Field(
        default=256,
        ge=0,
        le=4096,
        multiple_of=16,
        title="Tile size",
        description="Pixels of the picture that go through a model at once; smaller tiles take less memory, 0 takes the"
        " whole picture.",
    )
    overlap: int = Field(
        default=32,
        ge=0,
        le=512,
        multiple_of=4,
        title="Tile overlap",
        description="Pixels in which tiles overlap, so that no seams are seen; it acts up to half a tile.",
    )


class Enlarging(Frozen):
    """How a picture is made larger: by one upscaler, or by two whose results are mixed."""

    upscaler: str = Field(
        default="Lanczos", title="Upscaler", description="A filter, or a model in models/ESRGAN/ by its name."
    )
    second: str = Field(
        default="", title="Second upscaler", description="Its result is mixed with the first one's; empty: none."
    )
    second_share: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        title="Share of the second",
        description="How much of the second upscaler's result is in the mixture.",
        json_schema_extra={"step": 0.01},
    )
    scale: float = Field(
        default=2.0,
        ge=1.0,
        le=8.0,
        title="Enlarge by",
        description="How many times larger each side becomes.",
        json_schema_extra={"step": 0.05},
    )
    width: int = Field(
        default=0,
        ge=0,
        le=16384,
        title="Width to come to",
        description="Pixels, in place of the factor; 0 follows from the other side.",
    )
    height: int = Field(
        default=0,
        ge=0,
        le=16384,
        title="Height to come to",
        description="Pixels, in place of the factor; 0 follows from the other side.",
    )
    crop: bool = Field(
        default=True,
        title="Crop to size",
        description="With both sides given: cut off what is too much; off: the result covers them and may be larger.",
    )
    tiles: Tiles = Tiles()

    def sizes(self, size: Size) -> tuple[Size, Size]:
        """(what a picture of that size is enlarged to, what is kept of the middle of that)."""
        width, height = size
        if not self.width and not self.height:
            whole = _at_least_one(width * self.scale, height * self.scale)
            return whole, whole
        factor = max(self.width / width, self.height / height)
        whole = _at_least_one(width * factor, height * factor)
        if self.width and self.height and self.crop:
            return whole, (self.width, self.height)
        return whole, whole


def _at_least_one(width: float, height: float) -> Size:
    return max(1, round(width)), max(1, round(height))


class Faces(Frozen):
    """Faces that are found in the picture and drawn anew by a model."""

    gfpgan: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        title="GFPGAN",
        description="How much is seen of the faces that GFPGAN restores; 0: it is not used.",
        json_schema_extra={"step": 0.01},
    )
    codeformer: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        title="CodeFormer",
        description="How much is seen of the faces that CodeFormer restores; 0: it is not used.",
        json_schema_extra={"step": 0.01},
    )
    codeformer_weight: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        title="CodeFormer weight",
        description="0 restores most, 1 stays closest to the face as it is.",
        json_schema_extra={"step": 0.01},
    )
    enlarge_first: bool = Field(
        default=False, title="Enlarge first", description="Restore faces in the enlarged picture instead of before it."
    )


class Upscale(Certain):
    """Pictures made larger, one result for each."""

    task: Literal["upscale"] = "upscale"
    pictures: tuple[Digest, ...] = Field(
        default=(), max_length=MOST_PICTURES, title="Pictures", description="The pictures to enlarge, by their digests."
    )
    names: tuple[FileStem, ...] = Field(
        default=(),
        max_length=MOST_PICTURES,
        title="Names",
        description="What the pictures' files are called; the results are saved under these names.",
    )
    enlarging: Enlarging = Enlarging()
    faces: Faces = Field(default=Faces())

    @model_validator(mode="after")
    def _each_picture_has_a_name(self) -> Self:
        if self.names and len(self.names) != len(self.pictures):
            raise ValueError(f"there are {len(self.pictures)} pictures and {len(self.names)} names; give one for each")
        return self

    @property
    def picture_count(self) -> int:
        """How many pictures the whole job makes."""
        return len(self.pictures)

    def alone(self, index: int) -> Self:
        """The request that enlarges picture `index` of the job and no other."""
        names = self.names[index : index + 1]
        return self.model_copy(update={"pictures": self.pictures[index : index + 1], "names": names})

    def inputs(self) -> tuple[str, ...]:
        """The digests of the pictures."""
        return self.pictures


class Redrawing(Frozen):
    """How a picture is enlarged and then painted over in tiles."""

    upscaler: str = Field(default="Lanczos", title="Upscaler", description="How the picture is enlarged first.")
    scale: float = Field(
        default=2.0,
        ge=1.0,
        le=8.0,
        title="Enlarge by",
        description="How many times larger each side becomes.",
        json_schema_extra={"step": 0.05},
    )
    overlap: int = Field(
        default=64,
        ge=0,
        le=512,
        multiple_of=8,
        title="Tile overlap",
        description="Pixels in which painted tiles fade into each other; it acts up to half a tile.",
    )


class SdUpscale(FromPicture):
    """A picture enlarged and painted over, tile by tile; width and height are those of a tile."""

    task: Literal["sdupscale"] = "sdupscale"
    strength: float = Field(
        default=0.35,
        ge=0.0,
        le=1.0,
        title="Strength",
        description="How much may change: 0 nothing, 1 everything.",
        json_schema_extra={"step": 0.01},
    )
    redrawing: Redrawing = Redrawing()


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("these keyframes are no JSON; write them anew") from None


class Interpolate(Painting):
    """An animation: frames between keyframes. Its pictures are its frames, in their order."""

    task: Literal["interpolate"] = "interpolate"
    prompt: str = Field(
        default="", max_length=20_000, title="Prompt of all", description="Added to the prompt of every keyframe."
    )
    negative_prompt: str = Field(
        default="",
        max_length=20_000,
        title="Negative prompt of all",
        description="For the keyframes that have none of their own.",
    )
    keyframes: tuple[Keyframe, ...] = Field(
        default=(), max_length=500, title="Keyframes", description="The points that the animation passes through."
    )
    mode: Mode = Field(
        default="walk",
        title="Mode",
        description="Walk from words and seeds to others; morph from picture to picture; orbit around a seed; or move a"
        " camera over the last frame.",
    )
    text_path: TextPath = Field(
        default="linear", title="Way of the words", description="Straight, or along an arc that keeps their length."
    )
    orbit: float = Field(
        default=0.25,
        ge=0.0,
        le=1.0,
        title="Orbit",
        description="How far an orbit leads from its seed: 0 nowhere, 1 to other pictures altogether.",
        json_schema_extra={"step": 0.01},
    )
    strength: float = Field(
        default=0.6,
        ge=0.0,
        le=1.0,
        title="Strength",
        description="How much of the keyframes' pictures may change in a walk: 0 nothing, 1 everything.",
        json_schema_extra={"step": 0.01},
    )
    camera: Camera = Field(default=Camera(), json_schema_extra={"prefix": True})
    filming: Filming = Filming()
    batch_count: int = Field(default=1, ge=1, le=1, json_schema_extra={"resolved": True})
    batch_size: int = Field(
        default=4, ge=1, le=16, title="Frames at once", description="How many frames go through the model together."
    )
    refiner: Refiner = Field(default=Refiner(), json_schema_extra={"resolved": True})
    chosen: tuple[int, ...] = Field(default=(), max_length=MOST_FRAMES, json_schema_extra={"resolved": True})
    """Frames that are wanted by themselves, without a clip; empty: all."""

    @field_validator("keyframes", mode="before")
    @classmethod
    def _as_values(cls, keyframes: Any) -> Any:
        """Also as JSON, as controls and texts hold them."""
        return _read_json(keyframes or "[]") if isinstance(keyframes, str) else keyframes

    @field_validator("keyframes")
    @classmethod
    def _in_order(cls, keyframes: tuple[Keyframe, ...]) -> tuple[Keyframe, ...]:
        return tuple(sorted(keyframes, key=lambda keyframe: keyframe.time))

    @model_validator(mode="after")
    def _frames_can_be_told_apart(self) -> Self:
        places = [frame_of(self.keyframes, self.filming, number) for number in range(len(self.keyframes))]
        for before, after, keyframe in zip(places, places[1:], self.keyframes[1:], strict=False):
            if before == after:
                raise ValueError(f"two keyframes stand on the same frame, at {keyframe.time:g} s; move one of them")
        if self.frame_count > MOST_FRAMES:
            raise ValueError(
                f"there would be {self.frame_count} frames and {MOST_FRAMES} are the most; make it shorter"
            )
        if any(not 0 <= frame < self.frame_count for frame in self.chosen):
            raise ValueError(f"there are {self.frame_count} frames, and others were chosen")
        return self

    @property
    def frame_count(self) -> int:
        """How many frames the animation has."""
        return total_frames(self.keyframes, self.filming)

    @property
    def picture_count(self) -> int:
        """How many of them are painted."""
        return len(self.chosen) or self.frame_count

    @property
    def makes_clip(self) -> bool:
        """Whether a clip is made of what is painted."""
        return not self.chosen

    def frame(self, index: int) -> int:
        """Which frame the picture `index` is."""
        return self.chosen[index] if self.chosen else index

    def place(self, index: int) -> Place:
        """Between which keyframes the picture `index` lies."""
        return place_at(self.keyframes, self.filming, self.frame(index))

    def key_seed(self, number: int) -> int:
        """The seed of a keyframe."""
        own = self.keyframes[number].seed
        return self.seed if own is None else own

    def key_words(self, number: int) -> tuple[str, str]:
        """The prompt and the negative prompt of a keyframe."""
        keyframe = self.keyframes[number]
        words = [words for words in (keyframe.prompt, self.prompt) if words.strip()]
        return ", ".join(words), keyframe.negative_prompt or self.negative_prompt

    def seed_of(self, index: int) -> int:
        """The seed of the keyframe that the frame comes from; with a camera each frame has another one."""
        if not self.keyframes:
            return self.seed
        seed = self.key_seed(self.place(index).first)
        return (seed + self.frame(index)) % (LARGEST_SEED + 1) if self.mode == "camera" else seed

    def variation_seed_of(self, index: int) -> int:
        """All frames have the same."""
        return self.seeding.variation_seed

    def words_of(self, index: int) -> tuple[str, str]:
        """The words of the nearer keyframe: what is between them has no words."""
        return self.key_words(self.place(index).nearest) if self.keyframes else (self.prompt, self.negative_prompt)

    def alone(self, index: int) -> Self:
        """The request that paints frame `index` and no other, or with a camera those before it too."""
        frames = self.frame(index)
        return self.model_copy(update={"chosen": tuple(range(frames + 1)) if self.mode == "camera" else (frames,)})

    def inputs(self) -> tuple[str, ...]:
        """The digests of the keyframes' pictures."""
        return tuple(dict.fromkeys(keyframe.picture for keyframe in self.keyframes if keyframe.picture))


Request: TypeAlias = Annotated[
    Txt2Img | Img2Img | Inpaint | Outpaint | Upscale | SdUpscale | Interpolate | Caption | Interrogate | Divergence,
    Field(discriminator="task"),
]
"""Every task's request, told apart by `task`."""


def result_names(request: Request) -> tuple[str, ...]:
    """What the results are called, one name each; none where they are numbered."""
    if isinstance(request, Upscale):
        return request.names
    return request.series.names if isinstance(request, Img2Img) else ()
