"""/sdapi/v1: the REST surface that the ecosystem's programs speak (docs/api.md lists what is here)."""

import base64
import binascii
import json
from datetime import datetime
from functools import partial
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter
from pydantic import ValidationError

from modules import __version__
from modules.api.errors import ApiError, ErrorsAsJson
from modules.api.extras import (
    ExtraBatchAnswer,
    ExtraBatchBody,
    ExtraSingleAnswer,
    ExtraSingleBody,
    extra_batch,
    extra_single,
    upscaler_items,
)
from modules.api.png_info import picture_info
from modules.api.sdapi_models import (
    CheckpointItem,
    Img2ImgBody,
    PngInfoAnswer,
    PngInfoBody,
    ProgressAnswer,
    ProgressState,
    SamplerItem,
    SchedulerItem,
    Txt2ImgAnswer,
    Txt2ImgBody,
    UpscaleModeItem,
    UpscalerItem,
    checkpoint_title,
    wire_name,
)
from modules.catalog.checkpoints import Catalog
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.schema.errors import InvalidRequest, JobExists, KararliError, UnusableFile
from modules.schema.events import Cancelled, Failed, Finished, Job, PictureReady, Progress
from modules.schema.requests import FromPicture, Painting, Reading, Txt2Img
from modules.schema.results import Result
from modules.schema.sampling import Schedule

TIMESTAMP = "%Y%m%d%H%M%S"

WAITING = 1000
"""Requests that may wait for their pictures at the same time; these wait in threads of their own."""


def router(jobs: Jobs, catalog: Catalog, plugins: Plugins) -> APIRouter:
    """The endpoints over the running program's parts."""
    routes = APIRouter(prefix="/sdapi/v1", tags=["sdapi"], route_class=ErrorsAsJson)
    waiting = CapacityLimiter(WAITING)  # the server's own 40 threads are also what serves the page

    @routes.post("/txt2img")
    async def txt2img(body: Txt2ImgBody) -> Txt2ImgAnswer:
        """Paint pictures from words; answers when they are done."""
        return await run_sync(_paint, body, jobs, limiter=waiting)

    @routes.post("/img2img")
    async def img2img(body: Img2ImgBody) -> Txt2ImgAnswer:
        """Paint pictures from words and a picture, with a mask a part of it; answers when they are done."""
        if not body.init_images or not body.init_images[0]:
            raise ApiError(404, "Init image not found: give one in init_images.")
        if len(body.init_images) > 1:
            raise ApiError(422, "init_images: one picture a request is taken. Send one request for each.")
        return await run_sync(_paint, body, jobs, limiter=waiting)

    @routes.get("/upscalers")
    def upscalers() -> list[UpscalerItem]:
        """The upscalers of pixels, the files of models/ESRGAN/ too."""
        return upscaler_items(plugins.upscalers(), catalog.upscalers)

    @routes.post("/extra-single-image")
    async def extra_single_image(body: ExtraSingleBody) -> ExtraSingleAnswer:
        """Make a picture larger; answers when it is done."""
        return await run_sync(extra_single, body, jobs, partial(keep_picture, jobs=jobs), limiter=waiting)

    @routes.post("/extra-batch-images")
    async def extra_batch_images(body: ExtraBatchBody) -> ExtraBatchAnswer:
        """Make pictures larger; answers when all are done."""
        return await run_sync(extra_batch, body, jobs, partial(keep_picture, jobs=jobs), limiter=waiting)

    @routes.get("/latent-upscale-modes")
    def latent_upscale_modes() -> list[UpscaleModeItem]:
        """The upscalers of latents, for hires fix."""
        return [UpscaleModeItem(name=upscaler.name) for upscaler in plugins.upscalers() if upscaler.latent]

    @routes.post("/png-info")
    def png_info(body: PngInfoBody) -> PngInfoAnswer:
        """The parameters that a picture carries."""
        return picture_info(body)

    @routes.get("/samplers")
    def samplers() -> list[SamplerItem]:
        """The samplers."""
        return [
            SamplerItem(name=sampler.name, aliases=list(sampler.aliases), options=sampler.options)
            for sampler in plugins.samplers()
        ]

    @routes.get("/schedulers")
    def schedulers() -> list[SchedulerItem]:
        """The schedules; "automatic" is what suits the sampler."""
        automatic = SchedulerItem(
            name="automatic", label="Automatic", aliases=None, default_rho=-1, need_inner_model=False
        )
        return [automatic, *(_scheduler_item(schedule) for schedule in plugins.schedules())]

    @routes.get("/sd-models")
    def sd_models() -> list[CheckpointItem]:
        """The usable checkpoints."""
        return [
            CheckpointItem(
                title=checkpoint_title(entry.name, digest),
                model_name=entry.stem,
                hash=digest[:10] if digest else None,
                sha256=digest,
                filename=str(entry.path),
            )
            for entry in catalog.checkpoints()
            if entry.architecture is not None
            for digest in [catalog.hashes.known(entry.path)]
        ]

    @routes.get("/progress")
    def progress(skip_current_image: bool = False) -> ProgressAnswer:
        """Where the running job stands."""
        return _progress(jobs, with_image=not skip_current_image)

    @routes.get("/options")
    def options() -> dict[str, Any]:
        """The settings that clients look for."""
        reading = Reading()
        return {
            "sd_model_checkpoint": _default_title(catalog),
            "samples_format": "png",
            "CLIP_stop_at_last_layers": reading.clip_skip,
            "emphasis": reading.emphasis,
        }

    return routes


