"""The texts in MP4 and WebM files, without decoding anything: boxes and elements are walked over, with distrust."""

from collections.abc import Iterator

from modules.storage.opening import damaged

MP4_TEXTS = {b"\xa9cmt": "parameters", b"desc": "kararli"}
WEBM_TEXTS = {"COMMENT": "parameters", "KARARLI": "kararli"}

PICTURES = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
"""Brands of picture formats in the same boxes."""

EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT, _TAGS, _TAG, _SIMPLE_TAG = 0x18538067, 0x1254C367, 0x7373, 0x67C8
_NAME, _STRING = 0x45A3, 0x4487
_TRACKS, _ENTRY, _VIDEO, _WIDTH, _HEIGHT = 0x1654AE6B, 0xAE, 0xE0, 0xB0, 0xBA


def is_mp4(data: bytes) -> bool:
    """Whether a file begins as MP4 does, and is not one of the picture formats that begin so too."""
    return data[4:8] == b"ftyp" and data[8:12] not in PICTURES


def is_webm(data: bytes) -> bool:
    """Whether a file begins as WebM (or Matroska) does."""
    return data.startswith(EBML)


def mp4_texts(data: bytes) -> tuple[int, int, dict[str, str]]:
    """Width, height and texts. Raises UnreadablePicture for a file without a picture track."""
    view = memoryview(data)
    texts: dict[str, str] = {}
    for meta in _inside(view, b"moov", b"udta", b"meta"):
        for items in _inside(meta[4:], b"ilst"):
            for name, item in _boxes(items):
                for content in _inside(item, b"data"):
                    if key := MP4_TEXTS.get(name):
                        texts[key] = bytes(content[8:]).decode("utf-8", "replace")
    for header in _inside(view, b"moov", b"trak", b"tkhd"):
        width, height = (int.from_bytes(header[place : place + 2]) for place in (len(header) - 8, len(header) - 4))
        if width and height:
            return width, height, texts
    raise damaged()


def webm_texts(data: bytes) -> tuple[int, int, dict[str, str]]:
    """Width, height and texts. Raises UnreadablePicture for a file without a picture track."""
    view = memoryview(data)
    texts: dict[str, str] = {}
    for tag in _within(view, _SEGMENT, _TAGS, _TAG, _SIMPLE_TAG):
        parts = {number: bytes(content).decode("utf-8", "replace") for number, content in _elements(tag)}
        if key := WEBM_TEXTS.get(parts.get(_NAME, "").upper()):
            texts.setdefault(key, parts.get(_STRING, ""))
    for video in _within(view, _SEGMENT, _TRACKS, _ENTRY, _VIDEO):
        parts = {number: int.from_bytes(content[:8]) for number, content in _elements(video)}
        if parts.get(_WIDTH) and parts.get(_HEIGHT):
            return parts[_WIDTH], parts[_HEIGHT], texts
    raise damaged()


def _inside(view: memoryview, *path: bytes) -> Iterator[memoryview]:
    """The contents of all boxes along a path of names."""
    for name, content in _boxes(view):
        if name == path[0]:
            if len(path) == 1:
                yield content
            else:
                yield from _inside(content, *path[1:])


def _boxes(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    place = 0
    while place + 8 <= len(view):
        size, head = int.from_bytes(view[place : place + 4]), 8
        if size == 1:
            size, head = int.from_bytes(view[place + 8 : place + 16]), 16
        elif size == 0:
            size = len(view) - place
        if size < head or place + size > len(view):
            return
        yield bytes(view[place + 4 : place + 8]), view[place + head : place + size]
        place += size


def _within(view: memoryview, *path: int) -> Iterator[memoryview]:
    """The contents of all elements along a path of numbers."""
    for number, content in _elements(view):
        if number == path[0]:
            if len(path) == 1:
                yield content
            else:
                yield from _within(content, *path[1:])


def _elements(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    place = 0
    while place < len(view):
        number, place = _varying(view, place, marked=True)
        size, place = _varying(view, place, marked=False)
        if number < 0 or size < -1:
            return
        end = len(view) if size == -1 else place + size
        if end > len(view):
            return
        yield number, view[place:end]
        place = end


def _varying(view: memoryview, place: int, *, marked: bool) -> tuple[int, int]:
    """A number whose length its first bits tell, and the place after it.

    -2 where none can be read, -1 for a size that is not known.
    """
    first = view[place] if place < len(view) else 0
    length = 9 - first.bit_length()
    if first == 0 or place + length > len(view):
        return -2, len(view)
    value = int.from_bytes(view[place : place + length])
    if not marked:
        value &= (1 << (7 * length)) - 1
        if value == (1 << (7 * length)) - 1:
            value = -1
    return value, place + length
