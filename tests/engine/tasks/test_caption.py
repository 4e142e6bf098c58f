"""Videos in, words out, over the jobs service, the real engine and the real archive."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

import webui
from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.engine import builtin
from modules.engine.tasks.caption import ATTENTION, FRAMES
from modules.jobs.inline import InlineBackend
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.schema.captioning import Caption, Description, Interrogate, Viewing, Wording
from modules.schema.divergence import Divergence, Scores
from modules.schema.errors import InvalidRequest, KararliError, UnusableFile
from modules.schema.events import AnswerReady, Cancelled, Failed, Finished, Job, JobEvent, Progress, Stop
from modules.schema.requests import Request
from modules.settings import Settings
from modules.storage.archive import Archive
from modules.storage.captions import as_csv
from tests.conftest import make_data_dir
from tests.engine import describing_models as made
from tests.engine.pictures import drawing, png
from tests.films import ENDINGS, ball, difference, shade, times_of, write_film


class Program:
    """The running program's parts without a page."""

    def __init__(self, data_dir: Path) -> None:
        self.settings = Settings(data_dir=data_dir, precision="full", device="cpu")
        made.save_timesformer(self.settings.video_models / "tiny")
        made.save_captioner(self.settings.video_models / "writer")
        clip, blip = self.settings.picture_models
        self.clip = made.save_clip(clip / "small clip")
        self.blip = made.save_blip(blip / "small blip")
        self.settings.words.mkdir()
        (self.settings.words / "colours.txt").write_text("red\ngreen\nblue\n# no word\n", encoding="utf-8")
        (self.settings.words / "shapes.txt").write_text("circle\nsquare star\n", encoding="utf-8")
        self.open()

    def open(self) -> None:
        catalog, plugins = Catalog(self.settings), Plugins(self.settings, [builtin])
        self.archive = Archive(self.settings, "serve")
        resolve = Resolver(
            catalog, plugins.samplers(), plugins.schedules(), plugins.upscalers(), self.archive.inputs.read
        )
        self.jobs = Jobs(InlineBackend(partial(webui.build_engine, self.settings)), self.archive, resolve)
        self.jobs.start()

    def ask(self, request: Request, save: bool = True) -> tuple[list[AnswerReady], list[JobEvent]]:
        events = list(self.jobs.watch(self.jobs.submit(request, save=save).id))
        return [event for event in events if isinstance(event, AnswerReady)], events

    def describe(self, path: Path, **more: Any) -> Description:
        [answer] = self.ask(self.request(path, **more))[0]
        assert isinstance(answer.answer, Description)
        return answer.answer

    def request(self, *paths: Path, **more: Any) -> Caption:
        videos = tuple(self.jobs.keep_film(path) for path in paths)
        return Caption(videos=videos, names=tuple(path.stem for path in paths), **{"model": "tiny", **more})


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(make_data_dir(tmp_path_factory.mktemp("data") / "data"))
    yield program
    program.jobs.close()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "my film.mp4", ball, times_of(3, 10))


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_a_video_gets_labels_a_sentence_and_the_frames_that_were_seen(program: Program, film: Path) -> None:
    [answer], events = program.ask(program.request(film))
    said = answer.answer
    assert isinstance(said, Description)
    assert said.text == said.labels[0].text
    assert said.text in made.LABELS
    assert said.text in said.sentence
    assert len(said.labels) == 5
    assert sum(label.probability for label in said.labels) == pytest.approx(1, abs=1e-4)
    assert said.moments == (0, 1, 2, 3)
    assert (said.seconds, said.width, said.height) == (3, 96, 96)
    assert (said.model, said.licence, said.name, said.notes) == ("tiny", "cc-by-nc-4.0", "my film", ())
    strip = opened(answer.read(FRAMES))
    assert strip.size == (4 * 32, 32)
    for place in range(4):
        frame = strip.crop((place * 32, 0, place * 32 + 32, 32))
        assert difference(ball(place / 3).resize((32, 32), Image.Resampling.BILINEAR), frame) > 22
    assert isinstance(events[-1], Finished)


