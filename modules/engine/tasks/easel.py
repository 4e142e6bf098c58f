"""What the painting tasks share: a job's model and texts, walks over its batches, and the handing over of pictures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from modules.engine.families.sd1 import StableDiffusion1
from modules.engine.progress import JobProgress
from modules.engine.sampling.loop import Denoiser, sample
from modules.engine.sampling.noise import SeededNoise, noise_of
from modules.engine.sampling.plan import Plan
from modules.engine.sampling.starts import wrapped
from modules.engine.sampling.wrappers import EditDenoiser, RefinedDenoiser
from modules.engine.text.reading import TextReader
from modules.engine.workbench import Workbench
from modules.prompts.evaluating import Timeline
from modules.schema.events import Job, Painted, PictureSkipped, Report
from modules.schema.media import Picture, flatten, read_image
from modules.schema.requests import (
    NO_ENCODER_NOISE,
    Filled,
    Img2Img,
    Painting,
    Resized,
    Sampling,
    SdUpscale,
    Txt2Img,
)
from modules.schema.results import Environment, Result, UsedFile

AnyRequest = TypeVar("AnyRequest", bound=Painting)

PaintBatch = Callable[[range], Sequence[Picture]]
"""From the indices of a batch to its pictures, in their order."""


@dataclass(frozen=True)
class Walk:
    """A way down the noise levels, the same for all batches. `denoiser` makes the model for one batch."""

    model: StableDiffusion1
    denoiser: Callable[[range], Denoiser]
    plan: Plan


class Easel:
    """A job on the workbench, with its checkpoints loaded."""

    def __init__(self, job: Job, bench: Workbench, report: Report) -> None:
        assert isinstance(job.request, Painting)
        self.job, self.request, self.bench, self._report = job, job.request, bench, report
        self.progress = JobProgress(report, job.request.picture_count, job.finished)
        self.progress.stage("Loading the checkpoint", job.finished)
        self._names = _checkpoints(job.request)
        with self.progress.timed("load"):
            self.model = bench.models.load(job.request.checkpoint, beside=self._names)
            first, *others = (bench.models.record(name) for name in self._names)
            further = tuple(UsedFile(kind="further checkpoint", name=one.name, sha256=one.sha256) for one in others)
            further += bench.upscaler_files(*_upscalers(job.request))
            self.environment = Environment(runtime=bench.runtime, checkpoint=first, further_files=further)
        self._readers: list[TextReader] = []
        self.progress.stage("Reading the prompt", job.finished)

    def load(self, name: str) -> StableDiffusion1:
        """One of the job's checkpoints; the others of them stay in memory."""
        with self.progress.timed("load"):
            return self.bench.models.load(name, beside=self._names)

    def use(self, files: Sequence[UsedFile]) -> None:
        """All pictures of the job owe something to these files."""
        further = (*self.environment.further_files, *files)
        self.environment = self.environment.model_copy(update={"further_files": further})

    def picture(self, digest: str) -> Image.Image:
        """An input picture as RGB; what is transparent becomes white."""
        return flatten(read_image(self.job.inputs[digest]))

    def encode(self, image: Image.Image, request: Resized) -> Tensor:
        """The latents [1, channels, h, w] of a picture to start from."""
        chance = None
        if request.encoder_noise != NO_ENCODER_NOISE:
            chance = torch.Generator().manual_seed(request.seed)
            torch.randn(request.encoder_noise, generator=chance)
        return self.model.vae.encode([image], chance)

    def walk(self, strength: float | None = None, *, seen: Tensor | None = None, refined: bool = True) -> Walk:
        """Plan a walk: whole from pure noise, or the last part of it from a picture, as the strength says."""
        request = self.request
        if strength is None:
            plan = self.bench.plan(request.sampling, request.stochastic, self.model.levels)
        else:
            plan = self.bench.later_plan(
                request.sampling, request.stochastic, self.model.levels, strength=strength, exact=False
            )
        timeline = Timeline(plan.steps * plan.sampler.model_calls)
        return self._walk(self.model, plan, request, timeline, seen, refined)

    def second_walk(self, request: Txt2Img, first: Plan, seen: Tensor | None) -> Walk:
        """Plan hires fix's walk: with as many steps as are asked for, and with words of its own."""
        hires = request.hires
        own = {"steps": hires.steps, "sampler": hires.sampler, "schedule": hires.schedule}
        sampling: Sampling = request.sampling.model_copy(update={name: value for name, value in own.items() if value})
        model = self.load(hires.checkpoint) if hires.checkpoint else self.model
        plan = self.bench.later_plan(
            sampling, request.stochastic, model.levels, strength=hires.strength, exact=True
        )  # fmt: skip
        timeline = Timeline(plan.steps * plan.sampler.model_calls, before=first.steps * first.sampler.model_calls)
        return self._walk(model, plan, _with_hires_words(request), timeline, seen, refined=True)

    def edit_walk(self, strength: float, seen: Tensor, image_guidance_scale: float) -> Walk:
        """A walk of an InstructPix2Pix checkpoint."""
        walk, request = self.walk(strength, seen=seen), self.request
        away = [request.words_of(index)[1] for index in range(request.picture_count)]
        timeline = Timeline(walk.plan.steps * walk.plan.sampler.model_calls)
        negative = self._reader(self.model, _with_words(request, away, away), timeline)

        def denoiser(batch: range) -> Denoiser:
            texts = [negative.of(index) for index in batch]
            blind = self.model.denoiser(texts, 1.0, seen * 0)
            return EditDenoiser(walk.denoiser(batch), blind, image_guidance_scale)

        return replace(walk, denoiser=denoiser)

    def noise(self, batch: range, size: tuple[int, int], offset: int = 0) -> SeededNoise:
        """Each picture's noise from its own seed, for a width and height. `offset` makes other noise of these seeds."""
        request = self.request
        seed = (request.seed + offset) % 2**32
        sized = request.model_copy(update={"width": size[0], "height": size[1], "seed": seed})
        return noise_of(sized, batch, self.model.latent_shape, self.model.hardware.device)

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
        start = None if clean is None else wrapped(clean, noise.draw() * multiplier, walk.plan)
        total = total or walk.plan.count

        def tell(step: int, steps: int, latents: Tensor) -> None:
            preview = walk.model.vae.preview
            taken = before + step * walk.plan.count // steps
            self.progress.step(batch[0], len(batch), taken, total, lambda: preview(latents))

        with self.progress.timed("sampling"):
            latents = sample(around(walk.denoiser(batch)), noise, walk.plan, tell, start)
            walk.model.rest()
        return latents

    def decode(self, latents: Tensor, model: StableDiffusion1 | None = None) -> list[Picture]:
        """The pictures of a batch."""
        with self.progress.timed("decode"):
            return (model or self.model).vae.decode(latents)

    def paint(self, paint_batch: PaintBatch, *, same_batches: bool = False) -> Result:
        """Paint the batches that are still to be made and hand over their pictures.

        `same_batches`: after an earlier attempt the pictures come in the batches that they would have come in.
        """
        request = self.request
        self.progress.begin_painting()
        for batch in _batches(self.job, same_batches):
            try:
                pictures = paint_batch(batch)
            except PictureSkipped:
                continue
            for index, picture in zip(batch, pictures, strict=True):
                if index < self.job.finished:
                    continue
                used, last = self._environment_of(index), index == batch[-1]
                self._report(Painted(index, request.seed_of(index), picture, used, last_of_batch=last))
        return Result(request=request, environment=self.environment, timings=self.progress.timings())

    def _walk(
        self,
        model: StableDiffusion1,
        plan: Plan,
        request: Painting,
        timeline: Timeline,
        seen: Tensor | None,
        refined: bool,
    ) -> Walk:
        texts, scale = self._reader(model, request, timeline), request.sampling.guidance_scale

        def denoiser(batch: range) -> Denoiser:
            first = model.denoiser([texts.of(index) for index in batch], scale, seen)
            if not (refined and request.refiner.checkpoint):
                return first
            return RefinedDenoiser(first, lambda: refiner(batch), model.levels, request.refiner.switch_at)

        def refiner(batch: range) -> Denoiser:
            model.rest()
            other = self.load(request.refiner.checkpoint)
            read = self._reader(other, request, timeline)
            return other.denoiser([read.of(index) for index in batch], scale, seen)

        return Walk(model, denoiser, plan)

    def _reader(self, model: StableDiffusion1, request: Painting, timeline: Timeline) -> TextReader:
        reader = TextReader(model, self.bench.models, request, timeline)
        self._readers.append(reader)
        return reader

    def _environment_of(self, index: int) -> Environment:
        """With the learned words that picture `index` owes something to."""
        words = dict.fromkeys(file for reader in self._readers for file in reader.embeddings(index))
        return self.environment.model_copy(update={"further_files": (*self.environment.further_files, *words)})


