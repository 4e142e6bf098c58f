"""The engine in a process of its own: whatever ends that process does not end the page.

The two processes talk over a pipe. Head to worker: ("run", job) and ("stop", job id, how). Worker to head: WorkerStatus
once, then events.
"""

import logging
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from modules.jobs.backend import BuildEngine, Emit, StopSwitch, attempt
from modules.schema.errors import KararliError, WorkerDied
from modules.schema.events import TERMINAL, EngineEvent, Job, Stop, WorkerStatus

Message = WorkerStatus | EngineEvent


class ProcessBackend:
    """Keeps one worker alive: a new one is started as soon as one has died, unless it could not even start."""

    def __init__(self, build: BuildEngine) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._status = WorkerStatus(ready=False)
        self._inbox: queue.SimpleQueue[EngineEvent | WorkerDied] = queue.SimpleQueue()
        self._running = False
        self._closed = False

    def start(self) -> None:
        """Start a worker if there is none."""
        with self._lock:
            if self._worker is None and not self._closed:
                self._status = WorkerStatus(ready=False)
                self._worker = _Worker(self._build, self._receive, self._mourn)

    def run(self, job: Job, emit: Emit) -> None:
        """Have the worker run a job. Raises WorkerDied when it ends before the job does."""
        self.start()
        with self._lock:
            self._inbox = queue.SimpleQueue()
            self._running = True
            worker = self._worker
        try:
            if worker is None or not worker.send(("run", job)):
                raise WorkerDied(self._status.problem or "The engine's process has ended.")
            while True:
                event = self._inbox.get()
                if isinstance(event, WorkerDied):
                    raise event
                emit(event)
                if isinstance(event, TERMINAL):
                    return
        finally:
            with self._lock:
                self._running = False

    def stop(self, job_id: str, how: Stop) -> None:
        """Pass the wish on to the worker."""
        with self._lock:
            worker = self._worker
        if worker is not None:
            worker.send(("stop", job_id, how))

    def status(self) -> WorkerStatus:
        """How the engine is."""
        return self._status

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        with self._lock:
            return self._worker.pid if self._worker else None

    def close(self) -> None:
        """End the worker: politely, then not."""
        with self._lock:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    def _receive(self, message: Message) -> None:
        if isinstance(message, WorkerStatus):
            self._status = message
        else:
            self._inbox.put(message)

    def _mourn(self, worker: "_Worker", reason: str) -> None:
        with self._lock:
            if self._closed or self._worker is not worker:
                return
            was_ready, problem = self._status.ready, self._status.problem
            self._worker = None
            self._status = WorkerStatus(ready=False, problem=problem or ("" if was_ready else reason))
            running = self._running
        if running:
            self._inbox.put(WorkerDied(problem or reason))
        if was_ready:  # one that cannot even start is tried again when there is a job for it
            self.start()


class _Worker:
    """The head's end of one worker process."""

    def __init__(
        self,
        build: BuildEngine,
        receive: Callable[[Message], None],
        mourn: Callable[["_Worker", str], None],
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(build, theirs), name="kararli-engine", daemon=True)
        self._process.start()
        theirs.close()
        self._sending = threading.Lock()
        self._receive, self._mourn = receive, mourn
        threading.Thread(target=self._listen, name="engine-events", daemon=True).start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def send(self, message: tuple[Any, ...]) -> bool:
        """False when the worker is not there to hear it."""
        try:
            with self._sending:
                self._connection.send(message)
        except (OSError, ValueError):
            return False
        return True

    def end(self) -> None:
        self._connection.close()
        self._process.join(timeout=2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _listen(self) -> None:
        try:
            while True:
                self._receive(self._connection.recv())
        except (EOFError, OSError):
            self._process.join()
            self._mourn(self, _cause_of_death(self._process.exitcode))


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " Often that means that memory was not enough: lower the size or the batch size."
        return f"The engine's process was ended by {name}.{hint if name == 'SIGKILL' else ''}"
    return f"The engine's process ended with code {exit_code}."


def work(build: BuildEngine, connection: Connection) -> None:
    """A worker's whole life. Runs in the new process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the head's to handle
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    switch = StopSwitch()
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(connection, jobs, switch), daemon=True).start()
    try:
        engine = build()
        connection.send(WorkerStatus(ready=True, runtime=engine.prepare()))
    except KararliError as error:
        connection.send(WorkerStatus(ready=False, problem=str(error)))
        return
    while True:
        attempt(engine, jobs.get(), connection.send, switch)


def _hear(connection: Connection, jobs: "queue.SimpleQueue[Job]", switch: StopSwitch) -> None:
    try:
        while True:
            kind, *rest = connection.recv()
            if kind == "run":
                jobs.put(rest[0])
            else:
                switch.ask(*rest)
    except (EOFError, OSError):
        os._exit(0)  # the head is gone: there is nobody to work for
