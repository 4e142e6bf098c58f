"""/sdapi/v1/extra-...: pictures made larger, as AUTOMATIC1111's clients ask for it."""

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modules.api.errors import ApiError
from modules.api.sdapi_models import KeepPicture, UpscalerItem
from modules.catalog.upscalers import UpscalerFiles
from modules.jobs.service import Jobs
from modules.schema.errors import InvalidRequest, KararliError, UnusableFile
from modules.schema.events import Cancelled, Failed, PictureReady
from modules.schema.requests import Enlarging, Faces, Upscale
from modules.schema.upscaling import Upscaler
from modules.storage.folders import stem_of

NONE = "None"
"""As the first upscaler: the picture keeps its size."""


class ExtrasBody(BaseModel):
    """What both endpoints take; unknown fields are ignored, every field has a default."""

    model_config = ConfigDict(extra="ignore")

    resize_mode: int = Field(default=0, ge=0, le=1, description="0: by upscaling_resize; 1: to a width and a height.")
    show_extras_results: bool = True
    gfpgan_visibility: float = 0.0
    codeformer_visibility: float = 0.0
    codeformer_weight: float = 0.0
    upscaling_resize: float = 2.0
    upscaling_resize_w: int = 512
    upscaling_resize_h: int = 512
    upscaling_crop: bool = True
    upscaler_1: str | None = Field(default=NONE, description="A name of GET upscalers; None keeps the size.")
    upscaler_2: str | None = Field(default=NONE, description="A name of GET upscalers, whose result is mixed in.")
    extras_upscaler_2_visibility: float = 0.0
    upscale_first: bool = Field(default=False, description="Restore faces after enlarging instead of before it.")

    def options(self) -> dict[str, Any]:
        """How pictures are enlarged, in our words. Raises ValidationError for values out of bounds."""
        first, second = self.upscaler_1 or NONE, self.upscaler_2 or NONE
        mixed = second != NONE and self.extras_upscaler_2_visibility > 0
        enlarging = Enlarging(
            upscaler=first,
            second=second if mixed else "",
            second_share=self.extras_upscaler_2_visibility if mixed else Enlarging().second_share,
            scale=self.upscaling_resize,
            crop=self.upscaling_crop,
            width=self.upscaling_resize_w if self.resize_mode else 0,
            height=self.upscaling_resize_h if self.resize_mode else 0,
        )
        faces = Faces(
            gfpgan=self.gfpgan_visibility,
            codeformer=self.codeformer_visibility,
            codeformer_weight=self.codeformer_weight,
            enlarge_first=self.upscale_first,
        )
        return {"enlarging": enlarging if first != NONE else Enlarging(upscaler=NONE, scale=1.0), "faces": faces}


class ExtraSingleBody(ExtrasBody):
    """What POST /sdapi/v1/extra-single-image takes."""

    image: str = Field(default="", description="The picture, in base64.")


class NamedPicture(BaseModel):
    """A picture of a list."""

    data: str = Field(description="The picture, in base64.")
    name: str = ""


class ExtraBatchBody(ExtrasBody):
    """What POST /sdapi/v1/extra-batch-images takes."""

    imageList: list[NamedPicture] = Field(default=[], description="Pictures with their names.")  # noqa: N815


class ExtraSingleAnswer(BaseModel):
    """`image` is a PNG file in base64 without a prefix."""

    html_info: str
    image: str


class ExtraBatchAnswer(BaseModel):
    """`images` are PNG files in base64 without a prefix."""

    html_info: str
    images: list[str]


def extra_single(body: ExtraSingleBody, jobs: Jobs, keep: KeepPicture) -> ExtraSingleAnswer:
    """Make a picture larger; answers when it is done. Raises ApiError."""
    [picture] = _enlarged(body, [NamedPicture(data=body.image)], jobs, keep)
    return ExtraSingleAnswer(html_info=_info([picture]), image=base64.b64encode(picture.read()).decode())


def extra_batch(body: ExtraBatchBody, jobs: Jobs, keep: KeepPicture) -> ExtraBatchAnswer:
    """Make pictures larger; answers when all are done. Raises ApiError."""
    pictures = _enlarged(body, body.imageList, jobs, keep)
    images = [base64.b64encode(picture.read()).decode() for picture in pictures]
    return ExtraBatchAnswer(html_info=_info(pictures), images=images)


def upscaler_items(registered: Sequence[Upscaler], files: UpscalerFiles) -> list[UpscalerItem]:
    """The upscalers of pixels, then the usable files of models/ESRGAN/."""
    taken = {upscaler.name.casefold() for upscaler in registered}
    return [
        *(UpscalerItem(name=upscaler.name) for upscaler in registered if upscaler.latent is None),
        *(
            UpscalerItem(
                name=entry.name,
                model_name=entry.path.stem,
                model_path=str(entry.path),
                scale=entry.architecture.scale or UpscalerItem(name="").scale,
            )
            for entry in files.entries()
            if entry.architecture is not None and entry.name.casefold() not in taken
        ),
    ]


def _enlarged(body: ExtrasBody, pictures: Sequence[NamedPicture], jobs: Jobs, keep: KeepPicture) -> list[PictureReady]:
    """The results, none of them saved."""
    digests = tuple(keep(picture.data) for picture in pictures)
    try:
        request = Upscale(pictures=digests, names=tuple(stem_of(one.name) for one in pictures), **body.options())
    except ValidationError as error:
        first = error.errors()[0]
        raise ApiError(422, f"{first['loc'][-1] if first['loc'] else 'imageList'}: {first['msg']}.") from None
    try:
        job = jobs.submit(request, save=False)
    except (InvalidRequest, UnusableFile) as error:
        raise ApiError(400, str(error)) from None
    except KararliError as error:
        raise ApiError(500, str(error)) from None
    ready: list[PictureReady] = []
    for event in jobs.watch(job.id):
        if isinstance(event, PictureReady):
            ready.append(event)
        elif isinstance(event, Failed | Cancelled):
            raise ApiError(500, event.reason)
    if len(ready) != len(digests):
        raise ApiError(500, "A picture was skipped on the page.")
    return ready


def _info(pictures: Sequence[PictureReady]) -> str:
    return "".join(f"<p>{escape(picture.infotext)}</p>" for picture in pictures)
