"""The engine on a Ray cluster: in an actor, which Ray places where there is room, beside a GPU if the cluster has any.

Ray itself is used through RayConnection alone.
"""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

from modules.jobs.backend import BuildEngine, Engine, StopSwitch, attempt
from modules.jobs.connection import RayConnection, first_sentence
from modules.jobs.supervisor import Mourn, Receive, Supervisor
from modules.schema.errors import KararliError
from modules.schema.events import TERMINAL, EngineEvent, Job, Stop, WorkerStatus

PATIENCE = 10.0
"""Seconds that an actor has to end when it is told to."""


class RayBackend(Supervisor):
    """The supervisor of an actor: on the cluster that RAY_ADDRESS names, or that runs here, or that is started here.

    A connection that this process has made before is used, and left open.
    """

    def __init__(self, build: BuildEngine) -> None:
        self._ray = RayConnection()
        super().__init__(partial(_ActorWorker, self._ray, build))

    def close(self) -> None:
        """End the actor, the connection, and the cluster if it was started here."""
        super().close()
        self._ray.disconnect()


class _ActorWorker:
    """The head's end of one actor. To connect takes seconds: what is asked until then is kept for the actor."""

    def __init__(self, ray: RayConnection, build: BuildEngine, receive: Receive, mourn: Mourn) -> None:
        self._ray, self._build, self._receive, self._mourn = ray, build, receive, mourn
        self._lock = threading.Lock()
        self._actor: Any = None
        self._early: list[Callable[[], None]] = []
        self._ended = False
        self._relay: threading.Thread | None = None
        self._life = threading.Thread(target=self._live, name="engine-life", daemon=True)
        self._life.start()

    def run(self, job: Job) -> None:
        self._tell(lambda: self._start_relay(job))

    def stop(self, job_id: str, how: Stop) -> None:
        self._tell(lambda: self._actor.stop.remote(job_id, how))

    def end(self) -> None:
        with self._lock:
            self._ended = True
            self._ray.kill(self._actor)
        self._life.join(PATIENCE)

    def _tell(self, call: Callable[[], None]) -> None:
        with self._lock:
            if self._actor is None:
                self._early.append(call)
            elif not self._ended:
                call()

    def _live(self) -> None:
        """The whole life of the actor, in a thread of its own."""
        try:
            self._ray.connect()
            status = self._ray.wait_for(self._create())
            self._receive(status)
            if status.ready:
                self._ray.wait_for(self._actor.endure.options(concurrency_group="life").remote())
            reason = status.problem
        except KararliError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - whatever Ray raises: the actor is lost, and the reason is told
            reason = f"The engine's actor was lost: {first_sentence(error)}"
        with self._lock:
            self._ended = True
            self._ray.kill(self._actor)
        if self._relay is not None:
            self._relay.join(PATIENCE)
        self._mourn(self, reason)

    def _create(self) -> Any:
        """Make the actor and have it prepare itself. Its jobs wait for each other, but nothing keeps stop() waiting."""
        with self._lock:
            if self._ended:
                raise KararliError("The engine was ended.")
            self._actor = self._ray.create(_EngineActor, self._build, groups={"engine": 1, "life": 1})
            status = self._actor.prepare.options(concurrency_group="engine").remote()
            for call in self._early:
                call()
        return status

    def _start_relay(self, job: Job) -> None:
        events = self._actor.run.options(concurrency_group="engine", num_returns="streaming").remote(job)
        self._relay = threading.Thread(target=self._listen, args=(job.id, events), name="engine-events", daemon=True)
        self._relay.start()

    def _listen(self, job_id: str, events: Any) -> None:
        try:
            for reference in events:
                self._receive((job_id, self._ray.wait_for(reference)))
        except Exception:  # noqa: BLE001 - the actor is lost, or its words are: _live tells
            self._ray.kill(self._actor)


class _EngineActor:
    """A worker's whole life. Lives in the cluster."""

    def __init__(self, build: BuildEngine) -> None:
        self._build = build
        self._engine: Engine | None = None
        self._switch = StopSwitch()

    def prepare(self) -> WorkerStatus:
        """Build the engine; the call that comes before all jobs."""
        if os.environ.get("OMP_NUM_THREADS") == "1":  # Ray's default, which torch would keep to when it is loaded
            del os.environ["OMP_NUM_THREADS"]
        try:
            engine = self._build()
            status = WorkerStatus(ready=True, runtime=engine.prepare())
        except KararliError as error:
            return WorkerStatus(ready=False, problem=str(error))
        self._engine = engine
        return status

    def run(self, job: Job) -> Iterator[EngineEvent]:
        """Do a job in a thread of its own, since the engine pushes and Ray pulls."""
        assert self._engine is not None, "an actor without an engine is about to be ended"
        events: SimpleQueue[EngineEvent] = SimpleQueue()
        threading.Thread(target=attempt, args=(self._engine, job, events.put, self._switch), daemon=True).start()
        while not isinstance(event := events.get(), TERMINAL):
            yield event
        yield event

    def stop(self, job_id: str, how: Stop) -> None:
        """Ask something of a job."""
        self._switch.ask(job_id, how)

    def endure(self) -> None:
        """Never returns: whoever waits for it hears of the actor's end."""
        threading.Event().wait()
