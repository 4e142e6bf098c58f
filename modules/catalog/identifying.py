"""Finds a checkpoint by what is in the file, since names differ from one computer to the next."""

import hashlib
import re
from pathlib import Path

from modules.catalog.checkpoints import Catalog, Checkpoint
from modules.schema.errors import UnusableFile

SHORTEST_DIGEST = 8
"""Digits from which on a digest says enough."""

OLD_HASH_FROM, OLD_HASH_BYTES = 0x100000, 0x10000
"""The part of a file that A1111's first short hash looked at, up to January 2023."""


def find_by_digest(catalog: Catalog, name: str, digest: str, effort: int | None = None) -> Checkpoint:
    """The checkpoint with these first digits of its SHA-256 (or with this old short hash), whatever its name.

    Files whose digest is not known yet are read: that of the same name in any case, the others up to `effort` bytes
    (all of them without it). Without a digest the name decides. Raises UnusableFile with a sentence that says which one
    is missing.
    """
    digest = digest.strip().lower().removeprefix("0x")
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_DIGEST},64}}", digest):
        return catalog.find(name)
    namesake = _by_name(catalog, name)
    entries = [entry for entry in catalog.checkpoints() if entry.architecture is not None]
    entries.sort(key=lambda entry: (entry != namesake, entry.size))
    unknown: list[Checkpoint] = []
    for entry in entries:
        known = catalog.hashes.known(entry.path)
        if known is None:
            unknown.append(entry)
        elif known.startswith(digest) or digest == _old_hash(entry.path, digest):
            return entry
    left = 0
    for entry in unknown:
        if effort is not None and entry != namesake:
            effort -= entry.size
            if effort < 0:
                left += 1
                continue
        if _has(catalog, entry, digest):
            return entry
    raise UnusableFile(_missing(name, digest, namesake is not None, left))


def _by_name(catalog: Catalog, name: str) -> Checkpoint | None:
    try:
        return catalog.find(name) if name else None
    except UnusableFile:
        return None


def _has(catalog: Catalog, entry: Checkpoint, digest: str) -> bool:
    try:
        return digest == _old_hash(entry.path, digest) or catalog.hashes.sha256(entry.path).startswith(digest)
    except OSError:
        return False  # gone since the folder was listed


def _old_hash(path: Path, digest: str) -> str:
    """A1111's first short hash; "" when the digest that is looked for is none."""
    if len(digest) != SHORTEST_DIGEST:
        return ""
    with path.open("rb") as file:
        file.seek(OLD_HASH_FROM)
        return hashlib.sha256(file.read(OLD_HASH_BYTES)).hexdigest()[:SHORTEST_DIGEST]


def _missing(name: str, digest: str, namesake: bool, left: int) -> str:
    called = f"{name!r} " if name else ""
    words = [f"The checkpoint {called}(SHA-256 {digest[:10]}) is not here."]
    if namesake:
        words.append("There is a file of that name, but it is another one.")
    words.append("Put the right one into models/Stable-diffusion/.")
    if left:
        words.append(f"{left} files whose digest is not known yet were not looked into.")
    return " ".join(words)
