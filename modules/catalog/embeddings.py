"""The embeddings (textual inversions) in models/embeddings/, sub-folders too. A prompt names them by file name."""

from dataclasses import dataclass
from pathlib import Path

from modules.catalog.files import model_files
from modules.catalog.headers import Header, read_header
from modules.schema.errors import UnusableFile

KEYS = ("emb_params", "string_to_param.*")
"""What the vectors are called; any name will do if there is one tensor only."""


@dataclass(frozen=True)
class Embedding:
    """A file of learned words: so many vectors of so many numbers, or a problem (a sentence)."""

    name: str
    """The file name without its ending: what a prompt says."""
    path: Path
    tensor: str = ""
    """The vectors' name in the file."""
    vectors: int = 0
    width: int = 0
    problem: str = ""


class Embeddings:
    """Knows the embeddings. Looks at the folder at each question, and reads a header once for each state of a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[tuple[Path, int, int], Embedding] = {}

    def entries(self) -> list[Embedding]:
        """All .safetensors files by name. Of two with the same name the first one counts."""
        found: dict[str, Embedding] = {}
        seen: dict[tuple[Path, int, int], Embedding] = {}
        for path in model_files(self._folder):
            try:
                stat = path.stat()
                state = (path, stat.st_size, stat.st_mtime_ns)
                entry = self._seen.get(state) or _read(path)
            except OSError:
                continue  # gone since the folder was listed, or not to be read
            seen[state] = entry
            found.setdefault(entry.name.casefold(), entry)
        self._seen = seen
        return sorted(found.values(), key=lambda entry: entry.name.casefold())


def _read(path: Path) -> Embedding:
    try:
        return _understood(path, read_header(path))
    except UnusableFile as error:
        return Embedding(path.stem, path, problem=str(error))


def _understood(path: Path, header: Header) -> Embedding:
    names = [name for name in KEYS if name in header.tensors] or list(header.tensors)
    if len(names) == 1:
        shape = header.tensors[names[0]].shape
        if len(shape) in (1, 2) and all(shape):
            vectors, width = shape if len(shape) == 2 else (1, *shape)
            return Embedding(path.stem, path, names[0], vectors, width)
    raise UnusableFile(
        "This is no textual inversion for Stable Diffusion 1.x: that is a file with one table of vectors."
    )
