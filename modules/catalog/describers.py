"""Models that describe, in the layout of the Hugging Face hub: a folder each, with its configuration and weights."""

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from modules.catalog.headers import read_header
from modules.schema.errors import UnusableFile

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
LARGEST_JSON = 50_000_000
LARGEST_SIGHT = 4096
"""Pixels of a side of what a model sees, at most."""

Kind: TypeAlias = Literal["labels", "sentences", "clip", "blip"]
"""A TimeSformer that chooses among labels, one with a decoder that writes, a CLIP, a BLIP."""

KINDS: Mapping[str, Kind] = {
    "timesformer": "labels",
    "vision-encoder-decoder": "sentences",
    "clip": "clip",
    "blip": "blip",
}
"""By the model_type of the configuration."""

TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("vocab.txt",))
"""Files that tell a decoder's words, any of these sets."""


@dataclass(frozen=True)
class Describer:
    """A folder: either it has a kind, or a problem (a sentence)."""

    name: str
    """Path below the folder of all, with forward slashes."""
    path: Path
    state: tuple[tuple[str, int, int], ...]
    """Names, sizes and times of change of its files: what is compared to see whether it has changed."""
    kind: Kind | None = None
    frames: int = 0
    """How many frames it was trained to see; 0 for models of pictures."""
    side: int = 0
    """Pixels of a side of what it sees."""
    labels: int = 0
    """How many labels it knows; 0 for models that write."""
    licence: str = ""
    """As its card says; empty when it says nothing."""
    problem: str = ""

    def usable(self) -> Kind:
        """What it is. Raises UnusableFile with the reason when it cannot be used."""
        if self.kind is None:
            raise UnusableFile(f"{self.name}: {self.problem}")
        return self.kind

    @property
    def weights(self) -> Path:
        """The file of its weights."""
        return self.path / WEIGHTS


class Describers:
    """Knows the models of one or several folders. Looks at them at each question, and reads each state once."""

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self._seen: dict[tuple[Path, tuple[tuple[str, int, int], ...]], Describer] = {}
        self._lock = threading.Lock()

    def entries(self, *kinds: Kind) -> list[Describer]:
        """All folders with a configuration, by name; only usable ones of these kinds where kinds are named."""
        with self._lock:
            found = [self._entry(folder, path) for folder in self.folders for path in _model_folders(folder)]
            self._seen = {(entry.path, entry.state): entry for entry in found}
        chosen = [entry for entry in found if not kinds or entry.kind in kinds]
        return sorted(chosen, key=lambda entry: (entry.name != "demo", entry.name.casefold()))

    def find(self, name: str, *kinds: Kind, asked: str = "model") -> Describer:
        """The usable model of that name, whatever the case; "" finds the first one.

        Raises UnusableFile with a sentence that says what to put where.
        """
        if not name:
            usable = self.entries(*kinds)
            if usable:
                return usable[0]
            raise UnusableFile(self.advice(kinds))
        for entry in self.entries():
            if entry.name.casefold() == name.replace("\\", "/").casefold():
                if entry.usable() in kinds:
                    return entry
                raise UnusableFile(f"{entry.name} is a model of another kind; choose another one.")
        places = " or ".join(str(folder) for folder in self.folders)
        raise UnusableFile(f"There is no {asked} {name!r} in {places}. It was renamed or removed; choose another one.")

    def advice(self, kinds: Sequence[Kind]) -> str:
        """What to put where, when nothing is there."""
        what = "a TimeSformer" if "labels" in kinds else " or ".join(kind.upper() for kind in kinds)
        places = " or ".join(str(folder / "<name>") for folder in self.folders)
        return (
            f"There is no usable model yet. Put {what} as the Hugging Face hub stores it (config.json,"
            f" model.safetensors, preprocessor_config.json, and what else is there but .bin files) into {places}."
        )

    def _entry(self, folder: Path, path: Path) -> Describer:
        entry = Describer(path.relative_to(folder).as_posix(), path, _state(path))
        return self._seen.get((path, entry.state)) or _read(entry)


