"""Image to image."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import interpolate

from modules.engine.tasks.easel import Easel, Walk
from modules.engine.vision.resizing import resized
from modules.engine.workbench import Workbench
from modules.schema.events import Job, Report
from modules.schema.media import Picture
from modules.schema.requests import Img2Img, Size
from modules.schema.results import Result


@dataclass(frozen=True)
class Start:
    """The latents [1, channels, h, w] of a picture at the size of its result, and the walk from there."""

    clean: Tensor
    size: Size
    walk: Walk


def img2img(job: Job, bench: Workbench, report: Report) -> Result:
    """Bring the picture to its size, encode it, wrap it in noise, walk that down; of several pictures, each."""
    request = job.request
    assert isinstance(request, Img2Img)
    easel = Easel(job, bench, report)
    only = None if request.series.pictures else _start(easel, request)

    def paint(batch: range) -> list[Picture]:
        start = only or _start(easel, request.alone(batch[0]))
        latents = start.clean.expand(len(batch), -1, -1, -1)
        noise = easel.noise(batch, start.size)
        return easel.decode(easel.go(start.walk, batch, noise, latents, multiplier=request.noise_multiplier))

    return easel.paint(paint)


def _start(easel: Easel, request: Img2Img) -> Start:
    model, image, size = easel.model, easel.picture(request.picture), request.size
    if request.resize_mode != "latent":
        image = resized(image, size, request.resize_mode, easel.bench.upscaler(request.upscaler))
    clean = easel.encode(image, request)
    if request.resize_mode == "latent":
        clean = interpolate(clean, model.latent_shape(size)[1:], mode="bilinear")
        image = resized(image, size, "stretch")
    seen = model.sight(size, image)
    if model.architecture.edits and seen is not None:
        return Start(clean, size, easel.edit_walk(request.strength, seen, request.image_guidance_scale))
    return Start(clean, size, easel.walk(request.strength, seen=seen))
