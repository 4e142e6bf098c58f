"""The wire types of /sdapi/v1, spelled as AUTOMATIC1111's clients spell them. Nothing else in modules/ does."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from modules.schema.requests import RANDOM_SEED, Reading, Sampling, Seeding, Stochastic, Txt2Img

_WIRE_NAMES = {
    "batch_count": "n_iter",
    "guidance_scale": "cfg_scale",
    "clip_skip": "CLIP_stop_at_last_layers",
    "variation_seed": "subseed",
    "variation_strength": "subseed_strength",
    "resize_from_width": "seed_resize_from_w",
    "resize_from_height": "seed_resize_from_h",
    "noise_source": "randn_source",
    "eta_seed_delta": "eta_noise_seed_delta",
    "churn": "s_churn",
    "churn_from": "s_tmin",
    "churn_to": "s_tmax",
    "noise_scale": "s_noise",
}


class Txt2ImgBody(BaseModel):
    """What POST /sdapi/v1/txt2img takes; unknown fields are ignored, every field has a default."""

    model_config = ConfigDict(extra="ignore")

    prompt: str = ""
    negative_prompt: str | None = ""
    seed: int | None = RANDOM_SEED
    subseed: int | None = RANDOM_SEED
    subseed_strength: float | None = 0
    seed_resize_from_w: int | None = -1
    seed_resize_from_h: int | None = -1
    eta: float | None = None
    s_churn: float | None = None
    s_tmin: float | None = None
    s_tmax: float | None = None
    s_noise: float | None = None
    sampler_name: str | None = Field(default=None, description="A name of GET samplers; joined old names work too.")
    sampler_index: str | None = Field(default=None, description="Older spelling of sampler_name.")
    scheduler: str | None = Field(default=None, description="A name or label of GET schedulers.")
    batch_size: int = 1
    n_iter: int = Field(default=1, description="How many batches.")
    steps: int = Sampling().steps
    cfg_scale: float = 7.0
    width: int | None = Field(default=None, description="Not given: what the checkpoint was trained for.")
    height: int | None = Field(default=None, description="Not given: what the checkpoint was trained for.")
    override_settings: dict[str, Any] | None = Field(
        default=None, description="Settings for this job only; docs/api.md lists those that act."
    )
    send_images: bool = True
    save_images: bool = Field(default=False, description="Also save under outputs/.")
    force_task_id: str | None = None

    def request(self) -> Txt2Img:
        """The same in our words. Raises pydantic's ValidationError for values out of bounds."""
        sampler = self.sampler_name or self.sampler_index or Sampling().sampler
        settings = self.override_settings or {}
        return Txt2Img(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt or "",
            checkpoint=checkpoint_name(str(settings.get("sd_model_checkpoint") or "")),
            reading=_reading(settings),
            width=self.width,
            height=self.height,
            sampling=Sampling(
                steps=self.steps,
                sampler=sampler,
                schedule=self.scheduler or Sampling().schedule,
                guidance_scale=max(1.0, self.cfg_scale),
            ),
            seed=_seed(self.seed),
            seeding=_seeding(self, settings),
            stochastic=_stochastic(self, settings, sampler),
            batch_count=self.n_iter,
            batch_size=self.batch_size,
        )


class Txt2ImgAnswer(BaseModel):
    """`images` are PNG files in base64 without a prefix; `info` is JSON in a string."""

    images: list[str]
    parameters: dict[str, Any]
    info: str
    task_id: str


class PngInfoBody(BaseModel):
    """What POST /sdapi/v1/png-info takes."""

    image: str = Field(description="A picture file in base64, with or without a data: prefix.")


class PngInfoAnswer(BaseModel):
    """`info` is the text, `items` the file's other texts, `parameters` the text taken apart."""

    info: str
    items: dict[str, str]
    parameters: dict[str, str]


class SamplerItem(BaseModel):
    """An entry of GET samplers."""

    name: str
    aliases: list[str]
    options: dict[str, str]


class SchedulerItem(BaseModel):
    """An entry of GET schedulers."""

    name: str
    label: str
    aliases: list[str] | None
    default_rho: float
    need_inner_model: bool


class CheckpointItem(BaseModel):
    """An entry of GET sd-models; `hash` and `sha256` are null until the file has been read once."""

    title: str
    model_name: str
    hash: str | None
    sha256: str | None
    filename: str
    config: str | None = None


class ProgressState(BaseModel):
    """Which job runs, and where it stands."""

    skipped: bool = False
    interrupted: bool = False
    stopping_generation: bool = False
    job: str = ""
    job_count: int = 0
    job_timestamp: str = ""
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0


class ProgressAnswer(BaseModel):
    """`progress` is 0 to 1, 0 when idle; `eta_relative` is in seconds."""

    progress: float = 0.0
    eta_relative: float = 0.0
    state: ProgressState = ProgressState()
    current_image: str | None = None
    textinfo: str | None = None
    current_task: str | None = None


def checkpoint_title(name: str, sha256: str | None) -> str:
    """As clients show it and send it back: the path, and the first ten digits of the digest once it is known."""
    return f"{name} [{sha256[:10]}]" if sha256 else name


def checkpoint_name(title: str) -> str:
    """The inverse of checkpoint_title."""
    return title.rpartition(" [")[0] if title.endswith("]") and " [" in title else title


def wire_name(field: str) -> str:
    """How clients spell a field of ours."""
    return _WIRE_NAMES.get(field, field)


def _reading(settings: Mapping[str, Any]) -> Reading:
    spelled = {"clip_skip": settings.get("CLIP_stop_at_last_layers"), "emphasis": settings.get("emphasis")}
    return Reading.model_validate({name: value for name, value in spelled.items() if value is not None})


def _seed(seed: int | None) -> int:
    return RANDOM_SEED if seed is None or seed < 0 else seed


def _seeding(body: Txt2ImgBody, settings: dict[str, Any]) -> Seeding:
    """Sizes to resize from may be any; they count in eights, and below 0 they are not meant."""
    return Seeding(
        noise_source=settings.get("randn_source") or Seeding().noise_source,
        variation_seed=_seed(body.subseed),
        variation_strength=body.subseed_strength or 0,
        resize_from_width=max(0, body.seed_resize_from_w or 0) // 8 * 8,
        resize_from_height=max(0, body.seed_resize_from_h or 0) // 8 * 8,
        eta_seed_delta=settings.get("eta_noise_seed_delta") or 0,
    )


def _stochastic(body: Txt2ImgBody, settings: dict[str, Any], sampler: str) -> Stochastic:
    """A field goes before the setting of the same meaning."""
    eta = settings.get("eta_ddim" if sampler.casefold().startswith("ddim") else "eta_ancestral")
    wanted = {
        "eta": (body.eta, eta),
        "churn": (body.s_churn, settings.get("s_churn")),
        "churn_from": (body.s_tmin, settings.get("s_tmin")),
        "churn_to": (body.s_tmax, settings.get("s_tmax")),
        "noise_scale": (body.s_noise, settings.get("s_noise")),
    }
    given = {
        name: field if field is not None else setting
        for name, (field, setting) in wanted.items()
        if field is not None or setting is not None
    }
    return Stochastic.model_validate(given)
