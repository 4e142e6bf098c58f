"""How a picture was made: shown, sent to a form, dropped, pasted, and checked."""

import base64
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from modules.settings import REPOSITORY
from tests.browser.acting import choose, download, fill_number, generate, wait_for_end
from tests.browser.conftest import Program, started
from tests.conftest import make_data_dir

PASTED = """a blue circle
Negative prompt: red
Steps: 9, Sampler: DPM++ 2M Karras, CFG scale: 6, Seed: 77, Size: 128x192, Model hash: 1f1546877b, Model: other name, \
Some key: some value, Version: v1.6.0"""

FORM = {
    "#prompt textarea": "a red circle, on a blue background",
    "#negative_prompt textarea": "green",
    "#width input[type=number]": "192",
    "#height input[type=number]": "128",
    "#sampling-steps input[type=number]": "7",
    "#sampling-guidance_scale input[type=number]": "5.5",
    "#sampling-sampler input": "DPM++ 2M",
    "#sampling-schedule input": "Karras",
    "#seed input": "4321",
    "#checkpoint input": "demo.safetensors",
}
"""What each control shows once the form has been filled from the picture."""

GIVE = """([kind, name, text, file]) => {
    const transfer = new DataTransfer();
    if (text) transfer.setData("text/plain", text);
    if (file) transfer.items.add(new File([Uint8Array.from(atob(file), c => c.charCodeAt(0))], name));
    const options = {bubbles: true, cancelable: true};
    const event = kind === "paste" ? new ClipboardEvent(kind, {...options, clipboardData: transfer})
                                   : new DragEvent(kind, {...options, dataTransfer: transfer});
    document.querySelector("#prompt textarea").dispatchEvent(event);
    return event.defaultPrevented;
}"""


def paste(page: Page, text: str) -> bool:
    """Paste on the prompt; whether the page took it for itself."""
    return page.evaluate(GIVE, ["paste", "", text, ""])


def drop(page: Page, data: bytes, name: str = "picture.png") -> bool:
    return page.evaluate(GIVE, ["drop", name, "", base64.b64encode(data).decode()])


def make_picture(page: Page) -> bytes:
    """A picture with no value at its default."""
    fill_number(page, "width", 192)
    fill_number(page, "height", 128)
    fill_number(page, "sampling-guidance_scale", 5.5)  # type: ignore[arg-type]
    choose(page, "sampling-sampler", "DPM++ 2M")
    choose(page, "sampling-schedule", "Karras")
    page.locator("#negative_prompt textarea").fill("green")
    generate(page, "a red circle, on a blue background", seed=4321, sampling_steps=7)
    wait_for_end(page)
    return download(page)


def form(page: Page) -> dict[str, str]:
    return {selector: page.locator(selector).input_value() for selector in FORM}


def open_info(page: Page, data: bytes, name: str = "picture.png") -> None:
    page.get_by_role("tab", name="PNG info").click()
    page.locator("#info-picture input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": data}
    )


@pytest.fixture(scope="module")
def picture(browser: Browser, program: Program) -> Iterator[bytes]:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(program.url)
    page.wait_for_selector("#engine strong")
    yield make_picture(page)
    page.close()


def test_a_picture_is_shown_as_a_table_and_sent_to_the_form(page: Page, picture: bytes) -> None:
    open_info(page, picture)
    table = page.locator("#info-table table")
    for key, value in (("Prompt", FORM["#prompt textarea"]), ("Seed", "4321"), ("Size", "192x128"), ("RNG", "CPU")):
        expect(table.locator("tr", has=page.get_by_role("rowheader", name=key, exact=True))).to_contain_text(value)
    expect(page.locator("#info-table")).to_contain_text("PNG · 192 × 128 · with our record: it can be checked")
    page.click("#send-to-txt2img")
    expect(page.locator("#prompt-note")).to_contain_text("Filled in:")
    assert form(page) == FORM
    page.click("#generate")
    wait_for_end(page)
    again, before = Image.open(io.BytesIO(download(page))), Image.open(io.BytesIO(picture))
    assert again.tobytes() == before.tobytes()
    assert again.info == before.info


def test_a_picture_that_is_dropped_on_the_prompt_fills_the_form(page: Page, picture: bytes) -> None:
    assert drop(page, picture)
    expect(page.locator("#prompt-note")).to_contain_text("Filled in:")
    assert form(page) == FORM


