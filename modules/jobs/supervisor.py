"""Keeps one worker alive beside this process. What a worker is, a process or an actor, is passed in."""

import queue
import threading
from collections.abc import Callable
from typing import Protocol, TypeAlias

from modules.jobs.backend import Emit
from modules.schema.errors import WorkerDied
from modules.schema.events import TERMINAL, EngineEvent, Job, Stop, WorkerStatus

Message: TypeAlias = WorkerStatus | tuple[str, EngineEvent]
"""What a worker says: how its engine is, or what happened to the job of that id."""


class Worker(Protocol):
    """The head's end of a worker. Nothing here raises when the worker is gone: `mourn` is how that is learnt."""

    def run(self, job: Job) -> None:
        """Hand over a job; it waits there until the engine is ready."""
        ...

    def stop(self, job_id: str, how: Stop) -> None:
        """Pass a wish on; one that comes before its job is kept for it."""
        ...

    def end(self) -> None:
        """End the worker, whatever it does."""
        ...


Receive: TypeAlias = Callable[[Message], None]
Mourn: TypeAlias = Callable[[Worker, str], None]
"""Called once, with a reason in a sentence, when the worker has ended and all that it said has been received."""

Hire: TypeAlias = Callable[[Receive, Mourn], Worker]
"""Starts a worker, in the background."""


class Supervisor:
    """A backend with one worker: a new one is started as soon as one has died, unless it could not even start."""

    def __init__(self, hire: Hire) -> None:
        self._hire = hire
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._status = WorkerStatus(ready=False)
        self._inbox: queue.SimpleQueue[EngineEvent | WorkerDied] = queue.SimpleQueue()
        self._running: str | None = None
        self._closed = False

    def start(self) -> None:
        """Start a worker if there is none."""
        with self._lock:
            self._present()

    def run(self, job: Job, emit: Emit) -> None:
        """Have the worker run a job. Raises WorkerDied when it ends before the job does."""
        inbox: queue.SimpleQueue[EngineEvent | WorkerDied] = queue.SimpleQueue()
        with self._lock:
            worker = self._present()
            self._inbox = inbox
            self._running = job.id
        if worker is None:
            raise WorkerDied("The engine was ended.")
        worker.run(job)
        try:
            while not isinstance(event := inbox.get(), WorkerDied):
                emit(event)
                if isinstance(event, TERMINAL):
                    return
            raise event
        except BaseException:
            worker.stop(job.id, Stop.NOW)  # when the listener failed: the next job is not to wait for this one
            raise
        finally:
            with self._lock:
                self._running = None

    def stop(self, job_id: str, how: Stop) -> None:
        """Pass the wish on to the worker. When none is there it is started, so that the wish comes before the job."""
        with self._lock:
            worker = self._present()
        if worker is not None:
            worker.stop(job_id, how)

    def status(self) -> WorkerStatus:
        """How the engine is."""
        return self._status

    def close(self) -> None:
        """End the worker, and the job that it runs."""
        with self._lock:
            self._closed = True
            worker, self._worker = self._worker, None
            self._status = WorkerStatus(ready=False)
            self._inbox.put(WorkerDied("The engine was ended."))
        if worker is not None:
            worker.end()

    def _present(self) -> Worker | None:
        """The worker, a new one if there is none; None after close(). To be called with the lock held."""
        if self._worker is None and not self._closed:
            self._status = WorkerStatus(ready=False)
            self._worker = self._hire(self._receive, self._mourn)
        return self._worker

    def _receive(self, message: Message) -> None:
        with self._lock:
            if isinstance(message, WorkerStatus):
                self._status = message
            elif message[0] == self._running:  # the last words of a job that was left are for nobody
                self._inbox.put(message[1])

    def _mourn(self, worker: Worker, reason: str) -> None:
        with self._lock:
            if self._closed or self._worker is not worker:
                return
            was_ready, problem = self._status.ready, self._status.problem
            self._worker = None
            self._status = WorkerStatus(ready=False, problem=problem or ("" if was_ready else reason))
            self._inbox.put(WorkerDied(problem or reason))
            if was_ready:  # one that cannot even start is tried again when there is a job for it
                self._present()
