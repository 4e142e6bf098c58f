"""Where a job stands, how long it will take, and how long its parts took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modules.schema.events import Progress, Report
from modules.schema.results import Timings

PREVIEW_EVERY = 0.4
"""Seconds between two previews at least."""

DECODE_SHARE = 0.08
"""The share of a picture's time that its decoding is taken to need, for the bar."""


class JobProgress:
    """Reports on a job of `pictures` pictures, `finished` of which an earlier attempt has delivered."""

    def __init__(self, report: Report, pictures: int, finished: int) -> None:
        self._report, self._pictures, self._first = report, pictures, finished
        self._painted_since = time.monotonic()
        self._preview_at = 0.0
        self._seconds: dict[str, float] = {}
        self._started = time.monotonic()

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Count the seconds of a part of Timings."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[part] = self._seconds.get(part, 0.0) + time.monotonic() - start

    def timings(self) -> Timings:
        """The seconds so far."""
        return Timings(**self._seconds, total=time.monotonic() - self._started)

    def stage(self, name: str, picture: int) -> None:
        """Say what is being done before or after the walk of picture `picture`."""
        self._report(Progress(name, picture / self._pictures, picture, self._pictures))

    def begin_painting(self) -> None:
        """The time that is left is reckoned from here: loading is not part of the pace."""
        self._painted_since = time.monotonic()

    def step(self, picture: int, batch: int, step: int, steps: int, preview: Callable[[], bytes]) -> None:
        """A step of the batch of `batch` pictures that begins with `picture` was taken."""
        share = step / steps * (1 - DECODE_SHARE)
        done = (picture + batch * share) / self._pictures
        now = time.monotonic()
        image = None
        if step < steps and now - self._preview_at >= PREVIEW_EVERY:
            image, self._preview_at = preview(), now
        self._report(
            Progress("Painting", done, picture, self._pictures, step, steps, self._seconds_left(done, now), image)
        )

    def part(self, picture: int, done: float) -> None:
        """So much of picture `picture` is enlarged, 0 to 1."""
        share = (picture + done) / self._pictures
        left = self._seconds_left(share, time.monotonic())
        self._report(Progress("Enlarging", share, picture, self._pictures, seconds_left=left))

    def look(self, picture: int, done: int, of: int) -> None:
        """So many of the frames that are wanted of video `picture` were looked at."""
        share = (picture + min(1.0, done / of)) / self._pictures
        left = self._seconds_left(share, time.monotonic())
        self._report(Progress("Looking at the video", share, picture, self._pictures, done, of, left))

    def _seconds_left(self, done: float, now: float) -> float | None:
        here = done - self._first / self._pictures
        return (now - self._painted_since) * (1 - done) / here if here > 0 else None
