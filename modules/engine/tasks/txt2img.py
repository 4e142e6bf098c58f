"""Text to image, with or without hires fix."""

from functools import partial

from torch import Tensor
from torch.nn.functional import interpolate

from modules.engine.tasks.easel import Easel, Walk
from modules.engine.vision.resizing import resized
from modules.engine.vision.upscalers import enlarged
from modules.engine.workbench import Workbench
from modules.schema.events import Job, Report
from modules.schema.media import Picture
from modules.schema.requests import Hires, Txt2Img
from modules.schema.results import Result


def txt2img(job: Job, bench: Workbench, report: Report) -> Result:
    """Start from noise, walk it down the sampler's schedule, decode; batch by batch."""
    request = job.request
    assert isinstance(request, Txt2Img)
    easel = Easel(job, bench, report)
    seen = easel.model.sight(request.size, None)
    first = easel.walk(seen=seen, refined=not request.hires.enabled)
    if request.hires.enabled:
        return easel.paint(partial(_paint_twice, easel, request, first, _second_walk(easel, request, first)))

    def paint(batch: range) -> list[Picture]:
        noise = easel.noise(batch, request.size)
        return easel.decode(easel.go(first, batch, noise))

    return easel.paint(paint)


def hires_size(size: tuple[int, int], hires: Hires) -> tuple[tuple[int, int], tuple[int, int]]:
    """(size to enlarge to, size to cut that down to), in pixels.

    With both sides given the picture is enlarged until it covers them.
    """
    width, height = size
    if not hires.width and not hires.height:
        enlarged_to = int(width * hires.scale), int(height * hires.scale)
        return enlarged_to, enlarged_to
    wide = (hires.width, hires.width * height // width)
    tall = (hires.height * width // height, hires.height)
    if not hires.width or not hires.height:
        enlarged_to = wide if hires.width else tall
        return enlarged_to, enlarged_to
    return (wide if width / height < hires.width / hires.height else tall), (hires.width, hires.height)


def _second_walk(easel: Easel, request: Txt2Img, first: Walk) -> Walk:
    model = easel.load(request.hires.checkpoint) if request.hires.checkpoint else easel.model
    return easel.second_walk(request, first.plan, model.sight(hires_size(request.size, request.hires)[1], None))


def _paint_twice(easel: Easel, request: Txt2Img, first: Walk, second: Walk, batch: range) -> list[Picture]:
    """The hires fix: the first picture enlarged, then walked down once more from a weaker noise."""
    steps = (0 if request.hires.first_pass else first.plan.count) + second.plan.count
    latents = _first_pass(easel, request, first, batch, steps)
    latents = _enlarged(easel, request, latents, first, second)
    if request.hires.strength > 0:
        factor = easel.model.architecture.vae.factor
        noise = easel.noise(batch, (latents.shape[3] * factor, latents.shape[2] * factor))
        taken = steps - second.plan.count
        latents = easel.go(second, batch, noise, latents, before=taken, total=steps)
    return easel.decode(latents, second.model)


def _first_pass(easel: Easel, request: Txt2Img, walk: Walk, batch: range, steps: int) -> Tensor:
    """Latents of the first pass, of a picture of an earlier job where one is given."""
    if request.hires.first_pass:
        picture = resized(easel.picture(request.hires.first_pass), request.size, "stretch")
        return easel.model.vae.encode([picture]).expand(len(batch), -1, -1, -1)
    return easel.go(walk, batch, easel.noise(batch, request.size), total=steps)


def _enlarged(easel: Easel, request: Txt2Img, latents: Tensor, first: Walk, second: Walk) -> Tensor:
    """Latents of the picture enlarged, cut to the size that was asked for."""
    upscaler = easel.bench.upscaler(request.hires.upscaler)
    factor = easel.model.architecture.vae.factor
    (width, height), wanted = hires_size(request.size, request.hires)
    if upscaler.latent is not None:
        size = (height // factor, width // factor)
        latents = interpolate(latents, size, mode=upscaler.latent.mode, antialias=upscaler.latent.antialias)
    else:
        pictures = [picture.image() for picture in easel.decode(latents, first.model)]
        latents = second.model.vae.encode([enlarged(picture, (width, height), upscaler) for picture in pictures])
    across, down = (width - wanted[0]) // factor, (height - wanted[1]) // factor
    rows, columns = latents.shape[2:]
    return latents[:, :, down // 2 : rows - (down + 1) // 2, across // 2 : columns - (across + 1) // 2]
