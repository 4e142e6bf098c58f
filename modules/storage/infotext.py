"""The "parameters" text that travels inside pictures, in the form that AUTOMATIC1111's program introduced.

Prompt, a line "Negative prompt: ..." if there is one, and a last line of `key: value` pairs. What the keys mean stands
in keys.py.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from modules import __version__
from modules.schema.events import Painted
from modules.schema.requests import Filled, Painting, Request
from modules.schema.results import UsedFile
from modules.storage.keys import older, pairs_of

PROMPT, NEGATIVE_PROMPT = "Prompt", "Negative prompt"
"""Pairs of these keys hold the exact text where the plain form would lose some of it."""

BETA_SCHEDULE = {"Beta schedule alpha": "0.6", "Beta schedule beta": "0.6"}
"""What other programs let people change, and say of every picture with this schedule."""

FURTHER = "Further text"
"""The key for lines below the pairs that are no pairs themselves."""

LARGEST_INFOTEXT = 2_000_000
"""Characters of a text that are looked at."""

_KEY = re.compile(r"\s*(\w[\w \-/()]*):\s*")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])*"(?=\s*(?:,|$))')
_TELLING = {"Steps", "Seed", "Sampler", "Postprocess upscaler"}
"""A line of pairs has one of these."""


@dataclass(frozen=True)
class Infotext:
    """The text taken apart. `pairs` keep their order, and their values as they were meant: without quotes."""

    prompt: str = ""
    negative_prompt: str = ""
    pairs: Mapping[str, str] = field(default_factory=dict[str, str])

    def text(self) -> str:
        """The text, from which read_infotext() gets the same again.

        The plain form cannot tell where a prompt with a line "Negative prompt: ..." ends, and loses blanks around it.
        Such a prompt stands in the pairs once more, exactly.
        """
        plain = _compose(self, self.pairs)
        read = read_infotext(plain)
        exact = {
            key: text
            for key, text, found in (
                (PROMPT, self.prompt, read.prompt),
                (NEGATIVE_PROMPT, self.negative_prompt, read.negative_prompt),
            )
            if text != found
        }
        return _compose(self, {**self.pairs, **exact}) if exact else plain


def write_infotext(request: Request, painted: Painted) -> str:
    """The text of one picture of a job: what paints this picture alone."""
    checkpoint = painted.environment.checkpoint
    assert isinstance(request, Painting) and checkpoint is not None  # what is not painted is in postprocessing.py
    facts = {
        "Size": f"{painted.picture.width}x{painted.picture.height}",
        "Model hash": checkpoint.short_hash,
        "Model": PurePosixPath(checkpoint.name).stem,
        **_words(request.filled, painted.environment.further_files),
        "Version": f"Kararli {__version__}",
    }
    if request.sampling.schedule == "Beta":
        facts |= BETA_SCHEDULE
    alone = request.alone(painted.index)
    return Infotext(alone.prompt, alone.negative_prompt, older(pairs_of(alone, facts))).text()


def _words(filled: Filled, files: Sequence[UsedFile]) -> dict[str, str]:
    """What the prompts were drawn from, and which files of learned words they name."""
    embeddings = [f"{file.name}: {file.sha256[:12]}" for file in files if file.kind == "embedding"]
    pairs = {"TI hashes": ", ".join(embeddings)}
    if filled.prompts:
        pairs |= {"Template": filled.template, "Negative Template": filled.negative_template}
    return {key: text for key, text in pairs.items() if text}


def read_infotext(text: str) -> Infotext:
    """Take a text apart. Any text can be read: what is not told apart is the prompt."""
    lines = text[:LARGEST_INFOTEXT].replace("\r\n", "\n").strip().split("\n")
    place = _place_of_pairs(lines)
    pairs = dict(_pairs(lines[place])) if place < len(lines) else {}
    for line in lines[place + 1 :]:
        match = _KEY.match(line)
        key, value = (match[1].rstrip(), line[match.end() :]) if match else (FURTHER, line)
        pairs[key] = f"{pairs[key]}\n{value}" if key in pairs else value
    prompt, negative = _prompts(lines[:place])
    return Infotext(pairs.pop(PROMPT, prompt), pairs.pop(NEGATIVE_PROMPT, negative), pairs)


def quoted(value: str) -> str:
    """A value as it stands in the line: as a JSON string where it could not be told from what surrounds it."""
    plain = value == value.strip() and not any(mark in value for mark in ',:\n\r"')
    return value if plain else json.dumps(value, ensure_ascii=False)


def _compose(infotext: Infotext, pairs: Mapping[str, str]) -> str:
    lines = [infotext.prompt]
    if infotext.negative_prompt:
        lines.append(f"{NEGATIVE_PROMPT}: {infotext.negative_prompt}")
    lines.append(", ".join(f"{key}: {quoted(value)}" for key, value in pairs.items()))
    return "\n".join(lines).strip()


def _place_of_pairs(lines: Sequence[str]) -> int:
    """The line that holds the pairs: the last one, or the last that begins with the steps; len(lines) if none does."""
    if _is_pairs(lines[-1]):
        return len(lines) - 1
    for place in reversed(range(len(lines))):
        if lines[place].lstrip().startswith("Steps:") and _is_pairs(lines[place]):
            return place
    return len(lines)


def _is_pairs(line: str) -> bool:
    keys = [key for key, _ in _pairs(line)]
    return len(keys) >= 3 and not _TELLING.isdisjoint(keys)


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of a line; a word without a colon is a key that is its own value."""
    place = 0
    while place < len(line):
        match = _KEY.match(line, place)
        end = _comma(line, place)
        if match is None:
            if word := line[place:end].strip():
                yield word, word
        else:
            value, end = _value(line, match.end())
            yield match[1].rstrip(), value
        place = end + 1


def _value(line: str, start: int) -> tuple[str, int]:
    """The value that begins there, and the place of the comma after it."""
    if match := _QUOTED.match(line, start):
        return _unquoted(match[0]), _comma(line, match.end())
    if line[start : start + 1] in ("[", "{"):  # some sites put bare JSON there, commas and all
        try:
            _, end = json.JSONDecoder().raw_decode(line, start)
        except (ValueError, RecursionError):
            end = start
        if end > start and line[end:].lstrip()[:1] in ("", ","):
            return line[start:end], _comma(line, end)
    end = _comma(line, start)
    return line[start:end].strip(), end


def _comma(line: str, start: int) -> int:
    end = line.find(",", start)
    return len(line) if end < 0 else end


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]  # it only looks quoted


def _prompts(lines: Sequence[str]) -> tuple[str, str]:
    prompt: list[str] = []
    negative: list[str] = []
    part = prompt
    for line in lines:
        if line.strip().startswith(f"{NEGATIVE_PROMPT}:"):
            part, line = negative, line.strip().removeprefix(f"{NEGATIVE_PROMPT}:")
        part.append(line.strip() if part is negative and not negative else line)
    return "\n".join(prompt).strip(), "\n".join(negative).strip()
