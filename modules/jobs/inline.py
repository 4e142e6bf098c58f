"""The engine in this very process: for tests, for the command line, and where a second process is not to be had."""

import threading

from modules.jobs.backend import BuildEngine, Emit, Engine, StopSwitch, attempt
from modules.schema.errors import KararliError
from modules.schema.events import Failed, Job, Stop, WorkerStatus


class InlineBackend:
    """Builds the engine at the first need and runs jobs in the calling thread."""

    def __init__(self, build: BuildEngine) -> None:
        self._build = build
        self._engine: Engine | None = None
        self._status = WorkerStatus(ready=False)
        self._switch = StopSwitch()
        self._building = threading.Lock()

    def start(self) -> None:
        """Build the engine in a thread of its own."""
        threading.Thread(target=self._prepared, name="engine-start", daemon=True).start()

    def run(self, job: Job, emit: Emit) -> None:
        """Run a job here and now."""
        engine = self._prepared()
        if engine is None:
            emit(Failed(self._status.problem))
            return
        attempt(engine, job, emit, self._switch)

    def stop(self, job_id: str, how: Stop) -> None:
        """Ask the running job to end early."""
        self._switch.ask(job_id, how)

    def status(self) -> WorkerStatus:
        """How the engine is."""
        return self._status

    def close(self) -> None:
        """Forget the engine."""
        self._engine = None

    def _prepared(self) -> Engine | None:
        with self._building:
            if self._engine is None:
                try:
                    engine = self._build()
                    self._status = WorkerStatus(ready=True, runtime=engine.prepare())
                    self._engine = engine
                except KararliError as error:
                    self._status = WorkerStatus(ready=False, problem=str(error))
            return self._engine
