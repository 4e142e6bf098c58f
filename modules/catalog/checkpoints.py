"""The checkpoints in models/Stable-diffusion/, sub-folders too."""

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from modules.catalog.architecture import Architecture, detect
from modules.catalog.describers import Describers, read_lists
from modules.catalog.embeddings import Embeddings
from modules.catalog.faces import FaceFiles
from modules.catalog.files import model_files
from modules.catalog.hashes import Hashes
from modules.catalog.headers import read_header
from modules.catalog.upscalers import UpscalerFiles
from modules.catalog.wildcards import Wildcards
from modules.schema.errors import UnusableFile
from modules.settings import Settings

DEFAULT = "demo.safetensors"
"""The checkpoint that ships with the program."""


@dataclass(frozen=True)
class Checkpoint:
    """A file in the folder: either it has an architecture, or a problem (a sentence)."""

    name: str
    """Path below the folder, with forward slashes."""
    path: Path
    size: int
    changed_ns: int
    architecture: Architecture | None = None
    problem: str = ""

    @property
    def stem(self) -> str:
        """The name without folders and ending, as pictures' parameters carry it."""
        return self.path.stem

    @property
    def state(self) -> tuple[str, int, int]:
        """What is compared to see whether the file has changed."""
        return self.name, self.size, self.changed_ns

    def usable(self) -> Architecture:
        """The architecture. Raises UnusableFile with the reason when there is none."""
        if self.architecture is None:
            raise UnusableFile(f"{self.name}: {self.problem}")
        return self.architecture


class Catalog:
    """Knows the checkpoints. Looks at the folder at each question, and reads a header once for each state of a file."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.checkpoints
        self._seen: dict[tuple[str, int, int], Checkpoint] = {}
        self._lock = threading.Lock()
        self.hashes = Hashes(settings.cache)
        self.embeddings = Embeddings(settings.embeddings)
        self.wildcards = Wildcards(settings.wildcards)
        self.upscalers = UpscalerFiles(settings.upscalers)
        self.faces = FaceFiles(settings.models)
        self.video_models = Describers(settings.video_models)
        self.picture_models = Describers(*settings.picture_models)
        self.words_folder = settings.words

    def word_lists(self) -> list[tuple[str, tuple[str, ...]]]:
        """(name, words) of the lists that CLIP models choose from."""
        return read_lists(self.words_folder)

    def checkpoints(self) -> list[Checkpoint]:
        """All .safetensors files, the default one first, then by name."""
        with self._lock:
            found = [self._entry(path) for path in model_files(self._folder)]
            entries = [entry for entry in found if entry is not None]
            states = {entry.state for entry in entries}
            self._seen = {state: entry for state, entry in self._seen.items() if state in states}
        return sorted(entries, key=lambda entry: (entry.name != DEFAULT, entry.name.lower()))

    def find(self, name: str) -> Checkpoint:
        """The checkpoint of that name: its path in the folder, its file name, or either without the ending.

        "" finds the default: the one that ships, or the first usable one. Raises UnusableFile when there is none.
        """
        entries = self.checkpoints()
        if name == "":
            usable = [entry for entry in entries if entry.architecture is not None]
            if usable:
                return usable[0]
            raise UnusableFile(
                f"There is no usable checkpoint. Put a Stable Diffusion 1.x .safetensors into {self._folder}."
            )
        wanted = name.replace("\\", "/")
        for spelling in range(4):
            for entry in entries:
                whole = entry.name[: -len(entry.path.suffix)]
                if (entry.name, whole, entry.path.name, entry.stem)[spelling] == wanted:
                    return entry
        raise UnusableFile(
            f"There is no checkpoint {name!r} in {self._folder}. It was renamed or removed; choose another one."
        )

    def _entry(self, path: Path) -> Checkpoint | None:
        name = path.relative_to(self._folder).as_posix()
        try:
            stat = path.stat()
        except OSError:
            return None  # gone since the folder was listed
        entry = Checkpoint(name, path, stat.st_size, stat.st_mtime_ns)
        if entry.state in self._seen:
            return self._seen[entry.state]
        try:
            entry = _read(entry)
        except OSError as error:  # not remembered: it may be readable the next time, without having changed
            problem = f"The file cannot be read ({error.strerror}). Check its permissions and the disk."
            return replace(entry, problem=problem)
        self._seen[entry.state] = entry
        return entry


def _read(entry: Checkpoint) -> Checkpoint:
    try:
        return replace(entry, architecture=detect(read_header(entry.path)))
    except UnusableFile as error:
        return replace(entry, problem=str(error))
