"""The wire types of /sdapi/v1, spelled as AUTOMATIC1111's clients spell them. Nothing else in modules/ does."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from modules.schema.requests import (
    NO_ENCODER_NOISE,
    RANDOM_SEED,
    Hires,
    Img2Img,
    Inpaint,
    MaskedContent,
    Masking,
    Reading,
    Refiner,
    ResizeMode,
    Sampling,
    Seeding,
    Stochastic,
    Txt2Img,
)

KeepPicture = Callable[[str], str]
"""From a picture in base64, with or without a prefix, to the digest by which requests refer to it."""

RESIZE_MODES: tuple[ResizeMode, ...] = ("stretch", "crop", "fill", "latent")
MASKED_CONTENTS: tuple[MaskedContent, ...] = ("fill", "original", "latent noise", "latent nothing")
"""By the numbers that clients send."""

HIRES_STRENGTH = 0.75
"""What AUTOMATIC1111's API takes where none is given; its page has another one."""

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
    "strength": "denoising_strength",
}


class PaintingBody(BaseModel):
    """What both painting endpoints take; unknown fields are ignored, every field has a default."""

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
    refiner_checkpoint: str | None = Field(default=None, description="Takes over in the middle of the walk.")
    refiner_switch_at: float | None = None
    denoising_strength: float | None = Field(default=None, description="0 to 1; not given: 0.75.")

    def painting(self) -> dict[str, Any]:
        """What all requests have in common, in our words. Raises ValidationError for values out of bounds."""
        sampler = self.sampler_name or self.sampler_index or Sampling().sampler
        settings = self.override_settings or {}
        return {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt or "",
            "checkpoint": checkpoint_name(str(settings.get("sd_model_checkpoint") or "")),
            "reading": _reading(settings),
            "width": self.width,
            "height": self.height,
            "sampling": Sampling(
                steps=self.steps,
                sampler=sampler,
                schedule=self.scheduler or Sampling().schedule,
                guidance_scale=max(1.0, self.cfg_scale),
            ),
            "seed": _seed(self.seed),
            "seeding": _seeding(self, settings),
            "stochastic": _stochastic(self, settings, sampler),
            "batch_count": self.n_iter,
            "batch_size": self.batch_size,
            "refiner": self._refiner(),
        }

    def _refiner(self) -> Refiner:
        name = checkpoint_name(self.refiner_checkpoint or "")
        if name in ("", "None", "none") or self.refiner_switch_at is None:
            return Refiner()
        return Refiner(checkpoint=name, switch_at=max(0.01, self.refiner_switch_at))


class Txt2ImgBody(PaintingBody):
    """What POST /sdapi/v1/txt2img takes."""

    enable_hr: bool = Field(default=False, description="Hires fix: enlarge and paint once more.")
    hr_scale: float = 2.0
    hr_upscaler: str | None = Field(default=None, description="A name of GET upscalers or GET latent-upscale-modes.")
    hr_second_pass_steps: int | None = Field(default=0, description="0: as many as the first pass.")
    hr_resize_x: int | None = Field(default=0, description="Pixels to come to, in place of hr_scale.")
    hr_resize_y: int | None = Field(default=0, description="Pixels to come to, in place of hr_scale.")
    hr_checkpoint_name: str | None = None
    hr_sampler_name: str | None = None
    hr_scheduler: str | None = None
    hr_prompt: str | None = ""
    hr_negative_prompt: str | None = ""
    firstpass_image: str | None = Field(default=None, description="A picture in place of the first pass, in base64.")

    def request(self, keep: KeepPicture = lambda _picture: "") -> Txt2Img:
        """The same in our words. Raises pydantic's ValidationError for values out of bounds."""
        return Txt2Img(**self.painting(), hires=self._hires(keep) if self.enable_hr else Hires())

    def echo(self) -> dict[str, Any]:
        """The fields as they were understood, without the pictures."""
        return self.model_dump() | {"firstpass_image": None}

    def _hires(self, keep: KeepPicture) -> Hires:
        return Hires(
            enabled=True,
            scale=self.hr_scale,
            width=self.hr_resize_x or 0,
            height=self.hr_resize_y or 0,
            upscaler=self.hr_upscaler or Hires().upscaler,
            steps=self.hr_second_pass_steps or 0,
            strength=HIRES_STRENGTH if self.denoising_strength is None else self.denoising_strength,
            sampler=_own(self.hr_sampler_name),
            schedule=_own(self.hr_scheduler),
            checkpoint=checkpoint_name(_own(self.hr_checkpoint_name)),
            prompt=self.hr_prompt or "",
            negative_prompt=self.hr_negative_prompt or "",
            first_pass=keep(self.firstpass_image) if self.firstpass_image else "",
        )


