import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.catalog.checkpoints import DEFAULT, Catalog, Checkpoint
from modules.schema.errors import UnusableFile
from modules.settings import Settings
from tests.catalog.headers_of import safetensors, sd1, write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def folder(settings: Settings) -> Path:
    settings.checkpoints.mkdir(parents=True)
    return settings.checkpoints


@pytest.fixture
def catalog(settings: Settings, folder: Path) -> Catalog:
    return Catalog(settings)


@pytest.fixture
def unreadable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that is there and cannot be opened, not even by root."""
    if sys.platform == "win32":
        pytest.skip("sockets are no files on Windows")
    monkeypatch.chdir(folder)  # a socket's path may only be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("locked.safetensors")
        yield folder / "locked.safetensors"


def _names(catalog: Catalog) -> list[str]:
    return [entry.name for entry in catalog.checkpoints()]


def _entry(catalog: Catalog, name: str) -> Checkpoint:
    (found,) = [entry for entry in catalog.checkpoints() if entry.name == name]
    return found


def _refusal(catalog: Catalog, name: str) -> str:
    with pytest.raises(UnusableFile) as refused:
        catalog.find(name)
    return str(refused.value)


# what is listed


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert Catalog(Settings(data_dir=tmp_path / "nowhere")).checkpoints() == []


def test_only_safetensors_files_are_listed(catalog: Catalog, folder: Path) -> None:
    for name in ("a.safetensors", "B.SAFETENSORS", "c.ckpt", "d.safetensors.part", "README.md", ".e.safetensors"):
        write(folder / name)
    assert _names(catalog) == ["a.safetensors", "B.SAFETENSORS"]


def test_files_in_sub_folders_are_listed_with_forward_slashes(catalog: Catalog, folder: Path) -> None:
    write(folder / "people" / "old" / "faces.safetensors")
    write(folder / "fjords.safetensors")
    assert _names(catalog) == ["fjords.safetensors", "people/old/faces.safetensors"]


def test_the_one_that_ships_comes_first_and_the_others_by_name_whatever_their_case(
    catalog: Catalog, folder: Path
) -> None:
    for name in ("zebra", "Ant", "bee", Path(DEFAULT).stem):
        write(folder / f"{name}.safetensors")
    assert _names(catalog) == [DEFAULT, "Ant.safetensors", "bee.safetensors", "zebra.safetensors"]


def test_a_usable_file_is_listed_with_its_architecture(catalog: Catalog, folder: Path) -> None:
    file = write(folder / "tiny.safetensors")
    entry = _entry(catalog, "tiny.safetensors")
    assert (entry.path, entry.stem, entry.problem) == (file, "tiny", "")
    assert entry.size == file.stat().st_size
    assert entry.usable() == entry.architecture


def test_a_truncated_file_is_listed_with_its_reason(catalog: Catalog, folder: Path) -> None:
    (folder / "half.safetensors").write_bytes(safetensors(sd1())[:-1000])
    entry = _entry(catalog, "half.safetensors")
    assert "1,000 of" in entry.problem
    with pytest.raises(UnusableFile) as refused:
        entry.usable()
    assert str(refused.value) == f"half.safetensors: {entry.problem}"


def test_a_file_that_cannot_be_opened_is_listed_with_its_reason(
    catalog: Catalog, folder: Path, unreadable: Path
) -> None:
    write(folder / "fine.safetensors")
    assert _entry(catalog, unreadable.name).problem.startswith("The file cannot be read (")
    assert _entry(catalog, "fine.safetensors").problem == ""


def test_a_file_that_could_not_be_opened_is_tried_again_though_it_has_not_changed(
    catalog: Catalog, unreadable: Path
) -> None:
    assert _entry(catalog, unreadable.name).problem
    stat = unreadable.stat()
    content = safetensors(sd1())
    blocked = _entry(catalog, unreadable.name)
    unreadable.unlink()
    unreadable.write_bytes(content)
    os.truncate(unreadable, stat.st_size)
    os.utime(unreadable, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = _entry(catalog, unreadable.name)
    assert after.state == blocked.state
    assert "cannot be read" not in after.problem


def test_a_file_that_vanishes_while_the_folder_is_listed_is_left_out(catalog: Catalog, folder: Path) -> None:
    write(folder / "here.safetensors")
    (folder / "gone.safetensors").symlink_to(folder / "moved-away.safetensors")  # in the list, but not to be found
    assert _names(catalog) == ["here.safetensors"]


def test_links_in_a_circle_are_walked_once(catalog: Catalog, folder: Path) -> None:
    write(folder / "sub" / "tiny.safetensors")
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "sub" / "self").symlink_to(folder / "sub", target_is_directory=True)
    assert _names(catalog) == ["sub/tiny.safetensors"]


def test_a_linked_folder_elsewhere_is_walked(catalog: Catalog, folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "big-disk" / "tiny.safetensors")
    (folder / "linked").symlink_to(tmp_path / "big-disk", target_is_directory=True)
    assert _names(catalog) == ["linked/tiny.safetensors"]


# what changes


def test_new_and_removed_files_are_seen_at_the_next_question(catalog: Catalog, folder: Path) -> None:
    write(folder / "first.safetensors")
    assert _names(catalog) == ["first.safetensors"]
    write(folder / "second.safetensors")
    assert _names(catalog) == ["first.safetensors", "second.safetensors"]
    (folder / "first.safetensors").unlink()
    assert _names(catalog) == ["second.safetensors"]


def test_a_download_becomes_usable_when_it_is_whole(catalog: Catalog, folder: Path) -> None:
    content = safetensors(sd1())
    file = folder / "arriving.safetensors"
    seen: list[bool] = []
    for arrived in (0, 5, 100, len(content) - 1, len(content)):
        file.write_bytes(content[:arrived])
        seen.append(_entry(catalog, file.name).architecture is not None)
    assert seen == [False, False, False, False, True]


def test_a_file_replaced_by_one_of_the_same_length_is_read_again(catalog: Catalog, folder: Path) -> None:
    file = write(folder / "model.safetensors", **{"modelspec.resolution": "512x512"})
    assert _entry(catalog, file.name).usable().resolution == 512
    before = file.stat()
    write(file, **{"modelspec.resolution": "768x768"})
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    assert file.stat().st_size == before.st_size
    assert _entry(catalog, file.name).usable().resolution == 768


def test_a_header_is_read_once_for_each_state_of_a_file(catalog: Catalog, folder: Path) -> None:
    file = write(folder / "model.safetensors")
    first = _entry(catalog, file.name)
    stat = file.stat()
    file.write_bytes(bytes(stat.st_size))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # to all appearance the same file
    assert _entry(catalog, file.name) is first


# what is found


@pytest.mark.parametrize(
    "name", ["sub/tiny.safetensors", "sub/tiny", "tiny.safetensors", "tiny", "sub\\tiny.safetensors", "sub\\tiny"]
)
def test_a_checkpoint_is_found_by_its_path_or_file_name_with_or_without_the_ending(
    name: str, catalog: Catalog, folder: Path
) -> None:
    write(folder / "other.safetensors")
    write(folder / "sub" / "tiny.safetensors")
    assert catalog.find(name).name == "sub/tiny.safetensors"


def test_a_path_comes_before_a_file_of_that_name_elsewhere(catalog: Catalog, folder: Path) -> None:
    write(folder / "a" / "tiny.safetensors")
    write(folder / "tiny.safetensors")
    assert catalog.find("tiny.safetensors").name == "tiny.safetensors"
    assert catalog.find("tiny").name == "tiny.safetensors"
    assert catalog.find("a/tiny").name == "a/tiny.safetensors"


def test_a_name_with_dots_is_found_without_its_ending(catalog: Catalog, folder: Path) -> None:
    write(folder / "v1.5-pruned.safetensors")
    assert catalog.find("v1.5-pruned").name == "v1.5-pruned.safetensors"


def test_a_broken_checkpoint_is_found_by_its_name_so_that_its_reason_can_be_told(
    catalog: Catalog, folder: Path
) -> None:
    (folder / "broken.safetensors").write_bytes(b"")
    assert catalog.find("broken").problem


@pytest.mark.parametrize("name", ["nope", "Tiny", "iny", "../tiny.safetensors", "/etc/passwd", "*"])
def test_a_name_that_is_not_there_is_refused_with_the_folder(name: str, catalog: Catalog, folder: Path) -> None:
    write(folder / "tiny.safetensors")
    sentence = _refusal(catalog, name)
    assert repr(name) in sentence
    assert str(folder) in sentence


def test_no_name_means_the_one_that_ships(catalog: Catalog, folder: Path) -> None:
    write(folder / "ant.safetensors")
    write(folder / DEFAULT)
    assert catalog.find("").name == DEFAULT


def test_no_name_means_the_first_usable_one_when_the_one_that_ships_is_not(catalog: Catalog, folder: Path) -> None:
    (folder / DEFAULT).write_bytes(b"<!DOCTYPE html>")
    (folder / "ant.safetensors").write_bytes(b"")
    write(folder / "bee.safetensors")
    write(folder / "cat.safetensors")
    assert catalog.find("").name == "bee.safetensors"


def test_an_empty_folder_says_where_to_put_a_checkpoint(catalog: Catalog, folder: Path) -> None:
    assert _refusal(catalog, "").startswith("There is no usable checkpoint. Put ")
    (folder / "broken.safetensors").write_bytes(b"")
    assert str(folder) in _refusal(catalog, "")
