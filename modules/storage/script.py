"""Keyframes as people write them down: "2.5: a blue square", or a JSON file that has all of a keyframe's values."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from modules.schema.animation import Keyframe
from modules.schema.errors import InvalidRequest

KeepFile = Callable[[Path], str]
"""From a picture's file to its digest."""

_LINE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*:\s*(.*)", re.DOTALL)


def read_script(parts: Sequence[str], keep: KeepFile) -> tuple[Keyframe, ...]:
    """The keyframes of all parts, each a "TIME: PROMPT" or the name of a JSON file. Raises InvalidRequest."""
    return tuple(keyframe for part in parts for keyframe in _read(part, keep))


def _read(part: str, keep: KeepFile) -> Iterator[Keyframe]:
    if match := _LINE.fullmatch(part):
        yield _keyframe({"time": float(match[1]), "prompt": match[2]}, part)
        return
    file = Path(part)
    try:
        listed: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(
            f"{part!r} is no keyframe, and no file that can be read ({error.strerror}). Write a keyframe as"
            ' "2.5: a blue square", with its time in seconds.',
            "keyframes",
        ) from None
    except ValueError as error:
        raise InvalidRequest(f"{part} is no JSON ({error}). It has to hold a list of keyframes.", "keyframes") from None
    if not isinstance(listed, list) or not all(isinstance(values, dict) for values in listed):  # type: ignore[misc]
        raise InvalidRequest(f"{part} has to hold a list of keyframes, each with a time and a prompt.", "keyframes")
    for values in listed:  # type: ignore[misc]
        named: dict[str, Any] = dict(values)  # type: ignore[arg-type]
        if named.get("picture"):
            named["picture"] = keep(file.parent / str(named["picture"]))
        yield _keyframe(named, part)


def _keyframe(values: dict[str, Any], part: str) -> Keyframe:
    try:
        return Keyframe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(name) for name in first["loc"])
        raise InvalidRequest(f"{part}: {place}: {first['msg']}.".replace(": : ", ": "), "keyframes") from None
