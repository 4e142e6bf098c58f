"""Wildcards and variants are drawn once, by the seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompts.parsing import parse
from modules.prompts.wildcards import fill, has_wildcards, missing_wildcards
from modules.schema.errors import InvalidRequest
from tests.prompts.test_parsing import TEXTS

LISTS = {
    "colour": ["red", "{dark|light} blue", "(green:1.2)"],
    "thing": ["a __colour__ house"],
    "circle": ["__circle__"],
    "flood": ["__flood__ __flood__"],
}


def lines(name: str) -> list[str]:
    return LISTS.get(name, [])


def draws(text: str) -> set[str]:
    return {fill(text, str(key), lines) for key in range(200)}


def test_the_same_key_draws_the_same_words_and_others_draw_all() -> None:
    assert fill("__thing__", "7", lines) == fill("__thing__", "7", lines)
    assert draws("__thing__") == {f"a {colour} house" for colour in ("red", "dark blue", "light blue", "(green:1.2)")}


def test_the_words_of_a_seed_stay_what_they_are() -> None:
    text = "{a|b|c|d|e} {3$$v|w|x|y|z} __colour__"
    assert [fill(text, str(key), lines) for key in range(3)] == [
        "e z, v, w red",
        "a z, w, v red",
        "d y, v, z (green:1.2)",
    ]


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("{a|b}", {"a", "b"}),
        ("{a|}", {"a", ""}),
        ("{{a|b}|c}", {"a", "b", "c"}),
        ("{2$$a|b}", {"a, b", "b, a"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{1-2$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{-1$$a}", {"", "a"}),
        ("{9$$a|b}", {"a, b", "b, a"}),
        ("{0::a|1::b}", {"b"}),
        ("{a|2$$c|d}", {"a", "c, d", "d, c"}),
        ("[{a|b}:c:0.5]", {"[a:c:0.5]", "[b:c:0.5]"}),
        ("[{a|b}|c]", {"[a|c]", "[b|c]"}),
        ("({a|b}:1.2)", {"(a:1.2)", "(b:1.2)"}),
        ("x {a|b} AND y:0.5", {"x a AND y:0.5", "x b AND y:0.5"}),
        ("{masterpiece} \\{a|b\\} \\__colour__", {"{masterpiece} \\{a|b\\} \\__colour__"}),
    ],
)
def test_variants_draw_what_they_say(text: str, drawn: set[str]) -> None:
    assert draws(text) == drawn


def test_odds_count() -> None:
    drawn = [fill("{9::a|b}", str(key), lines) for key in range(500)]
    assert 400 < drawn.count("a") < 490


def test_a_list_that_is_not_there_is_refused_with_its_name() -> None:
    with pytest.raises(InvalidRequest, match=r"no list 'animals' .* Put animals\.txt there"):
        fill("a __animals__", "1", lines)
    assert missing_wildcards("__animals__ __colour__ __animals__", lines) == ["animals"]


@pytest.mark.parametrize("name", ["circle", "flood"])
def test_lists_that_name_each_other_without_end_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="without end"):
        fill(f"__{name}__", "1", lines)


def test_a_prompt_that_grows_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="at most 20,000"):
        fill("__long__ " * 100, "1", lambda name: ["x" * 1000])


@given(TEXTS.filter(lambda text: not missing_wildcards(text, lines)), st.integers())
def test_a_text_without_wildcards_stays_and_any_other_can_be_parsed(text: str, key: int) -> None:
    filled = fill(text, str(key), lines)
    assert str(parse(filled)) == filled
    if not has_wildcards(text):
        assert filled == text
