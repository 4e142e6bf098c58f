"""How a value goes on over time: shapes of a way from 0 to 1, and curves that are typed as text.

What people type is evaluated by simpleeval, which knows numbers, a few functions and nothing else.
"""

import ast
import math
import re
import warnings
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from simpleeval import InvalidExpression, SimpleEval  # type: ignore[import-untyped]

Easing: TypeAlias = Literal["linear", "ease in", "ease out", "ease in-out", "cubic", "bounce", "hold", "custom"]

FURTHEST = 1.0
"""How far a custom expression may go below 0 or above 1."""

_FUNCTIONS: Mapping[str, Any] = {
    name: getattr(math, name) for name in ("sin", "cos", "tan", "sqrt", "exp", "log", "floor", "ceil")
} | {"abs": abs, "min": min, "max": max}

_ERRORS = (
    InvalidExpression, SyntaxError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError,
    MemoryError,
)  # fmt: skip
"""What simpleeval and the functions raise over what is no formula."""

_KEY = re.compile(r"\s*(\d+)\s*:\s*\(")


def eased(share: float, easing: Easing, expression: str = "") -> float:
    """How much of the way is done after a share (0 to 1) of its time. Raises ValueError over a bad expression."""
    if easing == "custom":
        value = evaluate(expression, share)
        return min(max(value, -FURTHEST), 1 + FURTHEST)
    return _SHAPES[easing](share)


def evaluate(expression: str, t: float) -> float:
    """A formula of t, such as "t ** 2" or "0.5 - cos(pi * t) / 2". Raises ValueError with a sentence."""
    try:
        evaluator: Any = SimpleEval(functions=dict(_FUNCTIONS), names={"t": t, "pi": math.pi, "e": math.e})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, about odd ways to write a formula
            tree = ast.parse(expression.strip(), mode="eval")  # one formula: no assignment, no second one
        value: Any = evaluator.eval(expression, previously_parsed=tree.body)
    except _ERRORS as error:
        raise ValueError(
            f"{expression!r} cannot be evaluated ({error}); write a formula of t, such as t ** 2"
        ) from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise ValueError(f"{expression!r} gives no ordinary number at t = {t:g}; write a formula that does")
    return float(value)


def check_expression(expression: str) -> str:
    """The expression as it is, if it can be evaluated over the whole way. Raises ValueError with a sentence."""
    for step in range(5):
        evaluate(expression, step / 4)
    return expression


def curve_at(text: str, frame: int) -> float:
    """The value of a curve at a frame: straight between its keys, level before the first and after the last one.

    A curve is a text as 0:(1.0), 30:(1 + t / 100), or a single formula; in it t is the frame.
    """
    keys = _keys(text)
    place = bisect_right([key for key, _ in keys], frame)
    if place in (0, len(keys)):
        return evaluate(keys[max(place - 1, 0)][1], frame)
    (before, low), (after, high) = keys[place - 1], keys[place]
    share = (frame - before) / (after - before)
    return evaluate(low, frame) * (1 - share) + evaluate(high, frame) * share if share else evaluate(low, frame)


def check_curve(text: str) -> str:
    """The curve as it is, if it can be read. Raises ValueError with a sentence."""
    for key, _ in _keys(text):
        curve_at(text, key)
    return text


@lru_cache(maxsize=64)
def _keys(text: str) -> tuple[tuple[int, str], ...]:
    """(frame, formula) each, in the order of the frames."""
    if ":" not in text:
        return ((0, text),)
    keys: dict[int, str] = {}
    place = 0
    while place < len(text.rstrip(" ,\n")):
        match = _KEY.match(text, place)
        end = _closing(text, match.end()) if match else -1
        if match is None or end < 0:
            raise ValueError(f"{text[place : place + 40]!r} is no part of a curve; write it as 0:(1.0), 30:(1.05)")
        keys[int(match[1])] = text[match.end() : end]
        rest = text[end + 1 :]
        place = len(text) - len(rest.lstrip(" ,\n"))
    if not keys:
        raise ValueError("a curve needs a value; write it as 0:(1.0), 30:(1.05)")
    return tuple(sorted(keys.items()))


def _closing(text: str, start: int) -> int:
    """The place of the bracket that closes the one before `start`; -1 where none does."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return -1


def _bounce(share: float) -> float:
    """A ball that falls and bounces three times, each time lower; the curves are parabolas that meet at the ground."""
    for begin, width in (
        (-1 / 2.75, 2 / 2.75),
        (1 / 2.75, 1 / 2.75),
        (2 / 2.75, 0.5 / 2.75),
        (2.5 / 2.75, 0.25 / 2.75),
    ):
        if share <= begin + width:
            return 1 - (width**2 / 4 - (share - begin - width / 2) ** 2) * 2.75**2
    return 1.0


_SHAPES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "ease in": lambda share: share**2,
    "ease out": lambda share: 1 - (1 - share) ** 2,
    "ease in-out": lambda share: (1 - math.cos(math.pi * share)) / 2,
    "cubic": lambda share: 4 * share**3 if share < 0.5 else 1 - 4 * (1 - share) ** 3,
    "bounce": _bounce,
    "hold": lambda share: float(share >= 1),
}
