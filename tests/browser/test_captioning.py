"""Videos put into words, pictures interrogated and words measured, on the real page."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from modules.settings import Settings
from tests.browser.acting import SECONDS, fill_number
from tests.browser.conftest import Program, started
from tests.conftest import make_data_dir
from tests.engine import describing_models as made
from tests.engine.pictures import drawing, png
from tests.films import ball, times_of, write_film


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    data_dir = make_data_dir(tmp_path_factory.mktemp("program") / "data")
    settings = Settings(data_dir=data_dir)
    clip, _ = settings.picture_models
    made.save_clip(clip / "small clip")
    settings.words.mkdir()
    (settings.words / "colours.txt").write_text("red\nblue\n")
    with started(data_dir) as running:
        yield running


def go_to(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def give(page: Page, *paths: Path) -> None:
    page.locator("#caption-videos input[type=file]").first.set_input_files(paths)
    for path in paths:
        expect(page.locator("#caption-videos")).to_contain_text(path.stem)


def test_a_video_is_put_into_words_on_the_page(page: Page, program: Program, tmp_path: Path) -> None:
    go_to(page, "Video captioning")
    expect(page.locator("#caption-advice")).to_contain_text("Put a TimeSformer as the Hugging Face hub stores it")
    made.save_timesformer(Settings(data_dir=program.data_dir).video_models / "tiny")
    page.reload()
    page.wait_for_selector("#engine strong")
    go_to(page, "Video captioning")
    expect(page.locator("#caption-advice")).not_to_be_visible()

    film = write_film(tmp_path / "a film.mp4", lambda moment: ball(moment, 160), times_of(6, 10))
    give(page, film)
    expect(page.locator("#caption-facts")).to_contain_text("6.0 s · 160 × 160 · 10 frames a second")
    expect(page.locator("#caption-viewing-end input[type=number]")).to_have_value("6")
    fill_number(page, "caption-viewing-window", 2)
    page.locator("#caption-overlay input").check()
    page.click("#caption-generate")
    expect(page.locator("#caption-stage .stage.done")).to_be_visible(timeout=120 * SECONDS)
    words = page.locator("#caption-words textarea").input_value()
    assert words in made.LABELS
    expect(page.locator("#caption-result .bar")).to_have_count(5)
    expect(page.locator("#caption-result")).to_contain_text("licence: cc-by-nc-4.0")
    expect(page.locator("#caption-result .timeline span").first).to_be_visible()
    expect(page.locator("#caption-strip img")).to_be_visible()
    expect(page.locator("#caption-attention video")).to_be_visible()
    links = {link.inner_text(): link.get_attribute("href") or "" for link in page.locator(".downloads a").all()}
    assert list(links) == [".srt", ".vtt", ".json", ".csv"]
    [said] = json.loads(base64.b64decode(links[".json"].partition(",")[2]))
    assert said["text"] == words
    assert base64.b64decode(links[".srt"].partition(",")[2]).startswith(b"1\n00:00:00,000 --> ")
    expect(page.locator("#caption-strip img")).to_have_js_property("complete", True)
    page.screenshot(path=program.data_dir / "captioning.png", full_page=True)
    page.click("#caption-as-prompt")
    expect(page.locator("#prompt textarea")).to_have_value(words)
    expect(page.locator("#prompt textarea")).to_be_visible()


def test_several_videos_give_a_table_and_what_is_no_video_is_said(page: Page, program: Program, tmp_path: Path) -> None:
    made.save_timesformer(Settings(data_dir=program.data_dir).video_models / "tiny")
    go_to(page, "Video captioning")
    films = [write_film(tmp_path / name, ball, times_of(1, 10)) for name in ("one.webm", "two.gif")]
    give(page, *films)
    page.click("#caption-generate")
    expect(page.locator("#caption-stage .stage.done")).to_contain_text("2 videos", timeout=120 * SECONDS)
    expect(page.locator("#caption-result .facts").first).to_contain_text("two")
    (tmp_path / "letter.mp4").write_text("hello")
    page.reload()
    page.wait_for_selector("#engine strong")
    go_to(page, "Video captioning")
    give(page, tmp_path / "letter.mp4")
    expect(page.locator("#caption-facts")).to_contain_text("letter.mp4: This file is not a video that can be read")
    page.click("#caption-generate")
    expect(page.locator("#caption-stage .stage.problem")).to_contain_text("letter.mp4: This file is not a video")


def test_interrogating_fills_the_prompt(page: Page) -> None:
    go_to(page, "img2img")
    page.locator("#img2img-picture input[type=file]").first.set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": png(drawing())}
    )
    expect(page.locator("#img2img-picture canvas").first).to_be_visible()
    page.click("#img2img-interrogate")
    expect(page.locator("#img2img-prompt textarea")).to_have_value(re.compile("^(red|blue)$"), timeout=60_000)


def test_words_are_measured(page: Page, program: Program) -> None:
    go_to(page, "divergence")
    page.locator("#divergence-words textarea").fill("circle\nstar\nheart\nring\nred\nsquare\ncross\ngalaxy\n")
    page.click("#divergence-measure")
    card = page.locator("#divergence-stage .divergence")
    expect(card).to_contain_text("measured by demo.safetensors", timeout=60_000)
    expect(card.locator(".heat td")).to_have_count(49)
    expect(card).to_contain_text("galaxy: not known to the text encoder")
    page.screenshot(path=program.data_dir / "divergence.png")
