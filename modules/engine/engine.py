"""The engine: a job in, a result out."""

from collections.abc import Mapping, Sequence

import torch

from modules.catalog.checkpoints import Catalog
from modules.engine.devices import choose_hardware
from modules.engine.loading import Models
from modules.engine.workbench import Task, Workbench
from modules.schema.errors import NotEnoughMemory, UnusableFile
from modules.schema.events import Job, Report
from modules.schema.requests import Request, Upscale
from modules.schema.results import Result, Runtime
from modules.schema.sampling import Sampler, Schedule
from modules.schema.upscaling import Upscaler
from modules.schema.values import Telling
from modules.settings import Settings


class Engine:
    """Runs tasks on this machine's hardware. Lives in a worker; nothing is chosen or loaded before prepare()."""

    def __init__(
        self,
        settings: Settings,
        tasks: Mapping[str, Task],
        samplers: Sequence[Sampler],
        schedules: Sequence[Schedule],
        upscalers: Sequence[Upscaler] = (),
    ) -> None:
        self._settings, self._tasks = settings, tasks
        self._samplers, self._schedules, self._upscalers = samplers, schedules, upscalers
        self._bench: Workbench | None = None

    def prepare(self) -> Runtime:
        """Choose the hardware and load the default checkpoint. Raises KararliError when the settings cannot be met."""
        return self._workbench().runtime

    @torch.inference_mode()
    def run(self, job: Job, report: Report) -> Result:
        """Do the job. Pictures go out through `report`, which may raise JobCancelled or PictureSkipped.

        Raises KararliError with a sentence for what a user can mend.
        """
        try:
            return self._tasks[job.request.task](job, self._workbench(), report)
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            self._workbench().models.unload()
            raise NotEnoughMemory(_memory_sentence(job.request)) from None

    def _workbench(self) -> Workbench:
        if self._bench is None:
            hardware = choose_hardware(self._settings)
            models = Models(Catalog(self._settings), hardware)
            self._bench = Workbench(models, self._samplers, self._schedules, hardware.runtime(), self._upscalers)
            self._load_default(models)
        return self._bench

    def _load_default(self, models: Models) -> None:
        try:
            models.load("")
            models.record("")
        except UnusableFile:
            return  # nothing usable in the folder yet; a job will say so


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _memory_sentence(request: Request) -> str:
    if isinstance(request, Upscale):
        return (
            "There is not enough memory to enlarge the picture. Choose smaller tiles or a smaller size and try again."
        )
    if isinstance(request, Telling):
        return "There is not enough memory for this. Take a smaller model, or fewer frames, and try again."
    width, height = request.size
    lower = "the batch size or the size" if request.batch_size > 1 else "width and height"
    return (
        f"There is not enough memory for {request.batch_size} x {width} x {height} pixels at once. Lower {lower}"
        " and try again."
    )
