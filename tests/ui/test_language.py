"""The Turkish file has exactly the texts that the page says: none is missing, none is left over."""

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.catalog.checkpoints import Catalog
from modules.engine import builtin
from modules.jobs.checking import Change, Difference, Outcome, Verdict
from modules.plugins.loading import Extension, Plugins
from modules.schema.captioning import Description, Label, Passage
from modules.schema.divergence import Scores
from modules.schema.events import (
    AnswerReady,
    Cancelled,
    ClipReady,
    Failed,
    Finished,
    JobEvent,
    Painted,
    PictureReady,
    Progress,
    Queued,
    Requeued,
    Started,
    WorkerStatus,
)
from modules.schema.media import Clip, Picture
from modules.schema.requests import Txt2Img
from modules.schema.results import CheckpointRecord, Environment, Result, Runtime, Timings
from modules.settings import REPOSITORY, Settings
from modules.storage.files import encode_png
from modules.storage.reading import read_picture
from modules.storage.record import write_record
from modules.ui import builtin as tabs
from modules.ui.app import build_page
from modules.ui.captioning import look_at
from modules.ui.captions import CaptionPane, details, downloads, table
from modules.ui.checking import CheckPane, verdict_card
from modules.ui.clips import ClipPane, clip_card
from modules.ui.divergence import histogram, scores_card
from modules.ui.filling import filled_note
from modules.ui.language import translator
from modules.ui.page import Page
from modules.ui.pnginfo import info_card
from modules.ui.results import ResultPane
from modules.ui.takeover import Takeover
from modules.ui.timeline import timeline
from modules.ui.widgets import engine_line, place_card, preview_image, progress_card
from tests.event_loop import inside_event_loop
from tests.films import ball, write_film

LOCALES = REPOSITORY / "modules" / "ui" / "locales"
RUNTIME = Runtime(device="cpu", device_name="A processor", dtype="float32", attention="sdpa", torch="2")
RESULT = Result(
    request=Txt2Img(),
    environment=Environment(runtime=RUNTIME, checkpoint=CheckpointRecord(name="a", sha256="0" * 64)),
    timings=Timings(),
)
PICTURE = PictureReady(0, 1, "words", path=Path("picture.png"))
PAINTED = Painted(0, 1, Picture(1, 1, bytes(3)), RESULT.environment, last_of_batch=True)
READY = WorkerStatus(ready=True, runtime=RUNTIME)
STARTING = WorkerStatus(ready=False)


