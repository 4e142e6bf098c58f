"""Answers on disk: whole with what belongs to them, or not there."""

import json
from pathlib import Path

import pytest

from modules.schema.captioning import Caption, Description
from modules.schema.events import Answered, Painted
from modules.schema.media import Picture
from modules.schema.record import record_of
from modules.schema.results import Environment, Runtime
from modules.storage.answers import AnswerFiles, read_answer
from modules.storage.record import UnreadableRecord, request_of

RUNTIME = Runtime(device="cpu", device_name="", dtype="float32", attention="sdpa", torch="")
REQUEST = Caption(videos=("a" * 64, "b" * 64), names=("film", "film"), model="tiny", frames=8)


def answered(index: int = 0, **files: bytes) -> Answered:
    said = Description(name="film", text="a cat")
    return Answered(index, said, Environment(runtime=RUNTIME), {f"{name}.png": data for name, data in files.items()})


def test_two_of_the_same_name_stand_side_by_side(tmp_path: Path) -> None:
    files = AnswerFiles(tmp_path)
    first, second = files.save(REQUEST, answered(frames=b"1")), files.save(REQUEST, answered(1, frames=b"2"))
    assert first.path is not None
    assert second.path is not None
    assert (first.path.name, second.path.name) == ("film.json", "film-2.json")
    assert (first.read("frames.png"), second.read("frames.png"), second.read("other")) == (b"1", b"2", None)
    assert json.loads(second.path.read_text())["request"]["videos"] == ["b" * 64]
    assert sorted(path.name for path in first.path.parent.iterdir()) == [
        "film-2-frames.png", "film-2.json", "film-frames.png", "film.json",
    ]  # fmt: skip


def test_an_answer_is_read_back_with_its_files(tmp_path: Path) -> None:
    saved = AnswerFiles(tmp_path).save(REQUEST, answered(frames=b"1"))
    assert saved.path is not None
    assert read_answer(saved.path, 0, saved.answer.model_dump_json()) == saved
    saved.path.unlink()
    assert read_answer(saved.path, 0, saved.answer.model_dump_json()) is None


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        AnswerFiles(tmp_path).save(REQUEST, answered(frames=b"1"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_picture_whose_record_asks_for_words_is_not_run() -> None:
    painted = Painted(0, 0, Picture(1, 1, bytes(3)), Environment(runtime=RUNTIME), last_of_batch=True)
    with pytest.raises(UnreadableRecord, match="asks for words"):
        request_of(record_of(REQUEST, painted, "1"))
