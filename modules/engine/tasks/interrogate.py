"""Interrogation: words for a picture."""

from modules.engine.progress import JobProgress
from modules.engine.workbench import Workbench
from modules.schema.captioning import Description, Interrogate, Label
from modules.schema.events import Answered, Job, Report
from modules.schema.media import flatten, read_image
from modules.schema.results import Environment, Result


def interrogate(job: Job, bench: Workbench, report: Report) -> Result:
    """A BLIP's sentence, then the word of each list that a CLIP finds fitting best; as far as they are there."""
    request = job.request
    assert isinstance(request, Interrogate)
    progress = JobProgress(report, 1, 0)
    progress.stage("Loading the picture model", 0)
    describers = bench.models.describers
    with progress.timed("load"):
        blip, clip = describers.for_pictures(request.model)
        used = [model.entry for model in (blip, clip) if model is not None]
        environment = Environment(
            runtime=bench.runtime, further_files=tuple(describers.record(entry) for entry in used)
        )
    image = flatten(read_image(job.inputs[request.picture]))
    words: list[str] = []
    labels: list[Label] = []
    with progress.timed("sampling"):
        if blip is not None:
            words.append(blip.sentence(image, request.wording, lambda: progress.stage("Looking at the picture", 0)))
        if clip is not None:
            for _, listed in describers.word_lists():
                progress.stage("Looking at the picture", 0)
                labels.append(clip.choose(image, listed)[0])
    text = ", ".join(word for word in (*words, *(label.text for label in labels)) if word)
    answer = Description(
        text=text,
        sentence=text,
        labels=tuple(labels),
        width=image.width,
        height=image.height,
        model=" + ".join(entry.name for entry in used),
        licence=", ".join(dict.fromkeys(entry.licence for entry in used if entry.licence)),
    )
    report(Answered(0, answer, environment))
    return Result(request=request, environment=environment, timings=progress.timings())
