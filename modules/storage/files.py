"""Pictures on disk: written under a temporary name, synced, then given their name. Whole, or not there."""

import io
import os
import re
import threading
import uuid
from datetime import date
from pathlib import Path

from PIL.PngImagePlugin import PngInfo

from modules.schema.media import Picture


def encode_png(picture: Picture, infotext: str) -> bytes:
    """A PNG file's bytes, with the text under "parameters" (tEXt; iTXt when it does not fit into Latin-1)."""
    info = PngInfo()
    info.add_text("parameters", infotext)
    file = io.BytesIO()
    picture.image().save(file, "PNG", pnginfo=info)
    return file.getvalue()


class PictureFiles:
    """The tree outputs/<task>/<date>/<number>-<seed>.png."""

    def __init__(self, outputs: Path) -> None:
        self._outputs = outputs
        self._lock = threading.Lock()

    def save(self, png: bytes, task: str, seed: int) -> Path:
        """Write a picture under the day's next number. Raises OSError when the disk refuses; nothing is left then."""
        folder = self._outputs / task / date.today().isoformat()
        with self._lock:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".{uuid.uuid4().hex}.part"
            try:
                with temporary.open("wb") as file:
                    file.write(png)
                    file.flush()
                    os.fsync(file.fileno())
                return _claim(temporary, folder, seed)
            finally:
                temporary.unlink(missing_ok=True)


def _claim(temporary: Path, folder: Path, seed: int) -> Path:
    """Give the finished file the next free number, also when another program saves into the same folder."""
    number = max((int(match[1]) for name in os.listdir(folder) if (match := re.match(r"(\d+)-", name))), default=0) + 1
    while True:
        path = folder / f"{number:05}-{seed}.png"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
            continue
        try:
            os.replace(temporary, path)
        except OSError:
            path.unlink()
            raise
        _sync_folder(folder)
        return path


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
