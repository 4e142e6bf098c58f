import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.schema.easing import FURTHEST, check_curve, check_expression, curve_at, eased, evaluate

SMOOTH = ("linear", "ease in", "ease out", "ease in-out", "cubic")


@pytest.mark.parametrize("easing", [*SMOOTH, "bounce", "hold"])
def test_every_way_begins_at_0_and_ends_at_1(easing) -> None:
    assert eased(0.0, easing) == pytest.approx(0, abs=1e-9)
    assert eased(1.0, easing) == pytest.approx(1)


@pytest.mark.parametrize("easing", SMOOTH)
def test_a_smooth_way_never_goes_back(easing) -> None:
    way = [eased(step / 100, easing) for step in range(101)]
    assert way == sorted(way)


def test_a_hold_waits_for_its_end_and_a_bounce_comes_back() -> None:
    assert {eased(step / 100, "hold") for step in range(100)} == {0.0}
    way = [eased(step / 200, "bounce") for step in range(201)]
    assert any(after < before - 0.01 for before, after in itertools.pairwise(way))
    assert max(way) <= 1 + 1e-9
    assert max(abs(after - before) for before, after in itertools.pairwise(way)) < 0.05


def test_a_custom_way_is_what_its_formula_says() -> None:
    assert eased(0.25, "custom", "sin(pi * t) ** 2") == pytest.approx(math.sin(math.pi / 4) ** 2)
    assert eased(0.5, "custom", "10 * t") == 1 + FURTHEST


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').getcwd()", "t.__class__", "open('x')", "[x for x in 'a']", "lambda: 1", "9 ** 9 ** 9", "'a'",
        "1 / (t - 0.5)", "(-1) ** 0.5", "1e308 * 1e308", "t if", "", "x", "t > 0", "(" * 150 + ")" * 150,
    ],
)  # fmt: skip
def test_what_is_no_formula_is_refused_with_a_sentence(expression: str) -> None:
    with pytest.raises(ValueError, match="write a formula"):
        check_expression(expression)


@given(st.text("t0123456789.+-*/%()[]{}<>=!'\"_, abefilmnoprsx", max_size=40))
def test_any_text_is_evaluated_or_refused(expression: str) -> None:
    try:
        assert math.isfinite(evaluate(expression, 0.5))
    except ValueError as error:
        assert "formula" in str(error)


def test_a_curve_is_straight_between_its_keys_and_level_outside() -> None:
    curve = "10:(1.0), 30: (2.0),40:(t / 10)"
    values = [curve_at(curve, frame) for frame in (0, 10, 20, 30, 35, 40, 60)]
    assert values == pytest.approx([1.0, 1.0, 1.5, 2.0, 2.75, 4.0, 6.0])
    assert curve_at("1.5", 7) == 1.5


@pytest.mark.parametrize("curve", ["0:(1", "a:(1)", "0:1", "0:(1) 5", "", "0:(x)", ":"])
def test_what_is_no_curve_is_refused_with_a_sentence(curve: str) -> None:
    with pytest.raises(ValueError, match="write"):
        check_curve(curve)