class Img2ImgBody(PaintingBody):
    """What POST /sdapi/v1/img2img takes; with a mask it is inpainting."""

    init_images: list[str] | None = Field(default=None, description="The picture to start from, in base64: one.")
    resize_mode: int = Field(default=0, ge=0, le=3, description="0 stretch, 1 crop, 2 fill, 3 stretch the latents.")
    image_cfg_scale: float | None = None
    initial_noise_multiplier: float | None = None
    mask: str | None = Field(default=None, description="White where to paint, in base64.")
    mask_blur: int | None = None
    mask_blur_x: int = 4
    mask_blur_y: int = 4
    inpainting_fill: int = Field(default=0, ge=0, le=3, description="0 fill, 1 original, 2 latent noise, 3 nothing.")
    inpaint_full_res: bool = Field(default=True, description="Paint only the masked part, at width x height.")
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: bool = False
    include_init_images: bool = Field(default=False, description="Send the pictures back in the answer's parameters.")

    def request(self, keep: KeepPicture) -> Img2Img | Inpaint:
        """The same in our words. Raises pydantic's ValidationError for values out of bounds."""
        shared: dict[str, Any] = {
            **self.painting(),
            "picture": keep((self.init_images or [""])[0]),
            "strength": 0.75 if self.denoising_strength is None else self.denoising_strength,
            "noise_multiplier": 1.0 if self.initial_noise_multiplier is None else self.initial_noise_multiplier,
            "resize_mode": RESIZE_MODES[self.resize_mode],
            "encoder_noise": (self.override_settings or {}).get("encoder_noise", NO_ENCODER_NOISE),
        }
        if not self.mask:
            scale = Img2Img().image_guidance_scale if self.image_cfg_scale is None else self.image_cfg_scale
            return Img2Img(**shared, image_guidance_scale=scale)
        return Inpaint(**shared, mask=keep(self.mask), masking=self._masking())

    def echo(self) -> dict[str, Any]:
        """The fields as they were understood, without the pictures unless they were asked for."""
        return self.model_dump() | ({} if self.include_init_images else {"init_images": None, "mask": None})

    def _masking(self) -> Masking:
        return Masking(
            blur=max(self.mask_blur_x, self.mask_blur_y) if self.mask_blur is None else self.mask_blur,
            invert=self.inpainting_mask_invert,
            content=MASKED_CONTENTS[self.inpainting_fill],
            only_masked=self.inpaint_full_res,
            padding=self.inpaint_full_res_padding,
            own_size=False,
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


class UpscalerItem(BaseModel):
    """An entry of GET upscalers."""

    name: str
    model_name: str | None = None
    model_path: str | None = None
    model_url: str | None = None
    scale: float = 4


class UpscaleModeItem(BaseModel):
    """An entry of GET latent-upscale-modes."""

    name: str


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


def _own(name: str | None) -> str:
    """ "Use same sampler" and its like are nothing of its own."""
    return "" if not name or name.startswith("Use same ") else name


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


def _seeding(body: PaintingBody, settings: dict[str, Any]) -> Seeding:
    """Sizes to resize from may be any; they count in eights, and below 0 they are not meant."""
    return Seeding(
        noise_source=settings.get("randn_source") or Seeding().noise_source,
        variation_seed=_seed(body.subseed),
        variation_strength=body.subseed_strength or 0,
        resize_from_width=max(0, body.seed_resize_from_w or 0) // 8 * 8,
        resize_from_height=max(0, body.seed_resize_from_h or 0) // 8 * 8,
        eta_seed_delta=settings.get("eta_noise_seed_delta") or 0,
    )


def _stochastic(body: PaintingBody, settings: dict[str, Any], sampler: str) -> Stochastic:
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
