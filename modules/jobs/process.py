"""The engine in a process of its own: whatever ends that process does not end the page.

The two processes talk over a pipe. Head to worker: ("run", job) and ("stop", job id, how). Worker to head: WorkerStatus
once, then events with their job's id.
"""

import logging
import multiprocessing
import os
import queue
import signal
import threading
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from modules.jobs.backend import BuildEngine, StopSwitch, attempt
from modules.jobs.supervisor import Mourn, Receive, Supervisor
from modules.schema.errors import KararliError
from modules.schema.events import EngineEvent, Job, Stop, WorkerStatus

PATIENCE = 2.0
"""Seconds that a worker has to end when it is told to."""


class ProcessBackend(Supervisor):
    """The supervisor of a process."""

    def __init__(self, build: BuildEngine) -> None:
        super().__init__(partial(_ProcessWorker, build))

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        worker = self._worker
        return worker.pid if isinstance(worker, _ProcessWorker) else None


class _ProcessWorker:
    """The head's end of one worker process."""

    def __init__(self, build: BuildEngine, receive: Receive, mourn: Mourn) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(build, theirs), name="kararli-engine", daemon=True)
        self._process.start()
        theirs.close()
        self._sending = threading.Lock()
        self._receive, self._mourn = receive, mourn
        self._listener = threading.Thread(target=self._listen, name="engine-events", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def run(self, job: Job) -> None:
        self._send(("run", job))

    def stop(self, job_id: str, how: Stop) -> None:
        self._send(("stop", job_id, how))

    def end(self) -> None:
        self._process.terminate()
        self._listener.join(PATIENCE)
        if self._listener.is_alive():
            self._process.kill()
            self._listener.join()

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._sending:
            try:
                self._connection.send(message)
            except OSError:
                return  # it is gone: the listener reads its last words, then tells

    def _listen(self) -> None:
        try:
            while True:
                self._receive(self._connection.recv())
        except (EOFError, OSError):
            self._process.join()
        with self._sending:  # closed by the one who reads: elsewhere it could be closed under a reader's hands
            self._connection.close()
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
        job = jobs.get()
        attempt(engine, job, partial(_say, connection, job.id), switch)


def _say(connection: Connection, job_id: str, event: EngineEvent) -> None:
    connection.send((job_id, event))


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
