"""Pictures on disk: written under a temporary name, synced, then given their name. Whole, or not there."""

import errno
import io
import itertools
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from PIL.PngImagePlugin import PngInfo

from modules.schema.media import Picture
from modules.storage.metadata import PARAMETERS, RECORD

ZIPPED_FROM = 1000
"""Characters from which a record is compressed."""

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems without hard links answer (FAT, some network folders)."""


def encode_png(picture: Picture, infotext: str, record: str = "") -> bytes:
    """A PNG file's bytes, with the text under "parameters" and the record under "kararli"."""
    info = PngInfo()
    add = info.add_text if _is_safe_latin(infotext) else info.add_itxt
    add(PARAMETERS, infotext)
    if record:
        info.add_itxt(RECORD, record, zip=len(record) > ZIPPED_FROM)
    file = io.BytesIO()
    picture.image().save(file, "PNG", pnginfo=info)
    return file.getvalue()


def _is_safe_latin(text: str) -> bool:
    """Whether a tEXt chunk holds the text, and readers cannot take its Latin-1 for UTF-8, which others write there."""
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeEncodeError:
        return False
    except UnicodeDecodeError:
        return True
    return text.isascii()


class PictureFiles:
    """The tree outputs/<task>/<date>/<number>-<seed>.png."""

    def __init__(self, outputs: Path) -> None:
        self._outputs = outputs
        self._lock = threading.Lock()

    def save(
        self, png: bytes, task: str, seed: int, record: Callable[[Path], None] = lambda _path: None, name: str = ""
    ) -> Path:
        """Write a picture under the day's next number, or under a name of its own where it has one.

        `record` is told the name before the picture has it (and once more when another program was faster), so that
        no picture is on disk without its record. Raises OSError when the disk refuses; no picture is left then.
        """
        folder = self._outputs / task / date.today().isoformat()
        with self._lock:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".{uuid.uuid4().hex}.part"
            try:
                with temporary.open("wb") as file:
                    file.write(png)
                    file.flush()
                    os.fsync(file.fileno())
                names = _own_names(name) if name else _numbered_names(folder, seed)
                return _name(temporary, folder, names, record)
            finally:
                temporary.unlink(missing_ok=True)

    def adopt(self, made: Path, task: str, seed: int, ending: str, record: Callable[[Path], None]) -> Path:
        """Give a file of outputs/ its place, under the day's next number. `record` and errors as in save()."""
        folder = self._outputs / task / date.today().isoformat()
        with self._lock:
            folder.mkdir(parents=True, exist_ok=True)
            with made.open("rb+") as file:
                os.fsync(file.fileno())
            path = _name(made, folder, _numbered_names(folder, seed, ending), record)
            made.unlink(missing_ok=True)
        return path

    def adopt_folder(self, made: Path, task: str, seed: int, record: Callable[[Path], None]) -> Path:
        """The same for a folder of files that are on disk already."""
        folder = self._outputs / task / date.today().isoformat()
        with self._lock:
            folder.mkdir(parents=True, exist_ok=True)
            for name in _numbered_names(folder, seed, ""):
                path = folder / name
                if not path.exists():
                    record(path)
                    made.rename(path)
                    return path
        raise AssertionError("counting does not end")


def _numbered_names(folder: Path, seed: int, ending: str = ".png") -> Iterator[str]:
    numbers = (int(match[1]) for name in os.listdir(folder) if (match := re.match(r"(\d+)-", name)))
    return (f"{number:05}-{seed}{ending}" for number in itertools.count(max(numbers, default=0) + 1))


def _own_names(name: str) -> Iterator[str]:
    """The name, and what it becomes where it is taken."""
    yield f"{name}.png"
    yield from (f"{name}-{number}.png" for number in itertools.count(2))


def _name(temporary: Path, folder: Path, names: Iterator[str], record: Callable[[Path], None]) -> Path:
    """Give the finished file the first free name, also when another program saves into the same folder."""
    for name in names:
        path = folder / name
        if not path.exists():
            record(path)
            if take_name(temporary, path):
                _sync_folder(folder)
                return path
    raise AssertionError("counting does not end")


def take_name(temporary: Path, path: Path) -> bool:
    """Give the file that name in one step; False when another file has it."""
    try:
        if os.name == "nt":
            temporary.rename(path)  # there, this refuses to replace a file
        else:
            path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        temporary.rename(path)
    return True


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
