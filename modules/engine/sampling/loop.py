"""The one denoising loop: every task is this walk with another starting point."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from modules.engine.sampling.noise import SeededNoise
from modules.engine.sampling.starts import Start, noise_span
from modules.schema.errors import KararliError
from modules.schema.sampling import AUTOMATIC, Levels, Past, Sampler, Schedule, choose

Denoiser = Callable[[Tensor, float], Tensor]
"""(latents at a noise level, that level) -> the clean latents that the guided model sees in them."""

StepReport = Callable[[int, int, Tensor], None]
"""(steps taken, steps in all, clean latents as the model sees them now). May raise to leave the walk."""


class WalkStep:
    """One step of a walk, as samplers see it (schema.sampling.Step)."""

    def __init__(
        self,
        index: int,
        sigmas: Sequence[float],
        past: Sequence[Past],
        model: Denoiser,
        noise: SeededNoise,
        span: tuple[float, float],
    ) -> None:
        self.index, self.count = index, len(sigmas) - 1
        self.sigma, self.sigma_next = sigmas[index], sigmas[index + 1]
        self.past = past
        self.first: Tensor | None = None
        """What the model saw at the start of the step."""
        self._model, self._noise, self._span = model, noise, span

    def denoise(self, latents: Tensor, sigma: float | None = None) -> Tensor:
        """The clean latents that the guided model sees in `latents` at `sigma` (this step's when not given)."""
        denoised = self._model(latents, self.sigma if sigma is None else sigma)
        if self.first is None:
            self.first = denoised
        return denoised

    def noise(self) -> Tensor:
        """Fresh unit noise, each picture's drawn from its own generator."""
        return self._noise.draw()

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """Unit noise of a Brownian motion between two noise levels."""
        return self._noise.brownian(sigma, sigma_next, span=self._span)


def plan_sigmas(
    sampler: Sampler, schedule: str, schedules: Sequence[Schedule], steps: int, levels: Levels
) -> list[float]:
    """The falling noise levels of a walk; the schedule "Automatic" is what suits the sampler."""
    wanted = sampler.automatic if schedule == AUTOMATIC else schedule
    spread = choose(schedules, wanted).sigmas if isinstance(wanted, str) else wanted
    return spread(steps, levels)


def sample(
    model: Denoiser,
    noise: SeededNoise,
    sampler: Sampler,
    sigmas: Sequence[float],
    report: StepReport,
    start: Start | None = None,
) -> Tensor:
    """Walk down to sigmas[-1], from pure noise at sigmas[0] or from where `start` says.

    Returns latents in float32, on the scale that the VAE decodes. Raises KararliError when the model's arithmetic
    overflowed.
    """
    latents = start.latents if start else noise.draw() * _starting_scale(sampler, sigmas[0])
    span = start.span if start else noise_span(sigmas)
    take_step = sampler.begin()
    past: list[Past] = []
    for index in range(len(sigmas) - 1):
        step = WalkStep(index, sigmas, past, model, noise, span)
        latents = take_step(latents, step)
        if step.first is not None:
            past.append(Past(step.sigma, step.first))
        report(index + 1, step.count, past[-1].denoised if past else latents)
    if not torch.isfinite(latents).all():
        raise KararliError(
            "The picture came out as numbers without end (NaN): this checkpoint does not bear this precision."
            " Start with --precision full, or lower the CFG scale."
        )
    return latents / (1 + sigmas[-1] ** 2) ** 0.5


def _starting_scale(sampler: Sampler, sigma: float) -> float:
    return sigma if sampler.start == "ve" else (1 + sigma**2) ** 0.5
