"""Schedules: noise levels over the steps, against numbers that are known otherwise."""

import math
from itertools import pairwise

import pytest

from modules.engine.sampling.distilled import lcm_levels, tcd_timesteps
from modules.engine.sampling.levels import scaled_linear_levels
from modules.engine.sampling.schedules import SCHEDULES, beta
from modules.engine.sampling.unipc import unipc_timesteps
from modules.schema.sampling import choose

LEVELS = scaled_linear_levels()
LOWEST, HIGHEST = LEVELS.sigmas[0], LEVELS.sigmas[-1]
STARTS_LOWER = {"DDIM", "Turbo", "Align Your Steps"}


def sigmas(label: str, steps: int) -> list[float]:
    return choose(SCHEDULES, label).sigmas(steps, LEVELS)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.label)
@pytest.mark.parametrize("steps", [1, 7, 20, 150])
def test_a_schedule_falls_from_the_highest_level_to_nothing_in_the_steps_asked_for(schedule, steps: int) -> None:
    levels = schedule.sigmas(steps, LEVELS)
    assert levels == sorted(set(levels), reverse=True)
    if schedule.label == "DDIM":
        assert len(levels) - 1 == math.ceil(999 / (1000 // steps))
    else:
        assert len(levels) == steps + 1
        assert levels[0] == pytest.approx(HIGHEST, rel=1e-4)
    assert levels[-1] == pytest.approx(LOWEST if schedule.label == "KL Optimal" else 0.0)


def test_timesteps_and_levels_are_each_others_inverse() -> None:
    for timestep in (0.0, 0.5, 17.25, 500.0, 998.9, 999.0):
        assert LEVELS.timestep_of(LEVELS.sigma_of(timestep)) == pytest.approx(timestep)
    assert pytest.approx(0.0291675, abs=1e-6) == LOWEST
    assert pytest.approx(14.614642, abs=1e-5) == HIGHEST


def test_karras_is_even_in_the_seventh_root() -> None:
    roots = [sigma ** (1 / 7) for sigma in sigmas("Karras", 9)[:-1]]
    gaps = [before - after for before, after in pairwise(roots)]
    assert gaps == pytest.approx([gaps[0]] * 8)


def test_exponential_and_polyexponential_are_even_in_the_logarithm() -> None:
    assert sigmas("Polyexponential", 9) == pytest.approx(sigmas("Exponential", 9))
    ratios = [
        before / after for before, after in zip(sigmas("Exponential", 9), sigmas("Exponential", 9)[1:-1], strict=False)
    ]
    assert ratios == pytest.approx([ratios[0]] * 8)


def test_align_your_steps_gives_the_papers_levels_and_between_them_their_logarithms() -> None:
    known = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
    assert sigmas("Align Your Steps", 11) == pytest.approx([*known, 0.0])
    assert sigmas("Align Your Steps", 21)[1] == pytest.approx(math.sqrt(14.615 * 6.475))


def test_kl_optimal_is_even_in_the_arc_tangent() -> None:
    angles = [math.atan(sigma) for sigma in sigmas("KL Optimal", 8)]
    gaps = [before - after for before, after in pairwise(angles)]
    assert gaps == pytest.approx([gaps[0]] * 8)


def test_beta_gives_the_quantiles_of_the_distribution() -> None:
    half = beta(3, LEVELS, 0.6, 0.6)
    assert half[1] == pytest.approx((LOWEST + HIGHEST) / 2)  # it is symmetric
    arcsine = beta(5, LEVELS, 0.5, 0.5)  # its quantiles have a closed form
    wanted = [LOWEST + (HIGHEST - LOWEST) * math.sin(math.pi * place / 2) ** 2 for place in (1, 0.75, 0.5, 0.25, 0)]
    assert arcsine[:-1] == pytest.approx(wanted)


def test_those_over_whole_timesteps_take_these() -> None:
    timesteps = {
        label: [round(LEVELS.timestep_of(level)) for level in sigmas(label, 4)[:-1]]
        for label in ("Simple", "DDIM", "Turbo", "SGM Uniform")
    }
    assert timesteps == {
        "Simple": [999, 749, 499, 249],
        "DDIM": [751, 501, 251, 1],
        "Turbo": [999, 749, 499, 249],
        "SGM Uniform": [999, 749, 500, 250],
    }


def test_lcm_knows_fifty_timesteps_and_tells_the_model_the_nearest() -> None:
    levels = lcm_levels(LEVELS)
    assert len(levels.sigmas) == 50
    assert [levels.timestep_of(sigma) for sigma in levels.sigmas] == list(range(19, 1000, 20))
    assert levels.timestep_of(LEVELS.sigma_of(25)) == 19
    assert levels.sigma_of(49) == pytest.approx(HIGHEST)


@pytest.mark.parametrize(("steps", "timesteps"), [(4, [999, 759, 499, 259, 0]), (5, [999, 799, 599, 399, 199, 0])])
def test_tcd_takes_its_timesteps_from_the_fifty_of_its_training(steps: int, timesteps: list[int]) -> None:
    assert [round(LEVELS.timestep_of(sigma)) for sigma in tcd_timesteps(steps, LEVELS)] == timesteps


@pytest.mark.parametrize(("steps", "taken"), [(8, 8), (20, 20), (7, 8), (30, 31)])
def test_unipc_takes_as_many_steps_as_strides_of_whole_timesteps_fit(steps: int, taken: int) -> None:
    assert len(unipc_timesteps(steps, LEVELS)) == taken + 1
