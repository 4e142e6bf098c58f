"""Where an engine runs: the contract of the backends, and what all of them do with a job inside a worker."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from modules.schema.errors import KararliError
from modules.schema.events import (
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
        """Run a job to its end, which is the last event emitted. Raises WorkerDied when there will be no end."""
        ...

    def stop(self, job_id: str, how: Stop) -> None:
        """Ask the running job to end early; does nothing when another one runs."""
        ...

    def status(self) -> WorkerStatus:
        """How the engine is."""
        ...

    def close(self) -> None:
        """End the worker."""
        ...


class StopSwitch:
    """What has been asked of the running job. Set from one thread, read by the engine's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job_id = ""
        self._asked: Stop | None = None

    def begin(self, job_id: str) -> None:
        """A job starts: whatever was asked of the one before is forgotten."""
        with self._lock:
            self._job_id, self._asked = job_id, None

    def ask(self, job_id: str, how: Stop) -> None:
        """Ask something of a job; no effect on another one."""
        with self._lock:
            if job_id == self._job_id:
                self._asked = how

    def check(self, event: Progress | Painted) -> None:
        """Raise what was asked for, at the points where it may end."""
        with self._lock:
            asked = self._asked
            if asked is Stop.SKIP and isinstance(event, Progress):
                self._asked = None
        if asked is Stop.SKIP and isinstance(event, Progress):
            raise PictureSkipped
        if isinstance(event, Painted) and not event.last_of_batch:
            return
        if asked is Stop.NOW or (asked is Stop.AFTER_PICTURE and isinstance(event, Painted)):
            raise JobCancelled


def attempt(engine: Engine, job: Job, emit: Emit, switch: StopSwitch) -> None:
    """Run a job inside a worker: everything that happens becomes an event, the last of which ends the job."""

    def report(event: Progress | Painted) -> None:
        emit(event)
        switch.check(event)

    switch.begin(job.id)
    try:
        emit(Finished(engine.run(job, report)))
    except (JobCancelled, PictureSkipped):
        emit(Cancelled())
    except KararliError as error:
        emit(Failed(str(error)))
    except Exception as error:  # a fault of ours: the page goes on, the console has the details
        logging.getLogger(__name__).exception("Job %s failed", job.id)
        emit(Failed(f"Something went wrong inside the program ({type(error).__name__}: {error}). Please report it."))
