"""A walk as it is planned: which sampler, over which noise levels, with how much chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from modules.schema.requests import Sampling, Stochastic
from modules.schema.sampling import AUTOMATIC, Dials, Levels, Sampler, Schedule, choose


@dataclass(frozen=True)
class Plan:
    """What a walk needs beside the model and the noise."""

    sampler: Sampler
    sigmas: Sequence[float]
    """From the level at which it begins to the one at which it ends; it may rise between."""
    steps: int
    """How many steps were asked for."""
    dials: Dials
    levels: Levels
    """The model's levels, or those that the sampler puts in their place."""
    noise_level: float | None = None
    """For a walk from a picture: the level of the noise over it, where that is not the first level."""
    whole_span: tuple[float, float] | None = None
    """For the end of a longer walk: the lowest and the highest level of that."""

    @property
    def span(self) -> tuple[float, float]:
        """The lowest level above 0 and the highest one, between which Brownian motions go."""
        own = min((level for level in self.sigmas if level > 0), default=0.0), max(self.sigmas)
        return self.whole_span or own

    @property
    def count(self) -> int:
        """How many steps are taken: the falls between neighbouring levels."""
        return sum(after < before for before, after in zip(self.sigmas, self.sigmas[1:], strict=False))


def make_plan(
    sampling: Sampling,
    stochastic: Stochastic,
    samplers: Sequence[Sampler],
    schedules: Sequence[Schedule],
    model: Levels,
) -> Plan:
    """The walk that a resolved request asks for, over the model's noise levels."""
    sampler = choose(samplers, sampling.sampler)
    levels = sampler.levels(model) if sampler.levels else model
    sigmas = plan_sigmas(sampler, sampling.schedule, schedules, sampling.steps, levels)
    return Plan(sampler, sigmas, sampling.steps, dials_of(sampler, stochastic), levels)


def plan_sigmas(
    sampler: Sampler, schedule: str, schedules: Sequence[Schedule], steps: int, levels: Levels
) -> list[float]:
    """The noise levels of a walk; the schedule "Automatic" is what suits the sampler."""
    wanted = sampler.automatic if sampler.spaces_itself or schedule == AUTOMATIC else schedule
    spread = choose(schedules, wanted).sigmas if isinstance(wanted, str) else wanted
    sigmas = spread(steps + 1, levels) if sampler.drops_level else spread(steps, levels)
    if sampler.drops_level:
        del sigmas[-2]
    return sampler.reshape(sigmas) if sampler.reshape else sigmas


def dials_of(sampler: Sampler, stochastic: Stochastic) -> Dials:
    """The dials that a sampler has, as a request sets them."""
    wanted = {
        "eta": sampler.eta if stochastic.eta is None else stochastic.eta,
        "churn": stochastic.churn,
        "churn_from": stochastic.churn_from,
        "churn_to": stochastic.churn_to or math.inf,
        "noise_scale": stochastic.noise_scale,
    }
    return Dials(**{name: value for name, value in wanted.items() if name in sampler.dials})
