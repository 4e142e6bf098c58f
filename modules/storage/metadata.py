"""The texts inside pictures: PNG chunks, EXIF of JPEG, WebP and AVIF, GIF comments; and those of clips. Nothing is
decoded for it."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from modules.storage.containers import is_mp4, is_webm, mp4_texts, webm_texts
from modules.storage.opening import DECODER_ERRORS, UnreadablePicture, check_size, damaged, opened

PARAMETERS, RECORD = "parameters", "kararli"
"""The keys of the two texts that we write."""

LARGEST_TEXTS = 16 * 2**20
"""Bytes of all texts of a picture together, unpacked."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
EXIF_FOLDER, IMAGE_DESCRIPTION, MAKE, MODEL, SOFTWARE = 0x8769, 0x010E, 0x010F, 0x0110, 0x0131
USER_COMMENT, MAKER_NOTE = 0x9286, 0x927C
_UNICODE, _ASCII, _UNDEFINED = b"UNICODE\0", b"ASCII\0\0\0", b"\0" * 8
_RECORD_MARK = b"kararli\0"


@dataclass(frozen=True)
class Metadata:
    """The format, the size in pixels, and the texts by their keys, in the order of the file."""

    format: str
    width: int
    height: int
    texts: dict[str, str]


def read_metadata(data: bytes) -> Metadata:
    """The texts in a picture file. Raises UnreadablePicture."""
    if data.startswith(PNG_SIGNATURE):
        return _png(data)
    if is_mp4(data):
        return Metadata("MP4", *mp4_texts(data))
    if is_webm(data):
        return Metadata("WEBM", *webm_texts(data))
    with opened(data) as picture:
        texts = _exif_texts(picture.getexif())
        comment = picture.info.get("comment")
        if comment:
            key = PARAMETERS if PARAMETERS not in texts else "comment"
            texts[key] = _decoded(comment) if isinstance(comment, bytes) else str(comment)
        return Metadata(str(picture.format), *picture.size, texts)


def exif_of(infotext: str, record: str) -> bytes:
    """Both texts as EXIF, for formats without text chunks: the first where other programs look for it."""
    exif = Image.Exif()
    folder = exif.get_ifd(EXIF_FOLDER)
    folder[USER_COMMENT] = _UNICODE + infotext.encode("utf-16-be")
    folder[MAKER_NOTE] = _RECORD_MARK + zlib.compress(record.encode(), 9)  # EXIF in a JPEG has room for 64 KB
    return exif.tobytes()


def _png(data: bytes) -> Metadata:
    chunks = _chunks(data)
    kind, header = next(chunks, (b"", b""))
    if kind != b"IHDR" or len(header) < 8:
        raise damaged()
    width, height = struct.unpack(">II", header[:8])
    check_size(width, height)
    texts: dict[str, str] = {}
    room = LARGEST_TEXTS
    for kind, content in chunks:
        if kind == b"eXIf":
            texts = {**_exif_chunk(content), **texts}
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, text = _text(kind, content, room)
            room -= len(text)
            texts.setdefault(key, _decoded(text))
    return Metadata("PNG", width, height, texts)


def _exif_chunk(content: bytes) -> dict[str, str]:
    exif = Image.Exif()
    try:
        exif.load(content)
        return _exif_texts(exif)
    except DECODER_ERRORS:  # the other texts may be whole all the same
        return {}


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG as far as they are whole; a file that is cut off gives those before the cut."""
    place = len(PNG_SIGNATURE)
    while place + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        if place + 12 + length > len(data) or kind == b"IEND":
            return
        yield kind, data[place + 8 : place + 8 + length] if kind != b"IDAT" else b""
        place += 12 + length


def _text(kind: bytes, content: bytes, room: int) -> tuple[str, bytes]:
    """Key and text of a chunk."""
    key, _, rest = content.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed:
        rest = rest[1:]
    if packed:
        rest = _unpacked(rest, room)
    if len(rest) > room:
        raise _too_long()
    return key.decode("latin-1"), rest


def _unpacked(content: bytes, room: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(content, room + 1)
    except zlib.error:
        return b""
    if len(text) > room:
        raise _too_long()
    return text


def _too_long() -> UnreadablePicture:
    return UnreadablePicture(
        f"The texts in this picture unpack to more than {LARGEST_TEXTS // 2**20} MB; they are not read."
    )


def _exif_texts(exif: Image.Exif) -> dict[str, str]:
    """The texts of a picture's EXIF under the keys that a PNG would have."""
    texts: dict[str, str] = {}
    for tag, key in ((IMAGE_DESCRIPTION, "Description"), (SOFTWARE, "Software")):
        if text := exif.get(tag):
            texts[key] = str(text).strip("\0 ")
    for tag in (MAKE, MODEL):  # "workflow:{...}" and "prompt:{...}" of ComfyUI
        key, mark, text = str(exif.get(tag, "")).partition(":")
        if mark and text.startswith("{"):
            texts[key] = text.strip("\0 ")
    folder = exif.get_ifd(EXIF_FOLDER)
    if comment := folder.get(USER_COMMENT):
        texts[PARAMETERS] = user_comment(comment) if isinstance(comment, bytes) else str(comment)
    note = folder.get(MAKER_NOTE)
    if isinstance(note, bytes) and note.startswith(_RECORD_MARK):
        texts[RECORD] = _decoded(_unpacked(note.removeprefix(_RECORD_MARK), LARGEST_TEXTS))
    return texts


def user_comment(data: bytes) -> str:
    """EXIF's UserComment: eight bytes name its encoding, but writers take that lightly."""
    mark, text = data[:8], data[8:]
    if mark == _UNICODE:
        return _decoded(text, maybe_utf16=True)
    if mark in (_ASCII, _UNDEFINED):
        return _decoded(text)
    return _decoded(data, maybe_utf16=True)


def _decoded(text: bytes, maybe_utf16: bool = False) -> str:
    """UTF-8 or Latin-1; UTF-16 where it may be that, told by its byte order mark or by its zeros."""
    if maybe_utf16:
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return text.decode("utf-16", "replace")
        high, low = text[0::2].count(0), text[1::2].count(0)
        if high or low:
            return text.decode("utf-16-be" if high >= low else "utf-16-le", "replace")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
