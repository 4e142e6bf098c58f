import pickle
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, get_args

import pytest

from modules.schema.captioning import Description
from modules.schema.events import (
    TERMINAL,
    Answered,
    AnswerReady,
    Cancelled,
    ClipReady,
    EngineEvent,
    Failed,
    Finished,
    Job,
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

RUNTIME = Runtime(device="cpu", device_name="A processor", dtype="float32", attention="sdpa", torch="2.13")
ENVIRONMENT = Environment(runtime=RUNTIME, checkpoint=CheckpointRecord(name="demo.safetensors", sha256="ab" * 32))
REQUEST = Txt2Img(prompt="a red barn", seed=3, width=64, height=64)
PICTURE = Picture(2, 1, b"123456")

EVENTS = [
    Queued(3),
    Started(2),
    Progress("Sampling", 0.25, 1, 4, step=5, steps=20, seconds_left=3.5, preview=b"jpeg"),
    Painted(0, 3, PICTURE, ENVIRONMENT, last_of_batch=True),
    PictureReady(0, 3, "a red barn", png=b"png"),
    PictureReady(0, 3, "a red barn", path=Path("outputs") / "00001-3.png"),
    Answered(0, Description(text="a barn"), ENVIRONMENT, {"frames.png": b"png"}),
    AnswerReady(0, Description(text="a barn"), files={"frames.png": b"png"}),
    AnswerReady(0, Description(text="a barn"), Path("outputs") / "a.json", {"frames.png": Path("a.png")}),
    ClipReady(Path("outputs") / "00001-3.mp4", Clip("mp4", 64, 64, 9, 12), "a red barn", complete=True),
    Requeued("The worker died."),
    Finished(Result(request=REQUEST, environment=ENVIRONMENT, timings=Timings(load=1, total=2))),
    Failed("No memory."),
    Cancelled(),
]


def test_every_event_is_tried_below() -> None:
    assert {type(event) for event in EVENTS} == {*get_args(EngineEvent), *get_args(JobEvent)}


@pytest.mark.parametrize(
    "value", [*EVENTS, Job("1", REQUEST, finished=2, save=False), WorkerStatus(True, RUNTIME)], ids=repr
)
def test_a_value_goes_unchanged_through_a_pipe(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.mark.parametrize("event", EVENTS, ids=repr)
def test_an_event_cannot_be_changed(event: Any) -> None:
    for name in vars(event):
        with pytest.raises(FrozenInstanceError):
            setattr(event, name, None)


def test_the_events_that_end_a_job_are_heard_from_the_engine_and_by_those_who_watch() -> None:
    assert set(TERMINAL) <= set(get_args(EngineEvent)) & set(get_args(JobEvent))


def test_a_picture_is_read_from_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"on disk")
    assert PictureReady(0, 3, "", path=file).read() == b"on disk"
    assert PictureReady(0, 3, "", png=b"in memory").read() == b"in memory"
    with pytest.raises(FileNotFoundError):
        PictureReady(0, 3, "", path=tmp_path / "gone.png").read()


def test_the_short_hash_is_the_beginning_of_the_digest() -> None:
    assert CheckpointRecord(name="", sha256="0123456789abcdef").short_hash == "0123456789"
