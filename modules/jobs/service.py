"""The jobs of one running program: accepted, queued, run one after the other, watched, stopped."""

import itertools
import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from modules.jobs.backend import Backend
from modules.jobs.feed import Feed
from modules.schema.errors import InvalidRequest, JobExists, KararliError, WorkerDied
from modules.schema.events import (
    Answered,
    AnswerReady,
    Cancelled,
    ClipReady,
    EngineEvent,
    Failed,
    Finished,
    Job,
    JobEvent,
    Painted,
    PictureReady,
    Progress,
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

REMEMBERED_WITH_PICTURES = 8
"""Of these, jobs whose pictures are kept in memory too, because they are not on disk."""

ATTEMPTS = 2
"""How often a job is given to a worker when workers die over it."""

PATIENCE = 5.0
"""Seconds that close() gives the running job to let go."""


class Jobs:
    """First come, first served, for the page, the API and the command line alike.

    `resolve` makes a request complete (seed, checkpoint, size) and refuses what cannot be run.
    """

    def __init__(self, backend: Backend, archive: Archive, resolve: Callable[[Request], Request]) -> None:
        self._backend, self._archive, self._resolve = backend, archive, resolve
        self._accepting = threading.Lock()
        """Held while a job is journalled and queued, so that both have the same order."""
        self._changed = threading.Condition()
        self._queue: list[Job] = []
        self._running: Job | None = None
        self._feeds: OrderedDict[str, Feed] = OrderedDict()
        self._stop_asked = False
        """Whether the running job is to end; a worker that dies over it takes its own knowledge of that along."""
        self._closed = False
        self._dispatcher = threading.Thread(target=self._dispatch, name="jobs", daemon=True)

    def start(self) -> None:
        """Start the engine and the queue, in the background."""
        self._backend.start()
        self._dispatcher.start()

    def recover(self) -> None:
        """Take up the jobs that an earlier run of the program left behind; their finished pictures are kept."""
        with self._accepting:
            for job in self._archive.unfinished():
                self._enqueue(job, [*self._archive.pictures(job.id), *self._archive.answers(job.id)])

    def keep_picture(self, data: bytes) -> str:
        """Keep an input picture's file; returns the digest by which requests refer to it.

        Raises InvalidRequest with a sentence when it is not a picture that can be used, OSError when the disk refuses.
        """
        return self._archive.inputs.add(data)

    @property
    def largest_film(self) -> int:
        """MB that an input video has at most."""
        return self._archive.inputs.largest_film

    def keep_film(self, path: Path) -> str:
        """Keep an input video's file; returns the digest by which requests refer to it.

        Raises InvalidRequest with a sentence when it is not a video that can be used, OSError when the disk refuses.
        """
        return self._archive.inputs.add_film(path)

    def input_picture(self, digest: str) -> bytes:
        """The file of an input picture. Raises InvalidRequest when it is not here (any more)."""
        return self._archive.inputs.read(digest)

    def folder(self, folder: str) -> list[Path]:
        """The pictures in a folder below the one that was set up for it. Raises InvalidRequest with a sentence."""
        return self._archive.input_root.pictures(folder)

    def submit(self, request: Request, save: bool = True, job_id: str = "") -> Job:
        """Accept a request: resolve it, journal it, queue it.

        Raises InvalidRequest or UnusableFile with a sentence when it cannot be run, JobExists when its id is taken.
        """
        job = Job(job_id or uuid.uuid4().hex, self._resolve(request), save=save)
        with self._accepting:
            if self._closed:
                raise KararliError("The program is ending; it takes no more jobs.")
            if self._archive.job(job.id) is not None:
                raise JobExists(f"There is a job with the id {job.id!r} already. Choose another one.", "id")
            self._archive.add_job(job)
            self._enqueue(job)
        return job

    def go_on(self, job_id: str) -> Job:
        """Take up a job that was stopped, or has failed, at its first missing picture. Raises InvalidRequest."""
        with self._accepting:
            job = self._archive.job(job_id)
            if job is None:
                raise InvalidRequest("This job is not known here, so it cannot be continued. Start it anew.", "id")
            if self._archive.state(job_id) not in ("cancelled", "failed"):
                raise InvalidRequest("This job was not stopped, so there is nothing to continue.", "id")
            self._archive.set_state(job_id, "queued")
            self._enqueue(job, self._archive.pictures(job_id))
        return job

    def state(self, job_id: str) -> str:
        """Where a job of this or an earlier run stands: queued, running, done, failed, cancelled; "" for no job."""
        return self._archive.state(job_id)

    def clip(self, job_id: str) -> ClipReady | None:
        """The clip of an animation of this or an earlier run, if it is on disk."""
        return self._archive.clip(job_id)

    def frames(self, job_id: str) -> list[Path]:
        """The frames of an animation that is not finished, as far as they are there."""
        return self._archive.frames.paths(job_id)

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
            if self._running is not None and self._running.id == job_id:
                self._stop_asked |= how is not Stop.SKIP
                waiting = None
            else:
                waiting = next((job for job in self._queue if job.id == job_id), None)
                if waiting is None or how is Stop.SKIP:
                    return
                self._queue.remove(waiting)
        if waiting is None:
            self._backend.stop(job_id, how)
        else:
            self._end(waiting, Cancelled("Taken out of the queue."))
            self._tell_places()

    def status(self) -> WorkerStatus:
        """How the engine is."""
        return self._backend.status()

    def close(self) -> None:
        """End the worker; what is unfinished stays in the journal for the next start."""
        with self._accepting, self._changed:
            self._closed = True
            self._changed.notify_all()
            for feed in self._feeds.values():
                feed.publish(Cancelled("The program was closed."))  # for those who wait; the journal is not told
        self._backend.close()
        if self._dispatcher.is_alive():
            self._dispatcher.join(PATIENCE)
        self._archive.close()

    def _enqueue(self, job: Job, kept: Iterable[PictureReady | AnswerReady] = ()) -> None:
        feed = Feed()
        for result in kept:
            feed.publish(result)
        with self._changed:
            self._feeds[job.id] = feed
            self._queue.append(job)
            self._tell_places()
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
                self._running, self._stop_asked = None, False

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
        try:
            job = replace(job, inputs=self._archive.inputs_of(job), films=self._archive.films_of(job))
        except KararliError as error:
            self._end(job, Failed(str(error)))
            return
        for attempt in range(1, ATTEMPTS + 1):
            feed.publish(Started(attempt))
            delivery = _Delivery(job, feed, self._backend, self._archive, self._conclude)
            try:
                self._backend.run(job, delivery)
                return
            except WorkerDied as error:
                end = self._end_after(error, attempt, delivery.problem)
                if end is not None:
                    self._conclude(job, end)
                    return
                feed.publish(Requeued(f"{error} A new one is starting; the job runs again."))
                job = replace(job, finished=delivery.finished)
                job = replace(job, inputs=self._archive.inputs_of(job))

    def _end_after(self, death: WorkerDied, attempt: int, problem: str) -> Failed | Cancelled | None:
        """How a job ends over which a worker died; None when it is to be tried again."""
        if problem:
            return Failed(problem)
        if self._stop_asked:
            return Cancelled()
        if attempt == ATTEMPTS:
            return Failed(f"{death} It happened twice with this job.")
        return Failed(str(death)) if self._backend.status().problem else None

    def _conclude(self, job: Job, event: Finished | Failed | Cancelled) -> None:
        """End a job that a worker had: of an animation, once its clip is there, of as many frames as are."""
        if self._closed:
            return
        feed, pictures = self._feeds[job.id], job.request.picture_count

        def tell(share: float) -> None:
            feed.publish(Progress("Writing the clip", share, pictures - 1, pictures))

        try:
            clip = self._archive.film(job, tell)
        except KararliError as error:
            event = Failed(str(error))
        except OSError as error:
            event = Failed(f"The clip could not be written ({error.strerror}). Make room, and continue the animation.")
        else:
            if clip is not None:
                feed.publish(clip)
        self._end(job, event)

    def _end(self, job: Job, event: Finished | Failed | Cancelled) -> None:
        """Record a job's end, then tell it. After close() neither is done: the job goes on at the next start."""
        if self._closed or self._feeds[job.id].ended:
            return
        state = {Finished: "done", Failed: "failed", Cancelled: "cancelled"}[type(event)]
        try:
            self._archive.set_state(job.id, state, "" if isinstance(event, Finished) else event.reason)
        except Exception:  # those who wait are told all the same; the next start will try the job again
            logging.getLogger(__name__).exception("The end of job %s could not be recorded", job.id)
        with self._changed:
            self._feeds[job.id].publish(event)
            self._forget_old()

    def _tell_places(self) -> None:
        """Each waiting job hears its place. Under the lock, so that no job hears an old one after a new one."""
        with self._changed:
            ahead = 1 if self._running is not None else 0
            for place, job in enumerate(self._queue):
                self._feeds[job.id].publish(Queued(ahead + place))

    def _forget_old(self) -> None:
        ended = [job_id for job_id, feed in self._feeds.items() if feed.ended]
        large = [job_id for job_id in ended if self._feeds[job_id].holds_pictures]
        for job_id in {*ended[:-REMEMBERED], *large[:-REMEMBERED_WITH_PICTURES]}:
            del self._feeds[job_id]


class _Delivery:
    """Takes an attempt's events: pictures are kept first, an end is recorded first.

    When a picture cannot be kept, it is shown all the same, the job is stopped, and its end says why: `problem`.
    """

    def __init__(
        self,
        job: Job,
        feed: Feed,
        backend: Backend,
        archive: Archive,
        end: Callable[[Job, Finished | Failed | Cancelled], None],
    ) -> None:
        self._job, self._feed, self._backend, self._archive, self._end = job, feed, backend, archive, end
        self.finished = job.finished
        """How many pictures need not be made again."""
        self.problem = ""

    def __call__(self, event: EngineEvent) -> None:
        if isinstance(event, Painted | Answered):
            self._keep(event)
        elif isinstance(event, Finished | Failed | Cancelled):
            self._end(self._job, Failed(self.problem) if self.problem else event)
        else:
            self._feed.publish(event)

    def _keep(self, result: Painted | Answered) -> None:
        try:
            self._feed.publish(self._archive.keep(self._job, result))
            self.finished = result.index + 1
        except Exception as error:  # a full or read-only disk, a folder that is gone, a database that does not answer
            logging.getLogger(__name__).exception("A result of job %s could not be saved", self._job.id)
            self._feed.publish(self._archive.encode(self._job, result))
            reason = getattr(error, "strerror", None) or type(error).__name__
            what = "picture" if isinstance(result, Painted) else "answer"
            self.problem = (
                f"The {what} could not be saved in {self._archive.outputs} ({reason}). Make room there and check its"
                " permissions; what is shown here can still be downloaded."
            )
            self._backend.stop(self._job.id, Stop.NOW)
