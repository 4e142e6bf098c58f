"""What a prompt says at each call of the model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompts.evaluating import Line, Run, Strand, Timeline, evaluate
from modules.prompts.parsing import parse
from tests.prompts.test_parsing import TEXTS


def strand(text: str, calls: int = 10, before: int = 0, literal: bool = False) -> Strand:
    [only] = evaluate(parse(text), Timeline(calls, before), literal).strands
    return only


def line(text: str, literal: bool = False) -> Line:
    [stage] = strand(text, literal=literal).stages
    return stage.line


def said(line: Line) -> str:
    return " BREAK ".join("".join(run.text for run in section) for section in line)


def schedule(text: str, calls: int = 10, before: int = 0) -> list[tuple[int, str]]:
    return [(stage.until, said(stage.line)) for stage in strand(text, calls, before).stages]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test", [(10, "test")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b: 3]", [(3, "a "), (10, "a b")]),
        ("a [b : c : 1] d", [(1, "a b  d"), (10, "a  c  d")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
        ("a [b:.5] c", [(5, "a  c"), (10, "a b c")]),
        ("[a::.39]", [(3, "a"), (10, "")]),
        ("[a:b:1.0]", [(10, "a")]),
        ("[a:b:1]", [(1, "a"), (10, "b")]),
        ("[a:b:0]", [(10, "b")]),
        ("[a:b:-3]", [(10, "b")]),
        ("[a:b:99]", [(10, "a")]),
        ("[a:b:1e400]", [(10, "a")]),
        ("[:4]", [(4, ""), (10, "")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
    ],
)
def test_a_schedule_changes_the_words_after_the_step_or_share_that_it_names(
    text: str, expected: list[tuple[int, str]]
) -> None:
    assert schedule(text) == expected


def test_alternatives_take_turns_and_may_be_empty() -> None:
    assert schedule("[fe|]male", 4) == [(1, "female"), (2, "male"), (3, "female"), (4, "male")]
    assert [text for _, text in schedule("[a|b|c]", 4)] == ["a", "b", "c", "a"]


def test_a_second_pass_has_its_own_part_of_the_timeline() -> None:
    assert schedule("a [b:.5] c", before=10) == [(10, "a b c")]
    assert schedule("a [b:1.5] c", before=10) == [(5, "a  c"), (10, "a b c")]
    assert schedule("a [b:13] c", before=10) == [(3, "a  c"), (10, "a b c")]


def test_a_weight_may_change_on_the_way() -> None:
    first, last = strand("(cat:[1.2:1.5:0.5])").stages
    assert (first.line, last.line) == (((Run("cat", 1.2),),), ((Run("cat", 1.5),),))


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(one)(two)", [("onetwo", 1.1)]),
        ("[less]", [("less", 1 / 1.1)]),
        ("(x:0.5) (y: -2 )", [("x", 0.5), (" ", 1.0), ("y", -2.0)]),
        ("((a:1.3) b)", [("a", 1.3 * 1.1), (" b", 1.1)]),
        ("\\(literal\\] \\\\", [("(literal] \\", 1.0)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("a (red", [("a (red", 1.0)]),
        ("a /* b */ c", [("a \n c", 1.0)]),
        ("a <lora:x:1>b", [("a b", 1.0)]),
        ("{a|b}", [("{a|b}", 1.0)]),
        ("()", []),
    ],
)
def test_brackets_weigh_their_words(text: str, runs: list[tuple[str, float]]) -> None:
    [section] = line(text)
    assert [(run.text, run.weight) for run in section] == runs


def test_break_begins_a_new_section_also_within_brackets() -> None:
    assert line("a BREAK b BREAK") == ((Run("a", 1.0),), (Run("b", 1.0),), ())
    assert line("(a BREAK b:1.2)") == ((Run("a", 1.2),), (Run("b", 1.2),))
    assert len(line("BREAK BREAK")) == 3


def test_read_literally_brackets_stand_for_themselves_and_schedules_still_count() -> None:
    assert said(line("(a:1.2) \\(x\\) BREAK [y]", literal=True)) == "(a:1.2) \\(x\\) BREAK [y]"
    stages = strand("(a:[b:c:0.5])", literal=True).stages
    assert [said(stage.line) for stage in stages] == ["(a:b)", "(a:c)"]


def test_and_gives_strands_with_weights_and_networks_are_carried_apart() -> None:
    evaluated = evaluate(parse("a <lora:x:1> AND b:0.5 <lora:x:1>"), Timeline(4))
    assert [strand.weight for strand in evaluated.strands] == [1.0, 0.5]
    assert [str(network) for network in evaluated.networks] == ["<lora:x:1>"]


@given(TEXTS, st.integers(1, 12), st.booleans())
def test_the_stages_of_any_text_cover_the_walk(text: str, calls: int, literal: bool) -> None:
    for strand in evaluate(parse(text), Timeline(calls), literal).strands:
        ends = [stage.until for stage in strand.stages]
        assert ends == sorted(set(ends))
        assert (ends[0] >= 1, ends[-1]) == (True, calls)
        assert all(stage.line for stage in strand.stages)