def _with_hires_words(request: Txt2Img) -> Txt2Img:
    words = [request.hires_words_of(index) for index in range(request.picture_count)]
    return _with_words(request, [prompt for prompt, _ in words], [negative for _, negative in words])


def _with_words(request: AnyRequest, prompts: Sequence[str], negative_prompts: Sequence[str]) -> AnyRequest:
    filled = Filled(prompts=tuple(prompts), negative_prompts=tuple(negative_prompts))
    return request.model_copy(update={"filled": filled})


def _checkpoints(request: Painting) -> list[str]:
    """The names of all that the job needs, the main one first."""
    names = [request.checkpoint]
    if isinstance(request, Txt2Img) and request.hires.enabled:
        names.append(request.hires.checkpoint)
    names.append(request.refiner.checkpoint)
    return list(dict.fromkeys(name for name in names if name or name == request.checkpoint))


def _upscalers(request: Painting) -> tuple[str, ...]:
    """The names of all that enlarge pictures on the way."""
    if isinstance(request, Txt2Img):
        return (request.hires.upscaler,) if request.hires.enabled else ()
    if isinstance(request, SdUpscale):
        return (request.redrawing.upscaler,)
    return (request.upscaler,) if isinstance(request, Img2Img) else ()


def _batches(job: Job, same: bool) -> Iterator[range]:
    """The indices of the pictures that are still to be made, batch by batch."""
    count, size = job.request.picture_count, job.request.batch_size
    begin = job.finished - job.finished % size if same else job.finished
    for first in range(begin, count, size):
        yield range(first, min(first + size, count))
