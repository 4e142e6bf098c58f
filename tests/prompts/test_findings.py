"""What is said below a prompt box."""

import pytest

from modules.prompts.chunks import Names
from modules.prompts.findings import Oddity, count_tokens, find_oddities


def lines(name: str) -> list[str]:
    return {"colour": ["red", "blue"]}.get(name, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0/75"),
        ("a red circle", "3/75"),
        ("(a:1.3) [red] circle <lora:x:1> # words", "3/75"),
        ("cat " * 80, "75/75 · 5/75"),
        ("a BREAK b c", "1/75 · 2/75"),
        ("a AND b c:0.5", "1/75 AND 2/75"),
        ("[a:b c d:0.5]", "3/75"),
        ("[a|b c]", "2/75"),
        ("a __colour__ {x|y}", "≈ 3/75"),
        ("__nothing__", "3/75"),
    ],
)
def test_tokens_are_counted_in_each_chunk(text: str, said: str) -> None:
    assert str(count_tokens(text, lines)) == said


def test_embeddings_count_as_many_tokens_as_they_have_vectors() -> None:
    assert str(count_tokens("a style-x", lines, Names({"style-x": 8}))) == "9/75"


def test_in_a_negative_prompt_and_is_a_word() -> None:
    assert str(count_tokens("a AND b", lines, negative=True)) == "3/75"


@pytest.mark.parametrize(
    ("text", "oddity", "about"),
    [
        ("a (red", Oddity.BRACKET, "("),
        ("[a:b:c]", Oddity.NO_NUMBER, "[a:b:c]"),
        ("a clock at 12:30", Oddity.WHOLE_WEIGHT, ":30"),
        ("__nothing__", Oddity.NO_LIST, "nothing"),
        ("a <lora:x:1>", Oddity.NETWORK, "<lora:x:1>"),
    ],
)
def test_what_is_odd_is_found(text: str, oddity: Oddity, about: str) -> None:
    assert [(finding.oddity, finding.text) for finding in find_oddities(text, lines)] == [(oddity, about)]


def test_a_network_in_a_negative_prompt_is_told() -> None:
    assert [finding.oddity for finding in find_oddities("<lora:x:1>", lines, negative=True)] == [
        Oddity.NEGATIVE_NETWORK
    ]


def test_nothing_is_said_of_what_is_in_order() -> None:
    text = "(a:1.2) [b] [c:d:3] [e|f] {g|h} __colour__ :{ \\( 12\\:30 AND x:0.5 BREAK y # [z"
    assert find_oddities(text, lines) == []
    assert find_oddities("[a\\:b] ratio 16:9", lines, negative=True) == []
