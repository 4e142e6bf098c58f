"""The animate tab, as a visitor uses it."""

import io
import json
import re
from pathlib import Path

from PIL import Image, ImageSequence
from playwright.sync_api import Page, expect

from tests.browser.acting import SECONDS, choose, fill_number, generate, wait_for_end
from tests.engine.pictures import drawing, png
from tests.looking import look

SIZE_OF_VIDEO = """(() => {
    const video = document.querySelector("#animate-clip video");
    return [video.videoWidth, video.videoHeight, video.duration];
})()"""


def open_tab(page: Page, frames_a_second: int = 4) -> None:
    page.get_by_role("tab", name="animate", exact=True).click()
    for control, value in (
        ("animate-filming-fps", frames_a_second),
        ("animate-sampling-steps", 6),
        ("animate-width", 128),
        ("animate-height", 128),
        ("animate-seed", 3),
    ):
        fill_number(page, control, value)


def wait_for_clip(page: Page) -> None:
    ended = page.locator("#animate-stage .stage.done, #animate-stage .stage.problem")
    expect(ended).to_be_visible(timeout=180 * SECONDS)
    expect(ended).to_have_class(re.compile("done"))


def keyframes(page: Page) -> list[dict[str, object]]:
    return json.loads(page.locator("#animate-keyframes textarea").input_value())


def test_a_circle_becomes_a_square_in_a_video_that_plays(page: Page) -> None:
    open_tab(page)
    expect(page.locator(".timeline .mark")).to_have_count(2)
    page.click("#animate-generate")
    expect(page.locator("#animate-stage p").first).to_contain_text(re.compile(r"frame \d+ / 9"), timeout=120 * SECONDS)
    wait_for_clip(page)
    expect(page.locator("#animate-clip video")).to_be_visible()
    page.wait_for_function("document.querySelector('#animate-clip video').readyState >= 2")
    width, height, seconds = page.evaluate(SIZE_OF_VIDEO)
    assert (width, height) == (128, 128)
    assert abs(seconds - 9 / 4) < 0.05
    expect(page.locator("#animate-clip figcaption")).to_contain_text("9 frames")
    expect(page.locator("#animate-parameters textarea")).to_have_value(re.compile("Keyframes: "))

    page.reload()
    page.get_by_role("tab", name="animate", exact=True).click()
    expect(page.locator("#animate-clip video")).to_be_visible()


def test_keyframes_are_added_edited_dragged_and_removed(page: Page) -> None:
    open_tab(page)
    page.click("#animate-add")
    expect(page.locator(".timeline .mark")).to_have_count(3)
    page.locator("#animate-key-prompt textarea").fill("a green star on a white background")
    page.locator("#animate-key-prompt textarea").blur()
    page.wait_for_function("document.querySelector('#animate-keyframes textarea').value.includes('green star')")
    assert [one["time"] for one in keyframes(page)] == [0, 2, 4]
    box = page.locator(".timeline .mark circle").nth(2).bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across - 40, down, steps=5)
    page.mouse.up()
    page.wait_for_function("JSON.parse(document.querySelector('#animate-keyframes textarea').value)[2].time < 3.95")
    expect(page.locator("#animate-key-prompt textarea")).to_have_value("a green star on a white background")
    expect(page.locator("#animate-key-time input")).to_have_value(f"{keyframes(page)[2]['time']}")
    page.click("#animate-previous")
    expect(page.locator("#animate-key-prompt textarea")).to_have_value("a blue square on a white background")
    page.click("#animate-remove")
    expect(page.locator(".timeline .mark")).to_have_count(2)
    prompts = [one["prompt"] for one in keyframes(page)]
    assert prompts == ["a red circle on a white background", "a green star on a white background"]


def test_what_was_typed_last_counts_and_a_strip_shows_it_first(page: Page) -> None:
    open_tab(page)
    page.locator("#animate-key-prompt textarea").fill("a yellow star on a blue background")
    page.click("#animate-look")
    frames = page.locator("#animate-strip .grid-container img")
    expect(frames).to_have_count(6, timeout=120 * SECONDS)
    first = page.request.get(frames.first.get_attribute("src") or "").body()
    assert look(Image.open(io.BytesIO(first))).background == "blue"


def test_a_morph_of_two_pictures_comes_as_a_gif(page: Page, tmp_path: Path) -> None:
    open_tab(page, frames_a_second=2)
    choose(page, "animate-mode", "Morph: from picture to picture")
    choose(page, "animate-filming-format", "GIF")
    page.get_by_role("button", name="More about this keyframe").click()
    for name, image in (("a", drawing()), ("b", drawing("yellow", "green"))):
        file = tmp_path / f"{name}.png"
        file.write_bytes(png(image))
        before = page.locator("#animate-keyframes textarea").input_value()
        page.locator("#animate-key-picture input[type=file]").set_input_files(file)
        page.wait_for_function(
            "before => document.querySelector('#animate-keyframes textarea').value !== before", arg=before
        )
        if name == "a":
            page.click("#animate-next")
            expect(page.locator("#animate-key-picture img")).to_have_count(0)
    expect(page.locator(".timeline image")).to_have_count(2)
    page.click("#animate-generate")
    wait_for_clip(page)
    with page.expect_download() as waiting:
        page.click("#animate-download")
    with Image.open(waiting.value.path()) as clip:
        shown = [look(frame.convert("RGB")) for frame in ImageSequence.Iterator(clip)]
    assert [(seen.background, seen.colour) for seen in (shown[0], shown[-1])] == [("blue", "red"), ("yellow", "green")]
    assert len(shown) == 5


def test_without_keyframes_a_sentence_says_what_to_do(page: Page) -> None:
    open_tab(page)
    page.click("#animate-remove")
    expect(page.locator(".timeline .mark")).to_have_count(1)
    page.click("#animate-remove")
    expect(page.locator("#animate-timeline")).to_contain_text("Add one")
    page.click("#animate-generate")
    expect(page.locator("#animate-stage .stage.problem")).to_contain_text("There are no keyframes")


def test_a_result_that_is_sent_here_becomes_the_first_keyframe(page: Page) -> None:
    generate(page, "a red circle on a blue background", seed=4, sampling_steps=6)
    wait_for_end(page)
    page.click("#to-animate")
    expect(page.get_by_role("tab", name="animate", exact=True)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#animate-key-prompt textarea")).to_have_value("a red circle on a blue background")
    sent = [(one["prompt"], one["seed"], one["picture"]) for one in keyframes(page)]
    assert sent == [("a red circle on a blue background", seed, "") for seed in (4, 5)]
    expect(page.locator("#animate-sampling-steps input[type=number]")).to_have_value("6")
