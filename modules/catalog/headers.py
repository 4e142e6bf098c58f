"""The header of a .safetensors file, read with distrust.

Format: https://github.com/huggingface/safetensors#format - eight bytes with the header's length (little endian), the
header as JSON (tensor name -> dtype, shape, data_offsets; "__metadata__" -> text to text), then the data.
"""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from modules.schema.errors import UnusableFile

MAX_HEADER_BYTES = 100_000_000
"""The limit of the format's own reader."""

MAX_DIMENSIONS = 64
"""More than any tensor has; torch's own limit."""

BITS = {
    "C64": 64, "F64": 64, "F32": 32, "F16": 16, "BF16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip
"""Every dtype of the format, with the size of one element."""

PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How pickles of protocols 2 to 5 begin."""


@dataclass(frozen=True)
class Tensor:
    """What the header says of one tensor: dtype as the format spells it, shape, and its bytes' place in the data."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """A header that agrees with itself and with the file's length."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """Read and check a file's header.

    Raises UnusableFile with a sentence for anything that the format does not allow, and OSError as reading does.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        _refuse_other_formats(head)
        (length,) = struct.unpack("<Q", head)
        if length > MAX_HEADER_BYTES:
            raise UnusableFile(
                f"The file's header claims {length:,} bytes, more than any checkpoint has: this is not a safetensors"
                " file, or it is damaged. Download it again."
            )
        if length > size - 8:
            raise UnusableFile(
                f"The file ends inside its header ({size:,} bytes on disk): the download was cut off."
                " Download it again."
            )
        return _parse(file.read(length), size - 8 - length)


def _refuse_other_formats(head: bytes) -> None:
    if not head:
        raise UnusableFile("The file is empty: nothing has arrived yet. Wait for the download, or start it again.")
    # a header of 640 bytes begins with a pickle's first two bytes too, but then with zeros
    if head.startswith(b"PK\x03\x04") or (head.startswith(PICKLES) and any(head[3:])):
        raise UnusableFile(
            "This is a pickle (.ckpt or .pt) that was renamed to .safetensors. Pickles can run code and are not"
            " opened; look for the checkpoint's .safetensors version."
        )
    if head.startswith(b"version "):
        raise UnusableFile(
            "This is a Git LFS pointer, not the model itself: run `git lfs pull`, or download the file from its page."
        )
    if head.lstrip().lower().startswith((b"<!do", b"<htm", b"<hea", b"<?xm")):
        raise UnusableFile("This is a web page that was saved as .safetensors. Download the model itself.")
    if len(head) < 8:
        raise UnusableFile("The file is too short to be a safetensors file. Download it again.")


def _parse(text: bytes, data_bytes: int) -> Header:
    try:
        decoded: Any = json.loads(text.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except UnicodeDecodeError:
        raise _damaged("The file's header is not text") from None
    except (ValueError, RecursionError):
        raise _damaged("The file's header cannot be read") from None
    if not isinstance(decoded, dict):
        raise _damaged("The file's header is not a table of tensors")
    entries = cast(dict[str, Any], decoded)
    metadata: Any = entries.pop("__metadata__", None)
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in cast(Any, metadata).values()):
        raise _damaged("The file's metadata is not text")
    tensors = {name: _tensor(name, entry) for name, entry in entries.items()}
    _check_coverage(tensors, data_bytes)
    return Header(tensors, cast(dict[str, str], metadata))


def _damaged(finding: str) -> UnusableFile:
    return UnusableFile(f"{finding}: the file is damaged. Download it again.")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name stands twice")
    return table


def _tensor(name: str, entry: Any) -> Tensor:
    problem = _damaged(f"The header's entry for the tensor {name[:80]!r} makes no sense")
    try:
        dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        bits = BITS[dtype]
    except (KeyError, TypeError, ValueError):
        raise problem from None
    if not isinstance(shape, list) or len(cast(list[Any], shape)) > MAX_DIMENSIONS:
        raise problem
    sizes = tuple(cast(list[Any], shape))
    sound = all(type(number) is int and 0 <= number < 2**63 for number in (*sizes, start, end))
    if not sound or (end - start) * 8 != math.prod(sizes) * bits:
        raise problem
    return Tensor(dtype, sizes, start, end)


def _check_coverage(tensors: dict[str, Tensor], data_bytes: int) -> None:
    """The format wants the tensors to cover the data exactly, without holes or overlaps."""
    position = 0
    for tensor in sorted(tensors.values(), key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != position:
            raise _damaged("The header's tensors overlap or leave holes")
        position = tensor.end
    if position > data_bytes:
        raise UnusableFile(
            f"The file is cut off: {position - data_bytes:,} of {position:,} bytes of weights are missing."
            " Download it again."
        )
    if position < data_bytes:
        raise UnusableFile(
            f"The file holds {data_bytes - position:,} bytes that its header does not know: it is damaged."
            " Download it again."
        )
