"""The tab upscale: pictures given, enlarged, compared, sent on and sent here."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from modules.catalog.upscaler_architecture import Compact
from tests.browser.acting import SECONDS, choose, fill_number, generate, wait_for_end
from tests.browser.conftest import Program, checked, started
from tests.conftest import make_data_dir
from tests.engine import upscaler_weights as made
from tests.engine.pictures import drawing, png
from tests.looking import look


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("program")
    data_dir = make_data_dir(folder / "data")
    made.save(data_dir, "nearest-x2", made.silent(Compact(width=4, layers=1, scale=2, slopes=4)))
    (folder / "album" / "summer").mkdir(parents=True)
    for name in ("a beach", "the sea"):
        drawing().save(folder / "album" / "summer" / f"{name}.png")
    (folder / "album" / "summer" / "torn.png").write_text("no picture")
    with started(data_dir, "--input-root", str(folder / "album")) as running:
        yield running


def give(page: Page, *files: tuple[str, bytes]) -> None:
    page.get_by_role("tab", name="upscale").click()
    page.locator("#upscale-pictures input[type=file]").first.set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
    )
    for name, _ in files:
        expect(page.locator("#upscale-pictures")).to_contain_text(name.removesuffix(".png"))


def enlarge(page: Page, kind: str = "done") -> str:
    page.click("#upscale-generate")
    expect(page.locator(f"#upscale-stage .stage.{kind}")).to_be_visible(timeout=120 * SECONDS)
    return page.locator("#upscale-stage").inner_text()


def results(program: Program) -> dict[str, Image.Image]:
    files = sorted((program.data_dir / "outputs" / "upscale").rglob("*.png"))
    return {file.stem: Image.open(io.BytesIO(file.read_bytes())) for file in files}


def test_a_painted_picture_is_sent_here_enlarged_compared_and_checked(page: Page, program: Program) -> None:
    generate(page, "a red circle on a blue background", seed=4, sampling_steps=8)
    wait_for_end(page)
    page.click("#to-upscale")
    expect(page.locator("#upscale-given img")).to_have_count(1)
    choose(page, "upscale-enlarging-upscaler", "nearest-x2")
    assert "Done: 1 picture" in enlarge(page)
    parameters = page.locator("#upscale-parameters textarea").input_value()
    assert parameters.startswith("a red circle on a blue background\nSteps: 8, ")
    assert "Postprocess upscale by: 2.0, Postprocess upscaler: nearest-x2" in parameters
    [large] = results(program).values()
    assert large.size == (256, 256)
    assert (look(large.convert("RGB")).colour, look(large.convert("RGB")).shape) == ("red", "circle")
    page.locator("button", has_text="Before and after").locator("visible=true").click()
    expect(page.locator("#upscale-compare img")).to_have_count(2)
    before, after = (page.locator("#upscale-compare img").nth(index) for index in range(2))
    expect(after).to_be_visible()
    assert before.bounding_box() == after.bounding_box()  # else they could not be compared
    page.click("#upscale-check")
    expect(page.locator("#upscale-check-verdict .done h4")).to_have_text("Identical", timeout=60_000)
    page.click("#upscale-to-img2img")
    expect(page.locator("#img2img-picture canvas").first).to_be_visible()


def test_several_pictures_keep_their_names_and_the_clicked_one_is_compared(page: Page, program: Program) -> None:
    before = set(results(program))
    give(page, ("my cat.png", png(drawing())), ("dog.v2.png", png(drawing("white", "green"))))
    choose(page, "upscale-enlarging-upscaler", "Nearest")
    fill_number(page, "upscale-enlarging-scale", 3)
    assert "Done: 2 pictures" in enlarge(page)
    new = {name: image for name, image in results(program).items() if name not in before}
    assert {name: image.size for name, image in new.items()} == {"my cat": (384, 384), "dog.v2": (384, 384)}
    assert look(new["dog.v2"].convert("RGB")).colour == "green"


def test_a_folder_is_worked_through_and_what_is_no_picture_is_told(page: Page, program: Program) -> None:
    page.get_by_role("tab", name="upscale").click()
    page.locator("button", has_text="A folder of pictures").click()
    page.locator("#upscale-folder textarea, #upscale-folder input").fill("summer")
    assert "Done: 2 pictures" in enlarge(page)
    expect(page.get_by_text("torn.png: This file is not a picture")).to_be_visible()
    assert {"a beach", "the sea"} <= set(results(program))
    page.locator("#upscale-folder textarea, #upscale-folder input").fill("../..")
    page.click("#upscale-generate")
    expect(page.locator("#upscale-stage .stage.problem")).to_contain_text("The folder has to lie in")


def test_what_cannot_be_done_is_said(page: Page) -> None:
    page.get_by_role("tab", name="upscale").click()
    assert "There is no picture to enlarge. Give one." in enlarge(page, "problem")
    give(page, ("letter.png", b"hello"))
    page.click("#upscale-generate")
    stage = page.locator("#upscale-stage .stage.problem")
    expect(stage).to_contain_text("letter.png: This file is not a picture that can be read")


def test_sd_upscale_paints_the_picture_over(page: Page, program: Program) -> None:
    give(page, ("circle.png", png(drawing())))
    page.locator("#sdupscale > button").click()
    page.locator("#sdupscale-prompt textarea").fill("a red circle on a blue background")
    fill_number(page, "sdupscale-sampling-steps", 6)
    page.click("#sdupscale-generate")
    expect(page.locator("#upscale-stage .stage.done")).to_be_visible(timeout=180 * SECONDS)
    [file] = (program.data_dir / "outputs" / "sdupscale").rglob("*.png")
    large = Image.open(io.BytesIO(Path(file).read_bytes())).convert("RGB")
    assert large.size == (256, 256)
    assert (look(large).colour, look(large).background) == ("red", "blue")


def test_its_pictures_are_identical_when_a_fresh_program_makes_them_again(program: Program) -> None:
    outputs = program.data_dir / "outputs"
    files = [next((outputs / task).rglob("*.png")) for task in ("upscale", "sdupscale")]
    assert checked(program, *files) == dict.fromkeys(files, "identical")
