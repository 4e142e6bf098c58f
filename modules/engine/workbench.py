"""What a task works with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from modules.engine.loading import Models
from modules.engine.sampling.loop import plan_sigmas
from modules.schema.events import Job, Report
from modules.schema.requests import Sampling
from modules.schema.results import Result, Runtime
from modules.schema.sampling import Levels, Sampler, Schedule, choose
from modules.schema.upscaling import Upscaler


@dataclass(frozen=True)
class Workbench:
    """The models, the ways to walk, and what all of it runs on."""

    models: Models
    samplers: Sequence[Sampler]
    schedules: Sequence[Schedule]
    runtime: Runtime
    upscalers: Sequence[Upscaler] = ()

    def plan(self, sampling: Sampling, levels: Levels) -> tuple[Sampler, list[float]]:
        """The sampler that a request names and the noise levels of its walk."""
        sampler = choose(self.samplers, sampling.sampler)
        return sampler, plan_sigmas(sampler, sampling.schedule, self.schedules, sampling.steps, levels)


Task: TypeAlias = Callable[[Job, Workbench, Report], Result]
"""A task: does the job, reports on the way, and returns what it came to."""
