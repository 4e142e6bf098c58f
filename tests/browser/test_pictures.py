"""The tabs that start from a picture, as a visitor uses them."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser.acting import SECONDS, fill_number, generate, opened, pictures, shown_in_docs, wait_for_end
from tests.browser.conftest import Program, checked
from tests.engine.pictures import drawing, png
from tests.looking import look

BLUE, RED = (30, 70, 215), (228, 20, 35)


def start_from(page: Page, tab: str, image: Image.Image, folder: Path) -> None:
    """Open a tab and give it a picture."""
    file = folder / "in.png"
    file.write_bytes(png(image))
    page.get_by_role("tab", name=tab, exact=True).click()
    page.locator(f"#{tab}-picture input[type=file]").first.set_input_files(file)


def painted(page: Page, tab: str, prompt: str) -> Image.Image:
    """Generate, and the first picture that comes."""
    page.locator(f"#{tab}-prompt textarea").fill(prompt)
    fill_number(page, f"{tab}-seed", 3)
    page.click(f"#{tab}-generate")
    ended = page.locator(f"#{tab}-stage .stage.done, #{tab}-stage .stage.problem")
    expect(ended).to_be_visible(timeout=120 * SECONDS)
    expect(ended).to_have_class(re.compile("done"))
    picture = page.locator(f"#{tab}-gallery img").first
    return Image.open(io.BytesIO(page.request.get(picture.get_attribute("src") or "").body())).convert("RGB")


def marked(size: tuple[int, int], place: tuple[float, float]) -> Image.Image:
    """Blue, with a red spot at a place that is given in shares of the sides."""
    image = Image.new("RGB", size, BLUE)
    x, y, radius = place[0] * size[0], place[1] * size[1], max(size) / 40
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=RED)
    return image


def spot_on_canvas(page: Page, tab: str = "inpaint") -> tuple[float, float]:
    """Where the red spot is on the screen, once the editor has put it there: it says nothing when it has."""
    canvas = page.locator(f"#{tab}-picture canvas").first
    expect(canvas).to_be_visible()
    places: list[tuple[float, float] | None] = []
    for _ in range(120):
        page.wait_for_timeout(400)
        pixels = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).astype(int)
        found = np.argwhere(np.abs(pixels - np.array(RED)).max(axis=2) < 30)
        box = canvas.bounding_box()
        assert box is not None
        places.append((box["x"] + found[:, 1].mean(), box["y"] + found[:, 0].mean()) if len(found) else None)
        if places[-1] is not None and places[-3:] == [places[-1]] * 3:
            return places[-1]
    raise AssertionError("the picture does not come to rest on the canvas")


def stroke(page: Page, across: float, down: float, to: float = 8) -> None:
    page.mouse.move(across - to, down)
    page.mouse.down()
    page.mouse.move(across + to, down, steps=8)
    page.mouse.up()


def middle_of_change(before: Image.Image, after: Image.Image) -> tuple[float, float]:
    """The middle of what has changed, in shares of the sides."""
    assert after.size == before.size
    changed = np.argwhere(np.abs(np.asarray(after).astype(int) - np.asarray(before).astype(int)).max(axis=2) > 8)
    assert 0 < len(changed) < before.width * before.height / 2
    rows, columns = (changed.min(axis=0) + changed.max(axis=0)) / 2
    return columns / before.width, rows / before.height


def test_a_circle_becomes_a_star_and_goes_on_with_its_parameters(page: Page, tmp_path: Path) -> None:
    start_from(page, "img2img", drawing(), tmp_path)
    fill_number(page, "img2img-strength", 0.6)  # type: ignore[arg-type]
    seen = look(painted(page, "img2img", "a green star on a blue background"))
    assert (seen.colour, seen.shape, seen.background, seen.place) == ("green", "star", "blue", "center")
    shown_in_docs(page, "img2img")
    page.click("#img2img-to-outpaint")
    expect(page.get_by_role("tab", name="outpaint", exact=True)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#outpaint-outline figcaption")).to_contain_text("128 x 128")
    expect(page.locator("#outpaint-prompt textarea")).to_have_value("a green star on a blue background")
    expect(page.locator("#outpaint-seed input")).to_have_value("3")
    page.click("#outpaint-prompt-undo")
    expect(page.locator("#outpaint-prompt textarea")).to_have_value("")


def test_a_saved_result_dropped_on_the_prompt_brings_its_picture_and_parameters(
    page: Page, program: Program, tmp_path: Path
) -> None:
    start_from(page, "img2img", drawing("white", "green"), tmp_path)
    fill_number(page, "img2img-strength", 0.3)  # type: ignore[arg-type]
    first = painted(page, "img2img", "a green circle on a white background")
    file = max((program.data_dir / "outputs" / "img2img").rglob("*.png"), key=lambda path: path.stat().st_mtime)
    page.reload()
    page.get_by_role("tab", name="img2img", exact=True).click()
    expect(page.locator("#img2img-picture button").first).to_be_visible()
    page.locator("#img2img-prompt-dropped input[type=file]").set_input_files(file)
    expect(page.locator("#img2img-prompt-note")).to_contain_text("Picture")
    expect(page.locator("#img2img-prompt textarea")).to_have_value("a green circle on a white background")
    again = painted(page, "img2img", "a green circle on a white background")
    assert again.tobytes() == first.tobytes()


def test_several_pictures_have_a_result_each_under_their_names(page: Page, program: Program) -> None:
    page.get_by_role("tab", name="img2img", exact=True).click()
    page.locator("button", has_text="Several pictures").click()
    files = {"my cat": drawing("white"), "dog.v2": drawing("blue", "yellow")}
    page.locator("#img2img-pictures input[type=file]").first.set_input_files(
        [{"name": f"{name}.png", "mimeType": "image/png", "buffer": png(image)} for name, image in files.items()]
    )
    expect(page.locator("#img2img-given img")).to_have_count(2)
    fill_number(page, "img2img-strength", 0.3)  # type: ignore[arg-type]
    painted(page, "img2img", "a circle")
    made = {file.stem: file for file in (program.data_dir / "outputs" / "img2img").rglob("*.png")}
    assert set(files) <= set(made)
    assert [look(opened(made[name]).convert("RGB")).background for name in files] == ["white", "blue"]


def test_the_masked_circle_becomes_a_blue_square_and_nothing_else_changes(page: Page, tmp_path: Path) -> None:
    source = drawing("white", box=(40, 40, 88, 88))
    start_from(page, "inpaint", source, tmp_path)
    across, down = spot_on_canvas(page)
    for row in range(-66, 67, 22):  # of the screen, where the picture is three times as large
        stroke(page, across, down + row, to=66)
    result = painted(page, "inpaint", "a blue square on a white background")
    shown_in_docs(page, "inpaint")
    seen = look(result)
    assert (seen.colour, seen.shape, seen.background, seen.place) == ("blue", "square", "white", "center")
    border = np.ones((128, 128), dtype=bool)
    border[8:-8, 8:-8] = False
    assert (np.asarray(result)[border] == np.asarray(source)[border]).all()


@pytest.mark.parametrize("size", [(128, 128), (400, 240)])
@pytest.mark.parametrize("zooms", [0, 3])
def test_what_is_drawn_lands_on_the_same_pixels(page: Page, tmp_path: Path, size: tuple[int, int], zooms: int) -> None:
    source = marked(size, (0.45, 0.6))
    start_from(page, "inpaint", source, tmp_path)
    spot_on_canvas(page)
    for _ in range(zooms):
        page.locator("#inpaint-picture button[aria-label='Zoom in']").click()
    stroke(page, *spot_on_canvas(page))
    result = painted(page, "inpaint", "a yellow star on a red background")
    assert middle_of_change(source, result) == pytest.approx((0.45, 0.6), abs=0.06)


def test_a_picture_of_8_megapixels_stays_usable(page: Page, tmp_path: Path) -> None:
    source = marked((3264, 2448), (0.3, 0.7))
    start_from(page, "inpaint", source, tmp_path)
    stroke(page, *spot_on_canvas(page), to=5)
    page.locator("#inpaint-masking-only_masked input").check()
    result = painted(page, "inpaint", "a yellow star on a red background")
    assert middle_of_change(source, result) == pytest.approx((0.3, 0.7), abs=0.03)


def test_hires_fix_keeps_colour_shape_and_place_at_once_and_later(page: Page, program: Program) -> None:
    page.locator("#hires > button").click()
    page.locator("#hires-enabled input").check()
    fill_number(page, "hires-strength", 0.4)  # type: ignore[arg-type]
    generate(page, "a red circle on a blue background", seed=4, width=128, height=128)
    wait_for_end(page)
    (large,) = pictures(page, 1)
    shown_in_docs(page, "hires")
    page.locator("#hires-enabled input").uncheck()
    generate(page, "a red circle on a blue background", seed=4)
    expect(page.locator("#stage .stage.done")).to_have_count(0)
    wait_for_end(page)
    (small,) = pictures(page, 1)
    page.click("#to-hires")
    expect(page.locator("#stage .stage.done")).to_have_count(0)
    wait_for_end(page)
    (later,) = pictures(page, 1)
    assert [image.size for image in (large, small, later)] == [(256, 256), (128, 128), (256, 256)]
    looks = [look(image.convert("RGB")) for image in (large, small, later)]
    assert {(seen.colour, seen.shape, seen.background, seen.place) for seen in looks} == {
        ("red", "circle", "blue", looks[1].place)
    }


def test_a_blue_background_is_continued(page: Page, tmp_path: Path) -> None:
    start_from(page, "outpaint", drawing(), tmp_path)
    expect(page.locator("#outpaint-outline figcaption")).to_contain_text("128 x 128 → 128 x 128")
    fill_number(page, "outpaint-canvas-right", 64)
    expect(page.locator("#outpaint-outline figcaption")).to_contain_text("192 x 128")
    seen = look(image := painted(page, "outpaint", ""))
    assert image.size == (192, 128)
    new = np.asarray(image.crop((128, 0, 192, 128))).astype(int)
    assert (np.abs(new - np.array(BLUE)).max(axis=2) < 40).mean() > 0.97
    assert (seen.colour, seen.shape, seen.background, seen.place) == ("red", "circle", "blue", "left")
    shown_in_docs(page, "outpaint")


def test_without_a_picture_a_sentence_says_what_to_do(page: Page) -> None:
    page.get_by_role("tab", name="inpaint", exact=True).click()
    page.click("#inpaint-generate")
    expect(page.locator("#inpaint-stage .stage.problem")).to_contain_text("Give one")


def test_pictures_of_each_tab_are_identical_when_a_fresh_program_makes_them_again(program: Program) -> None:
    outputs = program.data_dir / "outputs"
    tasks = ("txt2img", "img2img", "inpaint", "outpaint")
    files = [max((outputs / task).rglob("*.png"), key=lambda file: file.stat().st_mtime) for task in tasks]
    assert checked(program, *files) == dict.fromkeys(files, "identical")
