"""What a person wants to know of a prompt while it is typed: how many tokens it has, and what is odd about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from modules.prompts.chunks import NO_NAMES, SIZE, Names, chunk
from modules.prompts.evaluating import Strand, Timeline, evaluate
from modules.prompts.parsing import odd_brackets, parse
from modules.prompts.tree import Lessened, Network, Prompt, Text, walk
from modules.prompts.wildcards import Lines, fill, has_wildcards, missing_wildcards
from modules.schema.errors import InvalidRequest

COUNTED_OVER = 20
"""Steps of the walk over which a schedule is looked at."""


class Oddity(StrEnum):
    """What may be said about a prompt."""

    BRACKET = "bracket"
    """A bracket without its other half."""
    NO_NUMBER = "no number"
    """[a:b:c]: it looks like a schedule, and has no number at its end."""
    WHOLE_WEIGHT = "whole weight"
    """The prompt ends in ":30", which weighs all of it."""
    NO_LIST = "no list"
    """A wildcard without a list."""
    NETWORK = "network"
    """<lora:...>, which cannot be used yet."""
    NEGATIVE_NETWORK = "negative network"
    """<lora:...> in a negative prompt, where it never counts."""


@dataclass(frozen=True)
class Finding:
    """An oddity with the text that it is about; `line` and `column` count from 1, where the place is known."""

    oddity: Oddity
    text: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True)
class Count:
    """The tokens in each chunk, for each of the prompts that AND joins; of a schedule the longest stage counts."""

    chunks: tuple[tuple[int, ...], ...]
    drawn: bool = False
    """Words were drawn for wildcards: other draws may be longer or shorter."""

    def __str__(self) -> str:
        strands = (" · ".join(f"{used}/{SIZE}" for used in strand) for strand in self.chunks)
        return ("≈ " if self.drawn else "") + " AND ".join(strands)


def count_tokens(text: str, lines: Lines, names: Names = NO_NAMES, negative: bool = False) -> Count:
    """How full the chunks are. Wildcards are filled in as seed 0 would; one without a list counts as it stands."""
    drawn = has_wildcards(text)
    if drawn:
        try:
            text = fill(text, "0", lines)
        except InvalidRequest:
            drawn = False
    strands = evaluate(parse(text, negative), Timeline(COUNTED_OVER)).strands
    return Count(tuple(_longest(strand, names) for strand in strands), drawn)


def find_oddities(text: str, lines: Lines, negative: bool = False) -> list[Finding]:
    """What is odd about a prompt, in no more than one finding a place."""
    prompt = parse(text, negative)
    nodes = list(walk(prompt))
    return [
        *(Finding(Oddity.BRACKET, odd.bracket, odd.line, odd.column) for odd in odd_brackets(text, negative)),
        *(Finding(Oddity.NO_NUMBER, str(node)) for node in nodes if isinstance(node, Lessened) and _separated(node)),
        *_whole_weight(prompt),
        *(Finding(Oddity.NO_LIST, name) for name in missing_wildcards(text, lines)),
        *(Finding(Oddity.NETWORK, str(node)) for node in nodes if isinstance(node, Network)),
        *(Finding(Oddity.NEGATIVE_NETWORK, str(node)) for node in _networks_elsewhere(text) if negative),
    ]


def _longest(strand: Strand, names: Names) -> tuple[int, ...]:
    lines = {stage.line for stage in strand.stages}
    filled = [tuple(one.used for one in chunk(line, names)) for line in lines]
    return max(filled, key=lambda used: (len(used), sum(used)))


def _separated(node: Lessened) -> bool:
    """Whether ":" or "|" stands directly inside, not escaped."""
    return any(isinstance(part, Text) and _has_separator(part.raw) for part in node.body.parts)


def _has_separator(raw: str) -> bool:
    pairs = zip(" " + raw, raw, strict=False)
    return any(letter in ":|" and before != "\\" for before, letter in pairs)


def _whole_weight(prompt: Prompt) -> Sequence[Finding]:
    weights = [branch.weight for branch in prompt.branches if branch.weight]
    return [Finding(Oddity.WHOLE_WEIGHT, weights[0])] if weights and len(prompt.branches) == 1 else []


def _networks_elsewhere(text: str) -> Sequence[Network]:
    return [node for node in walk(parse(text)) if isinstance(node, Network)]