class Recorder:
    """A translator that says everything in English and remembers it."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def __call__(self, text: str) -> str:
        self.said.add(text)
        return text


class OneJob:
    """A jobs service that tells one story."""

    def __init__(self, status: WorkerStatus, *events: JobEvent) -> None:
        self._status, self._events = status, events

    def status(self) -> WorkerStatus:
        return self._status

    def running(self) -> None:
        return None

    def waiting(self) -> list[object]:
        return []

    def frames(self, job_id: str) -> list[Path]:
        return []

    def watch_bursts(self, job_id: str) -> Iterator[list[JobEvent]]:
        return iter([[event] for event in self._events])


def literals(folder: str, *names: str) -> set[str]:
    """The first arguments of all calls of functions of these names, where they are plain texts."""
    found: set[str] = set()
    for file in (REPOSITORY / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in names and isinstance(node.args[0].value, str):
                    found.add(node.args[0].value)
    return found


def stages() -> set[str]:
    """All that the engine, or the jobs service after it, calls its work."""
    return literals("modules/engine", "stage", "Progress") | literals("modules/jobs", "Progress")


def reasons() -> set[str]:
    """Why a job may end without its own fault."""
    return literals("modules/jobs", "Cancelled") | {Cancelled().reason}


def story(say: Recorder, status: WorkerStatus, *events: JobEvent) -> None:
    """Show a job on a result pane."""
    import gradio as gr

    with gr.Blocks() as blocks:
        memory, checkpoint = gr.BrowserState(None), gr.Dropdown()
        pane = ResultPane(Page(OneJob(status, *events), None, None, say, blocks, checkpoint, memory))  # type: ignore[arg-type]
    list(pane.watch("job"))


def clip_story(say: Recorder, folder: Path, *events: JobEvent) -> None:
    """Show an animation on the pane of its tab."""
    import gradio as gr

    with gr.Blocks() as blocks:
        pane = ClipPane(Page(OneJob(READY, *events), None, None, say, blocks, None, None))  # type: ignore[arg-type]
    list(pane.watch("job"))
    (folder / "clips").mkdir(exist_ok=True)
    for kind, path in (("mp4", folder / "a.mp4"), ("gif", folder / "a.gif"), ("png", folder / "clips")):
        clip_card(ClipReady(path, Clip(kind, 64, 64, 3, 2), "words", complete=False), say)
    timeline([], 0, str, say)
    timeline([{"time": 0}], 0, str, say)


def say_what_pictures_say(say: Recorder, folder: Path) -> None:
    """Everything about the reading and checking of pictures."""
    import gradio as gr

    no_picture = folder / "none.png"
    no_picture.write_text("no picture")
    with gr.Blocks() as blocks:
        page = Page(None, None, None, say, blocks, None, None)  # type: ignore[arg-type]
        pane = CheckPane(page, gr.File(), "check")
    for given in (None, str(no_picture)):
        list(pane._run(given))
    difference = Difference(1, 1, 1, 1.0, b"")
    for outcome in Outcome:
        verdict_card(Verdict(outcome, "So it is.", difference, (Change("torch", "1", "2"),)), say)
    for infotext in ("", "a\nNegative prompt: b\nSteps: 1, Sampler: c, Seed: 2"):
        info_card(
            read_picture(encode_png(Picture(1, 1, bytes(3)), infotext, write_record(Txt2Img(seed=1), PAINTED))), say
        )
    info = PngInfo()
    info.add_text("Comment", "more")
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG", pnginfo=info)
    info_card(read_picture(file.getvalue()), say)
    filled_note(Takeover({"seed": 1}, ("Clip skip: 2",)), Txt2Img, say)


def say_what_videos_show(say: Recorder, folder: Path) -> None:
    """Everything about the results of captioning and of measuring words."""
    import gradio as gr

    passage = Passage(start=0, end=1, text="a", labels=(Label(text="a", probability=1),))
    one = Description(text="a", labels=passage.labels, timeline=(passage,), moments=(0,))
    for description in (one, one.model_copy(update={"licence": "mit"}), Description(problem="It is broken.")):
        details(description, say)
    table((one, one), say)
    downloads((one,), 0, say)
    for status in (STARTING, READY):
        with gr.Blocks() as blocks:
            memory, checkpoint = gr.BrowserState(None), gr.Dropdown()
            two = [AnswerReady(0, one), AnswerReady(1, one)]
            for events in ([*two, Finished(RESULT)], [two[0], Finished(RESULT)]):
                jobs = OneJob(status, Queued(0), Started(), *events)
                pane = CaptionPane(Page(jobs, None, None, say, blocks, checkpoint, memory))  # type: ignore[arg-type]
                list(pane.watch("job"))
    scores = Scores(words=("a", "b"), distances=((0, 1), (1, 0)), score=1, random_scores=(1, 2), measure="")
    scores_card(scores, say)
    histogram(scores.model_copy(update={"random_scores": ()}), say)
    write_film(folder / "a.mp4", ball, [0, 1])
    for name in ("a.mp4", "none.png"):
        look_at(say, [str(folder / name)])


def say_everything(say: Recorder, folder: Path) -> None:
    """Build the page, and show all that can happen on it."""
    settings = Settings(data_dir=folder)
    plugins = Plugins(settings, [builtin])
    plugins.register(tabs)
    plugins.extensions = [Extension("broken", "It is broken.")]
    build_page(OneJob(STARTING), Catalog(settings), plugins, say)  # type: ignore[arg-type]
    for status in (STARTING, READY):
        story(say, status, Queued(0), Queued(1), Started(), Requeued("It died."), PICTURE, Failed("It failed."))
        for busy in (False, True):
            engine_line(status, 1, busy, say)
    story(say, READY, PICTURE, Finished(RESULT))
    story(say, READY, PICTURE, PICTURE, Finished(RESULT))
    for reason in reasons():
        story(say, READY, Cancelled(reason))
    for stage in stages():
        progress_card(Progress(stage, 0.5, 0, 2, 1, 2, 3.0), say)
    say_what_pictures_say(say, folder)
    clip_story(
        say,
        folder,
        Queued(0),
        Started(),
        Progress("Painting", 0.5, 1, 3, 1, 2),
        PICTURE,
        Requeued("It died."),
        Finished(RESULT),
    )
    clip_story(say, folder, Failed("It failed."))
    say_what_videos_show(say, folder)
    place_card(Queued(1), say)
    preview_image(b"", say)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    say = Recorder()
    inside_event_loop(lambda: say_everything(say, tmp_path_factory.mktemp("data")))
    return say.said - {""}


def words_of(language: str) -> dict[str, str]:
    return json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))


def test_no_text_of_the_page_is_missing_in_turkish(said: set[str]):
    assert sorted(said - set(words_of("tr"))) == []


def test_no_text_in_the_turkish_file_is_left_over(said: set[str]):
    assert sorted(set(words_of("tr")) - said) == []


def test_the_engines_stages_and_the_reasons_to_stop_are_found():
    assert {"Painting", "Loading the checkpoint"} <= stages()
    assert {"Stopped.", "Taken out of the queue."} <= reasons()


def test_every_text_has_a_translation_that_ends_as_it_does():
    for english, turkish in words_of("tr").items():
        assert turkish.strip() == turkish != "", english
        assert english[-1] not in ".:…" or turkish[-1] == english[-1], english


def test_every_language_of_the_settings_but_english_has_a_file():
    languages = Settings.model_fields["lang"].annotation.__args__
    assert {f"{language}.json" for language in languages} - {"en.json"} == {file.name for file in LOCALES.iterdir()}


def test_the_page_speaks_turkish_and_leaves_what_it_does_not_know():
    say = translator("tr")
    assert say("Prompt") == "İstem"
    assert say("sdxl.safetensors") == "sdxl.safetensors"
