"""The tabs that start from a picture, as a visitor uses them."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Page, expect

from tests.browser.acting import SECONDS, fill_number
from tests.engine.pictures import drawing, png
from tests.looking import look


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


def on_canvas(page: Page, colour: tuple[int, int, int]) -> FloatRect:
    """Where the editor shows the picture, once it does: it places it by and by, and says nothing when it has."""
    canvas = page.locator("#inpaint-picture canvas").first
    expect(canvas).to_be_visible()
    places: list[FloatRect | None] = []
    for _ in range(120):
        page.wait_for_timeout(500)
        seen = Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")
        middle = np.asarray(seen)[seen.height // 2, seen.width // 2].astype(int)
        shown = np.abs(middle - np.array(colour)).max() < 12
        places.append(canvas.bounding_box() if shown else None)
        if shown and places[-4:] == [places[-1]] * 4:
            break
    assert places[-1] is not None
    return places[-1]


def test_a_circle_becomes_a_star_and_goes_on_to_inpainting(page: Page, tmp_path: Path) -> None:
    start_from(page, "img2img", drawing(), tmp_path)
    fill_number(page, "img2img-strength", 0.6)  # type: ignore[arg-type]
    seen = look(painted(page, "img2img", "a green star on a blue background"))
    assert (seen.colour, seen.shape, seen.background, seen.place) == ("green", "star", "blue", "center")
    page.click("#img2img-to-outpaint")
    expect(page.get_by_role("tab", name="outpaint", exact=True)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#outpaint-outline figcaption")).to_contain_text("128 x 128")


@pytest.mark.parametrize("size", [(128, 128), (400, 240)])
def test_what_is_drawn_lands_on_the_same_pixels(page: Page, tmp_path: Path, size: tuple[int, int]) -> None:
    colour = (30, 70, 215)
    source = Image.new("RGB", size, colour)
    start_from(page, "inpaint", source, tmp_path)
    box = on_canvas(page, colour)
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(across - 10, down)
    page.mouse.down()
    page.mouse.move(across + 10, down, steps=8)
    page.mouse.up()
    result = painted(page, "inpaint", "a yellow star on a red background")
    changed = np.argwhere(np.abs(np.asarray(result).astype(int) - np.asarray(source).astype(int)).max(axis=2) > 8)
    assert result.size == size
    middle = (changed.min(axis=0) + changed.max(axis=0)) / 2
    assert abs(middle[1] - size[0] / 2) < size[0] * 0.12
    assert abs(middle[0] - size[1] / 2) < size[1] * 0.12
    assert len(changed) < size[0] * size[1] / 2


def test_a_blue_background_is_continued(page: Page, tmp_path: Path) -> None:
    start_from(page, "outpaint", drawing(), tmp_path)
    expect(page.locator("#outpaint-outline figcaption")).to_contain_text("128 x 128 → 128 x 128")
    fill_number(page, "outpaint-canvas-right", 64)
    expect(page.locator("#outpaint-outline figcaption")).to_contain_text("192 x 128")
    seen = look(image := painted(page, "outpaint", "a red circle on a blue background"))
    assert image.size == (192, 128)
    assert (seen.colour, seen.shape, seen.background, seen.place) == ("red", "circle", "blue", "left")


def test_without_a_picture_a_sentence_says_what_to_do(page: Page) -> None:
    page.get_by_role("tab", name="inpaint", exact=True).click()
    page.click("#inpaint-generate")
    expect(page.locator("#inpaint-stage .stage.problem")).to_contain_text("Give one")
