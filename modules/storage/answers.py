"""Results in words on disk: a JSON record under outputs/<task>/<date>/, with what belongs to it beside it."""

import itertools
import json
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from modules import __version__
from modules.schema.captioning import Description
from modules.schema.events import Answer, Answered, AnswerReady
from modules.schema.requests import Request
from modules.storage.files import take_name

FORMAT = 1
"""Grows when a reader of the old format would misunderstand the new one."""

_ANSWERS: TypeAdapter[Answer] = TypeAdapter(Answer)


class AnswerFiles:
    """The tree outputs/<task>/<date>/<name>.json, with <name>-<file> for each file that belongs to it."""

    def __init__(self, outputs: Path) -> None:
        self._outputs = outputs
        self._lock = threading.Lock()

    def save(self, request: Request, answered: Answered) -> AnswerReady:
        """Write an answer under the name of what it is about. Whole, or not there. Raises OSError."""
        folder = self._outputs / request.task / date.today().isoformat()
        with self._lock, ExitStack() as leftovers:
            folder.mkdir(parents=True, exist_ok=True)
            record = _written(folder, write_record(request, answered).encode(), leftovers)
            parts = {name: _written(folder, data, leftovers) for name, data in answered.files.items()}
            for stem in _stems(answered.answer):
                path = folder / f"{stem}.json"
                beside = {name: folder / f"{stem}-{name}" for name in parts}
                if not any(file.exists() for file in (path, *beside.values())) and take_name(record, path):
                    for name, part in parts.items():
                        part.replace(beside[name])
                    return AnswerReady(answered.index, answered.answer, path, dict(beside))
        raise AssertionError("counting does not end")


def write_record(request: Request, answered: Answered) -> str:
    """The answer with what was asked and what it depends on, as JSON."""
    record = {
        "format": FORMAT,
        "request": request.alone(answered.index).model_dump(mode="json"),
        "answer": answered.answer.model_dump(mode="json"),
        "environment": answered.environment.model_dump(mode="json"),
        "version": __version__,
        "files": sorted(answered.files),
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def read_answer(path: Path, index: int, answer: str) -> AnswerReady | None:
    """A saved answer; None when its file was deleted, or when it was recorded in other words."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["files"]
        files: dict[str, Path | bytes] = {str(name): path.with_name(f"{path.stem}-{name}") for name in names}
        return AnswerReady(index, _ANSWERS.validate_json(answer), path, files)
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def _stems(answer: Answer) -> Iterator[str]:
    stem = (answer.name if isinstance(answer, Description) else "") or answer.kind
    yield stem
    yield from (f"{stem}-{number}" for number in itertools.count(2))


def _written(folder: Path, data: bytes, leftovers: ExitStack) -> Path:
    """The bytes under a temporary name, which is gone at the end."""
    temporary = folder / f".{uuid.uuid4().hex}.part"
    leftovers.callback(temporary.unlink, missing_ok=True)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary
