"""What the painting tasks share: a job's model and text, walks over its batches, and the handing over of pictures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from modules.engine.families.sd1 import StableDiffusion1
from modules.engine.progress import JobProgress
from modules.engine.sampling.loop import Denoiser, sample
from modules.engine.sampling.noise import SeededNoise
from modules.engine.sampling.starts import Course, later_course, planned_steps, whole_course
from modules.engine.sampling.wrappers import EditDenoiser, RefinedDenoiser
from modules.engine.workbench import Workbench
from modules.schema.events import Job, Painted, PictureSkipped, Report
from modules.schema.media import Picture, flatten, read_image
from modules.schema.requests import Painting, Sampling, Txt2Img
from modules.schema.results import Environment, Result, UsedFile
from modules.schema.sampling import Sampler

PaintBatch = Callable[[range], Sequence[Picture]]
"""From the indices of a batch to its pictures, in their order."""


@dataclass(frozen=True)
class Walk:
    """A way down the noise levels, the same for all batches. `denoiser` makes the model for one batch."""

    model: StableDiffusion1
    denoiser: Callable[[], Denoiser]
    sampler: Sampler
    course: Course


class Easel:
    """A job on the workbench, with its checkpoints loaded."""

    def __init__(self, job: Job, bench: Workbench, report: Report) -> None:
        self.job, self.bench, self._report = job, bench, report
        self.progress = JobProgress(report, job.request.picture_count, job.finished)
        self.progress.stage("Loading the checkpoint", job.finished)
        self._names = _checkpoints(job.request)
        with self.progress.timed("load"):
            self.model = self.load(job.request.checkpoint)
            first, *others = (bench.models.record(name) for name in self._names)
            further = tuple(UsedFile(kind="further checkpoint", name=one.name, sha256=one.sha256) for one in others)
            self.environment = Environment(runtime=bench.runtime, checkpoint=first, further_files=further)
        self.progress.stage("Reading the prompt", job.finished)

    def load(self, name: str) -> StableDiffusion1:
        """One of the job's checkpoints; the others of them stay in memory."""
        with self.progress.timed("load"):
            return self.bench.models.load(name, beside=self._names)

    def picture(self, digest: str) -> Image.Image:
        """An input picture as RGB; what is transparent becomes white."""
        return flatten(read_image(self.job.inputs[digest]))

    def walk(
        self,
        sampling: Sampling,
        strength: float | None = None,
        *,
        exact: bool = False,
        prompts: tuple[str, str] | None = None,
        checkpoint: str = "",
        seen: Tensor | None = None,
        refined: bool = True,
    ) -> Walk:
        """Plan a walk: whole from pure noise, or the last part of it from a picture, as the strength says."""
        request = self.job.request
        model = self.load(checkpoint) if checkpoint else self.model
        prompts = prompts or (request.prompt, request.negative_prompt)
        if strength is None:
            sampler, sigmas = self.bench.plan(sampling, model.levels)
            course = whole_course(sigmas)
        else:
            steps, begin = planned_steps(sampling.steps, strength, exact)
            sampler, sigmas = self.bench.plan(sampling.model_copy(update={"steps": steps}), model.levels)
            course = later_course(sampler, sigmas, steps, begin)
        text = model.embed(*prompts)

        def denoiser() -> Denoiser:
            first = model.denoiser(text, sampling.guidance_scale, seen)
            if not (refined and request.refiner.checkpoint):
                return first
            return RefinedDenoiser(first, refiner, model.levels, request.refiner.switch_at)

        def refiner() -> Denoiser:
            model.rest()
            other = self.load(request.refiner.checkpoint)
            return other.denoiser(other.embed(*prompts), sampling.guidance_scale, seen)

        return Walk(model, denoiser, sampler, course)

    def edit_walk(self, sampling: Sampling, strength: float, seen: Tensor, image_guidance_scale: float) -> Walk:
        """A walk of an InstructPix2Pix checkpoint."""
        model, request = self.model, self.job.request
        walk = self.walk(sampling, strength, seen=seen)
        negative = model.embed(request.negative_prompt, request.negative_prompt)
        guided = walk.denoiser

        def denoiser() -> Denoiser:
            seeing, blind = model.denoiser(negative, 1.0, seen), model.denoiser(negative, 1.0, seen * 0)
            return EditDenoiser(guided(), seeing, blind, image_guidance_scale)

        return Walk(model, denoiser, walk.sampler, walk.course)

    def noise(self, batch: range, shape: tuple[int, ...], offset: int = 0) -> SeededNoise:
        """Each picture's noise from its own seed. `offset` makes other noise of the same seeds."""
        seeds = [(self.job.request.seed_of(index) + offset) % 2**32 for index in batch]
        return SeededNoise(seeds, shape, self.model.hardware.device)

    def go(
        self,
        walk: Walk,
        batch: range,
        noise: SeededNoise,
        clean: Tensor | None = None,
        *,
        multiplier: float = 1.0,
        around: Callable[[Denoiser], Denoiser] = lambda model: model,
        before: int = 0,
        total: int = 0,
    ) -> Tensor:
        """Walk a batch from pure noise or from clean latents [batch, channels, h, w]; returns clean latents.

        `around` wraps the model; of `total` steps of the batch, `before` were taken by earlier walks.
        """
        start = None
        if clean is not None:
            start = walk.course.begin(clean, noise.draw() * multiplier, walk.sampler)
        total = total or walk.course.steps

        def tell(step: int, _steps: int, latents: Tensor) -> None:
            preview = walk.model.vae.preview
            self.progress.step(batch[0], len(batch), before + step, total, lambda: preview(latents))

        with self.progress.timed("sampling"):
            latents = sample(around(walk.denoiser()), noise, walk.sampler, walk.course.sigmas, tell, start)
            walk.model.rest()
        return latents

    def decode(self, latents: Tensor, model: StableDiffusion1 | None = None) -> list[Picture]:
        """The pictures of a batch."""
        with self.progress.timed("decode"):
            return (model or self.model).vae.decode(latents)

    def paint(self, paint_batch: PaintBatch) -> Result:
        """Paint the batches that are still to be made and hand over their pictures."""
        request = self.job.request
        self.progress.begin_painting()
        for batch in _batches(self.job):
            try:
                pictures = paint_batch(batch)
            except PictureSkipped:
                continue
            for index, picture in zip(batch, pictures, strict=True):
                last = index == batch[-1]
                self._report(Painted(index, request.seed_of(index), picture, self.environment, last_of_batch=last))
        return Result(request=request, environment=self.environment, timings=self.progress.timings())


def _checkpoints(request: Painting) -> list[str]:
    """The names of all that the job needs, the main one first."""
    names = [request.checkpoint]
    if isinstance(request, Txt2Img) and request.hires.enabled:
        names.append(request.hires.checkpoint)
    names.append(request.refiner.checkpoint)
    return list(dict.fromkeys(name for name in names if name or name == request.checkpoint))


def _batches(job: Job) -> Iterator[range]:
    """The indices of the pictures that are still to be made, batch by batch."""
    count, size = job.request.picture_count, job.request.batch_size
    for first in range(job.finished, count, size):
        yield range(first, min(first + size, count))
