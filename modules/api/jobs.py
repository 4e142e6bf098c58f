"""/kararli/v1: jobs as they are inside, for what /sdapi/v1 has no words for. Requests are those of modules/schema/."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Body
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from modules.api.errors import ApiError, ErrorsAsJson
from modules.jobs.service import Jobs
from modules.schema.errors import InvalidRequest, JobExists, KararliError, UnusableFile
from modules.schema.events import Progress, Queued, Stop
from modules.schema.requests import Request

Answer = TypeVar("Answer")

MEDIA_TYPES = {
    "mp4": "video/mp4",
    "webm": "video/webm",
    "gif": "image/gif",
    "apng": "image/apng",
    "webp": "image/webp",
}


class JobBody(BaseModel):
    """What is to be done."""

    request: Request
    id: str = Field(default="", max_length=100, description="The id that the job is to have; empty: a new one.")


class AcceptedAnswer(BaseModel):
    """A job that waits, with its request as it was completed."""

    id: str
    request: Request


class ClipAnswer(BaseModel):
    """The clip of an animation."""

    format: str
    width: int
    height: int
    frames: int
    fps: int
    complete: bool
    parameters: str
    path: str


class JobAnswer(BaseModel):
    """Where a job stands."""

    id: str
    state: str = Field(description="queued, running, done, failed or cancelled")
    ahead: int | None = None
    stage: str = ""
    done: float = 0.0
    picture: int = 0
    pictures: int = 0
    seconds_left: float | None = None
    clip: ClipAnswer | None = None


class PictureBody(BaseModel):
    """An input picture."""

    image: str = Field(description="The picture's file, in base64.")


class PictureAnswer(BaseModel):
    """How requests refer to an input picture."""

    digest: str


def router(jobs: Jobs) -> APIRouter:
    """The endpoints over the jobs service."""
    routes = APIRouter(prefix="/kararli/v1", tags=["jobs"], route_class=ErrorsAsJson)

    @routes.post("/jobs")
    def submit(body: JobBody) -> AcceptedAnswer:
        """Queue a job; answers at once."""
        job = _answered(lambda: jobs.submit(body.request, job_id=body.id))
        return AcceptedAnswer(id=job.id, request=job.request)

    @routes.get("/jobs/{job_id}")
    def look(job_id: str) -> JobAnswer:
        """Where a job stands."""
        state = jobs.state(job_id)
        if not state:
            raise ApiError(404, "There is no job with this id.")
        return JobAnswer(id=job_id, state=state, clip=_clip(jobs, job_id), **_standing(jobs, job_id))

    @routes.post("/jobs/{job_id}/stop")
    def stop(job_id: str, how: Stop = Body(default=Stop.NOW, embed=True)) -> JobAnswer:  # noqa: B008
        """End a job early: "now", "after picture", or "skip" the picture at hand."""
        jobs.stop(job_id, how)
        return look(job_id)

    @routes.post("/jobs/{job_id}/continue")
    def go_on(job_id: str) -> JobAnswer:
        """Take up a job that was stopped, or has failed, at its first missing picture."""
        _answered(lambda: jobs.go_on(job_id))
        return look(job_id)

    @routes.get("/jobs/{job_id}/clip")
    def clip(job_id: str) -> FileResponse:
        """The clip of an animation, as a file."""
        ready = jobs.clip(job_id)
        if ready is None or not ready.path.is_file():
            raise ApiError(404, "This job has no clip (yet), or its frames are single pictures.")
        return FileResponse(ready.path, media_type=MEDIA_TYPES[ready.clip.format], filename=ready.path.name)

    @routes.post("/pictures")
    def keep_picture(body: PictureBody) -> PictureAnswer:
        """Keep an input picture; requests refer to it by the digest."""
        try:
            data = base64.b64decode(body.image.partition(",")[2] if body.image.startswith("data:") else body.image)
        except binascii.Error:
            raise ApiError(400, "A picture has to be sent in base64; this is something else.") from None
        return PictureAnswer(digest=_answered(lambda: jobs.keep_picture(data)))

    return routes


def _answered(call: Callable[[], Answer]) -> Answer:
    """What a call gives, or its sentence with a status."""
    try:
        return call()
    except JobExists as error:
        raise ApiError(409, str(error)) from None
    except (InvalidRequest, UnusableFile) as error:
        raise ApiError(400, str(error)) from None
    except KararliError as error:
        raise ApiError(500, str(error)) from None
    except OSError as error:
        raise ApiError(500, f"The disk refused it ({error.strerror}). Make room and try again.") from None


def _standing(jobs: Jobs, job_id: str) -> dict[str, Any]:
    latest = jobs.latest(job_id)
    if isinstance(latest, Queued):
        return {"ahead": latest.ahead}
    if not isinstance(latest, Progress):
        return {}
    names = ("stage", "done", "picture", "pictures", "seconds_left")
    return {name: getattr(latest, name) for name in names}


def _clip(jobs: Jobs, job_id: str) -> ClipAnswer | None:
    ready = jobs.clip(job_id)
    if ready is None:
        return None
    clip = ready.clip
    return ClipAnswer(
        format=clip.format,
        width=clip.width,
        height=clip.height,
        frames=clip.frames,
        fps=clip.fps,
        complete=ready.complete,
        parameters=ready.infotext,
        path=str(ready.path),
    )
