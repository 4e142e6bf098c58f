"""The shape of a sampler and of a schedule, as our own and other people's are registered.

Nothing here imports torch: a latent is anything that adds and multiplies, and noise levels are plain floats.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

AUTOMATIC = "Automatic"
"""The schedule that stands for what suits the sampler."""

Latents: TypeAlias = Any
"""A float tensor [batch, channels, height / 8, width / 8]."""


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

    def denoise(self, latents: Latents, sigma: float | None = None) -> Latents:
        """The clean latents that the guided model sees in `latents` at `sigma` (this step's when not given)."""
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
    """From a timestep, fractions allowed, to its noise level."""
    timestep_of: Callable[[float], float]
    """The inverse."""


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
    `start` says how the first latents are made of unit noise n: "ve" takes n * sigma, "vp" n * sqrt(1 + sigma^2).
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


Choice = TypeVar("Choice", Sampler, Schedule)


def choose(choices: Sequence[Choice], name: str) -> Choice:
    """The sampler or schedule of that name, label or alias, whatever the case. Raises KeyError when there is none."""
    wanted = name.casefold()
    for choice in choices:
        label = choice.label if isinstance(choice, Schedule) else choice.name
        if wanted in (spelling.casefold() for spelling in (choice.name, label, *choice.aliases)):
            return choice
    raise KeyError(name)