def _paint(body: Txt2ImgBody | Img2ImgBody, jobs: Jobs) -> Txt2ImgAnswer:
    job = _submit(body, jobs)
    assert isinstance(job.request, Painting)
    pictures: list[PictureReady] = []
    result: Result | None = None
    for event in jobs.watch(job.id):
        if isinstance(event, PictureReady):
            pictures.append(event)
        elif isinstance(event, Finished):
            result = event.result
        elif isinstance(event, Failed) or (isinstance(event, Cancelled) and not pictures):
            raise ApiError(500, event.reason)
    return Txt2ImgAnswer(
        images=[base64.b64encode(picture.read()).decode() for picture in pictures] if body.send_images else [],
        parameters=body.echo(),
        info=json.dumps(_info(job.request, pictures, result), ensure_ascii=False),
        task_id=job.id,
    )


def _submit(body: Txt2ImgBody | Img2ImgBody, jobs: Jobs) -> Job:
    try:
        request = body.request(lambda text: keep_picture(text, jobs))
    except ValidationError as error:
        first = error.errors()[0]
        raise ApiError(422, f"{wire_name(str(first['loc'][-1]))}: {first['msg']}.") from None
    try:
        return jobs.submit(request, save=body.save_images, job_id=body.force_task_id or "")
    except JobExists as error:
        raise ApiError(409, str(error)) from None
    except (InvalidRequest, UnusableFile) as error:
        raise ApiError(400, str(error)) from None
    except KararliError as error:
        raise ApiError(500, str(error)) from None


def keep_picture(text: str, jobs: Jobs) -> str:
    """Keep a picture that came in base64, with or without a prefix such as data:image/png;base64,. Raises ApiError."""
    if text.startswith(("http://", "https://")):
        raise ApiError(400, "A picture has to be sent in base64: addresses are not fetched.")
    try:
        data = base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=False)
        return jobs.keep_picture(data)
    except binascii.Error:
        raise ApiError(400, "A picture has to be sent in base64; this is something else.") from None
    except InvalidRequest as error:
        raise ApiError(400, str(error)) from None
    except OSError as error:
        raise ApiError(500, f"The input picture could not be kept ({error.strerror}). Make room on the disk.") from None


def _info(request: Painting, pictures: list[PictureReady], result: Result | None) -> dict[str, Any]:
    first = pictures[0].seed if pictures else request.seed
    words = [request.words_of(picture.index) for picture in pictures]
    varies = request.seeding.variation_strength > 0
    subseeds = [request.variation_seed_of(picture.index) if varies else picture.seed for picture in pictures]
    width, height = request.size
    checkpoint = result.environment.checkpoint if result else None
    return {
        "prompt": request.prompt,
        "all_prompts": [prompt for prompt, _ in words],
        "negative_prompt": request.negative_prompt,
        "all_negative_prompts": [negative for _, negative in words],
        "seed": first,
        "all_seeds": [picture.seed for picture in pictures],
        "subseed": subseeds[0] if subseeds else first,
        "all_subseeds": subseeds,
        "subseed_strength": request.seeding.variation_strength,
        "width": width,
        "height": height,
        "sampler_name": request.sampling.sampler,
        "cfg_scale": request.sampling.guidance_scale,
        "steps": request.sampling.steps,
        "batch_size": request.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": request.checkpoint.rpartition("/")[2].removesuffix(".safetensors"),
        "sd_model_hash": checkpoint.short_hash if checkpoint else None,
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": request.seeding.resize_from_width or -1,
        "seed_resize_from_h": request.seeding.resize_from_height or -1,
        "denoising_strength": _strength(request),
        "extra_generation_params": {"Schedule type": request.sampling.schedule},
        "index_of_first_image": 0,
        "infotexts": [picture.infotext for picture in pictures],
        "styles": [],
        "job_timestamp": datetime.now().strftime(TIMESTAMP),
        "clip_skip": request.reading.clip_skip,
        "is_using_inpainting_conditioning": False,
        "version": f"Kararli {__version__}",
    }


def _strength(request: Painting) -> float | None:
    if isinstance(request, Txt2Img):
        return request.hires.strength if request.hires.enabled else None
    return request.strength if isinstance(request, FromPicture) else None


def _progress(jobs: Jobs, with_image: bool) -> ProgressAnswer:
    job = jobs.running()
    if job is None:
        return ProgressAnswer()
    latest = jobs.latest(job.id)
    if not isinstance(latest, Progress):  # the engine is starting
        latest = Progress("Starting", 0.0, job.finished, job.request.picture_count)
    return ProgressAnswer(
        progress=max(0.01, latest.done),
        eta_relative=latest.seconds_left or 0.0,
        state=ProgressState(
            job=job.id,
            job_count=job.request.batch_count,
            job_no=latest.picture // job.request.batch_size,
            sampling_step=latest.step,
            sampling_steps=latest.steps,
        ),
        current_image=base64.b64encode(latest.preview).decode() if with_image and latest.preview else None,
        textinfo=latest.stage,
        current_task=job.id,
    )


def _default_title(catalog: Catalog) -> str:
    try:
        default = catalog.find("")
    except UnusableFile:
        return ""
    return checkpoint_title(default.name, catalog.hashes.known(default.path))


def _scheduler_item(schedule: Schedule) -> SchedulerItem:
    return SchedulerItem(
        name=schedule.name,
        label=schedule.label,
        aliases=list(schedule.aliases) or None,
        default_rho=7.0 if schedule.name == "karras" else -1,
        need_inner_model=False,
    )
