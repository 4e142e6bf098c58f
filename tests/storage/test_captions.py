"""Subtitles, tables and JSON of what was said."""

import csv
import io
import json
from pathlib import Path

import pytest

from modules.schema.captioning import Description, Label, Passage
from modules.schema.errors import InvalidRequest
from modules.storage.captions import as_csv, as_json, as_srt, as_vtt, passages_of, written_as


def passage(start: float, end: float, text: str, chance: float) -> Passage:
    return Passage(start=start, end=end, text=text, labels=(Label(text=text, probability=chance),))


TIMED = Description(
    name="a film",
    text="walks <fast>",
    labels=(Label(text="walks <fast>", probability=0.75), Label(text="runs", probability=0.25)),
    timeline=(
        passage(0, 1.5, "walks <fast>", 0.5),
        passage(1.5, 3661.0, "walks <fast>", 0.7),
        passage(3661.0, 3662.25, "runs", 1),
    ),
    seconds=3662.25,
)


def test_neighbours_that_say_the_same_are_one_passage_with_their_mean() -> None:
    first, second = passages_of(TIMED)
    assert (first.start, first.end, first.text) == (0, 3661, "walks <fast>")
    assert first.labels[0].probability == pytest.approx(0.6)
    assert second.text == "runs"


def test_srt_is_numbered_with_commas() -> None:
    assert as_srt([TIMED]) == (
        "1\n00:00:00,000 --> 01:01:01,000\nwalks <fast>\n\n2\n01:01:01,000 --> 01:01:02,250\nruns\n"
    )


def test_vtt_escapes_what_would_be_a_tag() -> None:
    assert as_vtt([TIMED]) == (
        "WEBVTT\n\n00:00:00.000 --> 01:01:01.000\nwalks &lt;fast&gt;\n\n01:01:01.000 --> 01:01:02.250\nruns\n"
    )


def test_without_a_timeline_the_words_stand_over_the_whole() -> None:
    assert as_srt([Description(text="a cat", seconds=2.0)]) == "1\n00:00:00,000 --> 00:00:02,000\na cat\n"


def test_the_table_has_a_line_a_video_and_no_formulas() -> None:
    bad = Description(name="=1+1", problem="It is broken.")
    rows = list(csv.DictReader(io.StringIO(as_csv([TIMED, bad]))))
    assert [row["video"] for row in rows] == ["a film", "'=1+1"]
    assert (rows[0]["label 2"], rows[0]["probability 2"], rows[0]["probability"]) == ("runs", "0.2500", "0.7500")
    assert rows[1]["problem"] == "It is broken."


def test_json_is_read_back_as_it_was() -> None:
    assert [Description.model_validate(one) for one in json.loads(as_json([TIMED]))] == [TIMED]


@pytest.mark.parametrize(("name", "words"), [("a.txt", "the ending has to be one of .srt"), ("a.srt", "for one video")])
def test_a_file_that_cannot_hold_it_is_refused(name: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        written_as(Path(name), [TIMED, TIMED])
