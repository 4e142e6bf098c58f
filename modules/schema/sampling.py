"""The shape of a sampler and of a schedule, as our own and other people's are registered.

Nothing here imports torch: a latent is anything that adds and multiplies, and noise levels are plain floats.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

AUTOMATIC = "Automatic"
"""The schedule that stands for what suits the sampler."""

Latents: TypeAlias = Any
"""A float tensor [batch, channels, height / 8, width / 8]."""


@dataclass(frozen=True)
class Dials:
    """How much chance there is in a walk. A sampler is given only those that it has; others stay as they are here."""

    eta: float = 1.0
    """The share of each step's noise that is drawn afresh: 0 none, 1 all that the method has."""
    churn: float = 0.0
    """Noise that is added before the steps, summed over the walk: S_churn of https://arxiv.org/abs/2206.00364."""
    churn_from: float = 0.0
    churn_to: float = math.inf
    """Between which noise levels there is churn."""
    noise_scale: float = 1.0
    """What all fresh noise is multiplied by: S_noise of the same paper."""


@dataclass(frozen=True)
class Past:
    """An earlier step: its noise level and what the model took for the clean picture there."""

    sigma: float
    denoised: Latents


class Step(Protocol):
    """What a sampler is given for one step from `sigma` down to `sigma_next`."""

    index: int
    count: int
    """Which step of how many, from 0."""
    sigma: float
    sigma_next: float
    past: Sequence[Past]
    """The steps before this one, oldest first."""
    steps: int
    """How many steps were asked for; `count` may differ."""
    dials: Dials
    levels: "Levels"
    """The noise levels of the model's training."""

    def denoise(self, latents: Latents, sigma: float | None = None) -> Latents:
        """The clean latents that the guided model sees in `latents` at `sigma` (this step's when not given)."""
        ...

    def denoise_apart(self, latents: Latents, guidance: float) -> tuple[Latents, Latents]:
        """The clean latents that the model sees in `latents`, with `guidance` times the guidance scale, and those that
        it sees without the prompt."""
        ...

    def end_at(self, sigma: float) -> None:
        """This step ends at `sigma`, above sigma_next or even where it began; another one follows from there."""
        ...

    def noise(self) -> Latents:
        """Fresh unit noise, each picture's drawn from its own generator."""
        ...

    def brownian(self, sigma: float, sigma_next: float) -> Latents:
        """Unit noise of a Brownian motion between two noise levels: the same whatever the number of steps."""
        ...


StepFunction: TypeAlias = Callable[[Latents, Step], Latents]
"""Latents at step.sigma in, latents at step.sigma_next out."""


@dataclass(frozen=True)
class Levels:
    """What a schedule may use: noise levels of the model's training timesteps, `sigmas[t]`, growing with t."""

    sigmas: Sequence[float]
    sigma_of: Callable[[float], float]
    """From a place in `sigmas`, fractions allowed, to its noise level."""
    timestep_of: Callable[[float], float]
    """From a noise level to the timestep that the model is told there; with the model's own levels the inverse."""


ScheduleFunction: TypeAlias = Callable[[int, Levels], list[float]]
"""Steps and levels in, falling noise levels out; the list holds the last one too (0, or where the walk ends)."""


@dataclass(frozen=True)
class Schedule:
    """A way to spread noise levels over the steps. `label` is what pictures' parameters say."""

    name: str
    label: str
    sigmas: ScheduleFunction
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sampler:
    """A method to take steps.

    `begin` makes the step function for one walk, so that a method with a memory starts afresh each time.
    `automatic` is what the schedule "Automatic" means: the name of a schedule, or a function of the sampler's own.
    `start` says how the first latents are made of unit noise n, and what the last ones are: "ve" takes n * sigma and
    leaves the last ones, "vp" takes n * sqrt(1 + sigma^2) and divides the last ones by such a factor.
    """

    name: str
    begin: Callable[[], StepFunction]
    automatic: str | ScheduleFunction = "Uniform"
    start: Literal["ve", "vp"] = "ve"
    aliases: tuple[str, ...] = ()
    model_calls: int = 1
    """How often a step asks the model (the last one may ask less): prompts that change on the way count the calls."""
    options: dict[str, str] = field(default_factory=dict[str, str])
    """What /sdapi/v1/samplers lists beside the name."""
    dials: tuple[str, ...] = ()
    """Which of Dials' values the method obeys."""
    eta: float = 1.0
    """What eta is when nobody sets it."""
    drops_level: bool = False
    """The level before the last one is left out; the walk is planned with one step more."""
    spaces_itself: bool = False
    """The method takes no schedule but its own, whatever is chosen."""
    one_by_one: bool = False
    """Each picture of a batch takes a walk of its own, since its steps depend on what is in it."""
    reshape: Callable[[list[float]], list[float]] | None = None
    """Changes the planned levels. They may rise: there the loop adds noise up to the higher level."""
    levels: Callable[[Levels], Levels] | None = None
    """Puts other levels in the place of the model's, for schedules and for the timesteps that the model is told."""


Choice = TypeVar("Choice", Sampler, Schedule)


def choose(choices: Sequence[Choice], name: str) -> Choice:
    """The sampler or schedule of that name, label or alias, whatever the case. Raises KeyError when there is none."""
    wanted = name.casefold()
    for choice in choices:
        if wanted in _spellings(choice):
            return choice
    raise KeyError(name)


def split_joined(name: str, samplers: Sequence[Sampler], schedules: Sequence[Schedule]) -> tuple[str, str]:
    """(sampler, schedule) of an old joined name such as "DPM++ 2M Karras"; the schedule is empty for a plain name."""
    wanted = name.casefold()
    if any(wanted in _spellings(sampler) for sampler in samplers):
        return name, ""
    for schedule in schedules:
        for ending in _spellings(schedule):
            if wanted.endswith(f" {ending}"):
                return name[: -len(ending) - 1], schedule.label
    return name, ""


def _spellings(choice: Sampler | Schedule) -> list[str]:
    label = choice.label if isinstance(choice, Schedule) else choice.name
    return [spelling.casefold() for spelling in (choice.name, label, *choice.aliases)]
