"""A model whose walk is known: clean latents that are drawn from a mixture of two normal distributions.

In x = clean + sigma * noise the best guess of the clean value has a closed form, and the probability flow (Karras et
al. 2022, equation 1) can be solved as exactly as one likes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from modules.engine.sampling.levels import scaled_linear_levels
from modules.engine.sampling.loop import StepReport, sample
from modules.engine.sampling.noise import PictureNoise, SeededNoise
from modules.engine.sampling.plan import Plan, make_plan
from modules.engine.sampling.samplers import SAMPLERS
from modules.engine.sampling.schedules import SCHEDULES
from modules.schema.requests import Sampling, Stochastic

LEVELS = scaled_linear_levels()
CENTRES, SPREADS, SHARES = (-1.0, 1.5), (0.6, 0.5), (0.4, 0.6)
MEAN = sum(share * centre for share, centre in zip(SHARES, CENTRES, strict=True))
SPREAD = (
    sum(
        share * (spread**2 + (centre - MEAN) ** 2)
        for share, centre, spread in zip(SHARES, CENTRES, SPREADS, strict=True)
    )
    ** 0.5
)
SHAPE = (1, 100, 100)


class Mixture:
    """The best guess of the clean latents, counting how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, latents: Tensor, sigma: float, timestep: float | None = None) -> Tensor:
        self.calls += 1
        return guess(latents, sigma)

    def apart(self, latents: Tensor, sigma: float, guidance: float) -> tuple[Tensor, Tensor]:
        return self(latents, sigma), guess(latents, sigma)

    def alone(self, index: int) -> "Mixture":
        return self


class DoubleNoise:
    """Seeded noise in double precision, so that rounding does not hide a method's own error."""

    def __init__(self, seeds: Sequence[int] = (3,), shape: tuple[int, ...] = SHAPE) -> None:
        self._noise = SeededNoise([PictureNoise(seed, shape, torch.device("cpu")) for seed in seeds])
        self.draws = 0

    def draw(self) -> Tensor:
        self.draws += 1
        return self._noise.draw().double()

    def brownian(self, sigma: float, sigma_next: float, span: tuple[float, float]) -> Tensor:
        assert sigma > sigma_next
        return self._noise.brownian(sigma, sigma_next, span).double()

    def apart(self) -> list["DoubleNoise"]:
        return [self]


def guess(latents: Tensor, sigma: float) -> Tensor:
    """The mean of what the clean latents may be."""
    weights, means = [], []
    for share, centre, spread in zip(SHARES, CENTRES, SPREADS, strict=True):
        variance = spread**2 + sigma**2
        weights.append(share / variance**0.5 * torch.exp(-((latents - centre) ** 2) / (2 * variance)))
        means.append((spread**2 * latents + sigma**2 * centre) / variance)
    return sum(weight * mean for weight, mean in zip(weights, means, strict=True)) / sum(weights)


def flow(latents: Tensor, sigma: float, sigma_end: float, steps: int = 600) -> Tensor:
    """Where the probability flow leads to, by the classical Runge-Kutta method in many small steps of log sigma."""

    def slope(latents: Tensor, log: float) -> Tensor:
        return latents - guess(latents, math.exp(log))

    log, size = math.log(sigma), math.log(sigma_end / sigma) / steps
    for _ in range(steps):
        first = slope(latents, log)
        second = slope(latents + size / 2 * first, log + size / 2)
        third = slope(latents + size / 2 * second, log + size / 2)
        fourth = slope(latents + size * third, log + size)
        latents, log = latents + size / 6 * (first + 2 * second + 2 * third + fourth), log + size
    return latents


def plan_of(name: str, schedule: str = "Automatic", steps: int = 20, **stochastic: float) -> Plan:
    """A walk of a sampler over Stable Diffusion's levels."""
    sampling = Sampling(sampler=name, schedule=schedule, steps=steps)
    return make_plan(sampling, Stochastic.model_validate(stochastic), SAMPLERS, SCHEDULES, LEVELS)


def without_zero(plan: Plan) -> Plan:
    """The walk as far as its lowest level above 0."""
    return replace(plan, sigmas=[sigma for sigma in plan.sigmas if sigma > 0])


def walk(
    plan: Plan, model: Mixture | None = None, report: StepReport | None = None, noise: DoubleNoise | None = None
) -> Tensor:
    """The end of a walk from noise."""
    nothing: Callable[[int, int, Tensor], None] = lambda _step, _steps, _clean: None  # noqa: E731
    return sample(model or Mixture(), noise or DoubleNoise(), plan, report or nothing)  # type: ignore[arg-type]
