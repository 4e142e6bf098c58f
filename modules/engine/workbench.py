"""What a task works with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from modules.engine.loading import Models
from modules.engine.sampling.plan import Plan, make_plan
from modules.engine.sampling.starts import make_later_plan
from modules.engine.vision.upscaler_models import Tell
from modules.schema.events import Job, Report
from modules.schema.requests import Sampling, Stochastic, Tiles
from modules.schema.results import Result, Runtime, UsedFile
from modules.schema.sampling import Levels, Sampler, Schedule
from modules.schema.upscaling import Upscaler, choose_upscaler


@dataclass(frozen=True)
class Workbench:
    """The models, the ways to walk, and what all of it runs on."""

    models: Models
    samplers: Sequence[Sampler]
    schedules: Sequence[Schedule]
    runtime: Runtime
    upscalers: Sequence[Upscaler] = ()

    def plan(self, sampling: Sampling, stochastic: Stochastic, levels: Levels) -> Plan:
        """The walk that a request asks for, over the noise levels of its model."""
        return make_plan(sampling, stochastic, self.samplers, self.schedules, levels)

    def later_plan(
        self, sampling: Sampling, stochastic: Stochastic, levels: Levels, *, strength: float, exact: bool
    ) -> Plan:
        """The end of that walk, from a picture; `exact` makes the schedule finer and takes as many steps as asked."""
        return make_later_plan(
            sampling, stochastic, self.samplers, self.schedules, levels, strength=strength, exact=exact
        )

    def upscaler(self, name: str, tiles: Tiles | None = None, tell: Tell | None = None) -> Upscaler:
        """The upscaler of that name, registered or a file of models/ESRGAN/; of a file, how to go about it.

        Raises UnusableFile with a sentence when there is none.
        """
        try:
            return choose_upscaler(self.upscalers, name)
        except KeyError:
            return self.models.upscalers.upscaler(name, tiles, tell)

    def upscaler_files(self, *names: str) -> tuple[UsedFile, ...]:
        """Those of the upscalers of these names that are files, each once."""
        registered = {upscaler.name.casefold() for upscaler in self.upscalers}
        files = [name for name in dict.fromkeys(names) if name and name.casefold() not in registered]
        return tuple(self.models.upscalers.record(name) for name in files)


Task: TypeAlias = Callable[[Job, Workbench, Report], Result]
"""A task: does the job, reports on the way, and returns what it came to."""
