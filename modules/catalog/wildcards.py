"""The lists in models/wildcards/ that prompts draw words from: text files, one entry a line."""

from fnmatch import fnmatchcase
from pathlib import Path

from modules.catalog.files import model_files


class Wildcards:
    """Knows the lists. They are read at each question, so that an edited list counts at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """The lists by path, with forward slashes and without the ending."""
        return [path.relative_to(self._folder).with_suffix("").as_posix() for path in model_files(self._folder, ".txt")]

    def lines(self, name: str) -> list[str]:
        """The entries of a list, or of all whose names match a pattern such as "colours/*"; [] if there is none.

        A name without a folder is found in sub-folders too. Empty lines and those that begin with # are left out.
        """
        names = self.names()
        found = [known for known in names if fnmatchcase(known.casefold(), name.casefold())]
        found = found or [known for known in names if known.rpartition("/")[2].casefold() == name.casefold()][:1]
        texts = (self._read(known) for known in found)
        lines = (line.strip() for text in texts for line in text.splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    def _read(self, name: str) -> str:
        try:
            return (self._folder / f"{name}.txt").read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            return ""  # gone since the folder was listed