def test_pasted_parameters_fill_the_form_and_undo_brings_back_what_was_there(page: Page) -> None:
    page.locator("#prompt textarea").fill("mine")
    fill_number(page, "sampling-steps", 33)
    before = form(page)
    assert paste(page, PASTED)
    note = page.locator("#prompt-note")
    expect(note).to_contain_text("Some key: some value")
    expect(note).to_contain_text("Filled in: Prompt, Negative prompt, Steps, Sampler, Schedule, CFG scale, Seed")
    filled = form(page)
    assert filled["#prompt textarea"] == "a blue circle"
    assert (filled["#sampling-sampler input"], filled["#sampling-schedule input"]) == ("DPM++ 2M", "Karras")
    assert (filled["#seed input"], filled["#height input[type=number]"]) == ("77", "192")
    assert filled["#checkpoint input"] == "demo.safetensors"
    page.click("#prompt-undo")
    expect(page.locator("#prompt-note")).to_be_hidden()
    assert form(page) == before


def test_pasting_twice_fills_twice_and_ordinary_words_are_pasted_as_ever(page: Page) -> None:
    for seed in ("77", "78"):
        assert paste(page, PASTED.replace("Seed: 77", f"Seed: {seed}"))
        expect(page.locator("#seed input")).to_have_value(seed)
    assert not paste(page, "a barn, (detailed:1.2)")


def test_a_file_that_is_no_picture_is_told_and_changes_nothing(page: Page) -> None:
    before = form(page)
    assert drop(page, b"hello", "letter.png")
    expect(page.locator("#prompt-note")).to_contain_text("This is no picture that can be read here")
    assert form(page) == before
    open_info(page, b"hello", "letter.png")
    expect(page.locator("#info-table .problem")).to_contain_text("This is no picture that can be read here")
    page.click("#info-check")
    expect(page.locator("#info-check-verdict .problem")).to_contain_text("This is no picture")


def test_what_a_picture_says_is_shown_as_text(page: Page) -> None:
    file, evil = io.BytesIO(), "<img src=x onerror=\"document.title='taken'\">"
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + f"{evil}\nSteps: 2, Sampler: {evil}, Seed: 3".encode()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif.tobytes())
    open_info(page, file.getvalue(), "evil.jpg")
    expect(page.locator("#info-table table")).to_contain_text(evil)
    page.click("#send-to-txt2img")
    expect(page.locator("#prompt-note")).to_contain_text("it is not to be had here")
    assert page.title() == "Kararli"


def test_the_button_under_the_results_checks_the_picture(page: Page) -> None:
    page.click("#check")
    expect(page.locator("#check-verdict")).to_contain_text("There is no picture to check yet.")
    generate(page, "a red circle", seed=12, sampling_steps=3, batch_count=2)
    wait_for_end(page)
    page.locator("#gallery .grid-container button").first.click()
    expect(page.locator("#parameters textarea")).to_have_value(re.compile("Seed: 12,"))
    page.click("#check")
    expect(page.locator("#check-verdict .done h4")).to_have_text("Identical", timeout=120_000)


@pytest.mark.slow
def test_after_a_restart_page_and_command_line_say_identical(browser: Browser, tmp_path: Path) -> None:
    data_dir = make_data_dir(tmp_path / "data")
    with started(data_dir) as program:
        page = browser.new_page()
        page.goto(program.url)
        page.wait_for_selector("#engine strong")
        generate(page, "a green star", seed=5, sampling_steps=4, batch_size=2)
        wait_for_end(page)
        page.close()
    files = sorted((data_dir / "outputs").glob("txt2img/*/*.png"))
    assert len(files) == 2
    with started(data_dir) as program:
        page = browser.new_page()
        page.goto(program.url)
        page.wait_for_selector("#engine strong")
        for file in files:
            open_info(page, file.read_bytes(), file.name)
            expect(page.locator("#info-table")).to_contain_text(f"{5 + files.index(file)}")
            page.click("#info-check")
            expect(page.locator("#info-check-verdict .done h4")).to_have_text("Identical", timeout=120_000)
            page.locator("#info-picture").get_by_label("Clear").click()
        page.close()
    assert len(list((data_dir / "outputs").glob("txt2img/*/*.png"))) == 2

    def check(*arguments: object) -> tuple[int, str]:
        command = [sys.executable, str(REPOSITORY / "webui.py"), "check", *map(str, arguments)]
        done = subprocess.run([*command, "--data-dir", str(data_dir)], capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    assert check(*files) == (0, "".join(f"{file}: identical. All 128 x 128 pixels are the same.\n" for file in files))
    demo = data_dir / "models" / "Stable-diffusion" / "demo.safetensors"
    demo.rename(demo.with_name("renamed.safetensors"))
    assert check(files[0])[0] == 0
    (demo.with_name("renamed.safetensors")).unlink()
    code, said = check(files[0], REPOSITORY / "README.md")
    assert code == 5
    assert "The checkpoint 'demo.safetensors' (SHA-256 1f1546877b) is not here." in said
    assert "README.md: it cannot be checked here. This is no picture" in said


@pytest.fixture(autouse=True)
def _no_traceback(program: Program) -> Iterator[None]:
    yield
    assert "Traceback" not in program.log.read_text()
