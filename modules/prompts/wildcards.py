"""Wildcards and variants: words that are drawn when a request is submitted.

The syntax is that of the Dynamic Prompts extension: __file__, {a|b}, {3::a|b} for odds, {2$$a|b|c}, {1-2$$ and $$a|b}.
"""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from modules.prompts.parsing import parse
from modules.prompts.tree import (
    Alternating,
    Branch,
    Lessened,
    Node,
    Prompt,
    Scheduled,
    Stressed,
    Variants,
    Wildcard,
    walk,
)
from modules.prompts.tree import Sequence as Words
from modules.schema.errors import InvalidRequest

DEEPEST, MOST = 30, 2000
"""Lists that name lists that name lists; and how much is drawn for one prompt."""

LONGEST = 20_000
"""Letters of a prompt, as the schema has it."""

PICK = re.compile(r"\s*(\d{1,4})?(-)?(\d{1,4})?\$\$")
JOINER = re.compile(r"([^$]*)\$\$")
ODDS = re.compile(r"\s*(\d+(?:\.\d+)?)::")

Lines = Callable[[str], Sequence[str]]
"""A wildcard's name -> its entries, [] if there is no such list."""


def has_wildcards(text: str) -> bool:
    """Whether something in the text is to be drawn."""
    return any(isinstance(node, Wildcard | Variants) for node in walk(parse(text)))


def missing_wildcards(text: str, lines: Lines) -> list[str]:
    """The names in a text for which there is no list, or an empty one."""
    names = dict.fromkeys(node.name for node in walk(parse(text)) if isinstance(node, Wildcard))
    return [name for name in names if not lines(name)]


def fill(text: str, key: str, lines: Lines) -> str:
    """The text with its wildcards and variants drawn: the same words for the same key.

    Raises InvalidRequest for a list that is not there, and for lists that name each other without end.
    """
    chance = random.Random(key)  # noqa: S311 - the same key is to give the same words again
    filled = _Filler(chance, lines).text(text, 0)
    if len(filled) > LONGEST:
        raise InvalidRequest(
            f"With its wildcards filled in the prompt has {len(filled):,} letters; at most {LONGEST:,} are allowed."
            " Use shorter lists.",
            "prompt",
        )
    return filled


@dataclass
class _Filler:
    """Draws with its own generator. Only random() is asked, which is the same in all versions of Python."""

    chance: random.Random
    lines: Lines
    drawn: int = 0

    def text(self, text: str, depth: int) -> str:
        self.drawn += 1
        if depth > DEEPEST or self.drawn > MOST:
            raise InvalidRequest(
                "The prompt's wildcards name each other without end. Look for a list in models/wildcards/ that comes"
                " back to itself.",
                "prompt",
            )
        return self._filled(parse(text), depth)

    def _filled(self, node: Node, depth: int) -> str:
        """A node's text, as str() would give it, with the words that were drawn."""
        inner = self._filled
        match node:
            case Prompt(branches):
                return "AND".join(inner(branch, depth) for branch in branches)
            case Branch(body, weight, tail):
                return inner(body, depth) + weight + inner(tail, depth)
            case Words(parts):
                return "".join(inner(part, depth) for part in parts)
            case Stressed(body, None) | Lessened(body):
                opened, closed = ("(", ")") if isinstance(node, Stressed) else ("[", "]")
                return opened + inner(body, depth) + closed
            case Stressed(body, Words() as weight):
                return f"({inner(body, depth)}:{inner(weight, depth)})"
            case Scheduled(before, after, when):
                first = "" if before is None else f"{inner(before, depth)}:"
                return f"[{first}{inner(after, depth)}:{when}]"
            case Alternating(options):
                return f"[{'|'.join(inner(option, depth) for option in options)}]"
            case Variants(options):
                return self._pick([str(option) for option in options], depth)
            case Wildcard():
                return self._draw_line(node, depth)
            case _:
                return str(node)

    def _draw_line(self, wildcard: Wildcard, depth: int) -> str:
        lines = self.lines(wildcard.name)
        if not lines:
            raise InvalidRequest(
                f"There is no list {wildcard.name!r} in models/wildcards/. Put {wildcard.name}.txt there, one entry a"
                f" line, or write \\{wildcard.raw} for the word itself.",
                "prompt",
            )
        return self.text(lines[self._index(len(lines))], depth + 1)

    def _pick(self, options: list[str], depth: int) -> str:
        """Some of the options. A count stands before the options that it is about: mostly before the first."""
        for place, option in enumerate(options[1:], 1):
            if PICK.match(option):
                options = [*options[:place], f"{{{'|'.join(options[place:])}}}"]
                break
        least, most, joiner = 1, 1, ", "
        if match := PICK.match(options[0]):
            least, most = _counts(match, len(options))
            rest = options[0][match.end() :]
            if named := JOINER.match(rest):
                joiner, rest = named[1], rest[named.end() :]
            options = [rest, *options[1:]]
        chosen = self._choose(options, least + self._index(most - least + 1))
        return joiner.join(self.text(option, depth + 1) for option in chosen)

    def _choose(self, options: Iterable[str], count: int) -> list[str]:
        """So many different options, the likelier ones more often."""
        odds = [_odds(option) for option in options]
        chosen: list[str] = []
        while odds and len(chosen) < count:
            place, at = 0, self.chance.random() * sum(weight for weight, _ in odds)
            while place < len(odds) - 1 and at >= odds[place][0]:
                at -= odds[place][0]
                place += 1
            chosen.append(odds.pop(place)[1])
        return chosen

    def _index(self, count: int) -> int:
        return min(int(self.chance.random() * count), count - 1)


def _counts(match: re.Match[str], options: int) -> tuple[int, int]:
    """The least and the greatest number of options that "2$$", "1-3$$", "-3$$" or "1-$$" ask for."""
    first, dash, second = match.groups()
    least = int(first) if first else 1 if not dash else 0
    most = int(second) if second else (options if dash else least)
    least, most = sorted((min(least, options), min(most, options)))
    return least, most


def _odds(option: str) -> tuple[float, str]:
    match = ODDS.match(option)
    return (float(match[1]), option[match.end() :]) if match else (1.0, option)
