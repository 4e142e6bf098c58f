"""The record in each picture."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules import __version__
from modules.schema.requests import Txt2Img
from modules.storage.files import encode_png
from modules.storage.reading import read_picture
from modules.storage.record import (
    LARGEST_RECORD,
    UnreadableRecord,
    read_record,
    request_of,
    request_of_picture,
    write_record,
)
from tests.requests_of import CALM, requests_of
from tests.storage.painting import job, painted, picture


def written(**changes: object) -> str:
    """A record with other values at the top."""
    return json.dumps({**json.loads(write_record(job().request, painted())), **changes})


@CALM
@given(requests_of(Txt2Img), st.integers(0, 1600))
def test_every_request_comes_back_whole_and_for_its_picture(request: Txt2Img, index: int) -> None:
    index %= request.picture_count
    resolved = request.model_copy(update={"seed": max(0, request.seed)})
    record = read_record(write_record(resolved, painted(index=index, seed=resolved.seed_of(index))))
    assert request_of(record) == resolved
    assert request_of_picture(record) == resolved.alone(index)


def test_it_says_what_the_pixels_depend_on() -> None:
    record = read_record(write_record(job().request, painted(width=16)))
    assert [(file.kind, file.name) for file in record.files] == [("checkpoint", "demo.safetensors")]
    assert record.environment["dtype"] == "float32"
    assert record.versions["kararli"] == __version__
    assert record.versions["torch"] == "2.13"
    assert record.pixels == picture(16, 8).digest()


def test_the_same_picture_has_the_same_record_to_the_byte() -> None:
    assert write_record(job("one").request, painted()) == write_record(job("two").request, painted())


def test_what_a_later_version_adds_is_left_out() -> None:
    record = read_record(written(mood="good", files=[{"kind": "a", "name": "b", "sha256": "0" * 64, "more": 1}]))
    assert record.files[0].name == "b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        ('{"a":' * 100_000, "damaged"),
        (written(pixels="short"), "damaged"),
        (written(index=-1), "damaged"),
        (written(files=[{"kind": "checkpoint", "name": "x", "sha256": "../../etc/passwd"}]), "damaged"),
        (written(versions={"torch": "9" * 2000}), "damaged"),
        (written(format=2), "Update Kararli"),
        (" " * (LARGEST_RECORD + 1), "too long"),
    ],
)
def test_what_is_no_record_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(UnreadableRecord, match=words):
        read_record(text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"request": {"task": "txt2video"}}, "task.*0.1.0"),
        ({"request": {"task": "txt2img", "depth": 3}}, "depth"),
        ({"request": {"task": "txt2img", "sampling": {"steps": 100_000}}}, "sampling.steps"),
        ({"index": 5}, "contradicts itself"),
        ({"seed": 8}, "contradicts itself"),
    ],
)
def test_a_request_that_cannot_be_run_is_refused_with_what_is_wrong(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UnreadableRecord, match=words):
        request_of(read_record(written(**changes)))


def test_a_damaged_record_does_not_keep_the_parameters_from_being_read() -> None:
    info = read_picture(encode_png(picture(), "a\nSteps: 3, Sampler: Euler, Seed: 4", "{"))
    assert info.reading is not None
    assert info.record is None
    assert "damaged" in info.record_problem
