"""Where a walk begins that does not begin in pure noise: clean latents wrapped in as much noise as the strength asks.

The rule is AUTOMATIC1111's, so that a strength means the same step for step: of `steps` noise levels the last
int(strength * steps) + 1 are walked.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from modules.engine.sampling.plan import Plan, make_plan
from modules.schema.requests import Sampling, Stochastic
from modules.schema.sampling import Levels, Sampler, Schedule, choose

ALMOST_ALL = 0.999
"""The most of a schedule that is walked from a picture: its first level is left to pure noise."""

EVEN = "Uniform"
"""The schedule that says where a sampler begins which spaces its steps itself."""


def planned_steps(steps: int, strength: float, exact: bool) -> tuple[int, int]:
    """(steps of the whole schedule, index from its end at which the walk begins).

    `exact`: as many steps are taken as are asked for, whatever the strength; the schedule is made finer for it.
    """
    strength = min(strength, ALMOST_ALL)
    if exact:
        return (int(steps / strength), steps - 1) if strength > 0 else (steps, 0)
    return steps, int(strength * steps)


def make_later_plan(
    sampling: Sampling,
    stochastic: Stochastic,
    samplers: Sequence[Sampler],
    schedules: Sequence[Schedule],
    model: Levels,
    *,
    strength: float,
    exact: bool,
) -> Plan:
    """The end of the walk that a resolved request asks for, as long as the strength says."""
    sampler = choose(samplers, sampling.sampler)
    steps, begin = planned_steps(sampling.steps, strength, exact)
    finer = sampling.model_copy(update={"steps": steps})
    plain = replace(sampler, reshape=None)
    if sampler.spaces_itself and sampler.start == "ve":
        plain = replace(plain, automatic=EVEN)
    whole = make_plan(finer, stochastic, [plain], schedules, model)
    if sampler.start == "vp":
        return _counted_in_timesteps(replace(whole, sampler=sampler, steps=sampling.steps), begin)
    first = max(0, min(steps - begin - 1, len(whole.sigmas) - 2))
    sigmas = list(whole.sigmas[first:])
    level = sigmas[0]
    if sampler.spaces_itself and callable(sampler.automatic) and sigmas[-2] < level:
        between = replace(whole.levels, sigmas=(sigmas[-2], level))
        sigmas = sampler.automatic(len(sigmas) - 1, between)
    elif sampler.reshape is not None:
        sigmas = sampler.reshape(sigmas)
    return replace(
        whole, sampler=sampler, sigmas=sigmas, steps=sampling.steps, noise_level=level, whole_span=whole.span
    )


def wrapped(clean: Tensor, noise: Tensor, plan: Plan) -> Tensor:
    """Clean latents under noise, both [batch, channels, h, w], as the plan's walk begins with them."""
    level = plan.sigmas[0] if plan.noise_level is None else plan.noise_level
    latents = clean + noise * level
    if plan.sampler.start == "vp":  # brought to unit variance at one level, taken up at the other
        return latents * ((1 + plan.sigmas[0] ** 2) / (1 + level**2)) ** 0.5
    return latents


def _counted_in_timesteps(whole: Plan, begin: int) -> Plan:
    """These samplers take the noise of one level and begin at the next, as AUTOMATIC1111's do."""
    first = max(0, len(whole.sigmas) - 1 - begin)
    sigmas = whole.sigmas[first + 1 :] or whole.sigmas[-1:]
    return replace(whole, sigmas=sigmas, noise_level=whole.sigmas[first], whole_span=whole.span)
