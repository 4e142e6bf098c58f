"""The one denoising loop: every task is this walk with another starting point."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from modules.engine.sampling.noise import SeededNoise
from modules.engine.sampling.plan import Plan
from modules.schema.errors import KararliError
from modules.schema.sampling import Past

StepReport = Callable[[int, int, Tensor], None]
"""(steps taken, steps in all, clean latents as the model sees them now). May raise to leave the walk."""


class Denoiser(Protocol):
    """A guided model."""

    def __call__(self, latents: Tensor, sigma: float, timestep: float | None = None) -> Tensor:
        """The clean latents that it sees in `latents` at the level `sigma`, told that level's timestep or another."""
        ...

    def apart(
        self, latents: Tensor, sigma: float, guidance: float, timestep: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same with `guidance` times the guidance scale, and without the prompt."""
        ...

    def alone(self, index: int) -> "Denoiser":
        """The same model for one picture of the batch, at the beginning of a walk of its own."""
        ...


class WalkStep:
    """One step of a walk, as samplers see it (schema.sampling.Step)."""

    def __init__(
        self, plan: Plan, ends: tuple[float, float], past: Sequence[Past], model: Denoiser, noise: SeededNoise
    ):
        self.index, self.count, self.steps = len(past), plan.count, plan.steps
        self.sigma, self.sigma_next = ends
        self.past, self.dials, self.levels = past, plan.dials, plan.levels
        self.first: Tensor | None = None
        """What the model saw at the start of the step."""
        self.reached = self.sigma_next
        """Where the step ended."""
        self._plan, self._model, self._noise = plan, model, noise

    def denoise(self, latents: Tensor, sigma: float | None = None) -> Tensor:
        """The clean latents that the guided model sees in `latents` at `sigma` (this step's when not given)."""
        sigma = self.sigma if sigma is None else sigma
        if self._plan.sampler.levels:
            return self._seen(self._model(latents, sigma, self.levels.timestep_of(sigma)))
        return self._seen(self._model(latents, sigma))

    def denoise_apart(self, latents: Tensor, guidance: float) -> tuple[Tensor, Tensor]:
        """The clean latents with `guidance` times the guidance scale, and those without the prompt."""
        guided, unguided = self._model.apart(latents, self.sigma, guidance)
        return self._seen(guided), unguided

    def end_at(self, sigma: float) -> None:
        """This step ends at `sigma`, above sigma_next; another one follows from there."""
        self.reached = sigma

    def noise(self) -> Tensor:
        """Fresh unit noise, each picture's drawn from its own generator."""
        return self._noise.draw()

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """Unit noise of a Brownian motion between two noise levels."""
        return self._noise.brownian(sigma, sigma_next, self._plan.span)

    def _seen(self, denoised: Tensor) -> Tensor:
        if self.first is None:
            self.first = denoised
        return denoised


def sample(model: Denoiser, noise: SeededNoise, plan: Plan, report: StepReport, start: Tensor | None = None) -> Tensor:
    """Walk from the plan's first level down to its last one: from pure noise, or from latents at that level.

    Returns latents in float32, on the scale that the VAE decodes. Raises KararliError when the model's arithmetic
    overflowed.
    """
    if plan.sampler.one_by_one:
        parts = noise.apart()
        reports = [_share_of(report, number, len(parts)) for number in range(len(parts))]
        models = [model.alone(number) for number in range(len(parts))]
        starts = [None] * len(parts) if start is None else start.split(1)
        walks = zip(models, parts, reports, starts, strict=True)
        latents = torch.cat([_walk(each, own, tell, plan, begun) for each, own, tell, begun in walks])
    else:
        latents = _walk(model, noise, report, plan, start)
    if not torch.isfinite(latents).all():
        raise KararliError(
            "The picture came out as numbers without end (NaN): this checkpoint does not bear this precision."
            " Start with --precision full, or lower the CFG scale."
        )
    return latents / _scale(plan.sigmas[-1]) if plan.sampler.start == "vp" else latents


def _walk(model: Denoiser, noise: SeededNoise, report: StepReport, plan: Plan, start: Tensor | None) -> Tensor:
    sigma, targets = plan.sigmas[0], list(plan.sigmas[:0:-1])
    latents = noise.draw() * (_scale(sigma) if plan.sampler.start == "vp" else sigma) if start is None else start
    take_step = plan.sampler.begin()
    past: list[Past] = []
    fallen = 0
    while targets:
        if targets[-1] > sigma:
            latents = latents + noise.draw() * plan.dials.noise_scale * math.sqrt(targets[-1] ** 2 - sigma**2)
            sigma = targets.pop()
            continue
        step = WalkStep(plan, (sigma, targets[-1]), past, model, noise)
        latents = take_step(latents, step)
        if step.first is not None:
            past.append(Past(step.sigma, step.first))
        sigma = step.reached
        if sigma <= targets[-1]:
            targets.pop()
            fallen += 1
        standing = _on_the_way(plan, sigma) if plan.sampler.one_by_one else (fallen, plan.count)
        report(*standing, past[-1].denoised if past else latents)
    return latents


def _on_the_way(plan: Plan, sigma: float) -> tuple[int, int]:
    """(steps taken, steps in all) of a method that finds its own: the share of the way, told in steps as asked for."""
    whole = math.log(plan.sigmas[0] / plan.sigmas[-1])
    return round(plan.steps * math.log(plan.sigmas[0] / sigma) / whole), plan.steps


def _share_of(report: StepReport, number: int, parts: int) -> StepReport:
    """Reports on part `number` of a walk that is taken in parts."""
    return lambda step, steps, clean: report(number * steps + step, parts * steps, clean)


def _scale(sigma: float) -> float:
    return (1 + sigma**2) ** 0.5
