"""The engine in this very process: for tests, for the command line, and where a second process is not to be had."""

import logging
import threading

from modules.jobs.backend import BuildEngine, Emit, Engine, StopSwitch, attempt
from modules.schema.errors import KararliError, WorkerDied
from modules.schema.events import Job, Stop, WorkerStatus


class InlineBackend:
    """Builds the engine at the first need and runs jobs in the calling thread."""

    def __init__(self, build: BuildEngine) -> None:
        self._build = build
        self._engine: Engine | None = None
        self._status = WorkerStatus(ready=False)
        self._switch = StopSwitch()
        self._building = threading.Lock()
        self._running: str | None = None
        self._closed = False
        self._starting: threading.Thread | None = None

    def start(self) -> None:
        """Build the engine in a thread of its own."""
        self._starting = threading.Thread(target=self._prepared, name="engine-start", daemon=True)
        self._starting.start()

    def run(self, job: Job, emit: Emit) -> None:
        """Run a job here and now. Raises WorkerDied when there is no engine."""
        engine = self._prepared()
        self._running = job.id
        if engine is None or self._closed:
            raise WorkerDied(self._status.problem or "The engine was ended.")
        attempt(engine, job, emit, self._switch)

    def stop(self, job_id: str, how: Stop) -> None:
        """Ask a job that runs, or is about to, to end early."""
        self._switch.ask(job_id, how)

    def status(self) -> WorkerStatus:
        """How the engine is."""
        return self._status

    def close(self) -> None:
        """Stop the job that runs, and forget the engine.

        One that is still being built is waited for: torch does not bear the end of the program while it is loaded.
        """
        self._closed = True
        self._status = WorkerStatus(ready=False)
        self._engine = None
        if self._running is not None:
            self._switch.ask(self._running, Stop.NOW)
        if self._starting is not None:
            self._starting.join()
            self._engine = None

    def _prepared(self) -> Engine | None:
        with self._building:
            if self._engine is None and not self._closed:
                try:
                    engine = self._build()
                    self._status = WorkerStatus(ready=True, runtime=engine.prepare())
                    self._engine = engine
                except KararliError as error:
                    self._status = WorkerStatus(ready=False, problem=str(error))
                except Exception as error:  # as a process would end over it
                    logging.getLogger(__name__).exception("The engine could not be built")
                    self._status = WorkerStatus(
                        ready=False, problem=f"The engine could not start ({type(error).__name__}: {error})."
                    )
            return self._engine
