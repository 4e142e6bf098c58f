"""The keys of the "parameters" text: one table, from which they are written and read.

A row says which values of a request stand behind a key and how they are spelled. A new field of a request gets a row
here, and is then written, read, shown and filled in; a test holds the table against the requests.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from modules.schema.requests import RANDOM_SEED


@dataclass(frozen=True)
class Codec:
    """How values are spelled. `write` gives None for what goes without saying; `read` raises ValueError."""

    write: Callable[..., str | None]
    read: Callable[[str], tuple[Any, ...]]


def _write_size(width: int, height: int) -> str:
    return f"{width}x{height}"


def _read_size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    return int(width), int(height)


def _write_task(task: str) -> str | None:
    return None if task == "txt2img" else task


TEXT = Codec(str, lambda text: (text,))
TASK = Codec(_write_task, lambda text: (text,))
WHOLE = Codec(str, lambda text: (int(text),))
NUMBER = Codec(str, lambda text: (float(text),))
SEED = Codec(str, lambda text: (max(RANDOM_SEED, int(text)),))
SIZE = Codec(_write_size, _read_size)


@dataclass(frozen=True)
class Row:
    """A key. Without paths it is a fact about the picture that no request holds.

    `silence` is the value that a text without this key means, where texts leave it out.
    """

    key: str
    paths: tuple[str, ...] = ()
    codec: Codec = TEXT
    silence: str | None = None


ROWS = (
    Row("Task", ("task",), TASK, silence="txt2img"),
    Row("Steps", ("sampling.steps",), WHOLE),
    Row("Sampler", ("sampling.sampler",)),
    Row("Schedule type", ("sampling.schedule",), silence="Automatic"),
    Row("CFG scale", ("sampling.guidance_scale",), NUMBER),
    Row("Seed", ("seed",), SEED),
    Row("Size", ("width", "height"), SIZE),
    Row("Model hash"),
    Row("Model"),
    Row("RNG"),
    Row("Version"),
)
"""In the order in which they are written."""

NOT_IN_THE_TEXT = frozenset({"prompt", "negative_prompt", "checkpoint", "batch_count", "batch_size"})
"""Values without a row: the prompts stand above the pairs, the checkpoint is a fact (a name and a digest), and a text
is about one picture."""


def pairs_of(request: BaseModel, facts: Mapping[str, str]) -> dict[str, str]:
    """The pairs for a request. A fact stands where the request leaves something open, or has no say."""
    pairs: dict[str, str] = {}
    for row in ROWS:
        text = _written(row, request)
        if text is None and row.key in facts:
            text = facts[row.key]
        if text is not None:
            pairs[row.key] = text
    return pairs


def values_of(pairs: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values by their paths in a request, and the pairs that give none."""
    values: dict[str, Any] = {}
    rest = dict(pairs)
    for row in ROWS:
        text = rest.get(row.key, row.silence)
        if text is None or not row.paths:
            continue
        try:
            values |= zip(row.paths, row.codec.read(text), strict=True)
        except ValueError:
            continue  # it stays in the rest, where it is shown
        rest.pop(row.key, None)
    return values, rest


def _written(row: Row, request: BaseModel) -> str | None:
    values: list[Any] = []
    for path in row.paths:
        value: Any = request
        for part in path.split("."):
            value = getattr(value, part, None)
        if value is None:
            return None
        values.append(value)
    return row.codec.write(*values) if values else None
