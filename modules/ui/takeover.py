"""What a picture's parameters mean for a form: which values it takes, and what is left out and why."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from modules.catalog.checkpoints import Catalog
from modules.catalog.identifying import find_by_digest
from modules.plugins.loading import Plugins
from modules.schema.errors import KararliError, UnusableFile
from modules.schema.record import Record
from modules.schema.sampling import AUTOMATIC, Sampler, Schedule, choose
from modules.storage.dialects import Reading
from modules.storage.keys import ROWS
from modules.storage.opening import file_bytes
from modules.storage.reading import PictureInfo, read_picture
from modules.storage.record import UnreadableRecord, request_of_picture

EFFORT = 8 * 2**30
"""Bytes of checkpoints that are read, at most, to find one whose digest is not known yet."""


@dataclass(frozen=True)
class Takeover:
    """Values for a form by their paths, and sentences about what was left out."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    left_out: tuple[str, ...] = ()


OURS = (None, "CPU")
"""What a form without a control for it does anyway."""


class TakeoverRules:
    """Knows a form's values and what can be chosen here."""

    def __init__(self, model: type[BaseModel], paths: Collection[str], catalog: Catalog, plugins: Plugins) -> None:
        self._model, self._paths, self._catalog, self._plugins = model, frozenset(paths), catalog, plugins

    def of_picture(self, info: PictureInfo) -> Takeover:
        """From our record where there is one that is understood, else from the parameters."""
        problem = info.record_problem
        if info.record is not None:
            try:
                return self._of_record(info.record)
            except UnreadableRecord as error:
                problem = str(error)
        notes = tuple(note for note in (problem, *info.notes) if note)
        if info.reading is None:
            return Takeover({}, notes or ("There are no parameters in this picture.",))
        found = self.of_reading(info.reading)
        return Takeover(found.values, (*notes, *found.left_out))

    def of_reading(self, reading: Reading) -> Takeover:
        """From a text. What it does not mention stays as it is."""
        values: dict[str, Any] = {}
        left_out = [*self._without_control(reading), *(f"{key}: {value}" for key, value in reading.rest.items())]
        for path, value in reading.values.items():
            if path in self._paths and not _switched_off(path, reading.values):
                try:
                    values[path] = self._fitting(path, value)
                except KararliError as error:
                    left_out.append(str(error))
        try:
            values |= self._checkpoint(reading.checkpoint, reading.checkpoint_hash)
        except UnusableFile as error:
            left_out.append(str(error))
        return Takeover(values, tuple(left_out))

    def _without_control(self, reading: Reading) -> Iterator[str]:
        """What is understood, and cannot be asked for in this form."""
        for row in ROWS:
            values = tuple(reading.values.get(path) for path in row.paths)
            lost = not self._paths.issuperset(row.paths) and None not in values and values != row.absent
            if lost and row.key not in ("Task", "Hires fix") and (text := row.codec.write(*values)) not in OURS:
                yield f"{row.key}: {text}"

    def _of_record(self, record: Record) -> Takeover:
        request = request_of_picture(record)
        values = {path: value for path, value in _leaves(request) if path in self._paths and path != "checkpoint"}
        used = record.checkpoint
        try:
            return Takeover(values | (self._checkpoint(used.name, used.sha256) if used else {}))
        except UnusableFile as error:
            return Takeover(values, (str(error),))

    def _checkpoint(self, name: str, digest: str) -> dict[str, Any]:
        if "checkpoint" not in self._paths or not (name or digest):
            return {}
        return {"checkpoint": find_by_digest(self._catalog, name, digest, EFFORT).name}

    def _fitting(self, path: str, value: Any) -> Any:
        """The value as the form takes it. Raises KararliError with what is wrong with it."""
        if path.endswith(".sampler"):
            value = _known(self._plugins.samplers(), str(value), _key(path))
        elif path.endswith(".schedule") and value != AUTOMATIC:
            value = _known(self._plugins.schedules(), str(value), _key(path))
        tree: Any = value
        for part in reversed(path.split(".")):
            tree = {part: tree}
        try:
            self._model.model_validate(tree)
        except ValidationError as error:
            raise KararliError(f"{_key(path)}: {value} ({error.errors()[0]['msg']})") from None
        return value


def read_file(path: Path) -> PictureInfo:
    """What a file that somebody gave says. Raises UnreadablePicture."""
    return read_picture(file_bytes(path))


def _known(choices: list[Sampler] | list[Schedule], name: str, key: str) -> str:
    try:
        choice = choose(choices, name)  # type: ignore[type-var]
    except KeyError:
        raise KararliError(f"{key}: {name} (it is not to be had here)") from None
    return choice.label if isinstance(choice, Schedule) else choice.name


def _switched_off(path: str, values: Mapping[str, Any]) -> bool:
    """Whether the value is a part of something that is not used: it may stay as it is in the form."""
    part, _, rest = path.partition(".")
    switch = {"hires": "enabled", "refiner": "checkpoint"}.get(part)
    return switch is not None and rest != switch and not values.get(f"{part}.{switch}")


def _key(path: str) -> str:
    """How texts call that value."""
    return next((row.key for row in ROWS if path in row.paths), path)


def _leaves(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
