"""The samplers on a model whose walk is known exactly: clean latents that are normally distributed.

For clean ~ N(MEAN, SPREAD^2) the best guess of the clean value in x = clean + sigma * noise is known in closed form,
and the path of the probability flow (Karras et al. 2022, equation 1) through x at a level ends at a known value.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from modules.engine.sampling.levels import scaled_linear_levels
from modules.engine.sampling.loop import plan_sigmas
from modules.engine.sampling.samplers import SAMPLERS
from modules.engine.sampling.schedules import SCHEDULES
from modules.schema.sampling import AUTOMATIC, Past, Sampler, choose

MEAN, SPREAD = 0.7, 0.5
LEVELS = scaled_linear_levels()
DETERMINISTIC = ["Euler", "DPM++ 2M", "DDIM", "UniPC"]
STOCHASTIC = ["Euler a", "DPM++ SDE", "LCM"]


def guess(latents: np.ndarray, sigma: float) -> np.ndarray:
    return (SPREAD**2 * latents + sigma**2 * MEAN) / (SPREAD**2 + sigma**2)


def exact(latents: np.ndarray, sigma: float, sigma_end: float) -> np.ndarray:
    return MEAN + (latents - MEAN) * math.sqrt((SPREAD**2 + sigma_end**2) / (SPREAD**2 + sigma**2))


@dataclass
class ExactStep:
    """A step of a walk over the model above."""

    index: int
    count: int
    sigma: float
    sigma_next: float
    past: list[Past]
    random: np.random.Generator
    first: list[np.ndarray] = field(default_factory=list)

    def denoise(self, latents: np.ndarray, sigma: float | None = None) -> np.ndarray:
        guessed = guess(latents, self.sigma if sigma is None else sigma)
        self.first.append(guessed)
        return guessed

    def noise(self) -> np.ndarray:
        return self.random.standard_normal(COUNT)

    def brownian(self, sigma: float, sigma_next: float) -> np.ndarray:
        assert sigma > sigma_next
        return self.random.standard_normal(COUNT)


COUNT = 20_000


def walk(sampler: Sampler, sigmas: list[float], start: np.ndarray) -> np.ndarray:
    random, take, past, latents = np.random.default_rng(3), sampler.begin(), [], start
    for index in range(len(sigmas) - 1):
        step = ExactStep(index, len(sigmas) - 1, sigmas[index], sigmas[index + 1], past, random)
        latents = take(latents, step)
        past.append(Past(step.sigma, step.first[0]))
    return latents


def start_at(sigma: float) -> np.ndarray:
    random = np.random.default_rng(1)
    return MEAN + SPREAD * random.standard_normal(COUNT) + sigma * random.standard_normal(COUNT)


def error(name: str, steps: int) -> float:
    """The largest distance to the exact end, in units of the data's spread."""
    sampler = choose(SAMPLERS, name)
    schedule = AUTOMATIC if name == "DDIM" else "Karras"
    sigmas = [sigma for sigma in plan_sigmas(sampler, schedule, SCHEDULES, steps, LEVELS) if sigma > 0]
    start = start_at(sigmas[0])
    return float(np.abs(walk(sampler, sigmas, start) - exact(start, sigmas[0], sigmas[-1])).max() / SPREAD)


@pytest.mark.parametrize(("name", "order"), [("Euler", 1), ("DDIM", 1), ("DPM++ 2M", 2), ("UniPC", 2)])
def test_the_error_falls_with_the_order_that_the_paper_claims(name: str, order: int) -> None:
    coarse, fine = error(name, 50), error(name, 100)
    assert math.log2(coarse / fine) > order - 0.3


def test_methods_of_higher_order_are_closer_with_the_same_number_of_steps() -> None:
    assert error("DPM++ 2M", 40) < error("Euler", 40) / 3
    assert error("UniPC", 40) < error("Euler", 40) / 3


@pytest.mark.parametrize("name", DETERMINISTIC + STOCHASTIC)
def test_the_pictures_follow_the_distribution_of_the_data(name: str) -> None:
    sampler = choose(SAMPLERS, name)
    sigmas = plan_sigmas(sampler, AUTOMATIC, SCHEDULES, 60, LEVELS)
    end = walk(sampler, sigmas, start_at(sigmas[0]))
    assert np.mean(end) == pytest.approx(MEAN, abs=0.03)
    if name != "LCM":  # it jumps to the guess, which is narrower than the data
        assert np.std(end) == pytest.approx(SPREAD, abs=0.06)


@pytest.mark.parametrize("name", [sampler.name for sampler in SAMPLERS])
@pytest.mark.parametrize("schedule", [AUTOMATIC, *(schedule.label for schedule in SCHEDULES)])
@pytest.mark.parametrize("steps", [1, 2, 3, 150])
def test_every_sampler_walks_every_schedule_to_finite_numbers(name: str, schedule: str, steps: int) -> None:
    sampler = choose(SAMPLERS, name)
    sigmas = plan_sigmas(sampler, schedule, SCHEDULES, steps, LEVELS)
    assert sigmas == sorted(sigmas, reverse=True)
    assert len(sigmas) >= 2
    end = walk(sampler, sigmas, start_at(sigmas[0]))
    assert np.isfinite(end).all()
    assert abs(np.mean(end) - MEAN) < 0.5


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.label)
def test_a_schedule_has_one_level_a_step_and_ends_in_nothing(schedule) -> None:
    for steps in (1, 7, 20, 150):
        sigmas = schedule.sigmas(steps, LEVELS)
        assert len(sigmas) == steps + 1
        assert sigmas[0] == pytest.approx(LEVELS.sigmas[-1])
        assert sigmas[-1] == 0.0


def test_timesteps_and_levels_are_each_others_inverse() -> None:
    for timestep in (0.0, 0.5, 17.25, 500.0, 998.9, 999.0):
        assert LEVELS.timestep_of(LEVELS.sigma_of(timestep)) == pytest.approx(timestep)
    assert LEVELS.sigmas[0] == pytest.approx(0.0291675, abs=1e-6)
    assert LEVELS.sigmas[-1] == pytest.approx(14.614642, abs=1e-5)


def test_names_labels_and_aliases_find_the_same_sampler() -> None:
    assert choose(SAMPLERS, "k_euler_a") is choose(SAMPLERS, "EULER A") is choose(SAMPLERS, "Euler a")
    with pytest.raises(KeyError):
        choose(SAMPLERS, "Euler b")
