"""Enlarged pictures keep their source's parameters and name; folders are looked into with distrust."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.schema.errors import InvalidRequest
from modules.schema.events import Job, Painted
from modules.schema.requests import MOST_PICTURES, Enlarging, Upscale
from modules.schema.results import Environment, UsedFile
from modules.settings import Settings
from modules.storage import folders
from modules.storage.archive import Archive
from modules.storage.folders import InputRoot, pictures_in, stem_of
from modules.storage.infotext import read_infotext
from modules.storage.keys import NOT_IN_THE_TEXT, ROWS
from modules.storage.postprocessing import write_upscaled
from modules.storage.reading import read_picture, read_text
from modules.ui.form import leaf_paths
from tests.requests_of import CALM, requests_of
from tests.storage.painting import RUNTIME, picture

SOURCE = """a red circle, large
Negative prompt: blue
Steps: 20, Sampler: Euler, Schedule type: Karras, CFG scale: 7.0, Seed: 7, Size: 128x128, Model hash: 1f1546877b, \
Model: demo, RNG: CPU, Version: Kararli 0.1.0"""

FILE = UsedFile(kind="upscaler", name="x2", sha256="0" * 64)
ENVIRONMENT = Environment(runtime=RUNTIME, further_files=(FILE,))


def result(index: int = 0) -> Painted:
    return Painted(index, 0, picture(16, 16), ENVIRONMENT, last_of_batch=True)


def png(text: str | None) -> bytes:
    info = PngInfo()
    if text is not None:
        info.add_text("parameters", text)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def request(**enlarging: object) -> Upscale:
    return Upscale(pictures=("0" * 64,), enlarging=Enlarging(**enlarging))  # type: ignore[arg-type]


def test_the_sources_parameters_stay_and_how_it_was_enlarged_is_added() -> None:
    text = write_upscaled(request(upscaler="x2", scale=2.0), result(), SOURCE)
    assert text == SOURCE + ", Postprocess upscale by: 2.0, Postprocess upscaler: x2"
    before, after = read_text(SOURCE), read_text(text)
    assert {path: after.values[path] for path in before.values} == before.values
    assert after.rest == {}


def test_two_upscalers_and_a_size_have_the_keys_that_users_know() -> None:
    text = write_upscaled(
        request(upscaler="x2", second="Lanczos", second_share=0.3, width=64, height=32), result(), SOURCE
    )
    pairs = read_infotext(text).pairs
    assert pairs["Postprocess upscale to"] == "64x32"
    assert "Postprocess upscale by" not in pairs
    assert (pairs["Postprocess upscaler 2"], pairs["Postprocess upscaler 2 visibility"]) == ("Lanczos", "0.3")


def test_a_picture_that_is_enlarged_twice_tells_of_the_second_time() -> None:
    once = write_upscaled(request(upscaler="x2", second="Lanczos"), result(), SOURCE)
    twice = write_upscaled(request(upscaler="Nearest", scale=4.0), result(), once)
    assert twice == SOURCE + ", Postprocess upscale by: 4.0, Postprocess upscaler: Nearest"


@pytest.mark.parametrize("source", ["", "  "])
def test_without_parameters_of_the_source_there_is_how_it_was_enlarged(source: str) -> None:
    text = write_upscaled(request(), result(), source)
    reading = read_text(text)
    assert text.startswith("Task: upscale, Postprocess upscale by: 2.0, Postprocess upscaler: Lanczos, Size: 16x16")
    assert reading.values["task"] == "upscale"
    assert reading.infotext.prompt == ""


def test_a_text_that_is_only_a_prompt_stays_one() -> None:
    reading = read_text(write_upscaled(request(), result(), "just words"))
    assert reading.infotext.prompt == "just words"
    assert reading.values["enlarging.upscaler"] == "Lanczos"


@CALM
@given(requests_of(Upscale), st.sampled_from(["", SOURCE]))
def test_every_value_of_an_upscaling_is_read_back(asked: Upscale, source: str) -> None:
    asked = asked.model_copy(update={"pictures": ("",), "names": ()})
    if asked.enlarging.width or asked.enlarging.height:  # then the factor is not used, and not kept
        asked = asked.model_copy(update={"enlarging": asked.enlarging.model_copy(update={"scale": 2.0})})
    values = read_text(write_upscaled(asked, result(), source)).values
    for path in set(leaf_paths(Upscale)) - NOT_IN_THE_TEXT:
        value: object = asked
        for part in path.split("."):
            value = getattr(value, part)
        assert values[path] == value, path


def test_every_value_of_an_upscaling_has_a_row() -> None:
    assert set(leaf_paths(Upscale)) - NOT_IN_THE_TEXT <= {path for row in ROWS for path in row.paths}


# ---- in the archive


@pytest.fixture
def archive(settings: Settings) -> Archive:
    return Archive(settings, "test")


def job(archive: Archive, *names: str, source: str | None = SOURCE, save: bool = True) -> Job:
    digest = archive.inputs.add(png(source))
    made = Job(f"job {len(names)} {names[:1]}", Upscale(pictures=(digest,) * len(names), names=names), save=save)
    archive.add_job(made)
    return made


def test_results_keep_the_names_of_their_sources_and_replace_nothing(archive: Archive) -> None:
    asked = job(archive, "my cat", "my cat", "Köpek")
    paths = [archive.keep(asked, result(index)).path for index in range(3)]
    assert [path.name for path in paths if path] == ["my cat.png", "my cat-2.png", "Köpek.png"]
    assert paths[0] and paths[0].parent.parent.name == "upscale"


def test_the_saved_file_carries_the_sources_parameters_and_a_record_of_its_own(archive: Archive) -> None:
    info = read_picture(archive.keep(job(archive, "x"), result()).read())
    assert info.text.startswith(SOURCE)
    assert info.record is not None
    assert info.record.request["task"] == "upscale"
    assert info.record.checkpoint is None
    assert info.record.files == (FILE,)


def test_a_job_that_was_left_goes_on_with_the_next_picture(archive: Archive) -> None:
    asked = job(archive, "a", "b", "c")
    for index in range(2):
        archive.keep(asked, result(index))
    [left] = archive.unfinished()
    assert left.finished == 2
    assert left.request == asked.request


def test_a_source_without_texts_is_no_hindrance(archive: Archive) -> None:
    ready = archive.keep(job(archive, "x", source=None), result())
    assert ready.infotext.startswith("Task: upscale, ")


# ---- folders


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("holiday.JPG", "holiday"), ("a.b.png", "a.b"), ("../../etc/passwd", "passwd"), ("C:\\x\\y.png", "y"),
        ("a:b?.png", "a_b_"), (".png", "png"), ("", "picture"), ("...", "picture"), (" x .png", "x"),
        ("x" * 300 + ".png", "x" * 100), ("line\nbreak.png", "line_break"), ("noending", "noending"),
    ],
)  # fmt: skip
def test_a_result_is_called_as_its_source_as_far_as_every_system_allows(name: str, stem: str) -> None:
    assert stem_of(name) == stem
    assert Upscale(pictures=("",), names=(stem,)).names == (stem,)


@CALM
@given(st.text(max_size=150))
def test_whatever_a_file_is_called_its_stem_is_taken(name: str) -> None:
    assert Upscale(pictures=("",), names=(stem_of(name),))


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", ".hidden", "x.", " x", "a\0b", "x" * 101, "con:", ".."])
def test_a_name_from_a_stranger_leads_to_no_other_folder(name: str) -> None:
    with pytest.raises(ValueError, match="names"):
        Upscale(pictures=("",), names=(name,))


def album(folder: Path) -> Path:
    (folder / "summer").mkdir(parents=True)
    for name in ("b.PNG", "A.jpg", "notes.txt", ".hidden.png"):
        (folder / "summer" / name).touch()
    (folder / "summer" / "more.png").mkdir()
    return folder


def test_a_folder_gives_its_pictures_by_name(tmp_path: Path) -> None:
    assert [path.name for path in pictures_in(album(tmp_path) / "summer")] == ["A.jpg", "b.PNG"]


def test_a_folder_below_the_root_is_found_by_either_spelling(tmp_path: Path) -> None:
    root = album(tmp_path)
    for spelling in ("summer", str(root / "summer"), "./summer/"):
        assert len(InputRoot(root).pictures(spelling)) == 2


@pytest.mark.parametrize("folder", ["..", "/etc", "summer/../..", "secret"])
def test_nothing_outside_the_root_is_looked_at(tmp_path: Path, folder: str) -> None:
    root = album(tmp_path / "root")
    album(tmp_path / "other")
    (root / "secret").symlink_to(tmp_path / "other" / "summer")
    with pytest.raises(InvalidRequest, match="has to lie in"):
        InputRoot(root).pictures(folder)


def test_a_link_out_of_the_root_is_left_out(tmp_path: Path) -> None:
    root = album(tmp_path / "root")
    (tmp_path / "private.png").touch()
    (root / "summer" / "link.png").symlink_to(tmp_path / "private.png")
    assert [path.name for path in InputRoot(root).pictures("summer")] == ["A.jpg", "b.PNG"]


def test_without_a_root_no_folder_is_worked_through() -> None:
    with pytest.raises(InvalidRequest, match="--input-root"):
        InputRoot(None).pictures("summer")


def test_a_folder_that_is_not_there_or_empty_or_too_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        pictures_in(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match="There are no pictures"):
        pictures_in(tmp_path / "empty")
    monkeypatch.setattr(folders, "MOST_PICTURES", 1)
    with pytest.raises(InvalidRequest, match="There are 2 pictures"):
        pictures_in(album(tmp_path / "full") / "summer")
    assert MOST_PICTURES == 500
