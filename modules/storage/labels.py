"""Puts texts into animations whose formats FFmpeg does not label: GIF, APNG, WebP. The pictures are not touched."""

import shutil
import struct
import uuid
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from modules.storage.metadata import PARAMETERS, RECORD, exif_of

_HAS_EXIF = 0x08
"""The mark in a WebP's header."""


def label(path: Path, kind: str, infotext: str, record: str) -> None:
    """Put the parameters, and where the format has room for it the record, into a file."""
    _LABELLERS[kind](path, infotext, record)


def _gif(path: Path, infotext: str, _record: str) -> None:
    with path.open("rb") as file:
        header = file.read(13)
    table = 3 * 2 ** ((header[10] & 0x07) + 1) if header[10] & 0x80 else 0
    text = infotext.encode()
    blocks = (text[place : place + 255] for place in range(0, len(text), 255))
    comment = b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    _insert(path, len(header) + table, comment)


def _png(path: Path, infotext: str, record: str) -> None:
    chunks = b"".join(_chunk(key, text) for key, text in ((PARAMETERS, infotext), (RECORD, record)))
    _insert(path, _after(path, b"acTL"), chunks)


def _after(path: Path, kind: bytes) -> int:
    """The place behind a PNG's first chunk of a kind."""
    with path.open("rb") as file:
        place = 8
        while True:
            file.seek(place)
            length, found = struct.unpack(">I4s", file.read(8))
            place += 12 + length
            if found == kind:
                return place


def _chunk(key: str, text: str) -> bytes:
    content = b"iTXt" + key.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _webp(path: Path, infotext: str, record: str) -> None:
    exif = exif_of(infotext, record).removeprefix(b"Exif\0\0")
    chunk = b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) % 2)
    with path.open("r+b") as file:
        file.seek(20)
        flags = file.read(1)[0]
        file.seek(20)
        file.write(bytes([flags | _HAS_EXIF]))
        end = file.seek(0, 2)
        file.write(chunk)
        file.seek(4)
        file.write(struct.pack("<I", end + len(chunk) - 8))


def _insert(path: Path, place: int, content: bytes) -> None:
    """Rewrite a file with more bytes at a place."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with path.open("rb") as before, temporary.open("wb") as after:
            after.write(before.read(place) + content)
            shutil.copyfileobj(before, after)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


_LABELLERS: Mapping[str, Callable[[Path, str, str], None]] = {"gif": _gif, "apng": _png, "webp": _webp}
