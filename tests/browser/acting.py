"""What a visitor does on the page and sees there."""

import io
import os
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from modules.settings import REPOSITORY

SECONDS = 1000


def fill_number(page: Page, control: str, value: int) -> None:
    """Type into a slider's or a number's box."""
    box = page.locator(f"#{control} input[type=number]")
    box.fill(str(value))
    box.press("Tab")


def choose(page: Page, control: str, label: str) -> None:
    """Pick an entry of a dropdown."""
    page.locator(f"#{control} input").click()
    page.get_by_role("option", name=label, exact=True).click()


def generate(page: Page, prompt: str, **numbers: int) -> None:
    """Fill the form and press the button; names of numbers have underscores for dashes in sampling-..."""
    page.locator("#prompt textarea").fill(prompt)
    for name, value in numbers.items():
        fill_number(page, name if name in ("batch_count", "batch_size") else name.replace("_", "-"), value)
    page.click("#generate")


def stage(page: Page) -> str:
    """What the stage says."""
    return page.locator("#stage").inner_text()


def wait_for_end(page: Page, kind: str = "done", seconds: float = 120) -> str:
    """Until the job on the page has ended in that way; returns what the stage says."""
    expect(page.locator(f"#stage .stage.{kind}")).to_be_visible(timeout=seconds * SECONDS)
    return stage(page)


def wait_for_progress(page: Page) -> None:
    expect(page.locator("#stage progress")).to_be_visible()
    expect(page.locator("#stage p")).to_contain_text(re.compile(r"step \d+"))


def pictures(page: Page, count: int) -> list[Image.Image]:
    """The pictures in the gallery, as the browser gets them."""
    thumbnails = page.locator("#gallery .grid-container img")
    expect(thumbnails).to_have_count(count)
    addresses = [thumbnails.nth(index).get_attribute("src") or "" for index in range(count)]
    return [Image.open(io.BytesIO(page.request.get(address).body())) for address in addresses]


def opened(file: Path) -> Image.Image:
    """A picture on disk, read whole."""
    return Image.open(io.BytesIO(file.read_bytes()))


def shown_in_docs(page: Page, name: str) -> None:
    """With SCREENSHOTS set in the environment, this moment becomes docs/<name>.png."""
    if os.environ.get("SCREENSHOTS"):
        page.wait_for_timeout(1500)  # for what fades in
        page.screenshot(path=REPOSITORY / "docs" / f"{name}.png")


def download(page: Page) -> bytes:
    """What the download button gives."""
    expect(page.locator("#download")).to_be_enabled()
    with page.expect_download() as waiting:
        page.click("#download")
    return waiting.value.path().read_bytes()
