"""What is said about one job, for any number of listeners, whenever they come."""

import threading
from collections.abc import Iterator

from modules.schema.events import TERMINAL, JobEvent, Progress, Queued, Started


class Feed:
    """Keeps what matters (pictures, starts, the end) and the latest of what is soon old (place in the queue, progress).

    A slow listener misses progress, never a picture.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: list[JobEvent] = []
        self._latest: Queued | Progress | None = None
        self._version = 0

    @property
    def latest(self) -> Queued | Progress | None:
        """The place in the queue, or the progress; None before and after."""
        return self._latest

    @property
    def ended(self) -> bool:
        """Whether the last event has been said."""
        return bool(self._kept) and isinstance(self._kept[-1], TERMINAL)

    def publish(self, event: JobEvent) -> None:
        """Say something to all listeners."""
        with self._changed:
            if isinstance(event, Queued | Progress):
                self._latest = event
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
                fresh, seen = self._kept[seen:], len(self._kept)
                latest = self._latest if self._version > version else None
                version = self._version
            yield [*fresh, latest] if latest is not None else fresh
            if fresh and isinstance(fresh[-1], TERMINAL):
                return
