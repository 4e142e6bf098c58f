"""The upscalers in models/ESRGAN/, sub-folders too."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from modules.catalog.files import model_files
from modules.catalog.headers import read_header
from modules.catalog.upscaler_architecture import Foreign, UpscalerArchitecture, detect_upscaler
from modules.schema.errors import UnusableFile
from modules.schema.upscaling import Upscaler

NEEDS_SPANDREL = (
    "This is a kind of upscaler that is read through spandrel, which is not installed. Install it with"
    " `.venv/bin/python -m pip install -r requirements-upscalers.txt`, and start again."
)


@dataclass(frozen=True)
class UpscalerFile:
    """A file in the folder: either it has an architecture, or a problem (a sentence)."""

    name: str
    """Path below the folder without the ending, with forward slashes."""
    path: Path
    size: int
    changed_ns: int
    architecture: UpscalerArchitecture | None = None
    problem: str = ""

    @property
    def state(self) -> tuple[str, int, int]:
        """What is compared to see whether the file has changed."""
        return self.name, self.size, self.changed_ns

    def usable(self) -> UpscalerArchitecture:
        """The architecture. Raises UnusableFile with the reason when there is none."""
        if self.architecture is None:
            raise UnusableFile(f"{self.name}: {self.problem}")
        return self.architecture


class UpscalerFiles:
    """Knows the files. Looks at the folder at each question, and reads a header once for each state of a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[tuple[str, int, int], UpscalerFile] = {}
        self._lock = threading.Lock()

    def entries(self) -> list[UpscalerFile]:
        """All .safetensors files, by name."""
        with self._lock:
            found = [entry for path in model_files(self.folder) if (entry := self._entry(path)) is not None]
            self._seen = {entry.state: entry for entry in found}
        return sorted(found, key=lambda entry: entry.name.casefold())

    def find(self, name: str) -> UpscalerFile | None:
        """The file of that name, whatever the case: its path in the folder, or the last part of it."""
        wanted, entries = name.casefold(), self.entries()
        by_path = (entry for entry in entries if entry.name.casefold() == wanted)
        by_stem = (entry for entry in entries if entry.path.stem.casefold() == wanted)
        return next(by_path, None) or next(by_stem, None)

    def _entry(self, path: Path) -> UpscalerFile | None:
        try:
            stat = path.stat()
            name = path.relative_to(self.folder).with_suffix("").as_posix()
            entry = UpscalerFile(name, path, stat.st_size, stat.st_mtime_ns)
            return self._seen.get(entry.state) or _read(entry)
        except OSError:
            return None  # gone since the folder was listed, or not to be read


def all_upscalers(registered: Sequence[Upscaler], files: UpscalerFiles) -> list[Upscaler]:
    """The registered ones, then the usable files whose name is not taken."""
    taken = {upscaler.name.casefold() for upscaler in registered}
    usable = [entry for entry in files.entries() if entry.architecture is not None]
    return [
        *registered,
        *(Upscaler(entry.name, file=entry.name) for entry in usable if entry.name.casefold() not in taken),
    ]


def _read(entry: UpscalerFile) -> UpscalerFile:
    try:
        architecture = detect_upscaler(read_header(entry.path))
    except UnusableFile as error:
        return replace(entry, problem=str(error))
    if isinstance(architecture, Foreign) and find_spec("spandrel") is None:
        return replace(entry, problem=NEEDS_SPANDREL)
    return replace(entry, architecture=architecture)
