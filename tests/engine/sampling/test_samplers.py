"""The samplers on a model whose walk is known, in double precision (mixture.py)."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from modules.engine.sampling.plan import plan_sigmas
from modules.engine.sampling.samplers import SAMPLERS
from modules.engine.sampling.schedules import SCHEDULES
from modules.schema.errors import KararliError
from modules.schema.sampling import AUTOMATIC, choose, split_joined
from tests.engine.sampling.mixture import (
    LEVELS,
    MEAN,
    SPREAD,
    DoubleNoise,
    Mixture,
    flow,
    plan_of,
    walk,
    without_zero,
)

NAMES = [sampler.name for sampler in SAMPLERS]
LABELS = [AUTOMATIC, *(schedule.label for schedule in SCHEDULES)]
SMALL = (1, 10, 10)

ORDERS: dict[str, float] = {
    "Euler": 1, "Euler a": 1, "DDIM": 1, "DDIM CFG++": 1, "TCD": 1, "Heun": 2, "DPM2": 2, "DPM2 a": 2, "DPM++ 2S a": 2,
    "DPM++ SDE": 2, "DPM++ 2M": 2, "DPM++ 2M SDE": 2, "DPM++ 2M SDE Heun": 2, "DPM++ 3M SDE": 2, "PLMS": 2,
    "UniPC": 3, "DEIS": 3, "DPM fast": 3, "LMS": 3.5,
}  # fmt: skip
"""With eta 0. DPM++ 3M SDE is published with half the second difference that order 3 takes; LMS and UniPC begin with
steps of lower order, which is why LMS does not show its 4 yet."""

KIN = [
    ("Euler a", "Euler"), ("DDIM", "Euler"), ("DDIM CFG++", "Euler"), ("TCD", "Euler"), ("DPM2 a", "DPM2"),
    ("DPM++ SDE", "DPM++ 2S a"), ("DPM++ 2M SDE", "DPM++ 2M"), ("Restart", "Heun"),
]  # fmt: skip
"""Which are the same without fresh noise; Restart below 20 steps, and CFG++ where the prompt says nothing."""


def error(name: str, steps: int) -> float:
    """The largest distance to where the probability flow leads to."""
    plan = without_zero(plan_of(name, "Exponential", steps, eta=0))
    start = DoubleNoise(shape=SMALL).draw()
    sigma, end = plan.sigmas[0], plan.sigmas[-1]
    scaled = plan.sampler.start == "vp"
    exact = flow(start * (math.hypot(1, sigma) if scaled else sigma), sigma, end)
    return float(
        (walk(plan, noise=DoubleNoise(shape=SMALL)) - exact / (math.hypot(1, end) if scaled else 1)).abs().max()
    )


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_the_error_falls_with_the_order_that_the_paper_claims(name: str, order: float) -> None:
    coarse, fine = error(name, 40), error(name, 80)
    assert math.log2(coarse / fine) > order - 0.25


def test_every_sampler_has_its_order_tested_or_has_none() -> None:
    without = {"Restart", "LCM", "ER SDE", "DPM adaptive"}
    assert set(NAMES) == set(ORDERS) | without


def test_an_adaptive_walk_ends_within_its_tolerance_of_the_flow() -> None:
    assert error("DPM adaptive", 20) < 0.15


@pytest.mark.parametrize(("name", "kin"), KIN)
def test_without_fresh_noise_a_sampler_walks_as_its_deterministic_kin(name: str, kin: str) -> None:
    ends = [walk(plan_of(each, "Karras", 12, eta=0), noise=DoubleNoise(shape=SMALL)) for each in (name, kin)]
    starts = [choose(SAMPLERS, each).start for each in (name, kin)]
    tolerance = 1e-9 if starts[0] == starts[1] else 0.02  # the first latents differ a little, by 1 beside sigma
    assert float((ends[0] - ends[1]).abs().max()) < tolerance


@pytest.mark.parametrize("name", [name for name in NAMES if name != "LCM"])
def test_the_pictures_follow_the_distribution_of_the_data(name: str) -> None:
    end = walk(plan_of(name, steps=40))
    assert float(end.mean()) == pytest.approx(MEAN, abs=0.06)
    assert float(end.std()) == pytest.approx(SPREAD, abs=0.06)


def test_lcm_jumps_to_the_guess_and_keeps_the_mean() -> None:
    assert float(walk(plan_of("LCM", steps=2)).mean()) == pytest.approx(MEAN, abs=0.06)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schedule", LABELS)
def test_every_sampler_walks_every_schedule_to_finite_numbers(name: str, schedule: str) -> None:
    for steps in (1, 2, 3, 23):
        end = walk(plan_of(name, schedule, steps), noise=DoubleNoise(shape=SMALL))
        assert torch.isfinite(end).all()
    assert float(end.mean()) == pytest.approx(MEAN, abs=0.8)


@pytest.mark.parametrize("name", NAMES)
def test_a_walk_of_the_most_steps_reports_each_and_the_last_one(name: str) -> None:
    told: list[tuple[int, int]] = []
    walk(
        plan_of(name, steps=150),
        report=lambda step, steps, _clean: told.append((step, steps)),
        noise=DoubleNoise(shape=SMALL),
    )
    steps = [step for step, _ in told]
    assert steps == sorted(steps)
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("name", NAMES)
def test_a_sampler_asks_the_model_as_often_as_it_says(name: str) -> None:
    model, plan = Mixture(), plan_of(name, steps=12)
    walk(plan, model, noise=DoubleNoise(shape=SMALL))
    if name == "DPM adaptive":
        assert model.calls % 3 == 0
    elif name == "DPM fast":
        assert model.calls == plan.steps
    elif name == "PLMS":
        assert model.calls == plan.count + 1
    else:
        last = plan.sampler.model_calls - 1 if plan.sigmas[-1] == 0 else 0
        assert model.calls == plan.count * plan.sampler.model_calls - last


def test_a_walk_can_be_left_at_any_report_also_an_adaptive_one() -> None:
    class Enough(Exception):
        """Raised on the way."""

    for name in ("Euler", "Restart", "DPM fast", "DPM adaptive"):
        model = Mixture()

        def report(_step: int, _steps: int, clean: Tensor) -> None:
            assert torch.isfinite(clean).all()
            raise Enough

        with pytest.raises(Enough):
            walk(plan_of(name, steps=40), model, report, DoubleNoise(shape=SMALL))
        assert model.calls <= 3


def test_an_adaptive_walk_takes_the_steps_that_it_needs_and_tells_its_share_of_the_way() -> None:
    def told(steps: int) -> list[int]:
        reports: list[int] = []
        walk(plan_of("DPM adaptive", steps=steps, eta=0), report=lambda step, _steps, _clean: reports.append(step))
        return reports

    assert len(told(20)) == len(told(100))
    assert told(100)[-1] == 100
    assert told(100)[0] < 5


def test_numbers_without_end_end_an_adaptive_walk_too() -> None:
    class Broken(Mixture):
        """A model whose arithmetic overflows."""

        def __call__(self, latents: Tensor, sigma: float, timestep: float | None = None) -> Tensor:
            return super().__call__(latents, sigma) * math.nan

    with pytest.raises(KararliError, match="--precision full"):
        walk(plan_of("DPM adaptive"), Broken(), noise=DoubleNoise(shape=SMALL))


@pytest.mark.parametrize(("steps", "rises", "falls"), [(19, 0, 19), (20, 1, 20), (36, 2, 36), (40, 2, 40)])
def test_restart_goes_back_up_and_takes_as_many_steps_as_asked_for(steps: int, rises: int, falls: int) -> None:
    plan = plan_of("Restart", steps=steps)
    up = [pair for pair in zip(plan.sigmas, plan.sigmas[1:], strict=False) if pair[0] < pair[1]]
    assert len(up) == rises
    assert plan.count == falls
    for low, high in up:
        assert low == pytest.approx(0.1, rel=0.5)
        assert high == pytest.approx(2.0, rel=0.5)
    noise = DoubleNoise(shape=SMALL)
    walk(plan, noise=noise)
    assert noise.draws == 1 + rises


def test_churn_adds_noise_within_its_limits_and_nowhere_else() -> None:
    def drawn_and_end(**dials: float) -> tuple[int, Tensor]:
        noise = DoubleNoise(shape=SMALL)
        return 0, walk(plan_of("Euler", steps=10, **dials), noise=noise)

    _, without = drawn_and_end()
    _, churned = drawn_and_end(churn=5)
    _, outside = drawn_and_end(churn=5, churn_from=9.9, churn_to=9.95)
    assert float((without - churned).abs().max()) > 0.01
    assert torch.equal(without, outside)


def test_a_dial_that_a_sampler_has_not_does_nothing() -> None:
    for name in ("DPM++ 2M", "LMS", "UniPC", "PLMS", "DEIS"):
        ends = [
            walk(plan_of(name, **dials), noise=DoubleNoise(shape=SMALL)) for dials in ({}, {"eta": 0.3, "churn": 9})
        ]
        assert torch.equal(*ends)


def test_samplers_that_space_themselves_take_no_other_schedule() -> None:
    for name in ("DPM fast", "DPM adaptive"):
        assert plan_of(name, "Karras").sigmas == plan_of(name).sigmas


def test_some_samplers_leave_out_the_level_before_the_last() -> None:
    for name in ("DPM2", "DPM2 a", "DPM++ 3M SDE"):
        whole = plan_sigmas(choose(SAMPLERS, "Heun"), "Karras", SCHEDULES, 11, LEVELS)
        assert plan_of(name, "Karras", 10).sigmas == [*whole[:-2], 0.0]


def test_names_labels_and_aliases_find_the_same_sampler() -> None:
    assert choose(SAMPLERS, "k_euler_a") is choose(SAMPLERS, "EULER A") is choose(SAMPLERS, "Euler a")
    with pytest.raises(KeyError):
        choose(SAMPLERS, "Euler b")


def test_no_two_samplers_or_schedules_answer_to_one_name() -> None:
    for choices in (SAMPLERS, SCHEDULES):
        for choice in choices:
            for spelling in (choice.name, *choice.aliases):
                assert choose(choices, spelling) is choice  # type: ignore[type-var]


JOINED: Sequence[tuple[str, str, str]] = [
    ("DPM++ 2M Karras", "DPM++ 2M", "Karras"),
    ("dpm++ 2m sde exponential", "dpm++ 2m sde", "Exponential"),
    ("DPM++ 2M SDE Heun Karras", "DPM++ 2M SDE Heun", "Karras"),
    ("DPM2 a Karras", "DPM2 a", "Karras"),
    ("Euler SGMUniform", "Euler", "SGM Uniform"),
    ("Euler a align_your_steps", "Euler a", "Align Your Steps"),
    ("DPM++ 2M SDE Heun", "DPM++ 2M SDE Heun", ""),
    ("DDIM", "DDIM", ""),
    ("Nothing of the sort", "Nothing of the sort", ""),
]


@pytest.mark.parametrize(("joined", "sampler", "schedule"), JOINED)
def test_old_joined_names_are_taken_apart(joined: str, sampler: str, schedule: str) -> None:
    assert split_joined(joined, SAMPLERS, SCHEDULES) == (sampler, schedule)
