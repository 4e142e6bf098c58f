"""What can be asked for. A request together with the checkpoint that it names reproduces its result.

Bounds, steps, titles and help stand here once; the page, the command line and the API read them from here.
"""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

RANDOM_SEED = -1
"""Stands for "choose one for me"; replaced once, when the request is submitted."""

LARGEST_SEED = 2**32 - 1


class Frozen(BaseModel):
    """A value: it cannot be changed, and it takes no field that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


class Txt2Img(Frozen):
    """A picture from words."""

    task: Literal["txt2img"] = "txt2img"
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

    @model_validator(mode="after")
    def _every_seed_fits(self) -> "Txt2Img":
        last = max(self.seed_of(self.picture_count - 1), self.variation_seed_of(self.picture_count - 1))
        if last > LARGEST_SEED:
            raise ValueError(f"the last picture's seed would be above {LARGEST_SEED}; take a smaller one")
        return self

    @model_validator(mode="after")
    def _every_picture_has_words(self) -> "Txt2Img":
        drawn = {len(self.filled.prompts), len(self.filled.negative_prompts)}
        if drawn not in ({0}, {self.picture_count}):
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

    def alone(self, index: int) -> "Txt2Img":
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


Request: TypeAlias = Txt2Img
"""Every task's request, told apart by `task`. With a second task this becomes a union discriminated by that field."""
