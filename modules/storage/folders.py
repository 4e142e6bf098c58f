"""Folders of pictures that are worked through: which files they hold, and what their results are called."""

import os
import re
from pathlib import Path

from modules.schema.errors import InvalidRequest
from modules.schema.requests import MOST_PICTURES

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff")
"""What is taken for a picture in a folder. Files that were named one by one may be called as they like."""

LONGEST_STEM = 100


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder, by name; hidden files and sub-folders are left out. Raises InvalidRequest."""
    try:
        names = sorted(os.listdir(folder), key=str.casefold)
    except OSError as error:
        raise InvalidRequest(
            f"The folder {folder} cannot be read ({error.strerror}). Is it the right one?", "pictures"
        ) from None
    found = [folder / name for name in names if name.lower().endswith(ENDINGS) and not name.startswith(".")]
    found = [path for path in found if path.is_file()]
    if not found:
        raise InvalidRequest(f"There are no pictures in the folder {folder}.", "pictures")
    if len(found) > MOST_PICTURES:
        raise InvalidRequest(
            f"There are {len(found)} pictures in the folder {folder}; {MOST_PICTURES} are the most at once. Put them"
            " into several folders.",
            "pictures",
        )
    return found


class InputRoot:
    """The folder below which people on the page may name folders. Nothing outside of it is ever looked at."""

    def __init__(self, root: Path | None) -> None:
        self._root = root.expanduser().resolve() if root is not None else None

    def pictures(self, folder: str) -> list[Path]:
        """The pictures in a folder, given by its path below the root or in full. Raises InvalidRequest."""
        if self._root is None:
            raise InvalidRequest(
                "Folders cannot be worked through: none was set up. Start with --input-root and the folder that holds"
                " them, or give the files themselves.",
                "pictures",
            )
        wanted = (self._root / folder.strip()).resolve()
        if not wanted.is_relative_to(self._root):
            raise InvalidRequest(f"The folder has to lie in {self._root}.", "pictures")
        return [path for path in pictures_in(wanted) if path.resolve().is_relative_to(self._root)]


def stem_of(name: str) -> str:
    """A file's name without folders and ending, with "_" for what some systems do not take in names.

    What has no name is called picture.
    """
    stem = re.sub(r'[/\\\x00-\x1f\x7f<>:"|?*]', "_", re.split(r"[/\\]", name)[-1])
    stem = stem[: stem.rindex(".")] if "." in stem.lstrip(".") else stem
    return stem.strip(". ")[:LONGEST_STEM].strip(". ") or "picture"
