"""Any text is a prompt, and its tree loses nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modules.prompts.brackets import DEEPEST
from modules.prompts.parsing import networks, odd_brackets, parse
from modules.prompts.tree import (
    Alternating,
    Branch,
    Break,
    Comment,
    Lessened,
    Network,
    Part,
    Prompt,
    Scheduled,
    Sequence,
    Stressed,
    Text,
    Variants,
    Wildcard,
)

SPELLED = r"( ) [ ] { } : | \ # / // /* */ _ __ __a__ < > <lora:a:1> AND BREAK 0.5 1 -.5 1e2 $$ 2$$ :: , red é 🏚"
BITS = st.sampled_from([*SPELLED.split(), " ", "\n", "\t", "\0"])
TEXTS = st.one_of(st.text(), st.lists(BITS, max_size=40).map("".join))


def words(text: str) -> Sequence:
    return Sequence((Text(text),)) if text else Sequence()


def only(text: str) -> Part:
    """The one part of a prompt of one part."""
    [branch] = parse(text).branches
    [part] = branch.body.parts
    return part


@given(TEXTS)
@example("[a:b:c] (x:1.2")
@example("(" * 3 * DEEPEST + "x" + ")" * 3 * DEEPEST)
@example("\\")
def test_any_text_parses_and_its_tree_is_spelled_as_it_was_typed(text: str) -> None:
    for negative in (False, True):
        tree = parse(text, negative)
        assert str(tree) == text
        assert parse(str(tree), negative) == tree


LEAVES = st.sampled_from(
    [Text("a red, barn"), Text("\\("), Text("7"), Break(" BREAK "), Network("<lora:x:0.5>"), Wildcard("__a/b__")]
)
NUMBERS = st.sampled_from(["0.5", "3", " .25 ", "-1", "4.", "1e1"])


def apart(parts: list[Part]) -> Sequence:
    """Neighbouring texts would be read as one, and BREAKs without a word between them as one with fewer blanks."""
    spread: list[Part] = []
    for part in parts:
        if spread and isinstance(part, Text | Break) and isinstance(spread[-1], Text | Break):
            continue
        spread.append(part)
    return Sequence(tuple(spread))


def nodes(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    bodies = st.lists(inner, max_size=3).map(apart)
    weights = st.one_of(st.none(), NUMBERS.filter(lambda text: "e" not in text).map(words))
    options = st.lists(bodies, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Stressed, bodies, weights),
        st.builds(Lessened, bodies),
        st.builds(Scheduled, st.one_of(st.none(), bodies), bodies, NUMBERS),
        st.builds(Alternating, options),
        st.builds(Variants, options),
    )


TREES = st.lists(st.recursive(LEAVES, nodes, max_leaves=12), max_size=4).map(apart)
BRANCHES = st.builds(Branch, TREES, st.sampled_from(["", ":1.2", ": -3.", ":.7"]))


@given(st.lists(BRANCHES, min_size=1, max_size=3))
def test_a_tree_that_is_printed_and_parsed_again_is_the_same_tree(branches: list[Branch]) -> None:
    first, last = Lessened(words("x")), (Comment("/* c */"), Text(" y "))  # AND is a word of its own
    tree = Prompt(
        tuple(
            Branch(
                Sequence((first, *branch.body.parts, *last)),
                branch.weight,
                words(" ") if branch.weight else Sequence(),
            )
            for branch in branches
        )
    )
    assert parse(str(tree)) == tree


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("(cat)", Stressed(words("cat"))),
        ("(cat:1.3)", Stressed(words("cat"), words("1.3"))),
        ("(a:b)", Stressed(words("a:b"))),
        ("(a:b:1.2)", Stressed(words("a:b"), words("1.2"))),
        ("(a:1.2.3)", Stressed(words("a:1.2.3"))),
        ("[cat]", Lessened(words("cat"))),
        ("[cat:dog:0.5]", Scheduled(words("cat"), words("dog"), "0.5")),
        ("[dog: 4 ]", Scheduled(None, words("dog"), " 4 ")),
        ("[cat::3]", Scheduled(words("cat"), words(""), "3")),
        ("[a|b|]", Alternating((words("a"), words("b"), words("")))),
        ("[a:b:c]", Lessened(words("a:b:c"))),
        ("[a|b:3]", Lessened(words("a|b:3"))),
        ("[a:b:c:3]", Lessened(words("a:b:c:3"))),
        ("{a|b}", Variants((words("a"), words("b")))),
        ("{masterpiece}", Text("{masterpiece}")),
        ("\\(a\\:b\\)", Text("\\(a\\:b\\)")),
        ("a|b", Text("a|b")),
        ("__animals/birds__", Wildcard("__animals/birds__")),
        ("snake_case __init", Text("snake_case __init")),
        ("<lora:some name:0.8>", Network("<lora:some name:0.8>")),
        ("BREAKFAST in SANDAL", Text("BREAKFAST in SANDAL")),
        ("# a note", Comment("# a note")),
        ("/* two\nlines */", Comment("/* two\nlines */")),
        ("// a note", Comment("// a note")),
        ("see https://example.org/a", Text("see https://example.org/a")),
        ("and/or, a /* b", Text("and/or, a /* b")),
    ],
)
def test_each_form_has_its_node(text: str, part: Part) -> None:
    assert only(text) == part


def test_forms_stand_inside_each_other() -> None:
    inner = Scheduled(words("c"), words("d"), "2")
    assert only("[b:[c:d:2]:1]") == Scheduled(words("b"), Sequence((inner,)), "1")
    assert only("([a|b]:1.1)") == Stressed(Sequence((Alternating((words("a"), words("b"))),)), words("1.1"))
    weight = Sequence((Scheduled(words("1.2"), words("1.5"), "0.5"),))
    assert only("(cat:[1.2:1.5:0.5])") == Stressed(words("cat"), weight)


def test_and_joins_prompts_with_weights_and_comments_may_follow() -> None:
    tree = parse("a cat AND a dog:0.7 AND snow :1.2 # deep")
    assert [branch.factor for branch in tree.branches] == [1.0, 0.7, 1.2]
    assert [str(branch.body) for branch in tree.branches] == ["a cat ", " a dog", " snow "]
    assert tree.branches[2].tail == Sequence((Text(" "), Comment("# deep")))


def test_a_colon_that_is_escaped_or_within_brackets_weighs_nothing() -> None:
    assert [parse(text).branches[0].factor for text in ("at 16\\:9", "(at 16:9)", "at 16:9")] == [1.0, 1.0, 9.0]


def test_a_negative_prompt_has_neither_and_nor_networks_nor_a_weight_of_its_own() -> None:
    [branch] = parse("a AND b <lora:x:1> :2", negative=True).branches
    assert branch == Branch(words("a AND b <lora:x:1> :2"))


def test_brackets_without_their_other_half_are_text_and_their_places_are_known() -> None:
    text = "a (b\n[c) d] \\( e"
    assert [(odd.bracket, odd.line, odd.column) for odd in odd_brackets(text)] == [("[", 2, 1), ("]", 2, 6)]
    assert only("(") == Text("(")
    assert only("a (red circle") == Text("a (red circle")
    assert odd_brackets("(a:1.2) [b:c:3] {d|e} :{ \\) \\[") == []


def test_and_ends_what_is_still_open() -> None:
    assert [odd.bracket for odd in odd_brackets("(a AND b)")] == ["(", ")"]
    assert len(parse("(a AND b)").branches) == 2


def test_a_network_tells_its_kind_name_and_arguments() -> None:
    [first, second] = networks("a <lora:film:0.8:0.5> (b <hypernet:x>:1.2)")
    assert (first.kind, first.name, first.arguments) == ("lora", "film", ("0.8", "0.5"))
    assert (second.kind, second.name, second.arguments) == ("hypernet", "x", ())
