"""Captioning: videos seen as a model sees them, and put into words, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from modules.engine.progress import JobProgress
from modules.engine.vision.overlay import clip, glowing, strip
from modules.engine.vision.timesformer import TimeSformer
from modules.engine.workbench import Workbench
from modules.schema.captioning import Caption, Description, Label, Passage
from modules.schema.errors import InvalidRequest
from modules.schema.events import Answered, Job, PictureSkipped, Report
from modules.schema.film import Film, FilmFacts, evenly
from modules.schema.results import Environment, Result

FRAMES, ATTENTION = "frames.png", "attention.mp4"
"""What belongs to an answer: what the model saw, and where it looked."""

SURE = 0.5
"""From which probability on a label is told without its rival."""

Span = tuple[float, float]
Files = dict[str, bytes]


def caption(job: Job, bench: Workbench, report: Report) -> Result:
    """Describe each video that is still to be described, and hand its description over."""
    request = job.request
    assert isinstance(request, Caption)
    progress = JobProgress(report, request.picture_count, job.finished)
    progress.stage("Loading the video model", job.finished)
    with progress.timed("load"):
        model = bench.models.describers.timesformer(request.model)
        environment = Environment(runtime=bench.runtime, further_files=(bench.models.describers.record(model.entry),))
    progress.begin_painting()
    for index in range(job.finished, request.picture_count):
        try:
            with progress.timed("sampling"):
                answer, files = _described(job, request, index, model, progress)
        except PictureSkipped:
            continue
        except InvalidRequest as error:
            if request.picture_count == 1:
                raise
            answer, files = Description(name=_name(request, index), problem=str(error)), {}
        report(Answered(index, answer, environment, files))
    return Result(request=request, environment=environment, timings=progress.timings())


def _described(
    job: Job, request: Caption, index: int, model: TimeSformer, progress: JobProgress
) -> tuple[Description, Files]:
    """A video's description with the frames that the model saw, and where it looked."""
    with Film(_reachable(job.films[request.videos[index]])) as film:
        length = film.facts.length
        try:
            whole, windows = request.viewing.part(length), request.viewing.windows(length)
        except ValueError as error:
            raise InvalidRequest(str(error), "viewing.start") from None
        sight = _Sight(model, request, progress, index, 1 + len(windows))
        passages: list[Passage] = []
        seen: Tensor | None = None
        text, labels = "", ()
        for place, frames in _seen(film, [whole, *windows], request.frames, model.prepare, sight.tell):
            words, chances = sight.words(frames)
            if place == 0:
                seen, text, labels = frames, words, chances
            else:
                begin, end = _share(windows, place - 1, whole)
                passages.append(Passage(start=begin, end=end, text=words, labels=chances))
    assert seen is not None
    shown = [model.visible(frame) for frame in seen]
    files = {FRAMES: strip(shown)}
    if request.overlay:
        maps = model.attention(seen).numpy()
        files[ATTENTION] = clip(glowing(shown, maps), whole[1] - whole[0])
    description = Description(
        name=_name(request, index),
        text=text,
        sentence=spoken(text, labels),
        labels=labels,
        moments=tuple(round(moment, 3) for moment in evenly(*whole, request.frames)),
        timeline=tuple(sorted(passages, key=lambda passage: passage.start)),
        seconds=round(length, 3),
        width=film.facts.width,
        height=film.facts.height,
        model=model.entry.name,
        licence=model.entry.licence,
        notes=_notes(film.facts, seen),
    )
    return description, files


class _Sight:
    """Puts frames into words, and tells how far the video has been looked through."""

    def __init__(self, model: TimeSformer, request: Caption, progress: JobProgress, index: int, spans: int) -> None:
        self._model, self._request, self._progress, self._index = model, request, progress, index
        self._frames, self._done = spans * request.frames, 0

    def tell(self) -> None:
        """A frame was read. May raise to end the work."""
        self._done += 1
        self._progress.look(self._index, self._done, self._frames)

    def words(self, frames: Tensor) -> tuple[str, tuple[Label, ...]]:
        """What the model says of the frames, and how sure it is of it and of others."""
        if self._model.writes:
            return self._model.sentence(frames, self._request.wording, self._still), ()
        labels = self._model.labels(frames, self._request.top)
        return labels[0].text, labels

    def _still(self) -> None:
        self._progress.look(self._index, self._done, self._frames)


def _seen(
    film: Film, spans: Sequence[Span], count: int, prepare: Callable[[Image.Image], Tensor], tell: Callable[[], None]
) -> Iterator[tuple[int, Tensor]]:
    """(place of a span, what is seen in it [count, 3, height, width]), in the order in which they are complete.

    The film is gone through once; only what belongs to spans under way is kept.
    """
    asked = sorted((moment, place) for place, span in enumerate(spans) for moment in evenly(*span, count))
    waiting: dict[int, list[Tensor]] = {}
    last: tuple[Image.Image, Tensor] | None = None
    for (_, place), image in zip(asked, film.frames(moment for moment, _ in asked), strict=True):
        if last is None or last[0] is not image:
            last = image, prepare(image)
        tell()
        waiting.setdefault(place, []).append(last[1])
        if len(waiting[place]) == count:
            yield place, torch.stack(waiting.pop(place))


def _share(windows: Sequence[Span], place: int, whole: Span) -> Span:
    """The time for which a window speaks: windows overlap, what they say must not."""
    middles = [(begin + end) / 2 for begin, end in windows]
    begin = (middles[place - 1] + middles[place]) / 2 if place else whole[0]
    end = (middles[place] + middles[place + 1]) / 2 if place + 1 < len(windows) else whole[1]
    return round(begin, 3), round(end, 3)


def spoken(text: str, labels: Sequence[Label]) -> str:
    """The words as they are told to a person."""
    if not labels:
        return f"{text[:1].upper()}{text[1:]}"
    first = f"{text} ({labels[0].probability:.0%})"
    if labels[0].probability >= SURE or len(labels) == 1:
        return f"Most likely: {first}."
    return f"Perhaps {first}, or {labels[1].text} ({labels[1].probability:.0%})."


def _notes(facts: FilmFacts, seen: Tensor) -> tuple[str, ...]:
    notes: list[str] = []
    different = 1 + sum(not torch.equal(one, other) for one, other in pairwise(seen))
    if facts.cut_off:
        notes.append(f"The file ends before its end: {facts.length:.1f} seconds of it could be read.")
    if facts.rate and different < len(seen) and facts.length * facts.rate + 1 < len(seen):
        notes.append(
            f"The video has fewer frames than the model looks at ({len(seen)}); some were shown more than once."
        )
    return tuple(notes)


def _reachable(path: Path) -> Path:
    if not path.is_file():
        raise InvalidRequest(
            f"The video is not at {path} where the engine runs. On a cluster outputs/ has to be shared for videos; or"
            " start with --backend process.",
            "videos",
        )
    return path


def _name(request: Caption, index: int) -> str:
    return request.names[index] if request.names else ""
