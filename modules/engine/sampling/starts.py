"""Where a walk begins that does not begin in pure noise: clean latents wrapped in as much noise as the strength asks.

The rule is AUTOMATIC1111's, so that a strength means the same step for step: of `steps` noise levels the last
int(strength * steps) + 1 are walked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from modules.schema.sampling import Sampler

ALMOST_ALL = 0.999
"""The most of a schedule that is walked from a picture: its first level is left to pure noise."""


@dataclass(frozen=True)
class Start:
    """Latents at the walk's first level, and the span of noise levels that a Brownian motion is made for."""

    latents: Tensor
    span: tuple[float, float]


@dataclass(frozen=True)
class Course:
    """The noise levels of a walk, the level of the noise at its start, and the span of the whole schedule."""

    sigmas: Sequence[float]
    noise_level: float
    span: tuple[float, float]

    @property
    def steps(self) -> int:
        """How many steps the walk takes."""
        return len(self.sigmas) - 1

    def begin(self, clean: Tensor, noise: Tensor, sampler: Sampler) -> Start:
        """Clean latents under noise, both [batch, channels, h, w]."""
        latents = clean + noise * self.noise_level
        if sampler.start == "vp":  # brought to unit variance at one level, taken up at the other
            latents = latents * ((1 + self.sigmas[0] ** 2) / (1 + self.noise_level**2)) ** 0.5
        return Start(latents, self.span)


def noise_span(sigmas: Sequence[float]) -> tuple[float, float]:
    """The lowest level above 0 and the highest one."""
    return min((sigma for sigma in sigmas if sigma > 0), default=0.0), max(sigmas)


def planned_steps(steps: int, strength: float, exact: bool) -> tuple[int, int]:
    """(steps of the whole schedule, index from its end at which the walk begins).

    `exact`: as many steps are taken as are asked for, whatever the strength; the schedule is made finer for it.
    """
    strength = min(strength, ALMOST_ALL)
    if exact:
        return (int(steps / strength), steps - 1) if strength > 0 else (steps, 0)
    return steps, int(strength * steps)


def whole_course(sigmas: Sequence[float]) -> Course:
    """All of a schedule."""
    return Course(sigmas, sigmas[0], noise_span(sigmas))


def later_course(sampler: Sampler, sigmas: Sequence[float], steps: int, begin: int) -> Course:
    """The end of a schedule of `steps` steps, from `begin` steps before its last one.

    The samplers that count in timesteps take the noise of one level and begin at the next, as AUTOMATIC1111's do.
    """
    if sampler.start == "vp":
        first = max(0, min(len(sigmas) - 1 - begin, len(sigmas) - 1))
        return Course(sigmas[first + 1 :] or sigmas[-1:], sigmas[first], noise_span(sigmas))
    first = max(0, min(steps - begin - 1, len(sigmas) - 2))
    return Course(sigmas[first:], sigmas[first], noise_span(sigmas))
