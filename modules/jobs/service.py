"""The jobs of one running program: accepted, queued, run one after the other, watched, stopped."""

import itertools
import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator

from modules.jobs.backend import Backend
from modules.jobs.feed import Feed
from modules.schema.errors import KararliError, WorkerDied
from modules.schema.events import (
    Cancelled,
    EngineEvent,
    Failed,
    Finished,
    Job,
    JobEvent,
    Painted,
    Queued,
    Requeued,
    Started,
    Stop,
    WorkerStatus,
)
from modules.schema.requests import Request
from modules.storage.archive import Archive

REMEMBERED = 200
"""Ended jobs whose events are kept in memory."""

ATTEMPTS = 2
"""How often a job is given to a worker when workers die over it."""


class Jobs:
    """First come, first served, for the page, the API and the command line alike.

    `resolve` makes a request complete (seed, checkpoint, size) and refuses what cannot be run.
    """

    def __init__(self, backend: Backend, archive: Archive, resolve: Callable[[Request], Request]) -> None:
        self._backend, self._archive, self._resolve = backend, archive, resolve
        self._changed = threading.Condition()
        self._queue: list[Job] = []
        self._running: Job | None = None
        self._feeds: OrderedDict[str, Feed] = OrderedDict()
        self._stopping: set[str] = set()
        self._closed = False
        self._dispatcher = threading.Thread(target=self._dispatch, name="jobs", daemon=True)

    def start(self) -> None:
        """Start the engine and the queue, in the background."""
        self._backend.start()
        self._dispatcher.start()

    def recover(self) -> None:
        """Take up the jobs that an earlier run of the program left behind; their finished pictures are kept."""
        for job in self._archive.unfinished():
            self._enqueue(job)

    def submit(self, request: Request, save: bool = True, job_id: str = "") -> Job:
        """Accept a request: resolve it, journal it, queue it.

        Raises InvalidRequest or UnusableFile with a sentence when it cannot be run.
        """
        job = Job(job_id or uuid.uuid4().hex, self._resolve(request), save=save)
        self._archive.add_job(job)
        self._enqueue(job)
        return job

    def watch(self, job_id: str) -> Iterator[JobEvent]:
        """A job's events from its beginning to its end, waiting for those to come; errors as watch_bursts()."""
        return itertools.chain.from_iterable(self.watch_bursts(job_id))

    def watch_bursts(self, job_id: str) -> Iterator[list[JobEvent]]:
        """The same, all at once that was said since the last burst: for those who draw.

        Raises KararliError when there is no such job in this run of the program.
        """
        with self._changed:
            feed = self._feeds.get(job_id)
        if feed is None:
            raise KararliError("This job is not known here (any more). Its pictures, if any, are in outputs/.")
        return feed.follow()

    def latest(self, job_id: str) -> JobEvent | None:
        """The job's place in the queue or its progress, None when it is over."""
        with self._changed:
            feed = self._feeds.get(job_id)
        return feed.latest if feed is not None else None

    def knows(self, job_id: str) -> bool:
        """Whether watch() works for that job."""
        with self._changed:
            return job_id in self._feeds

    def running(self) -> Job | None:
        """The job that a worker is busy with."""
        return self._running

    def waiting(self) -> list[Job]:
        """The jobs in the queue, next one first."""
        with self._changed:
            return list(self._queue)

    def stop(self, job_id: str, how: Stop) -> None:
        """End a job early, in one of three ways; a job that still waits leaves the queue (a skip leaves it there)."""
        with self._changed:
            waiting = next((job for job in self._queue if job.id == job_id), None)
            if waiting is not None and how is not Stop.SKIP:
                self._queue.remove(waiting)
        if waiting is None:
            if how is not Stop.SKIP:
                self._stopping.add(job_id)
            self._backend.stop(job_id, how)
        elif how is not Stop.SKIP:
            self._end(waiting, Cancelled("Taken out of the queue."))
            self._tell_places()

    def status(self) -> WorkerStatus:
        """How the engine is."""
        return self._backend.status()

    def close(self) -> None:
        """End the worker; what is unfinished stays in the journal for the next start."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._backend.close()
        self._archive.close()

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            self._feeds[job.id] = Feed()
            self._queue.append(job)
            self._forget_old()
        self._tell_places()
        with self._changed:
            self._changed.notify_all()

    def _dispatch(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._carry(job)
            except Exception as error:  # the queue goes on whatever one job did
                if self._closed:
                    return
                logging.getLogger(__name__).exception("Job %s could not be carried out", job.id)
                self._end(job, Failed(f"Something went wrong inside the program ({error}). Please report it."))
            with self._changed:
                self._running = None

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            if self._closed:
                return None
            self._running = job = self._queue.pop(0)
        self._tell_places()
        return job

    def _carry(self, job: Job) -> None:
        """Give a job to the backend; when a worker dies over it, once more, from the first picture not delivered."""
        feed = self._feeds[job.id]
        self._archive.set_state(job.id, "running")
        for attempt in range(1, ATTEMPTS + 1):
            feed.publish(Started(attempt))
            delivery = _Delivery(self, job)
            try:
                self._backend.run(job, delivery)
                return
            except WorkerDied as error:
                if self._closed:
                    return
                if attempt == ATTEMPTS or self._backend.status().problem:
                    again = " It happened twice with this job." if attempt > 1 else ""
                    self._end(job, Failed(f"{error}{again}"))
                    return
                if job.id in self._stopping:
                    self._end(job, Cancelled())
                    return
                feed.publish(Requeued(f"{error} A new one is starting; the job runs again."))
                job = Job(job.id, job.request, delivery.finished, job.save)

    def deliver(self, job: Job, event: EngineEvent) -> None:
        """Pass on what the engine says: pictures are kept first, an end is recorded first."""
        if isinstance(event, Painted):
            self._keep(job, event)
        elif isinstance(event, Finished | Failed | Cancelled):
            self._end(job, event)
        else:
            self._feeds[job.id].publish(event)

    def _keep(self, job: Job, painted: Painted) -> None:
        try:
            ready = self._archive.keep(job, painted)
        except OSError as error:
            self._feeds[job.id].publish(self._archive.encode(job, painted))
            self._backend.stop(job.id, Stop.NOW)
            self._end(
                job,
                Failed(
                    f"The picture could not be saved in {self._archive.outputs} ({error.strerror}). Make room there and"
                    " check its permissions; what is shown here can still be downloaded."
                ),
            )
            return
        self._feeds[job.id].publish(ready)

    def _end(self, job: Job, event: Finished | Failed | Cancelled) -> None:
        feed = self._feeds[job.id]
        if feed.ended:
            return
        state = {Finished: "done", Failed: "failed", Cancelled: "cancelled"}[type(event)]
        self._stopping.discard(job.id)
        self._archive.set_state(job.id, state, "" if isinstance(event, Finished) else event.reason)
        feed.publish(event)

    def _tell_places(self) -> None:
        with self._changed:
            ahead = 1 if self._running is not None else 0
            places = [(self._feeds[job.id], ahead + place) for place, job in enumerate(self._queue)]
        for feed, place in places:
            feed.publish(Queued(place))

    def _forget_old(self) -> None:
        ended = [job_id for job_id, feed in self._feeds.items() if feed.ended]
        for job_id in ended[: max(0, len(self._feeds) - REMEMBERED)]:
            del self._feeds[job_id]


class _Delivery:
    """Takes an attempt's events and counts the pictures that have arrived."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self._jobs, self._job = jobs, job
        self.finished = job.finished

    def __call__(self, event: EngineEvent) -> None:
        self._jobs.deliver(self._job, event)
        if isinstance(event, Painted):
            self.finished = event.index + 1