def test_the_answer_is_kept_with_its_record(program: Program, film: Path) -> None:
    [answer], _ = program.ask(program.request(film, overlay=True))
    assert answer.path is not None
    record = json.loads(answer.path.read_text())
    assert record["request"]["model"] == "tiny"
    assert record["request"]["frames"] == 4
    assert record["answer"]["text"] == answer.answer.text  # type: ignore[union-attr]
    assert record["environment"]["further_files"][0]["name"] == "tiny"
    assert answer.path.stem.startswith("my film")
    clip = answer.files[ATTENTION]
    assert isinstance(clip, Path)
    with av.open(str(clip)) as container:
        assert len(list(container.decode(video=0))) == 4
    assert list(answer.path.parent.glob(".*")) == []


@pytest.mark.parametrize("rate", [8, 30])
def test_the_same_clip_gets_the_same_label_in_any_container_and_size(
    program: Program, tmp_path: Path, rate: int
) -> None:
    wanted = program.describe(write_film(tmp_path / "a.mp4", ball, times_of(3, 10)))
    for ending in ENDINGS:

        def larger(moment: float) -> Image.Image:
            return ball(moment, 160)

        path = write_film(tmp_path / f"b{ending}", larger, times_of(3, rate))
        said = program.describe(path)
        assert said.text == wanted.text, ending
    other = write_film(tmp_path / "other.mp4", lambda _: Image.new("RGB", (96, 96), (20, 200, 60)), [0, 3])
    assert program.describe(other).text != wanted.text  # else nothing was shown here


def test_a_range_shows_that_part_alone(program: Program, tmp_path: Path) -> None:
    path = write_film(tmp_path / "shades.mp4", shade, times_of(8, 10))
    request = program.request(path, viewing=Viewing(start=2, end=4))
    [answer], _ = program.ask(request)
    strip = np.asarray(opened(answer.read(FRAMES)), float)
    seen = [(strip[:, place * 32 : place * 32 + 32].mean() - 20) / 200 * 8 for place in range(4)]
    assert seen == pytest.approx([2, 2 + 2 / 3, 4 - 2 / 3, 4], abs=0.15)


def test_a_window_gives_a_timeline_without_gaps(program: Program, tmp_path: Path) -> None:
    def half(moment: float) -> Image.Image:
        return ball(0.5) if moment < 0.5 else Image.new("RGB", (96, 96), (20, 200, 60))

    path = write_film(tmp_path / "two.mp4", half, times_of(8, 10))
    said = program.describe(path, viewing=Viewing(window=2, step=1))
    ends = [passage.end for passage in said.timeline]
    assert [passage.start for passage in said.timeline] == [0, *ends[:-1]]
    assert ends[-1] == said.seconds == 8
    assert len(said.timeline) == 7
    first, last = (program.describe(path, viewing=Viewing(start=start, end=start + 2)) for start in (0, 6))
    assert (said.timeline[0].text, said.timeline[-1].text) == (first.text, last.text)
    assert first.text != last.text


def test_a_model_that_writes_is_asked_for_a_sentence(program: Program, film: Path) -> None:
    said = program.describe(film, model="writer", wording=Wording(beams=2, shortest=4, longest=8))
    assert said.labels == ()
    assert said.text
    assert set(said.text.split()) <= set(made.WORDS) | {"[UNK]", "[PAD]", "[CLS]"}
    assert said.sentence[0] == said.text[0].upper()


