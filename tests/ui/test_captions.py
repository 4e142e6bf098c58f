"""What the captioning and divergence tabs show, as HTML."""

import base64
from pathlib import Path

import gradio as gr
import pytest

from modules.catalog.checkpoints import Catalog
from modules.schema.captioning import Caption, Description, Label, Passage
from modules.schema.divergence import Scores
from modules.schema.errors import InvalidRequest
from modules.settings import Settings
from modules.ui.captioning import captioning_tab, look_at
from modules.ui.captions import bars, details, downloads, table, timeline
from modules.ui.divergence import histogram, requests_for, scores_card
from modules.ui.form import leaf_paths
from modules.ui.page import Page
from tests.event_loop import inside_event_loop
from tests.films import shade, times_of, write_film

SCORES = Scores(
    words=("a", "<b>"),
    distances=((0, 42), (42, 0)),
    score=42,
    random_scores=(10, 20, 30, 60),
    measure="demo",
    left_out=("c d: not a single word",),
)


def same(text: str) -> str:
    return text


def label(text: str, chance: float = 0.5) -> Label:
    return Label(text=text, probability=chance)


def test_bars_are_as_wide_as_the_model_is_sure_and_escape_what_comes_from_files() -> None:
    html = bars((label("<script>", 0.75), label("b", 0.25)))
    assert "width: 75.0%" in html
    assert "width: 25.0%" in html
    assert "<script>" not in html


def test_the_timeline_joins_neighbours_and_one_colour_means_one_thing() -> None:
    passages = [Passage(start=n, end=n + 1, text=text, labels=(label(text),)) for n, text in enumerate("aabba")]
    html = timeline(Description(timeline=tuple(passages)))
    assert html.count("<span") == 3
    assert [html.count(f'class="c{place}"') for place in range(3)] == [2, 1, 0]
    assert html.count("width: 40.00%") == 2
    assert "2.0 – 4.0 s" in html


def test_a_problem_is_shown_in_place_of_the_words() -> None:
    html = details(Description(problem="It <is> broken."), same)
    assert "It &lt;is&gt; broken." in html
    assert "problem" in html


def test_several_videos_have_a_table_and_one_has_none() -> None:
    one = Description(name="a&b", sentence="A cat.")
    assert table((one,), same) == ""
    assert table((one, one), same).count("a&amp;b") == 2


def test_subtitles_are_those_of_the_video_that_is_shown_and_the_table_has_all() -> None:
    both = [Description(name="one", text="first", seconds=1), Description(name="two", text="second", seconds=1)]
    html = downloads(both, 1, same)
    parts = {part.split(">")[1].split("<")[0]: part for part in html.split("<a ")[1:]}
    text = {ending: base64.b64decode(part.split("base64,")[1].split('"')[0]).decode() for ending, part in parts.items()}
    assert "second" in text[".srt"]
    assert "first" not in text[".srt"]
    assert "first" in text[".csv"]
    assert "second" in text[".csv"]
    assert 'download="two.srt"' in html
    assert 'download="videos.csv"' in html


def test_the_handles_reach_as_far_as_the_first_video(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", shade, times_of(2.3, 10))
    player, facts, start, end = look_at(same, [str(path)])
    assert player["value"] == str(path)
    assert "2.3 s · 32 × 32 · 10 frames a second" in facts
    assert (start["maximum"], start["value"]) == (2.3, 0)
    assert (end["maximum"], end["value"]) == (2.3, 2.3)
    hidden, facts, *_ = look_at(same, [str(tmp_path / "none.mp4")])
    assert hidden["visible"] is False
    assert "problem" in facts


def test_the_score_stands_among_lists_drawn_at_random() -> None:
    html = scores_card(SCORES, same)
    assert "<h3>42.0</h3>" in html
    assert "&lt;b&gt;" in html
    assert "c d: not a single word" in html
    assert "75%" in histogram(SCORES, same)
    assert "<svg" not in histogram(SCORES.model_copy(update={"random_scores": ()}), same)


def test_the_words_are_painted_together_and_then_alone() -> None:
    requests = requests_for(["cat", "sun"], "demo.safetensors")
    assert [request.prompt for request in requests] == ["cat, sun", "cat", "sun"]
    assert {request.checkpoint for request in requests} == {"demo.safetensors"}
    with pytest.raises(InvalidRequest, match="There are no words yet"):
        requests_for([], "")


def test_each_value_of_a_request_has_a_control(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)

    def build() -> set[str]:
        with gr.Blocks() as blocks:
            memory, checkpoint = gr.BrowserState(None), gr.Dropdown()
            page = Page(None, Catalog(settings), None, same, blocks, checkpoint, memory)  # type: ignore[arg-type]
            return captioning_tab(page).paths

    assert inside_event_loop(build) == set(leaf_paths(Caption)) - {"names"}