def read_lists(folder: Path) -> list[tuple[str, tuple[str, ...]]]:
    """(name, words) of the lists that CLIP models choose from: .txt files, one word or phrase a line, # for notes."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".txt" and not path.name.startswith("."))
    except OSError:
        return []
    lists: list[tuple[str, tuple[str, ...]]] = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except OSError:
            continue
        words = tuple(dict.fromkeys(line.strip() for line in lines if line.strip() and not line.startswith("#")))
        if words:
            lists.append((file.stem, words))
    return lists


def _model_folders(folder: Path) -> Iterator[Path]:
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        if os.path.realpath(parent) in visited:
            folders.clear()  # a link back to a folder above
            continue
        visited.add(os.path.realpath(parent))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if CONFIG in files and Path(parent) != folder:
            yield Path(parent)


def _state(path: Path) -> tuple[tuple[str, int, int], ...]:
    found: list[tuple[str, int, int]] = []
    for file in sorted(path.iterdir()):
        try:
            stat = file.stat()
        except OSError:
            continue  # gone since the folder was listed
        if file.is_file():
            found.append((file.name, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _read(entry: Describer) -> Describer:
    try:
        return _described(replace(entry, licence=licence_of(entry.path / "README.md")))
    except UnusableFile as error:
        return replace(entry, problem=str(error))
    except OSError as error:
        return replace(entry, problem=f"A file cannot be read ({error.strerror}). Check its permissions and the disk.")


def _described(entry: Describer) -> Describer:
    config = _json(entry.path / CONFIG)
    kind = KINDS.get(str(config.get("model_type")))
    if kind is None:
        raise UnusableFile(
            f"This is a model of the kind {config.get('model_type')!r}, which cannot be used here. Put a TimeSformer"
            " into models/TimeSformer/, a CLIP into models/CLIP/, a BLIP into models/BLIP/."
        )
    names = {name for name, _, _ in entry.state}
    _check_weights(entry.path, names)
    if PREPROCESSOR not in names:
        raise UnusableFile(f"{PREPROCESSOR} is missing, which says how frames are prepared. Download it too.")
    _check_sizes(_json(entry.path / PREPROCESSOR))
    if kind != "labels" and not any(names.issuperset(files) for files in TOKENIZERS):
        raise UnusableFile("Its tokenizer is missing. Download tokenizer.json too, or vocab.json and merges.txt.")
    vision = _vision(config, kind)
    labels = _labels(config) if kind == "labels" else 0
    return replace(
        entry,
        kind=kind,
        frames=_number(vision, "num_frames", 8) if kind in ("labels", "sentences") else 0,
        side=_number(vision, "image_size", 224),
        labels=labels,
    )


def _check_weights(path: Path, names: set[str]) -> None:
    if WEIGHTS in names:
        read_header(path / WEIGHTS)
        return
    if "model.safetensors.index.json" in names:
        raise UnusableFile("Its weights are in several parts, which is not read. Look for a version in one file.")
    if any(name.endswith((".bin", ".pt", ".pth", ".pyth")) for name in names):
        raise UnusableFile(
            f"Its weights are a pickle. Pickles can run code and are not opened; look for {WEIGHTS} of the same model,"
            " or convert it."
        )
    raise UnusableFile(f"{WEIGHTS} is missing. Download it too.")


def _vision(config: Mapping[str, Any], kind: Kind) -> Mapping[str, Any]:
    """The part of the configuration that speaks of what is seen."""
    if kind == "labels":
        return config
    part: Any = config.get("encoder" if kind == "sentences" else "vision_config") or {}
    if not isinstance(part, dict):
        raise UnusableFile(f"{CONFIG} makes no sense. Download it again.")
    vision = cast(dict[str, Any], part)
    if kind == "sentences" and vision.get("model_type") != "timesformer":
        raise UnusableFile(
            f"This captioner sees through a {vision.get('model_type')!r}. Only those with a TimeSformer can be used."
        )
    return vision


def _labels(config: Mapping[str, Any]) -> int:
    labels: Any = config.get("id2label") or {}
    if not isinstance(labels, dict) or not labels:
        raise UnusableFile(f"{CONFIG} has no id2label, so that its answers have no names. Take a finetuned model.")
    return len(cast(dict[str, Any], labels))


def _check_sizes(preprocessor: Mapping[str, Any]) -> None:
    """No picture is blown up beyond reason because a file says so."""
    for name in ("size", "crop_size"):
        given: Any = preprocessor.get(name, 0)
        values: list[Any] = list(cast(dict[str, Any], given).values()) if isinstance(given, dict) else [given]
        if not all(type(value) is int and 0 <= value <= LARGEST_SIGHT for value in values):
            raise UnusableFile(f"{PREPROCESSOR} makes no sense ({name}). Download it again.")


def _number(table: Mapping[str, Any], name: str, default: int) -> int:
    value = table.get(name, default)
    if type(value) is not int or not 0 < value <= LARGEST_SIGHT:
        raise UnusableFile(f"{CONFIG} makes no sense ({name}). Download it again.")
    return value


def _json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > LARGEST_JSON:
        raise UnusableFile(f"{path.name} is too large. Download it again.")
    try:
        table: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise UnusableFile(f"{path.name} cannot be read: it is damaged, or no JSON. Download it again.") from None
    if not isinstance(table, dict):
        raise UnusableFile(f"{path.name} makes no sense. Download it again.")
    return cast(dict[str, Any], table)


def licence_of(card: Path) -> str:
    """The licence that a model's card (README.md) names in its first lines; "" when it names none."""
    try:
        with card.open(encoding="utf-8", errors="replace") as file:
            head = file.read(20_000)
    except OSError:
        return ""
    matter = re.match(r"---\r?\n(.*?)\r?\n---", head, re.DOTALL)
    found = re.search(
        r"^licen[cs]e:[ \t]*['\"]?([\w. +-]{1,80}?)['\"]?[ \t]*$", matter[1] if matter else "", re.MULTILINE
    )
    return found[1] if found else ""
