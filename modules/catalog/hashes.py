"""SHA-256 of model files, computed once for each state of a file."""

import hashlib
import json
import os
import threading
from pathlib import Path

from pydantic import TypeAdapter

FILE_NAME = "sha256.json"
_TABLE: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


class Hashes:
    """Digests by path, size and time of change, kept in a JSON file of the cache folder."""

    def __init__(self, cache: Path) -> None:
        self._file = cache / FILE_NAME
        self._lock = threading.Lock()

    def known(self, path: Path) -> str | None:
        """The digest if it has been computed for the file as it is now."""
        with self._lock:
            return self._read().get(_key(path))

    def sha256(self, path: Path) -> str:
        """The file's digest in hexadecimal; reads the whole file when it is not known. Raises OSError."""
        key = _key(path)
        if (digest := self.known(path)) is not None:
            return digest
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with self._lock:
            self._write({**self._read(), key: digest})
        return digest

    def _read(self) -> dict[str, str]:
        try:
            return _TABLE.validate_json(self._file.read_bytes())
        except (OSError, ValueError):
            return {}

    def _write(self, table: dict[str, str]) -> None:
        temporary = self._file.with_suffix(f".{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(table, indent=1), encoding="utf-8")
            os.replace(temporary, self._file)
        except OSError:
            return  # a cache that cannot be written only costs the time to compute the digest again


def _key(path: Path) -> str:
    stat = path.stat()
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
