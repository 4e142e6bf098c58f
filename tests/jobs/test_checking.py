"""Pictures made again: identical, close, different, or not at all, and why."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modules.jobs.checking import CLOSE_LARGEST, Outcome, Verdict, check, difference_of
from modules.jobs.inline import InlineBackend
from modules.jobs.service import Jobs
from modules.schema.errors import UnusableFile
from modules.schema.events import Job, Painted, PictureReady
from modules.schema.media import Picture
from modules.schema.requests import Request, Txt2Img
from modules.schema.results import Runtime
from modules.settings import Settings
from modules.storage.archive import Archive
from modules.storage.files import encode_png
from modules.storage.metadata import exif_of, read_metadata
from tests.fakes import FakeEngine, paint


class OtherEngine(FakeEngine):
    """The same on another machine: it rounds differently by `off`."""

    off = 1

    def prepare(self) -> Runtime:
        return super().prepare().model_copy(update={"dtype": "float16"})

    def run(self, job: Job, report: Any) -> Any:
        def shifted(event: Any) -> None:
            if isinstance(event, Painted):
                picture = event.picture
                pixels = bytes(min(255, value + self.off) for value in picture.pixels)
                event = Painted(
                    event.index, event.seed, Picture(picture.width, picture.height, pixels), event.environment, True
                )
            report(event)

        return super().run(job, shifted)


class FarEngine(OtherEngine):
    off = CLOSE_LARGEST + 1


class Desk:
    """A jobs service over an engine, and what is made with it."""

    def __init__(self, folder: Path, build: Any = FakeEngine) -> None:
        self.archive = Archive(Settings(data_dir=folder), "serve")
        self.jobs = Jobs(InlineBackend(build), self.archive, resolved)
        self.jobs.start()
        self.folder = folder

    def made(self, **request: Any) -> list[bytes]:
        job = self.jobs.submit(Txt2Img.model_validate(request), save=False)
        return [event.read() for event in self.jobs.watch(job.id) if isinstance(event, PictureReady)]

    def verdict(self, data: bytes, locate: Any = lambda name, sha256: name) -> Verdict:
        *_, last = check(data, self.jobs, locate)
        assert isinstance(last, Verdict)
        return last


def resolved(request: Request) -> Request:
    return request.model_copy(
        update={
            "checkpoint": request.checkpoint or "demo.safetensors",
            "width": 64,
            "height": 64,
            "seed": max(7, request.seed),
        }
    )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.jobs.close()


@pytest.fixture
def elsewhere(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    desk = Desk(tmp_path / "elsewhere", getattr(request, "param", OtherEngine))
    yield desk
    desk.jobs.close()


def changed(verdict: Verdict) -> dict[str, tuple[str, str]]:
    return {change.name: (change.then, change.now) for change in verdict.changes if change.differs}


def with_record(data: bytes, **changes: Any) -> bytes:
    texts = read_metadata(data).texts
    record = json.dumps({**json.loads(texts["kararli"]), **changes})
    with Image.open(io.BytesIO(data)) as image:
        return encode_png(Picture.of(image), texts["parameters"], record)


def test_the_same_engine_makes_an_identical_picture_and_saves_nothing(desk: Desk) -> None:
    (data,) = desk.made(prompt="a", sampling={"steps": 2})
    verdict = desk.verdict(data)
    assert verdict.outcome is Outcome.IDENTICAL
    assert verdict.sentence == "All 64 x 64 pixels are the same."
    assert "checkpoint" in {change.name for change in verdict.changes}
    assert list(desk.folder.rglob("*.png")) == []


def test_each_picture_of_a_batch_is_made_alone(desk: Desk) -> None:
    pictures = desk.made(seed=100, batch_count=2, batch_size=3, sampling={"steps": 1})
    for index, data in enumerate(pictures):
        events = list(check(data, desk.jobs, lambda name, sha256: name))
        job, verdict = events[0], events[-1]
        assert isinstance(job, Job)
        assert (job.request.picture_count, job.request.seed, job.save) == (1, 100 + index, False)
        assert isinstance(verdict, Verdict)
        assert verdict.outcome is Outcome.IDENTICAL


def test_a_difference_of_rounding_is_within_tolerance_and_says_what_has_changed(desk: Desk, elsewhere: Desk) -> None:
    (data,) = desk.made(sampling={"steps": 1})
    verdict = elsewhere.verdict(data)
    assert verdict.outcome is Outcome.CLOSE
    assert verdict.difference is not None
    assert (verdict.difference.largest, verdict.difference.pixels) == (1, 64 * 64)
    assert changed(verdict) == {"dtype": ("float32", "float16")}
    assert "4,096 of 4,096 pixels differ, the largest difference is 1 of 255." in verdict.sentence
    assert "dtype (float32 then, float16 now)" in verdict.sentence


@pytest.mark.parametrize("elsewhere", [FarEngine], indirect=True)
def test_a_larger_difference_is_different_and_has_a_picture(desk: Desk, elsewhere: Desk) -> None:
    (data,) = desk.made(sampling={"steps": 1})
    verdict = elsewhere.verdict(data)
    assert verdict.outcome is Outcome.DIFFERENT
    assert verdict.difference is not None
    with Image.open(io.BytesIO(verdict.difference.picture)) as image:
        assert image.size == (64, 64)
        assert image.getextrema() == (255, 255)


def test_an_edited_file_is_told_from_an_engine_that_has_changed(desk: Desk) -> None:
    (data,) = desk.made(sampling={"steps": 1})
    texts = read_metadata(data).texts
    edited = paint(7)
    edited = Picture(64, 64, b"\xff" * 300 + edited.pixels[300:])
    verdict = desk.verdict(encode_png(edited, texts["parameters"], texts["kararli"]))
    assert verdict.outcome is Outcome.DIFFERENT
    assert verdict.difference is not None
    assert verdict.difference.pixels == 100
    assert "it is the file that was changed, after it was painted" in verdict.sentence


def test_a_small_edit_is_not_within_tolerance(desk: Desk) -> None:
    one = paint(7, 256, 256)
    other = Picture(256, 256, b"\xff" * 3 + one.pixels[3:])
    difference = difference_of(one, other)
    assert difference.pixels == 1
    assert not difference.within_tolerance


def test_a_jpeg_of_it_is_named_as_the_reason(desk: Desk) -> None:
    (data,) = desk.made(sampling={"steps": 1}, seed=200)
    texts = read_metadata(data).texts
    file = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        exif = exif_of(texts["parameters"], texts["kararli"])
        image.convert("RGB").save(file, "JPEG", quality=10, exif=exif)
    verdict = desk.verdict(file.getvalue())
    assert verdict.outcome in (Outcome.CLOSE, Outcome.DIFFERENT)
    assert "as every JPEG or WebP is" in verdict.sentence


def test_a_resized_file_is_different(desk: Desk) -> None:
    (data,) = desk.made(sampling={"steps": 1})
    texts = read_metadata(data).texts
    verdict = desk.verdict(encode_png(paint(7, 32, 32), texts["parameters"], texts["kararli"]))
    assert verdict.outcome is Outcome.DIFFERENT
    assert "resized or cropped" in verdict.sentence


def test_a_missing_checkpoint_is_named(desk: Desk) -> None:
    (data,) = desk.made(sampling={"steps": 1})

    def locate(name: str, sha256: str) -> str:
        raise UnusableFile(f"There is no {name} ({sha256[:10]}).")

    verdict = desk.verdict(data, locate)
    assert verdict == Verdict(Outcome.IMPOSSIBLE, "There is no demo.safetensors (0123456789).")


def test_the_checkpoint_is_run_under_its_name_here(desk: Desk) -> None:
    (data,) = desk.made(sampling={"steps": 1})
    first = next(iter(check(data, desk.jobs, lambda name, sha256: "mine/copy.safetensors")))
    assert isinstance(first, Job)
    assert first.request.checkpoint == "mine/copy.safetensors"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"request": {"task": "txt2video"}}, "This version cannot run what the picture asks for"),
        ({"format": 99}, "Update Kararli"),
        ({"index": 3}, "contradicts itself"),
    ],
)
def test_a_record_that_cannot_be_run_here_is_said(desk: Desk, changes: dict[str, Any], words: str) -> None:
    (data,) = desk.made(sampling={"steps": 1})
    verdict = desk.verdict(with_record(data, **changes))
    assert verdict.outcome is Outcome.IMPOSSIBLE
    assert words in verdict.sentence


def test_a_picture_without_a_record_and_a_file_that_is_none_are_said(desk: Desk) -> None:
    text = "a\nSteps: 2, Sampler: Euler, Seed: 3"
    without = desk.verdict(encode_png(paint(7), text))
    assert without.outcome is Outcome.IMPOSSIBLE
    assert "There is no record" in without.sentence
    assert "can be sent to the form" in without.sentence
    assert desk.verdict(b"hello").outcome is Outcome.IMPOSSIBLE


def test_a_failed_job_gives_its_reason(desk: Desk) -> None:
    (data,) = desk.made(sampling={"steps": 1})
    record = json.loads(read_metadata(data).texts["kararli"])
    verdict = desk.verdict(with_record(data, request={**record["request"], "prompt": "fail"}))
    assert verdict.outcome is Outcome.IMPOSSIBLE
    assert "The fake engine was told to fail." in verdict.sentence
