"""The syntax tree of a prompt. It loses nothing: `str(tree)` is the text that was parsed, letter by letter."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

ESCAPED = re.compile(r"\\([\s\S]?)")
"""A backslash and what it makes literal."""


@dataclass(frozen=True)
class Text:
    """Words as they were typed, escapes included."""

    raw: str

    def __str__(self) -> str:
        return self.raw

    @property
    def words(self) -> str:
        """What the escapes stand for."""
        return ESCAPED.sub(r"\1", self.raw)


@dataclass(frozen=True)
class Break:
    """BREAK with the blanks around it: what follows begins a new chunk."""

    raw: str

    def __str__(self) -> str:
        return self.raw


@dataclass(frozen=True)
class Comment:
    """# or // to the end of the line, or /* ... */."""

    raw: str

    def __str__(self) -> str:
        return self.raw


@dataclass(frozen=True)
class Network:
    """<kind:name:arguments>: asks for a network beside the checkpoint, and is no part of the text."""

    raw: str

    def __str__(self) -> str:
        return self.raw

    @property
    def kind(self) -> str:
        """ "lora" and the like."""
        return self.raw[1:-1].partition(":")[0]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.raw[1:-1].split(":")[1]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows the name: mostly a weight."""
        return tuple(self.raw[1:-1].split(":")[2:])


@dataclass(frozen=True)
class Wildcard:
    """__name__: a line of models/wildcards/name.txt."""

    raw: str

    def __str__(self) -> str:
        return self.raw

    @property
    def name(self) -> str:
        """The file's path below models/wildcards/, without its ending."""
        return self.raw[2:-2]


@dataclass(frozen=True)
class Sequence:
    """Parts one after the other."""

    parts: tuple["Part", ...] = ()

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


@dataclass(frozen=True)
class Stressed:
    """(x) or (x:weight). The weight is mostly a number; it may be a schedule of numbers too."""

    body: Sequence
    weight: Sequence | None = None

    def __str__(self) -> str:
        return f"({self.body})" if self.weight is None else f"({self.body}:{self.weight})"


@dataclass(frozen=True)
class Lessened:
    """[x]."""

    body: Sequence

    def __str__(self) -> str:
        return f"[{self.body}]"


@dataclass(frozen=True)
class Scheduled:
    """[before:after:when], or [after:when]. `when` is the number as it was typed: its dot means something."""

    before: Sequence | None
    after: Sequence
    when: str

    def __str__(self) -> str:
        first = "" if self.before is None else f"{self.before}:"
        return f"[{first}{self.after}:{self.when}]"


@dataclass(frozen=True)
class Alternating:
    """[a|b|c]: another one at each step."""

    options: tuple[Sequence, ...]

    def __str__(self) -> str:
        return f"[{'|'.join(map(str, self.options))}]"


@dataclass(frozen=True)
class Variants:
    """{a|b|c}: one of them, chosen when the request is submitted; how many and how likely stands before an option."""

    options: tuple[Sequence, ...]

    def __str__(self) -> str:
        return f"{{{'|'.join(map(str, self.options))}}}"


@dataclass(frozen=True)
class Branch:
    """One of the prompts that AND joins. `weight` is ":1.2" as it was typed; comments may follow it."""

    body: Sequence
    weight: str = ""
    tail: Sequence = Sequence()

    def __str__(self) -> str:
        return f"{self.body}{self.weight}{self.tail}"

    @property
    def factor(self) -> float:
        """How strongly this one counts."""
        return float(self.weight[1:]) if self.weight else 1.0


@dataclass(frozen=True)
class Prompt:
    """A whole prompt."""

    branches: tuple[Branch, ...]

    def __str__(self) -> str:
        return "AND".join(map(str, self.branches))


Part: TypeAlias = Text | Break | Comment | Network | Wildcard | Stressed | Lessened | Scheduled | Alternating | Variants


Node: TypeAlias = Prompt | Branch | Sequence | Part


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly inside a node, in the order of the text."""
    match node:
        case Prompt(branches):
            return branches
        case Branch(body, _, tail):
            return body, tail
        case Sequence(parts):
            return parts
        case Stressed(body, weight):
            return (body,) if weight is None else (body, weight)
        case Lessened(body):
            return (body,)
        case Scheduled(before, after):
            return (after,) if before is None else (before, after)
        case Alternating(options) | Variants(options):
            return options
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and all nodes inside it, in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)
