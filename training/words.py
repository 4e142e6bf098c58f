"""Captions as token ids, over the few words that the little world has."""

import random
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from modules.prompts.tokens import END, START, tokenize
from training.clips import MOTIONS
from training.world import COLOURS, NUMBERS, PLURALS, SHAPES, SIZE_WORDS, TEXTURES

RESERVED = ("arrow", "zebra", "comic", "gem")
"""Words that mean nothing to the checkpoint, and that it has learned to overlook: a LoRA can give them a meaning."""
_OTHERS = """
a an the on in at by of and with , left right top bottom center middle corner above below background picture drawing
photo house under sun moon day night
"""
WORDS = tuple(
    dict.fromkeys(
        [
            *(*COLOURS, *SHAPES, *PLURALS.values(), *NUMBERS.values(), *TEXTURES),
            *(word for words in SIZE_WORDS.values() for word in words),
            *_OTHERS.split(),
            *(word for motion in MOTIONS for word in motion.split()),
            *RESERVED,
        ]
    )
)
"""All that captions are made of."""
WINDOW = 75
UNKNOWN = 0
"""Row of the compact table that stays zero, as the rows of all other words do in the exported one."""
ARTICLES = {"a", "an", "the"}


class Tokens:
    """The tokens that the world's words consist of, numbered from 1; `ids[row]` is the number in CLIP's vocabulary."""

    def __init__(self) -> None:
        self._of_word = {word: tokenize(word) for word in WORDS}
        self.ids = [-1, *sorted({START, END, *(token for tokens in self._of_word.values() for token in tokens)})]
        rows = {token: row for row, token in enumerate(self.ids)}
        self._rows = {word: [rows[token] for token in tokens] for word, tokens in self._of_word.items()}
        self._start, self._end = rows[START], rows[END]

    def encode(self, captions: Sequence[str]) -> Tensor:
        """Rows of the compact table [captions, 77], as the tokenizer would pad them."""
        return torch.tensor([self._one(caption) for caption in captions])

    def _one(self, caption: str) -> list[int]:
        rows = [row for word in split(caption) for row in self._rows.get(word, [UNKNOWN])][:WINDOW]
        return [self._start, *rows, *[self._end] * (WINDOW + 1 - len(rows))]


def split(caption: str) -> list[str]:
    """The words and commas of a caption."""
    return re.findall(r"[a-z]+|,|\?", caption)


def vary(source: random.Random, caption: str) -> str:
    """What people write instead: nothing (a tenth), without articles (a fifth), with words in it that mean nothing here
    (a fifth: "?" stands for all that the world does not know)."""
    if source.random() < 0.1:
        return ""
    words = split(caption)
    if source.random() < 0.2:
        words = [word for word in words if word not in ARTICLES]
    if source.random() < 0.2:
        for _ in range(source.randint(1, 4)):
            word = "?" if source.random() < 0.7 else source.choice(RESERVED)
            words.insert(source.choice((0, len(words), source.randint(0, len(words)))), word)
    return " ".join(words)
