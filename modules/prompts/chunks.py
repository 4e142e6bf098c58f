"""A line of weighted words -> chunks of 75 tokens, as many as it takes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modules.prompts.evaluating import Line, Run
from modules.prompts.tokens import COMMA, END, START, tokenize

SIZE = 75
"""Tokens between the start and the end token of one pass through the text encoder."""

BACKTRACK = 20
"""When a chunk is full, what follows its last comma goes to the next chunk, if it is no more tokens than this."""


@dataclass(frozen=True)
class Insert:
    """An embedding's vectors stand in place of the tokens from `start`, counted without the start token."""

    start: int
    name: str
    vectors: int


@dataclass(frozen=True)
class Chunk:
    """One pass: 77 tokens, the weight of each, and the embeddings among them."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    inserts: tuple[Insert, ...] = ()
    used: int = 0
    """How many of the 75 are more than padding."""


EMPTY = Chunk((START, *[END] * (SIZE + 1)), (1.0,) * (SIZE + 2))
"""What a shorter prompt is filled up with."""


class Names:
    """Finds the names of embeddings in a text. `vectors` says how many vectors each name stands for."""

    def __init__(self, vectors: Mapping[str, int]) -> None:
        self._by_first: dict[int, list[tuple[tuple[int, ...], str, int]]] = {}
        for name, count in vectors.items():
            if tokens := tuple(tokenize(name)):
                self._by_first.setdefault(tokens[0], []).append((tokens, name, count))
        for entries in self._by_first.values():
            entries.sort(key=lambda entry: -len(entry[0]))

    def at(self, tokens: Sequence[int], position: int) -> tuple[int, str, int] | None:
        """(how many tokens the name takes, name, vectors) if one stands there; of several the longest."""
        for wanted, name, vectors in self._by_first.get(tokens[position], ()):
            if tuple(tokens[position : position + len(wanted)]) == wanted:
                return len(wanted), name, vectors
        return None


NO_NAMES = Names({})


def chunk(line: Line, names: Names = NO_NAMES) -> tuple[Chunk, ...]:
    """The passes that a line takes: one at least. BREAK begins a new one."""
    filling = _Filling()
    for index, section in enumerate(line):
        if index:
            filling.close()
        for run in section:
            filling.add(run, names)
    return filling.finish()


@dataclass
class _Filling:
    """The chunk that is being filled, and those before it."""

    done: list[Chunk] = field(default_factory=list[Chunk])
    tokens: list[int] = field(default_factory=list[int])
    weights: list[float] = field(default_factory=list[float])
    inserts: list[Insert] = field(default_factory=list[Insert])
    comma: int | None = None
    """Where the last comma of this chunk is."""

    def add(self, run: Run, names: Names) -> None:
        """Put a run's tokens in, into new chunks where this one is full."""
        tokens, position = tokenize(run.text), 0
        while position < len(tokens):
            if tokens[position] == COMMA:
                self.comma = len(self.tokens)
            elif len(self.tokens) == SIZE and self.comma is not None and SIZE - self.comma <= BACKTRACK:
                self._break_after_comma(self.comma + 1)
            if len(self.tokens) >= SIZE:
                self.close()
            found = names.at(tokens, position)
            if found is None:
                self._put([tokens[position]], run.weight)
                position += 1
                continue
            taken, name, vectors = found
            if len(self.tokens) + vectors > SIZE:
                self.close()
            self.inserts.append(Insert(len(self.tokens), name, vectors))
            self._put([0] * vectors, run.weight)
            position += taken

    def close(self) -> None:
        """Fill this chunk up and begin another."""
        used, room = len(self.tokens), max(0, SIZE - len(self.tokens))
        tokens, weights = [*self.tokens, *[END] * room][:SIZE], [*self.weights, *[1.0] * room][:SIZE]
        self.done.append(Chunk((START, *tokens, END), (1.0, *weights, 1.0), tuple(self.inserts), min(used, SIZE)))
        self.tokens, self.weights, self.inserts, self.comma = [], [], [], None

    def finish(self) -> tuple[Chunk, ...]:
        """All chunks."""
        if self.tokens or not self.done:
            self.close()
        return tuple(self.done)

    def _put(self, tokens: Iterable[int], weight: float) -> None:
        before = len(self.tokens)
        self.tokens += tokens
        self.weights += [weight] * (len(self.tokens) - before)

    def _break_after_comma(self, start: int) -> None:
        tokens, weights = self.tokens[start:], self.weights[start:]
        inserts = [Insert(at.start - start, at.name, at.vectors) for at in self.inserts if at.start >= start]
        self.inserts = [at for at in self.inserts if at.start < start]
        self.tokens, self.weights = self.tokens[:start], self.weights[:start]
        self.close()
        self.tokens, self.weights, self.inserts = tokens, weights, inserts
