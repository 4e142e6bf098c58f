"""/kararli/v1: videos kept and put into words, in our own terms; and /sdapi/v1/interrogate in AUTOMATIC1111's."""

import base64
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from modules.api.errors import ApiError, ErrorsAsJson
from modules.api.sdapi_models import KeepPicture
from modules.catalog.checkpoints import Catalog
from modules.jobs.service import Jobs
from modules.schema.captioning import Caption, Description, Interrogate
from modules.schema.errors import InvalidRequest, KararliError, UnusableFile
from modules.schema.events import AnswerReady, Cancelled, Failed
from modules.schema.film import film_facts

WAITING = 1000
"""Requests that may wait for their answers at the same time; these wait in threads of their own."""

ANY_MODEL = ("", "clip", "deepdanbooru", "deepbooru")
"""What clients of AUTOMATIC1111's program send as the model: here what lies in the folders decides."""


class InterrogateBody(BaseModel):
    """What POST /sdapi/v1/interrogate takes; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    image: str = Field(default="", description="The picture, in base64.")
    model: str = Field(default="clip", description="A folder in models/CLIP/ or models/BLIP/; clip: the first ones.")


class InterrogateAnswer(BaseModel):
    """The words."""

    caption: str


class VideoAnswer(BaseModel):
    """A video that was kept: `digest` is what requests refer to it by."""

    digest: str
    seconds: float
    width: int
    height: int
    rate: float


class CaptionBody(Caption):
    """What POST /kararli/v1/caption takes: a request as the command line and the page make it."""

    save: bool = Field(default=False, description="Also keep the answers under outputs/.")


class CaptionAnswer(BaseModel):
    """One entry a video in each list. `frames` and `attention` are files in base64, null where there is none."""

    descriptions: list[Description]
    frames: list[str | None]
    attention: list[str | None]
    task_id: str


class VideoModelItem(BaseModel):
    """A model in models/TimeSformer/; `problem` says why it cannot be used."""

    name: str
    kind: str | None
    frames: int
    side: int
    labels: int
    licence: str
    problem: str


def native_router(jobs: Jobs, catalog: Catalog) -> APIRouter:
    """The endpoints in our own terms."""
    routes = APIRouter(prefix="/kararli/v1", tags=["kararli"], route_class=ErrorsAsJson)
    waiting = CapacityLimiter(WAITING)

    @routes.post("/videos")
    async def videos(request: Request) -> VideoAnswer:
        """Keep a video, sent as the body itself; answers with the digest by which requests refer to it."""
        largest = jobs.largest_film
        with tempfile.TemporaryDirectory(prefix="kararli-") as folder:
            path, size = Path(folder) / "video", 0
            with path.open("wb") as file:
                async for piece in request.stream():
                    size += len(piece)
                    if size > largest * 2**20:
                        raise ApiError(413, f"The video has more than {largest:,} MB; it is not kept.")
                    await run_sync(file.write, piece)
            return await run_sync(_kept, path, jobs)

    @routes.post("/caption")
    async def caption(body: CaptionBody) -> CaptionAnswer:
        """Put videos into words; answers when all are done."""
        return await run_sync(_caption, body, jobs, limiter=waiting)

    @routes.get("/video-models")
    def video_models() -> list[VideoModelItem]:
        """The models in models/TimeSformer/."""
        return [
            VideoModelItem(
                name=entry.name, kind=entry.kind, frames=entry.frames, side=entry.side, labels=entry.labels,
                licence=entry.licence, problem=entry.problem,
            )
            for entry in catalog.video_models.entries()
        ]  # fmt: skip

    return routes


def interrogate_router(jobs: Jobs, keep: KeepPicture) -> APIRouter:
    """The endpoint that clients of AUTOMATIC1111's program know."""
    routes = APIRouter(prefix="/sdapi/v1", tags=["sdapi"], route_class=ErrorsAsJson)
    waiting = CapacityLimiter(WAITING)

    @routes.post("/interrogate")
    async def interrogate(body: InterrogateBody) -> InterrogateAnswer:
        """Put a picture into words; answers when that is done."""
        return await run_sync(partial(_interrogate, keep=keep), body, jobs, limiter=waiting)

    return routes


def _kept(path: Path, jobs: Jobs) -> VideoAnswer:
    try:
        digest, facts = jobs.keep_film(path), film_facts(path)
    except InvalidRequest as error:
        raise ApiError(400, str(error)) from None
    except OSError as error:
        raise ApiError(500, f"The video could not be kept ({error.strerror}). Make room on the disk.") from None
    return VideoAnswer(
        digest=digest, seconds=facts.length, width=facts.width, height=facts.height, rate=facts.rate
    )  # fmt: skip


def _caption(body: CaptionBody, jobs: Jobs) -> CaptionAnswer:
    request = Caption.model_validate(body.model_dump(exclude={"save"}))
    job_id, answers = _answers(request, jobs, body.save)
    descriptions = [answer.answer for answer in answers if isinstance(answer.answer, Description)]
    return CaptionAnswer(
        descriptions=descriptions,
        frames=[_encoded(answer.read("frames.png")) for answer in answers],
        attention=[_encoded(answer.read("attention.mp4")) for answer in answers],
        task_id=job_id,
    )


def _interrogate(body: InterrogateBody, jobs: Jobs, keep: KeepPicture) -> InterrogateAnswer:
    if not body.image:
        raise ApiError(404, "Image not found: give one in image.")
    model = "" if body.model.casefold() in ANY_MODEL else body.model
    _, answers = _answers(Interrogate(picture=keep(body.image), model=model), jobs, save=False)
    said: Any = answers[0].answer
    return InterrogateAnswer(caption=said.text)


def _answers(request: Caption | Interrogate, jobs: Jobs, save: bool) -> tuple[str, Sequence[AnswerReady]]:
    try:
        job = jobs.submit(request, save=save)
    except (InvalidRequest, UnusableFile) as error:
        raise ApiError(400, str(error)) from None
    except KararliError as error:
        raise ApiError(500, str(error)) from None
    answers: list[AnswerReady] = []
    for event in jobs.watch(job.id):
        if isinstance(event, AnswerReady):
            answers.append(event)
        elif isinstance(event, Failed) or (isinstance(event, Cancelled) and not answers):
            raise ApiError(500, event.reason)
    if not answers:
        raise ApiError(500, "It was skipped on the page.")
    return job.id, answers


def _encoded(data: bytes | None) -> str | None:
    return base64.b64encode(data).decode() if data is not None else None