def test_several_videos_give_a_table_and_a_bad_one_does_not_end_it(
    program: Program, film: Path, tmp_path: Path
) -> None:
    short = write_film(tmp_path / "=short.mp4", shade, times_of(1, 10))
    request = program.request(film, short, film, viewing=Viewing(start=2))
    answers, events = program.ask(request)
    assert isinstance(events[-1], Finished)
    said = [answer.answer for answer in answers]
    assert [bool(one.problem) for one in said] == [False, True, False]  # type: ignore[union-attr]
    assert "the last frame is at 1.00" in said[1].problem  # type: ignore[union-attr]
    rows = list(csv.DictReader(io.StringIO(as_csv(said))))  # type: ignore[arg-type]
    assert [row["video"] for row in rows] == ["my film", "'=short", "my film"]
    assert float(rows[0]["probability 1"]) == pytest.approx(said[0].labels[0].probability, abs=1e-4)  # type: ignore[union-attr]


def test_one_bad_range_fails_with_a_sentence(program: Program, film: Path) -> None:
    _, events = program.ask(program.request(film, viewing=Viewing(start=5)))
    assert isinstance(events[-1], Failed)
    assert "The part begins at second 5, but the last frame is at 3.00." in events[-1].reason


def test_too_few_frames_are_shown_again_and_that_is_said(program: Program, tmp_path: Path) -> None:
    said = program.describe(write_film(tmp_path / "two.mp4", shade, [0, 1]))
    assert "fewer frames than the model looks at (4)" in said.notes[0]
    assert program.describe(write_film(tmp_path / "one.mp4", shade, [0])).text in made.LABELS


def test_a_stop_ends_it_between_frames(program: Program, tmp_path: Path) -> None:
    path = write_film(tmp_path / "long.mp4", shade, times_of(20, 5))
    job = program.jobs.submit(program.request(path, viewing=Viewing(window=1, step=0.01)))
    last: JobEvent | None = None
    for event in program.jobs.watch(job.id):
        last = event
        if isinstance(event, Progress) and event.step > 3:
            program.jobs.stop(job.id, Stop.NOW)
    assert isinstance(last, Cancelled)


def test_a_restart_goes_on_after_the_last_answer(program: Program, film: Path) -> None:
    request = program.request(film, film)
    resolved = program.jobs._resolve(request)
    job = Job("half-done", resolved)
    program.archive.add_job(job)
    [one], _ = program.ask(request.alone(0))
    from modules.schema.events import Answered
    from modules.schema.results import Environment, Runtime

    runtime = Runtime(device="cpu", device_name="", dtype="float32", attention="sdpa", torch="")
    program.archive.keep(job, Answered(0, one.answer, Environment(runtime=runtime), {FRAMES: b"png"}))
    program.jobs.close()
    program.open()
    program.jobs.recover()
    events = list(program.jobs.watch("half-done"))
    answers = [event for event in events if isinstance(event, AnswerReady)]
    assert [answer.index for answer in answers] == [0, 1]
    assert answers[0].read(FRAMES) == b"png"
    assert isinstance(events[-1], Finished)


def test_nothing_is_left_of_a_video_that_is_refused(program: Program, tmp_path: Path) -> None:
    (tmp_path / "letter.mp4").write_text("hello")
    before = sorted(program.settings.inputs.iterdir())
    with pytest.raises(InvalidRequest, match="not a video that can be read"):
        program.jobs.keep_film(tmp_path / "letter.mp4")
    assert sorted(program.settings.inputs.iterdir()) == before


def test_a_video_that_is_too_large_is_refused_before_it_is_copied(tmp_path: Path, film: Path) -> None:
    archive = Archive(Settings(data_dir=tmp_path / "data", largest_video=1), "serve")
    film.write_bytes(film.read_bytes() + bytes(2**20))
    with pytest.raises(InvalidRequest, match="1 are the most"):
        archive.inputs.add_film(film)
    archive.close()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (lambda: Caption(), "There is no video yet"),
        (lambda: Caption(videos=("a" * 64,), model="other"), "There is no video model 'other'"),
        (lambda: Interrogate(), "There is no picture to describe"),
        (lambda: Divergence(words=("cat", "dog")), "2 of the words count; 7 are needed"),
    ],
)
def test_what_cannot_be_done_is_said(program: Program, request_: Callable[[], Request], words: str) -> None:
    with pytest.raises(KararliError, match=words):
        program.jobs.submit(request_())


