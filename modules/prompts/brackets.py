"""Tells a prompt's brackets apart before it is parsed: which belong together, what each pair means, which are odd.

Works on the tokens of prompt.lark and gives them the types that its rules know.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lark import Token
from lark.lark import PostLex

DEEPEST = 50
"""Brackets inside brackets beyond this are read as text."""

PAIRS = {")": "(", "]": "[", "}": "{"}
STRESS = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*")
WHEN = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
BRANCH_WEIGHT = re.compile(r"\s*[-+]?(\d+\.?|\d*\.\d+)\s*")
BESIDE = ("COMMENT", "NETWORK")
"""What is no part of the text, and may follow a branch's weight."""


@dataclass
class _Open:
    """A bracket that waits for its other half, and the separators directly inside it."""

    index: int
    colons: list[int] = field(default_factory=list[int])
    bars: list[int] = field(default_factory=list[int])


class Brackets(PostLex):
    """Lark calls process() between its lexer and its parser.

    `negative` leaves AND and networks as words: a negative prompt has neither.
    """

    always_accept = ("ESCAPE", "OPEN", "CLOSE", "COLON", "BAR")

    def __init__(self, negative: bool = False) -> None:
        self._words = ("AND", "NETWORK") if negative else ()

    def process(self, stream: Iterable[Token]) -> Iterator[Token]:
        """The tokens with the types that the rules know; some are joined."""
        branch: list[Token] = []
        for token in stream:
            if token.type in self._words:
                token = token.update(type="TEXT")
            if token.type == "AND":
                yield from _Branch(branch, weighs=not self._words).tokens()
                yield token
                branch = []
            else:
                branch.append(token)
        yield from _Branch(branch, weighs=not self._words).tokens()


class _Branch:
    """The tokens between two ANDs. A pair of brackets lies inside one branch."""

    def __init__(self, tokens: list[Token], weighs: bool) -> None:
        self._tokens = tokens
        self._types = {"ESCAPE": "TEXT", "COLON": "TEXT", "BAR": "TEXT", "OPEN": "TEXT", "CLOSE": "TEXT"}
        self._given: dict[int, str] = {}
        """Types by index, where they are not those of the lexer or TEXT."""
        self._joined: dict[int, int] = {}
        """Index of a token -> the index before which the tokens end that are joined to it."""
        self._partner: dict[int, int] = {}
        self._match()
        if weighs:
            self._find_weight()

    def tokens(self) -> Iterator[Token]:
        """In the order of the text."""
        index = 0
        while index < len(self._tokens):
            token, end = self._tokens[index], self._joined.get(index, index + 1)
            kind = self._given.get(index, self._types.get(token.type, token.type))
            yield token.update(type=kind, value=self._text(index, end))
            index = end

    def _match(self) -> None:
        waiting: list[_Open] = []
        for index, token in enumerate(self._tokens):
            if token.type == "OPEN" and len(waiting) < DEEPEST:
                waiting.append(_Open(index))
            elif token.type in ("OPEN", "CLOSE"):
                self._close(index, token, waiting)
            elif token.type == "COLON" and waiting:
                waiting[-1].colons.append(index)
            elif token.type == "BAR" and waiting:
                waiting[-1].bars.append(index)
        for opened in waiting:
            self._call_odd(opened.index)

    def _close(self, index: int, token: Token, waiting: list[_Open]) -> None:
        wanted = PAIRS.get(str(token))
        if all(self._tokens[opened.index] != wanted for opened in waiting):
            self._call_odd(index)
            return
        while self._tokens[waiting[-1].index] != wanted:
            lost = waiting.pop()
            self._call_odd(lost.index)
            waiting[-1].colons += lost.colons  # what stood in an odd bracket stands in the one around it
            waiting[-1].bars += lost.bars
        opened = waiting.pop()
        self._partner[index] = opened.index
        meaning = {"(": self._stressed, "[": self._square, "{": self._variants}[str(wanted)](opened, index)
        if meaning:
            self._given |= {opened.index: f"{meaning}_OPEN", index: f"{meaning}_CLOSE"}
        elif waiting:
            waiting[-1].colons += opened.colons
            waiting[-1].bars += opened.bars

    def _call_odd(self, index: int) -> None:
        if self._tokens[index] not in ("{", "}"):  # curly brackets alone are nothing unusual
            self._given[index] = "ODD"

    def _stressed(self, opened: _Open, end: int) -> str:
        if opened.colons:
            colon = opened.colons[-1]
            within = colon + 1
            while within < end and self._text(within).isspace():
                within += 1
            is_bracket = self._given.get(within) in ("SCHEDULED_OPEN", "ALTERNATING_OPEN")
            if STRESS.fullmatch(self._text(colon + 1, end)) or (is_bracket and self._partner.get(end - 1) == within):
                self._given[colon] = "STRESS"
        return "STRESSED"

    def _square(self, opened: _Open, end: int) -> str:
        colons, bars = sorted(opened.colons), sorted(opened.bars)
        if bars and not colons:
            self._given |= dict.fromkeys(bars, "ALTERNATING_BAR")
            return "ALTERNATING"
        if len(colons) in (1, 2) and not bars and WHEN.fullmatch(self._text(colons[-1] + 1, end)):
            self._given |= dict.fromkeys(colons[:-1], "SCHEDULED_COLON") | {colons[-1]: "WHEN"}
            self._joined[colons[-1]] = end
            return "SCHEDULED"
        return "LESSENED"

    def _variants(self, opened: _Open, end: int) -> str:
        if not opened.bars and "$$" not in self._text(opened.index + 1, end):
            return ""
        self._given |= dict.fromkeys(opened.bars, "VARIANTS_BAR")
        return "VARIANTS"

    def _find_weight(self) -> None:
        """A number behind the last colon of the branch weighs all of it."""
        colon = max((index for index, token in enumerate(self._tokens) if token.type == "COLON"), default=None)
        if colon is None:
            return
        rest = range(colon + 1, len(self._tokens))
        if not BRANCH_WEIGHT.fullmatch("".join(self._text(i) for i in rest if self._tokens[i].type not in BESIDE)):
            return
        digits = [index for index in rest if self._tokens[index].type not in BESIDE and not self._text(index).isspace()]
        if all(self._tokens[index].type not in BESIDE for index in range(colon + 1, digits[-1])):
            self._given[colon], self._joined[colon] = "WEIGHT", digits[-1] + 1

    def _text(self, start: int, end: int | None = None) -> str:
        return "".join(self._tokens[start : start + 1 if end is None else end])
