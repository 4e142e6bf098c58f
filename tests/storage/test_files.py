import errno
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from modules.schema.media import Picture
from modules.storage.files import PictureFiles, encode_png
from tests.storage.conftest import FullDisk
from tests.storage.painting import picture


def _chunks(png: bytes) -> list[bytes]:
    kinds: list[bytes] = []
    position = 8
    while position < len(png):
        length = int.from_bytes(png[position : position + 4], "big")
        kinds.append(png[position + 4 : position + 8])
        position += 12 + length
    return kinds


def _text(png: bytes) -> str:
    with Image.open(io.BytesIO(png)) as image:
        assert isinstance(image, PngImageFile)
        return image.text["parameters"]


# what is in a file


def test_the_pixels_are_kept_exactly() -> None:
    painted = Picture(2, 1, bytes([255, 0, 3, 7, 128, 64]))
    with Image.open(io.BytesIO(encode_png(painted, ""))) as image:
        assert Picture.of(image) == painted


@pytest.mark.parametrize("text", ["a red barn\nSteps: 20", "café, 20 × 30", ""])
def test_latin_text_is_carried_as_plain_text(text: str) -> None:
    png = encode_png(picture(), text)
    assert b"tEXt" in _chunks(png)
    assert b"iTXt" not in _chunks(png)
    assert _text(png) == text


@pytest.mark.parametrize("text", ["kırmızı ahır", "красный\nSteps: 20", "🏚", "赤い納屋" * 10_000])
def test_other_text_is_carried_as_international_text(text: str) -> None:
    png = encode_png(picture(), text)
    assert b"iTXt" in _chunks(png)
    assert b"tEXt" not in _chunks(png)
    assert _text(png) == text


# where it lies


def test_a_picture_lies_under_its_task_and_day_with_number_and_seed(tmp_path: Path) -> None:
    days = [date.today()]
    path = PictureFiles(tmp_path).save(b"picture", "txt2img", 42)
    days.append(date.today())  # midnight may have passed
    assert path in [tmp_path / "txt2img" / day.isoformat() / "00001-42.png" for day in days]
    assert path.read_bytes() == b"picture"


def test_numbers_go_on_after_the_files_that_are_there(tmp_path: Path) -> None:
    first = PictureFiles(tmp_path).save(b"", "txt2img", 1)
    (first.parent / "00041-9.png").touch()
    (first.parent / "notes.txt").touch()
    (first.parent / "grid-99999.png").touch()
    again = PictureFiles(tmp_path)
    assert again.save(b"", "txt2img", 2).name == "00042-2.png"
    assert again.save(b"", "txt2img", 2).name == "00043-2.png"


def test_numbers_beyond_five_digits_go_on(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path)
    (files.save(b"", "txt2img", 1).parent / "99999-1.png").touch()
    assert files.save(b"", "txt2img", 5).name == "100000-5.png"
    assert files.save(b"", "txt2img", 5).name == "100001-5.png"


def test_each_task_counts_for_itself(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path)
    assert files.save(b"", "txt2img", 1).name == files.save(b"", "img2img", 1).name == "00001-1.png"


def test_many_threads_get_distinct_numbers_and_leave_nothing_behind(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path)
    with ThreadPoolExecutor(16) as threads:
        paths = list(threads.map(lambda seed: files.save(b"%d" % seed, "txt2img", seed), range(100)))
    assert sorted(int(path.name.split("-")[0]) for path in paths) == list(range(1, 101))
    assert [path.read_bytes() for path in paths] == [b"%d" % seed for seed in range(100)]
    assert {path for folder in {path.parent for path in paths} for path in folder.iterdir()} == set(paths)


def test_two_programs_never_take_each_others_place(tmp_path: Path) -> None:
    programs = [PictureFiles(tmp_path) for _ in range(8)]  # each with a lock of its own
    with ThreadPoolExecutor(8) as threads:
        paths = list(threads.map(lambda number: programs[number % 8].save(b"%d" % number, "txt2img", 7), range(80)))
    assert len(set(paths)) == 80
    assert [path.read_bytes() for path in paths] == [b"%d" % number for number in range(80)]


def test_the_name_is_recorded_before_the_file_has_it(tmp_path: Path) -> None:
    told: list[tuple[Path, bool]] = []
    path = PictureFiles(tmp_path).save(b"picture", "txt2img", 1, lambda name: told.append((name, name.exists())))
    assert told == [(path, False)]
    assert path.read_bytes() == b"picture"


def test_when_another_program_takes_the_name_meanwhile_the_next_one_is_recorded(tmp_path: Path) -> None:
    told: list[str] = []

    def record(path: Path) -> None:
        told.append(path.name)
        if len(told) == 1:
            path.write_bytes(b"another's")

    path = PictureFiles(tmp_path).save(b"ours", "txt2img", 1, record)
    assert told == ["00001-1.png", "00002-1.png"]
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == {
        "00001-1.png": b"another's",
        "00002-1.png": b"ours",
    }


def test_a_picture_that_cannot_be_recorded_is_not_left_on_disk(tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise OSError(f"no record of {path}")

    with pytest.raises(OSError, match="no record"):
        PictureFiles(tmp_path).save(b"picture", "txt2img", 1, refuse)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="there, files are given their names in another way")
def test_a_disk_without_hard_links_is_served_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    path = PictureFiles(tmp_path).save(b"picture", "txt2img", 1)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == {"00001-1.png": b"picture"}


# when the disk refuses


def test_a_disk_that_fills_up_raises_and_leaves_nothing(tmp_path: Path, full_disk: FullDisk) -> None:
    files = PictureFiles(tmp_path)
    whole = files.save(b"whole", "txt2img", 1)
    with full_disk(1000), pytest.raises(OSError, match="too large"):
        files.save(bytes(2000), "txt2img", 2)
    assert list(whole.parent.iterdir()) == [whole]
    assert files.save(bytes(2000), "txt2img", 3).name == "00002-3.png"


def test_a_file_where_the_folder_should_be_raises_and_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "txt2img").write_text("mine")
    with pytest.raises(OSError, match="txt2img"):
        PictureFiles(tmp_path).save(b"picture", "txt2img", 1)
    assert (tmp_path / "txt2img").read_text() == "mine"


def test_a_folder_that_is_gone_is_made_again(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path / "outputs")
    path = files.save(b"", "txt2img", 1)
    path.unlink()
    path.parent.rmdir()
    assert files.save(b"", "txt2img", 1).is_file()
