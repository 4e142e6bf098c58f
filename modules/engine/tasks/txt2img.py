"""Text to image."""

from collections.abc import Iterator

from modules.engine.progress import JobProgress
from modules.engine.sampling.loop import sample
from modules.engine.sampling.noise import noise_of
from modules.engine.text.reading import TextReader
from modules.engine.workbench import Workbench
from modules.prompts.evaluating import Timeline
from modules.schema.events import Job, Painted, PictureSkipped, Report
from modules.schema.results import Environment, Result


def txt2img(job: Job, bench: Workbench, report: Report) -> Result:
    """Start from noise, walk it down the sampler's schedule, decode; batch by batch."""
    request = job.request
    progress = JobProgress(report, request.picture_count, job.finished)
    progress.stage("Loading the checkpoint", job.finished)
    with progress.timed("load"):
        model = bench.models.load(request.checkpoint)
        environment = Environment(runtime=bench.runtime, checkpoint=bench.models.record(request.checkpoint))
    progress.stage("Reading the prompt", job.finished)
    plan = bench.plan(request.sampling, request.stochastic, model.levels)
    texts = TextReader(model, bench.models, request, Timeline(plan.steps * plan.sampler.model_calls))
    progress.begin_painting()
    for batch in _batches(job):
        try:
            with progress.timed("sampling"):
                read = [texts.of(index) for index in batch]
                latents = sample(
                    model.denoiser(read, request.sampling.guidance_scale),
                    noise_of(request, batch, model.latent_shape, model.hardware.device),
                    plan,
                    lambda step, steps, clean, batch=batch: progress.step(
                        batch[0], len(batch), step, steps, lambda: model.vae.preview(clean)
                    ),
                )
                model.rest()
            with progress.timed("decode"):
                pictures = model.vae.decode(latents)
        except PictureSkipped:
            continue
        for index, picture in zip(batch, pictures, strict=True):
            used = environment.model_copy(update={"further_files": texts.embeddings(index)})
            report(Painted(index, request.seed_of(index), picture, used, last_of_batch=index == batch[-1]))
    return Result(request=request, environment=environment, timings=progress.timings())


def _batches(job: Job) -> Iterator[range]:
    """The indices of the pictures that are still to be made, batch by batch."""
    count, size = job.request.picture_count, job.request.batch_size
    for first in range(job.finished, count, size):
        yield range(first, min(first + size, count))
