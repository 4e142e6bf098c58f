import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.catalog.headers import MAX_HEADER_BYTES, Tensor, read_header
from modules.schema.errors import UnusableFile
from tests.catalog.headers_of import safetensors, with_header

SOUND = {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}
WHAT_TO_DO = ("Download", "download it", "run `git lfs pull`", "look for", "start it again")


def _file(header: Any, data_bytes: int = 12) -> bytes:
    return with_header(json.dumps(header).encode(), bytes(data_bytes))


def _entry(**changes: Any) -> bytes:
    return _file({"weight": {**SOUND, **changes}})


def _zip() -> bytes:
    import io

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    return file.getvalue()


CORRUPT: dict[str, bytes] = {
    "an empty file": b"",
    "less than a length": b"\x10\x00\x00",
    "cut off in the header": safetensors({"a": (4, 4), "b": (4,)})[:40],
    "cut off in the data": safetensors({"a": (4, 4), "b": (4,)})[:-5],
    "cut off after the header": _file({"weight": SOUND}, 0),
    "bytes after the data": safetensors({"a": (4, 4)}) + b"\0",
    "data without tensors": _file({}, 8),
    "a header of gigabytes": struct.pack("<Q", 2**40) + bytes(64),
    "a header just over the limit": struct.pack("<Q", MAX_HEADER_BYTES + 1) + bytes(64),
    "a negative length, read as unsigned": struct.pack("<q", -1) + bytes(64),
    "a header of no bytes": with_header(b"", bytes(16)),
    "a header that is not JSON": with_header(b"weight: F16"),
    "a header with more after the JSON": with_header(b'{"__metadata__": {}} {}'),
    "a header that is not UTF-8": with_header(b'{"\xff\xfe": 1}'),
    "a header in UTF-16": with_header('{"weight": 1}'.encode("utf-16")),
    "a header nested ten thousand deep": with_header(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "lists nested ten thousand deep": with_header(b"[" * 10_000 + b"]" * 10_000),
    "a header that is a list": _file([SOUND]),
    "a header that is a number": _file(7),
    "a header that is null": _file(None),
    "a name that stands twice": with_header(
        f'{{"weight": {json.dumps(SOUND)}, "weight": {json.dumps(SOUND)}}}'.encode(), bytes(12)
    ),
    "a key that stands twice in an entry": with_header(
        b'{"weight": {"dtype": "F16", "dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}}', bytes(12)
    ),
    "tensors that overlap": _file(
        {"a": {**SOUND, "data_offsets": [0, 12]}, "b": {**SOUND, "data_offsets": [6, 18]}}, 18
    ),
    "tensors in the same place": _file({"a": SOUND, "b": SOUND}),
    "a hole before the first tensor": _file({"a": {**SOUND, "data_offsets": [2, 14]}}, 14),
    "a hole between tensors": _file({"a": SOUND, "b": {**SOUND, "data_offsets": [14, 26]}}, 26),
    "offsets far outside": _entry(shape=[2**40], data_offsets=[0, 2**41]),
    "offsets the wrong way round": _entry(data_offsets=[12, 0]),
    "a shape that does not fit the offsets": _entry(shape=[2, 4]),
    "a dtype that does not fit the offsets": _entry(dtype="F32"),
    "metadata with numbers": _file({"__metadata__": {"epoch": 3}, "weight": SOUND}),
    "metadata that is a list": _file({"__metadata__": [], "weight": SOUND}),
    "metadata that is text": _file({"__metadata__": "pt", "weight": SOUND}),
    "metadata that is false": _file({"__metadata__": False, "weight": SOUND}),
    "an unknown dtype": _entry(dtype="F17"),
    "a dtype in small letters": _entry(dtype="f16"),
    "a dtype that is null": _entry(dtype=None),
    "a dtype that is a list": _entry(dtype=["F16"]),
    "a dtype that is a table": _entry(dtype={"F16": 1}),
    "a shape that is null": _entry(shape=None),
    "a shape that is a number": _entry(shape=6),
    "a shape that is text": _entry(shape="23"),
    "a shape that is empty text": _entry(shape="", data_offsets=[0, 2]),
    "a shape that is a table": _entry(shape={"2": 3}),
    "a shape that is an empty table": _entry(shape={}, data_offsets=[0, 2]),
    "negative sizes": _entry(shape=[-2, -3]),
    "sizes with a fraction": _entry(shape=[2.0, 3.0]),
    "sizes that are true": _entry(shape=[True, 6]),
    "sizes that are text": _entry(shape=["2", "3"]),
    "sizes that are lists": _entry(shape=[[2], [3]]),
    "sizes that are null": _entry(shape=[None, 3]),
    "sizes that are not numbers at all": with_header(
        b'{"weight": {"dtype": "F16", "shape": [NaN, Infinity], "data_offsets": [0, 12]}}', bytes(12)
    ),
    "sizes beyond 64 bits": _entry(shape=[2**64, 0], data_offsets=[0, 0]),
    "a size of four thousand digits": _entry(shape=[10**4000], data_offsets=[0, 2 * 10**4000]),
    "a size of five thousand digits": with_header(
        b'{"weight": {"dtype": "F16", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 12]}}', bytes(12)
    ),
    "a hundred thousand dimensions": _entry(shape=[2**62] * 100_000),
    "offsets that are null": _entry(data_offsets=None),
    "offsets that are a number": _entry(data_offsets=12),
    "offsets that are text": _entry(data_offsets="12"),
    "offsets that are a table": _entry(data_offsets={"start": 0, "end": 12}),
    "one offset": _entry(data_offsets=[0]),
    "three offsets": _entry(data_offsets=[0, 12, 12]),
    "negative offsets": _entry(data_offsets=[-12, 0]),
    "offsets with a fraction": _entry(data_offsets=[0.0, 12.0]),
    "offsets that are false": _entry(data_offsets=[False, 12]),
    "offsets beyond 64 bits": _entry(data_offsets=[2**70, 2**70 + 12]),
    "an entry without a dtype": _file({"weight": {"shape": [2, 3], "data_offsets": [0, 12]}}),
    "an entry without a shape": _file({"weight": {"dtype": "F16", "data_offsets": [0, 12]}}),
    "an entry without offsets": _file({"weight": {"dtype": "F16", "shape": [2, 3]}}),
    "an entry that is null": _file({"weight": None}),
    "an entry that is text": _file({"weight": "F16"}),
    "an entry that is a list": _file({"weight": ["F16", [2, 3], [0, 12]]}),
    "an entry that is a number": _file({"weight": 3}),
    "a name of half a letter": with_header(b'{"\\ud800": {"dtype": "F16"}}'),
}

DISGUISED: dict[str, tuple[bytes, str]] = {
    "torch's zip": (_zip(), "pickle"),
    "a pickle of protocol 2": (pickle.dumps({"state_dict": {}}, protocol=2) + bytes(8), "pickle"),
    "a pickle of protocol 4": (pickle.dumps({"state_dict": {}}, protocol=4), "pickle"),
    "a pickle of protocol 5": (pickle.dumps({"state_dict": {}}, protocol=5), "pickle"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4265146304\n", "git lfs"),
    "a web page": (b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>", "web page"),
    "a web page in small letters": (b"<!doctype html><title>404</title>", "web page"),
    "a web page without a doctype": (b"\n <html lang=en>" + bytes(64), "web page"),
    "an error in XML": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "web page"),
}


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[bytes], str]:
    def read(content: bytes) -> str:
        file = tmp_path / "model.safetensors"
        file.write_bytes(content)
        with pytest.raises(UnusableFile) as refused:
            read_header(file)
        return str(refused.value)

    return read


@pytest.mark.parametrize("content", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_file_is_refused_with_a_sentence_that_says_what_to_do(
    content: bytes, refusal: Callable[[bytes], str]
) -> None:
    sentence = refusal(content)
    assert sentence.endswith(".")
    assert any(advice in sentence.replace("\n", " ").split(": ", 1)[-1] for advice in WHAT_TO_DO), sentence
    assert len(sentence) < 300


@pytest.mark.parametrize(("content", "kind"), DISGUISED.values(), ids=DISGUISED)
def test_another_kind_of_file_is_named(content: bytes, kind: str, refusal: Callable[[bytes], str]) -> None:
    sentence = refusal(content)
    assert kind in sentence
    assert any(advice in sentence for advice in WHAT_TO_DO), sentence


def test_the_refusal_of_a_truncated_file_counts_the_missing_bytes(refusal: Callable[[bytes], str]) -> None:
    whole = safetensors({"weight": (1000,)})
    assert "500 of 2,000 bytes of weights are missing" in refusal(whole[:-500])


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_no_length_of_a_truncated_file_passes(cut: int, refusal: Callable[[bytes], str]) -> None:
    whole = safetensors({"weight": (3, 5), "bias": (3,)})
    assert cut < len(whole)
    assert refusal(whole[:cut])


def test_no_change_of_a_single_byte_raises_anything_but_a_refusal(tmp_path: Path) -> None:
    whole = safetensors({"weight": (3, 5), "bias": (3,)}, {"format": "pt"})
    file = tmp_path / "model.safetensors"
    refused = 0
    for position in range(len(whole) - 36):
        for value in (0x00, 0x22, 0x2D, 0x5B, 0x7B, 0xFF):
            file.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
            try:
                read_header(file)
            except UnusableFile:
                refused += 1
    assert refused > len(whole)


def test_a_sound_file_gives_its_tensors_and_metadata(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(safetensors({"weight": (2, 3), "scalar": (), "empty": (0, 4)}, {"format": "pt"}))
    header = read_header(file)
    assert header.metadata == {"format": "pt"}
    assert header.tensors == {
        "weight": Tensor("F16", (2, 3), 0, 12),
        "scalar": Tensor("F16", (), 12, 14),
        "empty": Tensor("F16", (0, 4), 14, 14),
    }


@pytest.mark.parametrize("metadata", [{}, {"__metadata__": None}, {"__metadata__": {}}])
def test_metadata_may_be_left_out(metadata: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(_file({**metadata, "weight": SOUND}))
    assert read_header(file).metadata == {}


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x10280])
def test_a_header_whose_length_begins_like_a_pickle_is_read(length: int, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    header = json.dumps({"weight": SOUND}).encode().ljust(length)
    file.write_bytes(with_header(header, bytes(12)))
    assert file.read_bytes()[0] == pickle.dumps({}, protocol=2)[0]
    assert list(read_header(file).tensors) == ["weight"]


def test_the_formats_own_writer_and_this_reader_agree(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    arrays = {
        f"{name}.{number}": np.zeros((number, 3), dtype)
        for number, dtype in enumerate((np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_, np.complex64))
        for name in ("a", "b")
    }
    file = tmp_path / "model.safetensors"
    save_file(arrays, file, metadata={"author": "Ayşe"})
    header = read_header(file)
    assert {name: tensor.shape for name, tensor in header.tensors.items()} == {
        name: array.shape for name, array in arrays.items()
    }
    assert {name: tensor.end - tensor.start for name, tensor in header.tensors.items()} == {
        name: array.nbytes for name, array in arrays.items()
    }
    assert header.metadata == {"author": "Ayşe"}


def test_a_file_that_is_gone_is_an_error_of_the_disk_and_not_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_header(tmp_path / "gone.safetensors")
