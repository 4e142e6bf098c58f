"""Finds the files of a folder of models."""

import os
from collections.abc import Iterator
from pathlib import Path


def model_files(folder: Path, ending: str = ".safetensors") -> Iterator[Path]:
    """The files with that ending in a folder and its sub-folders, in order; links are followed, circles left out."""
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        if os.path.realpath(parent) in visited:
            folders.clear()  # a link back to a folder above
            continue
        visited.add(os.path.realpath(parent))
        folders.sort()
        for file in sorted(files):
            if file.lower().endswith(ending) and not file.startswith("."):
                yield Path(parent) / file
