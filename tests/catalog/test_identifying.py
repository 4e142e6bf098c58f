"""Checkpoints by what is in them."""

import hashlib
import shutil
from pathlib import Path

import pytest

from modules.catalog.checkpoints import Catalog
from modules.catalog.identifying import OLD_HASH_BYTES, OLD_HASH_FROM, find_by_digest
from modules.schema.errors import UnusableFile
from modules.settings import Settings
from tests.conftest import DEMO

SHA256 = hashlib.sha256(DEMO.read_bytes()).hexdigest()


@pytest.fixture
def catalog(settings: Settings) -> Catalog:
    return Catalog(settings)


def renamed(settings: Settings, name: str = "mine/other.safetensors") -> None:
    target = settings.checkpoints / name
    target.parent.mkdir(exist_ok=True)
    (settings.checkpoints / DEMO.name).rename(target)


@pytest.mark.parametrize("digest", [SHA256, SHA256[:10], SHA256[:10].upper(), SHA256[:8]])
def test_a_renamed_checkpoint_is_found_by_its_digest(catalog: Catalog, settings: Settings, digest: str) -> None:
    renamed(settings)
    assert find_by_digest(catalog, "demo", digest).name == "mine/other.safetensors"


def test_it_is_found_by_the_old_short_hash(catalog: Catalog) -> None:
    part = DEMO.read_bytes()[OLD_HASH_FROM : OLD_HASH_FROM + OLD_HASH_BYTES]
    assert find_by_digest(catalog, "gone", hashlib.sha256(part).hexdigest()[:8]).name == "demo.safetensors"


def test_without_a_digest_the_name_decides(catalog: Catalog) -> None:
    assert find_by_digest(catalog, "demo", "").name == "demo.safetensors"
    assert find_by_digest(catalog, "demo", "none").name == "demo.safetensors"


def test_a_missing_one_is_named_with_its_digest(catalog: Catalog) -> None:
    with pytest.raises(UnusableFile, match=r"'gone' \(SHA-256 0123456789\) is not here") as refused:
        find_by_digest(catalog, "gone", "0123456789" + "0" * 54)
    assert "another one" not in str(refused.value)


def test_a_namesake_with_other_contents_is_told_apart(catalog: Catalog) -> None:
    with pytest.raises(UnusableFile, match="of that name, but it is another one"):
        find_by_digest(catalog, "demo", "0123456789")


def test_a_path_is_a_name_like_any_other(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UnusableFile):
        find_by_digest(catalog, str(DEMO), "")
    with pytest.raises(UnusableFile):
        find_by_digest(catalog, "../../../etc/passwd", "0123456789")


def test_files_beyond_the_effort_are_counted_and_not_read(catalog: Catalog, settings: Settings) -> None:
    renamed(settings)
    with pytest.raises(UnusableFile, match="1 files whose digest is not known yet"):
        find_by_digest(catalog, "gone", SHA256, effort=1000)
    assert catalog.hashes.known(settings.checkpoints / "mine" / "other.safetensors") is None
    assert find_by_digest(catalog, "other", SHA256, effort=1000).stem == "other"


def test_of_two_copies_the_one_of_that_name_is_taken(catalog: Catalog, settings: Settings) -> None:
    for name in ("a.safetensors", "z.safetensors"):
        shutil.copy(DEMO, settings.checkpoints / name)
    assert find_by_digest(catalog, "z", SHA256).name == "z.safetensors"
