"""The command img2img over a folder, over the real engine."""

import io
from pathlib import Path

import pytest
from PIL import Image

import webui
from modules import cli
from tests.engine.pictures import drawing
from tests.looking import look


@pytest.fixture
def run(data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    def call(*arguments: object) -> int:
        flags = ["--data-dir", data_dir, "--backend", "inline", "--steps", 3]
        monkeypatch.setattr("sys.argv", ["webui.py", "img2img", *map(str, arguments), *map(str, flags)])
        with pytest.raises(SystemExit) as ended:
            cli.main(serve=webui.serve, open_jobs=lambda settings: webui.open_jobs(settings, "cli"))
        return int(ended.value.code or 0)

    return call


def opened(file: Path) -> Image.Image:
    return Image.open(io.BytesIO(file.read_bytes())).convert("RGB")


def test_each_picture_of_a_folder_has_a_result_of_its_size_under_its_name(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    drawing("white").save(album / "a cat.png")
    drawing("green", side=192).save(album / "b.jpg", quality=95)
    (album / "torn.png").write_text("no picture")
    assert run(album, "a red circle", "--strength", 0.2, "-o", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a cat.png", "b.png"]
    first, second = opened(out / "a cat.png"), opened(out / "b.png")
    assert (first.size, second.size) == ((128, 128), (192, 192))
    assert (look(first).background, look(second).background) == ("white", "green")
    assert "torn.png: This file is not a picture" in capsys.readouterr().err


def test_a_folder_without_pictures_is_refused_before_anything_runs(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torn.png").write_text("no picture")
    assert run(tmp_path, "a red circle") == 1
    assert "None of these files is a picture." in capsys.readouterr().err
