"""Text to syntax tree. Any text is a prompt: what has no meaning is taken literally, and found() says where."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, Tree

from modules.prompts.brackets import Brackets
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
    walk,
)

_LEAVES = {"BREAK": Break, "COMMENT": Comment, "NETWORK": Network, "WILDCARD": Wildcard}


@dataclass(frozen=True)
class Odd:
    """A bracket without its other half, which is read as text. Line and column count from 1."""

    bracket: str
    line: int
    column: int


def parse(text: str, negative: bool = False) -> Prompt:
    """The tree of any text. In a negative prompt AND and <lora:...> are plain words."""
    return _Builder().transform(_grammar(negative)(text))


def odd_brackets(text: str, negative: bool = False) -> list[Odd]:
    """The round and square brackets that stand alone, in the order of the text."""
    tokens = _grammar(negative)(text).scan_values(lambda value: isinstance(value, Token) and value.type == "ODD")
    found = [Odd(str(token), token.line or 0, token.column or 0) for token in tokens]
    return sorted(found, key=lambda odd: (odd.line, odd.column))


def networks(text: str) -> list[Network]:
    """The networks that a prompt asks for, in the order of the text."""
    return [node for node in walk(parse(text)) if isinstance(node, Network)]


@cache
def _grammar(negative: bool) -> Callable[[str], Tree[Token]]:
    grammar = (Path(__file__).parent / "prompt.lark").read_text(encoding="utf-8")
    rules: Any = Lark(grammar, parser="lalr", lexer="basic", postlex=Brackets(negative), maybe_placeholders=True)
    return rules.parse


class _Builder(Transformer[Token, Any]):
    """lark's tree to ours."""

    def start(self, children: list[Any]) -> Prompt:
        return Prompt(tuple(child for child in children if isinstance(child, Branch)))

    def branch(self, children: list[Any]) -> Branch:
        body, weight, tail = children
        return Branch(body) if weight is None else Branch(body, str(weight), tail)

    def sequence(self, children: list[Any]) -> Sequence:
        return Sequence(tuple(child if not isinstance(child, Token) else _leaf(child) for child in children))

    def text(self, tokens: list[Token]) -> Text:
        return Text("".join(tokens))

    def stressed(self, children: list[Any]) -> Stressed:
        return Stressed(children[1], children[3])

    def lessened(self, children: list[Any]) -> Lessened:
        return Lessened(children[1])

    def scheduled(self, children: list[Any]) -> Scheduled:
        _, first, _, second, when, _ = children
        before, after = (None, first) if second is None else (first, second)
        return Scheduled(before, after, str(when)[1:])

    def alternating(self, children: list[Any]) -> Alternating:
        return Alternating(tuple(child for child in children if isinstance(child, Sequence)))

    def variants(self, children: list[Any]) -> Variants:
        return Variants(tuple(child for child in children if isinstance(child, Sequence)))


def _leaf(token: Token) -> Part:
    return _LEAVES[token.type](str(token))
