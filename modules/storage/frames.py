"""Frames of animations on disk while their job goes on: each kept as soon as it is painted, so that none is painted
twice, whatever ends the program."""

import os
import shutil
import uuid
from pathlib import Path


class Frames:
    """The folders outputs/.frames/<job>/, with one PNG a frame."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, job_id: str) -> Path:
        """Where a job's frames are."""
        return self._root / job_id

    def keep(self, job_id: str, index: int, png: bytes) -> Path:
        """Write a frame: whole, or not there. Raises OSError when the disk refuses."""
        folder = self.folder(job_id)
        folder.mkdir(parents=True, exist_ok=True)
        temporary, path = folder / f".{uuid.uuid4().hex}.part", folder / f"{index:05}.png"
        try:
            with temporary.open("wb") as file:
                file.write(png)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return path

    def paths(self, job_id: str) -> list[Path]:
        """A job's frames from the first one on, as far as none is missing."""
        folder = self.folder(job_id)
        if not folder.is_dir():
            return []
        there = {path.name for path in folder.iterdir()}
        names = [f"{index:05}.png" for index in range(len(there))]
        missing = next((place for place, name in enumerate(names) if name not in there), len(names))
        return [folder / name for name in names[:missing]]

    def remove(self, job_id: str) -> None:
        """Forget a job's frames."""
        shutil.rmtree(self.folder(job_id), ignore_errors=True)
