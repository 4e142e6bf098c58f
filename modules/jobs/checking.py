"""Makes a picture again from its record, and says whether it is the same."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from modules.jobs.service import Jobs
from modules.schema.errors import KararliError
from modules.schema.events import Cancelled, Failed, Job, JobEvent, PictureReady
from modules.schema.media import Picture
from modules.schema.record import Record
from modules.schema.requests import Request
from modules.storage.opening import decoded
from modules.storage.reading import PictureInfo, read_picture
from modules.storage.record import request_of_picture

CLOSE_SHARE = 0.999
"""Within tolerance so many of the values differ by 1 of 255 at most ..."""

CLOSE_LARGEST = 16
"""... and none by more than that."""

LOSSLESS = "PNG"

Locate: TypeAlias = Callable[[str, str], str]
"""From a checkpoint's name and SHA-256 to its name here. Raises KararliError when it is missing."""


class Outcome(StrEnum):
    """What a check came to."""

    IDENTICAL = "identical"
    CLOSE = "equal within tolerance"
    DIFFERENT = "different"
    IMPOSSIBLE = "it cannot be checked here"


@dataclass(frozen=True)
class Change:
    """Something that a picture depends on, as it was then and as it is now; "" where it is not known."""

    name: str
    then: str
    now: str

    @property
    def differs(self) -> bool:
        """Whether both are known and not the same."""
        return self.then != self.now and "" not in (self.then, self.now)


@dataclass(frozen=True)
class Difference:
    """Between two pictures of one size, in steps of 255."""

    largest: int
    pixels: int
    """How many pixels differ at all."""
    total: int
    close: float
    """The share of values that differ by 1 at most."""
    picture: bytes = field(repr=False)
    """A PNG: the brighter, the more a pixel differs; the largest difference is white."""

    @property
    def within_tolerance(self) -> bool:
        """Whether it is what other kernels round differently, and not another picture."""
        return self.close >= CLOSE_SHARE and self.largest <= CLOSE_LARGEST


@dataclass(frozen=True)
class Verdict:
    """What a check came to, as a sentence, with what it rests on."""

    outcome: Outcome
    sentence: str
    difference: Difference | None = None
    changes: tuple[Change, ...] = ()
    """Everything in the environment, changed or not; empty when nothing was painted."""


@dataclass(frozen=True)
class _Original:
    """A picture that is to be made again."""

    picture: Picture
    record: Record
    format: str
    request: Request


def check(data: bytes, jobs: Jobs, locate: Locate) -> Iterator[Job | JobEvent | Verdict]:
    """Check a picture file's bytes: the job, its events, and the verdict as the last one.

    The job waits in the queue like any other, paints this one picture, and saves nothing.
    """
    try:
        original = _original(data, locate)
        job = jobs.submit(original.request, save=False)
    except KararliError as error:
        yield Verdict(Outcome.IMPOSSIBLE, str(error))
        return
    yield job
    ready: PictureReady | None = None
    for event in jobs.watch(job.id):
        yield event
        if isinstance(event, PictureReady):
            ready = event
        elif isinstance(event, Failed | Cancelled):
            yield Verdict(Outcome.IMPOSSIBLE, f"It could not be made again: {event.reason}")
            return
    if ready is None:
        yield Verdict(Outcome.IMPOSSIBLE, "It was not made again: the picture was skipped.")
        return
    yield _judge(original, ready.read())


def _original(data: bytes, locate: Locate) -> _Original:
    """The picture with what is needed to make it again. Raises KararliError when something is missing."""
    info = read_picture(data)
    if info.record is None:
        raise KararliError(info.record_problem or _without_record(info))
    request, checkpoint = request_of_picture(info.record), info.record.checkpoint
    if checkpoint is not None:
        request = request.model_copy(update={"checkpoint": locate(checkpoint.name, checkpoint.sha256)})
    return _Original(decoded(data), info.record, info.metadata.format, request)


def _without_record(info: PictureInfo) -> str:
    reason = "There is no record in this picture: it was not made by Kararli, or another program has saved it since."
    if info.reading is not None:
        reason += " Its parameters can be sent to the form, and painted from there."
    return reason


def _judge(original: _Original, png: bytes) -> Verdict:
    now, made = read_picture(png).record, decoded(png)
    assert now is not None  # the archive has just written it
    then, picture = original.record, original.picture
    changes = _changes(then, now)
    if picture.digest() == now.pixels:
        size = f"{picture.width} x {picture.height}"
        return Verdict(Outcome.IDENTICAL, f"All {size} pixels are the same.", changes=changes)
    if (picture.width, picture.height) != (made.width, made.height):
        sentence = (
            f"The file has {picture.width} x {picture.height} pixels, and {made.width} x {made.height} were"
            " painted. It was resized or cropped since."
        )
        return Verdict(Outcome.DIFFERENT, sentence, changes=changes)
    difference = difference_of(picture, made)
    outcome = Outcome.CLOSE if difference.within_tolerance else Outcome.DIFFERENT
    return Verdict(outcome, _sentence(original, difference, now, changes), difference, changes)


def _sentence(original: _Original, difference: Difference, now: Record, changes: tuple[Change, ...]) -> str:
    extent = (
        f"{difference.pixels:,} of {difference.total:,} pixels differ, the largest difference is {difference.largest}"
        " of 255."
    )
    return f"{extent} {_reason(original, now, changes)}"


def _reason(original: _Original, now: Record, changes: tuple[Change, ...]) -> str:
    """Where a difference comes from, as far as it can be told."""
    edited = original.picture.digest() != original.record.pixels
    if edited and now.pixels == original.record.pixels:
        how = "as every JPEG or WebP is" if original.format != LOSSLESS else "after it was painted"
        return f"What was painted then is made again to the bit; it is the file that was changed, {how}."
    changed = [f"{change.name} ({change.then} then, {change.now} now)" for change in changes if change.differs]
    if changed:
        return f"What has changed since: {', '.join(changed)}."
    if edited:
        return "Nothing in the environment has changed; the file was edited after it was painted."
    return "Nothing that is recorded has changed; a driver or an extension may have."


def _changes(then: Record, now: Record) -> tuple[Change, ...]:
    tables = (
        (_files(then), _files(now)),
        (then.environment, now.environment),
        (then.versions, now.versions),
    )
    return tuple(change for table in tables for change in _rows(*table))


def _files(record: Record) -> dict[str, str]:
    return {
        "checkpoint" if file.kind == "checkpoint" else f"{file.kind} {file.name}": file.sha256[:10]
        for file in record.files
    }


def _rows(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*then, *now]):
        yield Change(name.replace("_", " "), _words(then.get(name)), _words(now.get(name)))


def _words(value: Any) -> str:
    if value is None:
        return ""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def difference_of(one: Picture, other: Picture) -> Difference:
    """How far two pictures of the same size lie apart."""
    shape = (one.height, one.width, 3)
    values = np.frombuffer(one.pixels, np.uint8).reshape(shape).astype(np.int16)
    apart = np.abs(values - np.frombuffer(other.pixels, np.uint8).reshape(shape))
    each = apart.max(axis=2)
    largest = int(each.max())
    file = io.BytesIO()
    Image.fromarray((each * 255 // max(1, largest)).astype(np.uint8)).save(file, "PNG")
    return Difference(largest, int((each > 0).sum()), each.size, float((apart <= 1).mean()), file.getvalue())
