"""Upscaling: pictures made larger, one after the other."""

from PIL import Image

from modules.engine.progress import JobProgress
from modules.engine.vision.enlarging import enlarge
from modules.engine.vision.faces import restore_faces
from modules.engine.workbench import Workbench
from modules.schema.events import Job, Painted, PictureSkipped, Report
from modules.schema.media import Picture, flatten, read_image
from modules.schema.requests import Upscale
from modules.schema.results import Environment, Result
from modules.schema.upscaling import Upscaler


def upscale(job: Job, bench: Workbench, report: Report) -> Result:
    """Enlarge each picture that is still to be made, and hand it over."""
    request = job.request
    assert isinstance(request, Upscale)
    progress = JobProgress(report, request.picture_count, job.finished)
    progress.stage("Loading the upscaler", job.finished)
    with progress.timed("load"):
        files = bench.upscaler_files(request.enlarging.upscaler, request.enlarging.second)
        environment = Environment(runtime=bench.runtime, further_files=files + bench.models.faces.record(request.faces))
    progress.begin_painting()
    for index in range(job.finished, request.picture_count):
        try:
            with progress.timed("sampling"):
                image = flatten(read_image(job.inputs[request.pictures[index]]))
                picture = Picture.of(_postprocessed(image, request, bench, progress, index))
        except PictureSkipped:
            continue
        report(Painted(index, request.seed_of(index), picture, environment, last_of_batch=True))
    return Result(request=request, environment=environment, timings=progress.timings())


def _postprocessed(
    image: Image.Image, request: Upscale, bench: Workbench, progress: JobProgress, index: int
) -> Image.Image:
    """The picture larger, its faces restored before or after that."""
    enlarging, count = request.enlarging, 2 if request.enlarging.second else 1
    furthest = 0.0

    def upscaler(name: str) -> Upscaler:
        before = (name == enlarging.second) / count

        def tell(done: int, of: int) -> None:  # a model may go over the picture more than once
            nonlocal furthest
            furthest = max(furthest, before + done / of / count)
            progress.part(index, furthest)

        return bench.upscaler(name, enlarging.tiles, tell)

    if not request.faces.enlarge_first:
        image = restore_faces(image, request.faces, bench.models.faces)
    image = enlarge(image, enlarging, upscaler)
    return restore_faces(image, request.faces, bench.models.faces) if request.faces.enlarge_first else image
