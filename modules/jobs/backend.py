"""Where an engine runs: the contract of the backends, and what all of them do with a job inside a worker."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from modules.schema.errors import KararliError
from modules.schema.events import (
    Answered,
    Cancelled,
    EngineEvent,
    Failed,
    Finished,
    Job,
    JobCancelled,
    Painted,
    PictureSkipped,
    Progress,
    Report,
    Stop,
    WorkerStatus,
)
from modules.schema.results import Result, Runtime

Emit = Callable[[EngineEvent], None]


class Engine(Protocol):
    """What a worker runs."""

    def prepare(self) -> Runtime:
        """Do what is slow and can be done before the first job. Raises KararliError when that is impossible."""
        ...

    def run(self, job: Job, report: Report) -> Result:
        """Do the job; `report` may raise to end it early. Raises KararliError with a sentence for the user."""
        ...


BuildEngine = Callable[[], Engine]
"""How to make the engine; called inside the worker."""


class Backend(Protocol):
    """One place where jobs are run, one at a time."""

    def start(self) -> None:
        """Get ready in the background; returns at once."""
        ...

    def run(self, job: Job, emit: Emit) -> None:
        """Run a job to its end, which is the last event emitted. Raises WorkerDied when there will be no end.

        `emit` is called in the thread that called run().
        """
        ...

    def stop(self, job_id: str, how: Stop) -> None:
        """Ask a job that runs, or is about to, to end early; does nothing to the others."""
        ...

    def status(self) -> WorkerStatus:
        """How the engine is."""
        ...

    def close(self) -> None:
        """End the worker. A run() that is under way raises WorkerDied, or ends as if stopped."""
        ...


class StopSwitch:
    """What has been asked of jobs that run or are about to. Set from one thread, read by the engine's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, Stop] = {}

    def ask(self, job_id: str, how: Stop) -> None:
        """Ask something of a job. Two different wishes together are Stop.NOW: leave the picture, and the job."""
        with self._lock:
            self._asked[job_id] = how if self._asked.get(job_id, how) is how else Stop.NOW

    def forget(self, job_id: str) -> None:
        """The job is over."""
        with self._lock:
            self._asked.pop(job_id, None)

    def check(self, job_id: str, event: Progress | Painted | Answered) -> None:
        """Raise what was asked for, at the points where it may happen: a skip between the steps of a picture,
        an end after the picture when its whole batch has been handed over."""
        with self._lock:
            asked = self._asked.get(job_id)
            skip = asked is Stop.SKIP and isinstance(event, Progress) and event.step > 0
            if skip or (
                asked is Stop.SKIP and isinstance(event, Painted | Answered)
            ):  # too late: the next one is not meant
                del self._asked[job_id]
        if skip:
            raise PictureSkipped
        if isinstance(event, Painted) and not event.last_of_batch:
            return
        if asked is Stop.NOW or (asked is Stop.AFTER_PICTURE and isinstance(event, Painted | Answered)):
            raise JobCancelled


def attempt(engine: Engine, job: Job, emit: Emit, switch: StopSwitch) -> None:
    """Run a job inside a worker: everything that happens becomes an event, the last of which ends the job."""

    def report(event: Progress | Painted | Answered) -> None:
        emit(event)
        switch.check(job.id, event)

    try:
        emit(Finished(engine.run(job, report)))
    except JobCancelled:
        emit(Cancelled())
    except KararliError as error:
        emit(Failed(str(error)))
    except Exception as error:  # a fault of ours: the page goes on, the console has the details
        logging.getLogger(__name__).exception("Job %s failed", job.id)
        emit(Failed(f"Something went wrong inside the program ({type(error).__name__}: {error}). Please report it."))
    finally:
        switch.forget(job.id)
