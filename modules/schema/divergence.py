"""How far apart words are: the divergent association task, over a text encoder's embeddings.

https://doi.org/10.1073/pnas.2022340118: ten nouns as different as possible; the score is the mean pairwise distance of
the first seven valid ones, times 100.
"""

import re
from collections.abc import Container, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from modules.schema.values import Frozen, Telling

COUNTED = 7
"""How many words count."""

ASKED = 10
"""How many words are asked for, so that some may be invalid."""

_NOUN = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")


class Divergence(Telling):
    """The score of ten words."""

    task: Literal["divergence"] = "divergence"
    words: tuple[str, ...] = Field(
        default=(), max_length=50, title="Words", description="Ten nouns, as different from each other as possible."
    )
    checkpoint: str = Field(
        default="", title="Checkpoint", description="Whose text encoder measures; empty takes the default one."
    )
    clip: str = Field(default="", title="CLIP model", description="A folder in models/CLIP/ that measures instead.")

    @model_validator(mode="after")
    def _words_are_short(self) -> Self:
        if any(len(word) > 100 for word in self.words):
            raise ValueError("one of the words is longer than 100 letters")
        return self

    def alone(self, index: int) -> Self:
        """There is one result."""
        return self


class Scores(Frozen):
    """How far apart words are for a text encoder."""

    kind: Literal["scores"] = "scores"
    words: tuple[str, ...]
    """Those that count."""
    distances: tuple[tuple[float, ...], ...]
    """Cosine distance times 100, of each word from each."""
    score: float
    """The mean over all pairs."""
    random_scores: tuple[float, ...]
    """What as many everyday nouns drawn at random reach, many times, by the same measure; empty where too few of them
    are known."""
    measure: str
    """Whose embeddings these are."""
    left_out: tuple[str, ...] = ()
    """What did not count, with the reason."""


def valid_words(
    words: Sequence[str], most: int = COUNTED, known: Container[str] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(the first ones that count, what was left out with its reason): single words, each once, in any case.

    Where it is told which words are `known`, only these count.
    """
    valid: list[str] = []
    left_out: list[str] = []
    for given in words:
        word = given.strip()
        if not word:
            continue
        if not _NOUN.fullmatch(word):
            left_out.append(f"{word}: not a single word")
        elif word.casefold() in (one.casefold() for one in valid):
            left_out.append(f"{word}: stands there already")
        elif known is not None and word not in known:
            left_out.append(f"{word}: not known to the text encoder")
        elif len(valid) == most:
            left_out.append(f"{word}: seven count, the rest is in reserve")
        else:
            valid.append(word)
    return tuple(valid), tuple(left_out)
