"""/kararli/v1, over the fake engine."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_sdapi import Program
from tests.engine.pictures import drawing, png
from tests.waiting import wait_until

ANIMATION: dict[str, Any] = {
    "task": "interpolate", "keyframes": [{"prompt": "a"}, {"time": 1, "prompt": "b"}], "filming": {"fps": 4},
    "width": 64, "height": 64, "sampling": {"steps": 2}, "seed": 7,
}  # fmt: skip


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    with program.client:
        yield program
    program.jobs.close()


def post(program: Program, path: str, body: dict[str, Any], status: int = 200) -> Any:
    answer = program.client.post(f"/kararli/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def state(program: Program, name: str) -> Any:
    return program.client.get(f"/kararli/v1/jobs/{name}").json()


def test_an_animation_is_queued_looked_at_and_fetched(program: Program) -> None:
    accepted = post(program, "jobs", {"id": "first", "request": ANIMATION})
    assert (accepted["id"], accepted["request"]["checkpoint"]) == ("first", "demo.safetensors")
    wait_until(lambda: state(program, "first")["state"] == "done")
    clip = state(program, "first")["clip"]
    assert (clip["format"], clip["frames"], clip["fps"], clip["complete"]) == ("mp4", 5, 4, True)
    file = program.client.get("/kararli/v1/jobs/first/clip")
    assert file.headers["content-type"] == "video/mp4"
    assert file.content == Path(clip["path"]).read_bytes()


def test_a_stopped_animation_is_continued(program: Program, tmp_path: Path) -> None:
    post(program, "jobs", {"id": "first", "request": {**ANIMATION, "prompt": "slow", "batch_size": 1}})
    wait_until(lambda: len(program.jobs.frames("first")) >= 1)
    post(program, "jobs/first/stop", {"how": "after picture"})
    wait_until(lambda: state(program, "first")["state"] == "cancelled")
    assert state(program, "first")["clip"]["complete"] is False
    post(program, "jobs/first/continue", {})
    wait_until(lambda: state(program, "first")["state"] == "done")
    assert state(program, "first")["clip"]["frames"] == 5


def test_pictures_are_kept_under_their_digests(program: Program) -> None:
    data = png(drawing())
    digest = post(program, "pictures", {"image": base64.b64encode(data).decode()})["digest"]
    assert program.jobs.input_picture(digest) == data


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("jobs", {"request": {"task": "interpolate", "keyframes": [{}, {}]}}, 422, "same frame"),
        ("jobs", {"request": {"task": "dance"}}, 422, "dance"),
        ("jobs/nobody/continue", {}, 400, "not known here"),
        ("jobs/nobody/stop", {}, 404, "no job with this id"),
        ("pictures", {"image": "bm8gcGljdHVyZQ=="}, 400, "not a picture"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    program: Program, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    assert words in post(program, path, body, status)["detail"]


def test_a_clip_that_is_not_there_is_not_found(program: Program) -> None:
    assert program.client.get("/kararli/v1/jobs/nobody/clip").status_code == 404
    assert program.client.get("/kararli/v1/jobs/nobody").status_code == 404
