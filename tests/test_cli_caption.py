"""The command caption, over the real engine."""

import csv
import json
from pathlib import Path

import pytest

import webui
from modules import cli
from modules.settings import Settings
from tests.engine import describing_models as made
from tests.films import ball, times_of, write_film


@pytest.fixture
def run(data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    made.save_timesformer(Settings(data_dir=data_dir).video_models / "tiny")

    def call(*arguments: object) -> int:
        flags = ["--data-dir", data_dir, "--backend", "inline"]
        monkeypatch.setattr("sys.argv", ["webui.py", "caption", *map(str, arguments), *map(str, flags)])
        with pytest.raises(SystemExit) as ended:
            cli.main(serve=webui.serve, open_jobs=lambda settings: webui.open_jobs(settings, "cli"))
        return int(ended.value.code or 0)

    return call


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "a film.mp4", ball, times_of(4, 10))


def test_what_a_video_shows_goes_to_standard_output_and_is_kept(
    run, film: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(film) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("a film: ")
    [record] = (data_dir / "outputs" / "caption").rglob("a film.json")
    assert json.loads(record.read_text())["answer"]["sentence"] == line.removeprefix("a film: ")


def test_subtitles_json_and_a_table_are_written_where_they_are_wanted(run, film: Path, tmp_path: Path) -> None:
    assert run(film, "--window", 2, "--step", 2, "-o", tmp_path / "out.srt") == 0
    assert (tmp_path / "out.srt").read_text().startswith("1\n00:00:00,000 --> 00:00:0")
    other = write_film(tmp_path / "b.gif", ball, times_of(2, 10))
    assert run(film, other, "-o", tmp_path / "out.csv") == 0
    assert [row["video"] for row in csv.DictReader((tmp_path / "out.csv").read_text().splitlines())] == ["a film", "b"]
    assert run(film, "--top", 2, "-o", tmp_path / "out.json") == 0
    [said] = json.loads((tmp_path / "out.json").read_text())
    assert len(said["labels"]) == 2


def test_what_cannot_be_done_is_said(run, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.mp4").write_text("hello")
    assert run(tmp_path / "letter.mp4") == 1
    assert "letter.mp4: This file is not a video that can be read" in capsys.readouterr().err
    assert run(film, "-o", tmp_path / "out.txt") == 1
    assert "the ending has to be one of .srt, .vtt, .json, .csv" in capsys.readouterr().err
    assert run(film, "--model", "other") == 1
    assert "There is no video model 'other'" in capsys.readouterr().err
    assert run(tmp_path / "none.mp4") == 1
    assert "none.mp4 cannot be read" in capsys.readouterr().err