def test_without_a_model_it_is_said_what_to_put_where(tmp_path: Path) -> None:
    catalog = Catalog(Settings(data_dir=tmp_path))
    with pytest.raises(UnusableFile, match="Put a TimeSformer as the Hugging Face hub stores it"):
        catalog.video_models.find("", "labels", "sentences")


def test_a_picture_gets_blips_sentence_and_the_best_word_of_each_list(program: Program) -> None:
    digest = program.jobs.keep_picture(png(drawing()))
    [answer], _ = program.ask(Interrogate(picture=digest, wording=Wording(shortest=3, longest=6)), save=False)
    said = answer.answer
    assert isinstance(said, Description)
    colour, shape = said.labels
    assert colour.text in ("red", "green", "blue")
    assert shape.text in ("circle", "square star")
    assert said.text.endswith(", ".join(label.text for label in said.labels))
    assert said.model == "small blip + small clip"
    assert answer.path is None


def test_words_are_chosen_as_a_direct_call_chooses_them(program: Program) -> None:
    from transformers import AutoTokenizer, CLIPImageProcessorPil

    digest = program.jobs.keep_picture(png(drawing()))
    [answer], _ = program.ask(Interrogate(picture=digest, model="small clip"), save=False)
    folder = str(program.settings.picture_models[0] / "small clip")
    words = ["red", "green", "blue"]
    tokens = AutoTokenizer.from_pretrained(folder)(words, padding=True, return_tensors="pt")
    pixels = CLIPImageProcessorPil.from_pretrained(folder)(drawing(), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        chances = program.clip(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], pixel_values=pixels
        ).logits_per_image.softmax(-1)[0]
    label = answer.answer.labels[0]  # type: ignore[union-attr]
    assert label.text == words[int(chances.argmax())]
    assert label.probability == pytest.approx(float(chances.max()), abs=1e-4)


def test_ten_words_get_a_score_and_a_scale(program: Program) -> None:
    words = ("circle", "Star", "galaxy", "heart", "star", "two words", "ring", "red", "square", "cross", "triangle")
    [answer], _ = program.ask(Divergence(words=words), save=False)
    scores = answer.answer
    assert isinstance(scores, Scores)
    assert scores.words == ("circle", "Star", "heart", "ring", "red", "square", "cross")
    assert scores.left_out == (
        "galaxy: not known to the text encoder",
        "star: stands there already",
        "two words: not a single word",
        "triangle: seven count, the rest is in reserve",
    )
    apart = np.array(scores.distances)
    assert np.allclose(apart, apart.T)
    assert np.allclose(np.diag(apart), 0)
    assert scores.score == pytest.approx(apart[np.triu_indices(7, 1)].mean(), abs=0.01)
    assert scores.random_scores == ()  # the demo checkpoint knows hardly any everyday nouns
    assert scores.measure == "demo.safetensors"
    again = program.ask(Divergence(words=words), save=False)[0][0].answer
    assert again == scores


def test_words_that_the_text_encoder_does_not_know_do_not_count(program: Program) -> None:
    words = ("cat", "Thunder", "justice", "spoon", "galaxy", "broom", "salt")
    _, events = program.ask(Divergence(words=words), save=False)
    assert isinstance(events[-1], Failed)
    assert "The text encoder of demo.safetensors knows 0 of the words; 7 are needed." in events[-1].reason


def test_a_clip_can_measure_the_words_too(program: Program) -> None:
    words = ("red", "green", "blue", "circle", "square", "star", "moves")
    [answer], _ = program.ask(Divergence(words=words, clip="small clip"), save=False)
    assert isinstance(answer.answer, Scores)
    assert answer.answer.measure == "small clip"
    assert answer.answer.score > 0
