"""Tokens in chunks of 75."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from modules.prompts.chunks import BACKTRACK, EMPTY, SIZE, Chunk, Insert, Names, chunk
from modules.prompts.evaluating import Line, Run
from modules.prompts.tokens import _FOLDER, COMMA, END, START, VOCABULARY, tokenize

CAT = tokenize("cat")[0]


def plain(text: str) -> Line:
    return ((Run(text, 1.0),),)


def used(line: Line) -> list[int]:
    return [part.used for part in chunk(line)]


@pytest.fixture(scope="module")
def reference() -> CLIPTokenizer:
    return CLIPTokenizer(vocab=str(_FOLDER / "vocab.json"), merges=str(_FOLDER / "merges.txt"))


ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="&<>"), max_size=60)


@given(text=ASCII)
def test_tokens_are_those_of_transformers(reference: CLIPTokenizer, text: str) -> None:
    assert tokenize(text) == reference(text, add_special_tokens=False)["input_ids"]


def test_text_is_mended_before_it_is_cut() -> None:
    assert tokenize("“don’t”  \n STOP") == tokenize('"don\'t" stop')
    assert tokenize("ﬁsh &amp; chips") == tokenize("fish & chips")
    assert tokenize(",") == [COMMA]
    assert tokenize("") == []
    assert max(tokenize("kırmızı 🏚 龍")) < VOCABULARY


def test_an_empty_line_takes_one_empty_chunk() -> None:
    assert chunk(((),)) == chunk(plain("")) == (EMPTY,)
    assert EMPTY.tokens == (START, *[END] * 76)


def test_a_full_chunk_is_followed_by_another_without_limit() -> None:
    assert used(plain("cat " * SIZE)) == [75]
    assert used(plain("cat " * (SIZE + 1))) == [75, 1]
    assert used(plain("cat " * 1000)) == [75] * 13 + [25]


def test_what_follows_the_last_comma_moves_on_if_it_is_short() -> None:
    near, far = SIZE - BACKTRACK, SIZE - BACKTRACK - 1
    assert used(plain("cat " * near + "," + " cat" * BACKTRACK)) == [near + 1, BACKTRACK]
    assert used(plain("cat " * far + "," + " cat" * (BACKTRACK + 2))) == [75, 2]


def test_a_comma_that_begins_a_chunk_does_not_count_as_its_last() -> None:
    assert used(plain("cat " * SIZE + "," + " cat" * 75)) == [75, 75, 1]


def test_break_fills_the_chunk_up() -> None:
    section = (Run("cat", 1.0),)
    assert used((section, section)) == [1, 1]
    assert used(((), section)) == [0, 1]
    assert used((section, ())) == [1]
    assert used((section, (), ())) == [1, 0]


def test_each_token_has_its_weight_and_padding_weighs_nothing_more() -> None:
    [one] = chunk(((Run("cat", 1.3), Run("cat cat", 0.5)),))
    assert one.tokens[:5] == (START, CAT, CAT, CAT, END)
    assert one.weights == (1.0, 1.3, 0.5, 0.5, *[1.0] * 73)


def test_an_embedding_stands_in_place_of_its_name_and_the_longest_name_wins() -> None:
    names = Names({"cat": 2, "cat-like": 3, "": 1})
    [one] = chunk(plain("a Cat-Like, CAT dog"), names)
    assert one.inserts == (Insert(1, "cat-like", 3), Insert(5, "cat", 2))
    assert one.tokens[1:9] == (*tokenize("a"), 0, 0, 0, COMMA, 0, 0, *tokenize("dog"))
    assert one.used == 8


def test_an_embedding_is_not_torn_apart() -> None:
    first, second = chunk(plain("dog " * 70 + "cat dog"), Names({"cat": 8}))
    assert (first.used, second.used) == (70, 9)
    assert second.inserts == (Insert(0, "cat", 8),)


def test_an_embedding_moves_on_with_the_words_after_a_comma() -> None:
    first, second = chunk(plain("dog " * 68 + ", cat" + " dog" * 8), Names({"cat": 2}))
    assert (first.used, first.inserts) == (69, ())
    assert second.inserts == (Insert(0, "cat", 2),)


def test_an_embedding_longer_than_a_chunk_does_not_overflow_it() -> None:
    chunks = chunk(plain("dog cat dog"), Names({"cat": 90}))
    assert [len(one.tokens) for one in chunks] == [77] * 3


RUNS = st.lists(st.builds(Run, st.sampled_from(["cat ", ", ", "a dog, ", "cat " * 30]), st.floats(0.1, 2)), max_size=30)


@given(st.lists(RUNS.map(tuple), min_size=1, max_size=3).map(tuple))
def test_no_token_is_lost_or_added(line: Line) -> None:
    chunks: tuple[Chunk, ...] = chunk(line)
    kept = [token for one in chunks for token in one.tokens[1 : 1 + one.used]]
    assert kept == [token for section in line for run in section for token in tokenize(run.text)]
    assert all(len(one.tokens) == len(one.weights) == 77 for one in chunks)
