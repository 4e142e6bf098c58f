"""The command upscale, over the real engine."""

import io
from pathlib import Path

import pytest
from PIL import Image

import webui
from modules import cli
from modules.catalog.upscaler_architecture import Compact
from modules.jobs.checking import Outcome
from modules.settings import load_settings
from tests.engine import upscaler_weights as made
from tests.engine.pictures import drawing


@pytest.fixture
def run(data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    made.save(data_dir, "nearest-x2", made.silent(Compact(width=2, layers=1, scale=2, slopes=2)))

    def call(command: str, *arguments: object) -> int:
        flags = ["--data-dir", data_dir, "--backend", "inline"]
        monkeypatch.setattr("sys.argv", ["webui.py", command, *map(str, arguments), *map(str, flags)])
        with pytest.raises(SystemExit) as ended:
            cli.main(serve=webui.serve, open_jobs=lambda settings: webui.open_jobs(settings, "cli"))
        return int(ended.value.code or 0)

    return call


def opened(file: Path) -> Image.Image:
    return Image.open(io.BytesIO(file.read_bytes())).convert("RGB")


def large(image: Image.Image) -> bytes:
    return image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).tobytes()


def test_one_picture_goes_where_it_is_wanted(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawing().save(tmp_path / "in.png")
    assert run("upscale", tmp_path / "in.png", "--upscaler", "nearest-x2", "-o", tmp_path / "out.png") == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "out.png")]
    assert opened(tmp_path / "out.png").tobytes() == large(drawing())


def test_files_and_folders_give_one_result_each_under_their_names(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "album").mkdir()
    for file, colour in (("album/b.png", "red"), ("album/a.jpg", "green"), ("b.png", "yellow")):
        drawing(colour=colour).save(tmp_path / file)
    (tmp_path / "album" / "torn.png").write_text("no picture")
    out = tmp_path / "large"
    assert run("upscale", tmp_path / "album", tmp_path / "b.png", "--upscaler", "nearest-x2", "-o", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b-2.png", "b.png"]
    assert opened(out / "b.png").tobytes() == large(drawing())
    assert opened(out / "b-2.png").tobytes() == large(drawing(colour="yellow"))
    assert "torn.png: This file is not a picture" in capsys.readouterr().err


def test_a_saved_result_is_checked_and_identical(
    run, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing().save(tmp_path / "my circle.png")
    assert run("upscale", tmp_path / "my circle.png", "--upscaler", "nearest-x2", "--second", "Lanczos") == 0
    saved = Path(capsys.readouterr().out.strip())
    assert saved.name == "my circle.png"
    assert saved.is_relative_to(load_settings({"data_dir": data_dir}, {}).outputs / "upscale")
    assert run("check", saved) == 0
    assert str(Outcome.IDENTICAL) in capsys.readouterr().out
    made.save(data_dir, "nearest-x2", made.drawn(Compact(width=2, layers=1, scale=2, slopes=2)))
    assert run("check", saved) == 4
    assert "upscaler nearest-x2 (" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.png"], "none.png cannot be read (No such file or directory)"),
        (["letter.png"], "letter.png: This file is not a picture"),
        (["empty"], "There are no pictures in the folder"),
        (["circle.png", "--scale", "9"], "--scale: "),
        (["circle.png", "--upscaler", "4x-Sharp"], "There is no upscaler '4x-Sharp'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    run, tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "letter.png").write_text("hello")
    drawing().save(tmp_path / "circle.png")
    assert run("upscale", tmp_path / arguments[0], *arguments[1:]) == 1
    said = capsys.readouterr()
    assert words in said.err.replace("\n", " ")
    assert said.out == ""
