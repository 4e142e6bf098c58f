"""A tree and the length of a walk -> which weighted words count when."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeAlias

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

ROUND = 1.1
"""How much a pair of round brackets strengthens; a square pair weakens by the same."""

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*")


@dataclass(frozen=True)
class Timeline:
    """What "when" in a schedule counts: the model's `calls` of a walk, one a step, two for second-order samplers.

    A second pass over the same picture (hires fix) says with `before` how many calls came before it: its own part of
    the timeline are whole numbers above that, and fractions between 1 and 2.
    """

    calls: int
    before: int = 0

    def end(self, when: str) -> int:
        """The last call, counted from 1, before "when": a number with a dot is a share of the walk."""
        value = (float(when) - bool(self.before)) * self.calls if "." in when else float(when) - self.before
        return int(max(min(value, self.calls), -1))


@dataclass(frozen=True)
class Run:
    """Words of the same weight."""

    text: str
    weight: float


Section: TypeAlias = tuple[Run, ...]
"""What stands between two BREAKs."""

Line: TypeAlias = tuple[Section, ...]
"""A prompt without schedules: one section at least."""


@dataclass(frozen=True)
class Stage:
    """A line and the last call of the model, counted from 1, to which it belongs."""

    until: int
    line: Line


@dataclass(frozen=True)
class Strand:
    """One of the prompts that AND joins: how strongly it counts, and what it says when."""

    weight: float
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Evaluated:
    """What a prompt comes to over a walk."""

    strands: tuple[Strand, ...]
    networks: tuple[Network, ...] = field(default=())
    """What it asks for beside the checkpoint."""


def evaluate(prompt: Prompt, timeline: Timeline, literal: bool = False) -> Evaluated:
    """The schedule of a prompt. `literal` takes brackets, escapes and BREAK as they stand (emphasis "None")."""
    networks = dict.fromkeys(node for node in walk(prompt) if isinstance(node, Network))
    return Evaluated(tuple(_strand(branch, timeline, literal) for branch in prompt.branches), tuple(networks))


def _strand(branch: Branch, timeline: Timeline, literal: bool) -> Strand:
    ends = {timeline.calls}
    for node in walk(branch):
        if isinstance(node, Scheduled):
            ends.add(timeline.end(node.when))
        elif isinstance(node, Alternating):
            ends.update(range(1, timeline.calls + 1))
    speller = _Literal if literal else _Speller
    stages = (Stage(end, speller(timeline, end).line(branch.body)) for end in sorted(ends) if end >= 1)
    return Strand(branch.factor, tuple(stages))


class _Speller:
    """Spells a tree out as it stands at one call of the model."""

    def __init__(self, timeline: Timeline, call: int) -> None:
        self._timeline, self._call = timeline, call

    def line(self, body: Sequence) -> Line:
        """Runs of the same weight are one: words are tokenized together."""
        sections: list[list[Run]] = [[]]
        for piece in self._pieces(body):
            if piece is None:
                sections.append([])
            else:
                sections[-1].append(piece)
        return tuple(map(_merged, sections))

    def _pieces(self, node: Sequence | Part) -> list[Run | None]:
        """The weighted words of a node; None is a BREAK."""
        match node:
            case Sequence(parts):
                return [piece for part in parts for piece in self._pieces(part)]
            case Text():
                return [Run(node.words, 1.0)]
            case Break():
                return [None]
            case Comment():
                return [Run("\n", 1.0)]
            case Network():
                return []
            case Wildcard(raw):
                return [Run(raw, 1.0)]
            case Stressed(body, weight):
                return self._stressed(body, weight)
            case Lessened(body):
                return _times(self._pieces(body), 1 / ROUND)
            case Scheduled() | Alternating():
                return self._pieces(self._now(node))
            case Variants(options):
                return self._joined(options)

    def _now(self, node: Scheduled | Alternating) -> Sequence:
        """What counts at this call."""
        if isinstance(node, Alternating):
            return node.options[(self._call - 1) % len(node.options)]
        if self._call <= self._timeline.end(node.when):
            return node.before or Sequence()
        return node.after

    def _stressed(self, body: Sequence, weight: Sequence | None) -> list[Run | None]:
        pieces = self._pieces(body)
        if weight is None:
            return _times(pieces, ROUND)
        said = self._pieces(weight)
        number = "".join(piece.text for piece in said if piece is not None)
        if NUMBER.fullmatch(number):
            return _times(pieces, float(number))
        return _times([*pieces, Run(":", 1.0), *said], ROUND)

    def _joined(self, options: tuple[Sequence, ...]) -> list[Run | None]:
        """Variants that nobody has resolved stand for themselves."""
        inside = [piece for option in options for piece in [Run("|", 1.0), *self._pieces(option)]][1:]
        return [Run("{", 1.0), *inside, Run("}", 1.0)]


class _Literal(_Speller):
    """Spells brackets, escapes and BREAK out as they were typed; schedules count all the same."""

    def line(self, body: Sequence) -> Line:
        return (_merged(piece for piece in self._pieces(body) if piece is not None),)

    def _pieces(self, node: Sequence | Part) -> list[Run | None]:
        match node:
            case Text(raw) | Break(raw):
                return [Run(raw, 1.0)]
            case Stressed(body, None):
                return [Run("(", 1.0), *self._pieces(body), Run(")", 1.0)]
            case Stressed(body, Sequence() as weight):
                return [Run("(", 1.0), *self._pieces(body), Run(":", 1.0), *self._pieces(weight), Run(")", 1.0)]
            case Lessened(body):
                return [Run("[", 1.0), *self._pieces(body), Run("]", 1.0)]
            case _:
                return super()._pieces(node)


def _times(pieces: list[Run | None], factor: float) -> list[Run | None]:
    return [piece and Run(piece.text, piece.weight * factor) for piece in pieces]


def _merged(runs: Iterable[Run]) -> Section:
    return tuple(
        Run("".join(run.text for run in same), weight) for weight, same in groupby(runs, key=lambda run: run.weight)
    )
