import hashlib
import json
import os
from pathlib import Path

import pytest

from modules.catalog.hashes import FILE_NAME, Hashes


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    return file


def _replace_unnoticed(file: Path, content: bytes) -> None:
    """Other bytes, the same length and time of change: what has been computed still counts."""
    stat = file.stat()
    assert len(content) == stat.st_size
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_the_digest_is_that_of_the_whole_file(cache: Path, file: Path) -> None:
    assert Hashes(cache).sha256(file) == hashlib.sha256(b"weights").hexdigest()


def test_a_digest_is_computed_once_for_each_state_of_a_file(cache: Path, file: Path) -> None:
    hashes = Hashes(cache)
    digest = hashes.sha256(file)
    _replace_unnoticed(file, b"WEIGHTS")
    assert hashes.sha256(file) == digest
    assert Hashes(cache).sha256(file) == digest  # by the next start of the program too


def test_a_file_that_has_changed_gets_a_new_digest(cache: Path, file: Path) -> None:
    hashes = Hashes(cache)
    before = hashes.sha256(file)
    file.write_bytes(b"other weights")
    assert hashes.sha256(file) == hashlib.sha256(b"other weights").hexdigest() != before


def test_a_file_with_the_same_length_and_another_time_gets_a_new_digest(cache: Path, file: Path) -> None:
    hashes = Hashes(cache)
    hashes.sha256(file)
    _replace_unnoticed(file, b"WEIGHTS")
    os.utime(file, ns=(0, 1))
    assert hashes.sha256(file) == hashlib.sha256(b"WEIGHTS").hexdigest()


def test_what_has_not_been_computed_is_not_known(cache: Path, file: Path) -> None:
    hashes = Hashes(cache)
    assert hashes.known(file) is None
    digest = hashes.sha256(file)
    assert hashes.known(file) == digest
    file.write_bytes(b"")
    assert hashes.known(file) is None


def test_digests_of_several_files_stand_beside_each_other(cache: Path, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other")
    Hashes(cache).sha256(file)
    Hashes(cache).sha256(other)
    assert None not in (Hashes(cache).known(file), Hashes(cache).known(other))


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path, file: Path) -> None:
    cache.write_text("a file where the folder should be")
    hashes = Hashes(cache)
    assert hashes.sha256(file) == hashlib.sha256(b"weights").hexdigest()
    assert hashes.known(file) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"7", b'{"a": 7}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_cache_is_written_anew(content: bytes, cache: Path, file: Path) -> None:
    cache.mkdir()
    (cache / FILE_NAME).write_bytes(content)
    digest = Hashes(cache).sha256(file)
    assert digest == hashlib.sha256(b"weights").hexdigest()
    assert list(json.loads((cache / FILE_NAME).read_text()).values()) == [digest]


def test_no_temporary_file_is_left(cache: Path, file: Path) -> None:
    Hashes(cache).sha256(file)
    assert [path.name for path in cache.iterdir()] == [FILE_NAME]


def test_a_file_that_is_gone_raises(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Hashes(cache).sha256(tmp_path / "gone.safetensors")
