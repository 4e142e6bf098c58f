"""What is said about one job, for any number of listeners, whenever they come."""

import threading
from collections.abc import Iterator

from modules.schema.events import TERMINAL, AnswerReady, JobEvent, PictureReady, Progress, Queued, Started


class Feed:
    """Keeps what matters (pictures, starts, the end) and the latest of what is soon old (place in the queue, progress).

    A slow listener misses progress, never a picture. Nothing is said after the end.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: list[JobEvent] = []
        self._latest: Queued | Progress | None = None
        self._place = 0
        """How many of the kept events came before the latest one."""
        self._version = 0

    @property
    def latest(self) -> Queued | Progress | None:
        """The place in the queue, or the progress; None before and after."""
        return self._latest

    @property
    def ended(self) -> bool:
        """Whether the last event has been said."""
        return bool(self._kept) and isinstance(self._kept[-1], TERMINAL)

    @property
    def holds_pictures(self) -> bool:
        """Whether pictures are kept in here because they are not on disk."""
        return any(
            (isinstance(event, PictureReady) and event.png is not None)
            or (isinstance(event, AnswerReady) and event.path is None and event.files)
            for event in self._kept
        )

    def publish(self, event: JobEvent) -> None:
        """Say something to all listeners."""
        with self._changed:
            if self.ended:
                return
            if isinstance(event, Queued | Progress):
                self._latest, self._place = event, len(self._kept)
                self._version += 1
            else:
                self._kept.append(event)
                self._latest = None if isinstance(event, (Started, *TERMINAL)) else self._latest
            self._changed.notify_all()

    def follow(self) -> Iterator[list[JobEvent]]:
        """All that was kept, then what comes, to the end: in bursts of what was said since the last one."""
        seen, version = 0, 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda s=seen, v=version: len(self._kept) > s or self._version > v)
                burst = self._kept[seen:]
                if self._latest is not None and self._version > version:
                    burst.insert(self._place - seen, self._latest)
                seen, version = len(self._kept), self._version
            yield burst
            if isinstance(burst[-1], TERMINAL):
                return
