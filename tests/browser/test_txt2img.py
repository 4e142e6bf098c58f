"""The page, as a visitor uses it."""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from modules.settings import REPOSITORY
from tests.browser.acting import (
    choose,
    download,
    fill_number,
    generate,
    opened,
    pictures,
    stage,
    wait_for_end,
    wait_for_progress,
)
from tests.browser.conftest import Program, free_port, started, wait_for
from tests.conftest import DEMO, make_data_dir
from tests.looking import look

PROMPTS = [
    ("red", "circle", "blue"), ("yellow", "star", "purple"), ("green", "square", "white"), ("white", "heart", "red"),
    ("blue", "triangle", "yellow"), ("purple", "diamond", "orange"), ("orange", "cross", "black"),
    ("pink", "ring", "green"), ("cyan", "circle", "pink"), ("black", "star", "cyan"), ("red", "square", "yellow"),
    ("blue", "heart", "white"),
]  # fmt: skip


def test_twelve_prompts_that_the_demo_knows_give_what_they_say(page: Page) -> None:
    wrong = []
    for number, (colour, shape, background) in enumerate(PROMPTS):
        generate(page, f"a {colour} {shape} on a {background} background", seed=100 + number)
        expect(page.locator("#parameters textarea")).to_have_value(
            re.compile(rf"a {colour} {shape} on .*Seed: {100 + number},", re.DOTALL), timeout=120_000
        )
        wait_for_end(page)
        seen = look(pictures(page, 1)[0])
        if (seen.colour, seen.shape, seen.background) != (colour, shape, background):
            wrong.append((colour, shape, background, seen))
    assert wrong == []


def test_place_and_size_are_where_the_prompt_says(page: Page) -> None:
    generate(page, "a small red square in the top left corner on a white background", seed=5)
    wait_for_end(page)
    small = look(pictures(page, 1)[0])
    generate(page, "a large red square on a white background", seed=6)
    expect(page.locator("#parameters textarea")).to_have_value(re.compile("a large red"))
    wait_for_end(page)
    large = look(pictures(page, 1)[0])
    assert small.place == "top left"
    assert large.place == "center"
    assert small.area < large.area / 2


def test_page_command_line_rest_and_inline_backend_give_the_same_pixels(
    page: Page, program: Program, tmp_path: Path
) -> None:
    generate(page, "a red circle", seed=7)
    wait_for_end(page)
    from_page = Image.open(io.BytesIO(download(page)))
    assert from_page.info["parameters"].startswith("a red circle\nSteps: 20, Sampler: Euler, ")

    body = json.dumps({"prompt": "a red circle", "seed": 7}).encode()
    request = urllib.request.Request(f"{program.url}/sdapi/v1/txt2img", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        from_rest = Image.open(io.BytesIO(base64.b64decode(json.load(answer)["images"][0])))

    others = [from_rest]
    for backend in ("process", "inline"):
        output = tmp_path / f"{backend}.png"
        command = [sys.executable, str(REPOSITORY / "webui.py"), "txt2img", "a red circle", "--seed", "7"]
        command += ["-o", str(output), "--backend", backend, "--data-dir", str(program.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{output}\n"
        others.append(opened(output))
    for other in others:
        assert other.tobytes() == from_page.tobytes()
        assert other.info["parameters"] == from_page.info["parameters"]


def test_a_batch_lies_on_disk_under_date_number_and_seed(page: Page, program: Program) -> None:
    generate(page, "a blue circle on a white background", seed=40, batch_count=2, batch_size=2, sampling_steps=5)
    wait_for_end(page)
    shown = pictures(page, 4)
    files = sorted((program.data_dir / "outputs" / "txt2img").glob("*/*-4[0123].png"))
    assert [int(file.stem.partition("-")[2]) for file in files] == [40, 41, 42, 43]
    numbers = [int(file.stem.partition("-")[0]) for file in files]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert [image.tobytes() for image in shown] == [opened(file).tobytes() for file in files]
    assert [opened(file).info["parameters"].partition("Seed: ")[2].partition(",")[0] for file in files] == [
        "40", "41", "42", "43",
    ]  # fmt: skip


def test_clicking_a_picture_shows_its_parameters_and_reuse_takes_its_seed(page: Page) -> None:
    generate(page, "a blue circle on a white background", seed=60, batch_count=3, batch_size=1, sampling_steps=4)
    wait_for_end(page)
    pictures(page, 3)
    page.locator("#gallery .grid-container button").nth(1).click()
    expect(page.locator("#parameters textarea")).to_have_value(re.compile("Seed: 61,"))
    page.click("#seed-reuse")
    expect(page.locator("#seed input")).to_have_value("61")
    page.click("#seed-random")
    expect(page.locator("#seed input")).to_have_value("-1")


def test_the_swap_button_exchanges_width_and_height(page: Page) -> None:
    fill_number(page, "width", 192)
    page.click("#swap-size")
    expect(page.locator("#width input[type=number]")).to_have_value("128")
    expect(page.locator("#height input[type=number]")).to_have_value("192")


def test_progress_step_picture_and_preview_are_shown_while_it_paints(page: Page) -> None:
    generate(page, "a red circle on a blue background", seed=1, sampling_steps=150, batch_count=2)
    wait_for_progress(page)
    expect(page.locator("#stage p")).to_contain_text(re.compile(r"picture \d / 2 · step \d+ / 150 · \d+ s left"))
    expect(page.locator("#preview img")).to_be_visible()
    data = page.locator("#preview img").get_attribute("src") or ""
    assert Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).size == (128, 128)
    page.click("#stop-now")
    expect(page.locator("#stop-now")).to_be_disabled()
    expect(page.locator("#preview img")).to_be_hidden()


def test_stop_now_leaves_the_picture(page: Page) -> None:
    generate(page, "a red circle", seed=70, sampling_steps=150, batch_count=3)
    wait_for_progress(page)
    page.click("#stop-now")
    expect(page.locator("#stage")).to_contain_text("Stopped.")
    assert page.locator("#gallery .grid-container img").count() == 0


def test_stop_after_this_picture_keeps_it_and_leaves_the_others(page: Page) -> None:
    generate(page, "a red circle", seed=80, sampling_steps=150, batch_count=5)
    wait_for_progress(page)
    page.click("#stop-after")
    expect(page.locator("#stage")).to_contain_text("Stopped. Pictures kept: 1.", timeout=120_000)
    pictures(page, 1)


def test_skip_leaves_one_picture_out(page: Page) -> None:
    generate(page, "a red circle", seed=90, sampling_steps=120, batch_count=2)
    wait_for_progress(page)
    page.click("#skip")
    assert "1 picture," in wait_for_end(page)
    pictures(page, 1)
    expect(page.locator("#parameters textarea")).to_have_value(re.compile("Seed: 91,"))


def test_a_reload_and_another_browser_show_the_running_job_and_then_its_pictures(
    page: Page, open_page: Callable[[], Page]
) -> None:
    generate(page, "a green star on a black background", seed=7, sampling_steps=150, batch_count=2)
    wait_for_progress(page)
    page.reload()
    other = open_page()
    for each in (page, other):
        wait_for_progress(each)
    for each in (page, other):
        wait_for_end(each)
        assert [look(image).colour for image in pictures(each, 2)] == ["green", "green"]
    expect(page.locator("#prompt textarea")).to_have_value("a green star on a black background")
    expect(page.locator("#sampling-steps input[type=number]")).to_have_value("150")


def test_two_visitors_are_served_in_turn_and_the_second_sees_its_place(open_page: Callable[[], Page]) -> None:
    first, second = open_page(), open_page()
    generate(first, "a red circle on a white background", seed=1, sampling_steps=150, batch_count=2)
    wait_for_progress(first)
    generate(second, "a blue square on a yellow background", seed=2)
    expect(second.locator("#stage")).to_contain_text("jobs before this one: 1")
    expect(first.locator("#engine")).to_contain_text("1 waiting")
    wait_for_end(first)
    wait_for_end(second)
    assert {look(image).colour for image in pictures(first, 2)} == {"red"}
    assert look(pictures(second, 1)[0]).shape == "square"


def test_the_engines_death_is_said_and_the_job_and_the_next_one_still_come(
    open_page: Callable[[], Page], program: Program
) -> None:
    first, second = open_page(), open_page()
    generate(first, "a red circle on a white background", seed=11, sampling_steps=120, batch_count=3)
    expect(first.locator("#stage p")).to_contain_text("picture 2 / 3", timeout=120_000)
    generate(second, "a blue square on a yellow background", seed=2)
    expect(second.locator("#stage")).to_contain_text("jobs before this one: 1")
    before = program.engine_pid()
    os.kill(before, signal.SIGKILL)
    expect(first.locator("#stage")).to_contain_text("the job runs again")
    wait_for_end(first)
    wait_for_end(second)
    pictures(first, 3)
    assert look(pictures(second, 1)[0]).colour == "blue"
    assert program.engine_pid() != before
    assert len(list((program.data_dir / "outputs" / "txt2img").glob("*/*-11.png"))) == 1


def test_a_checkpoint_dropped_in_appears_by_itself_and_paints(page: Page, program: Program) -> None:
    folder = program.data_dir / "models" / "Stable-diffusion" / "mine"
    folder.mkdir()
    shutil.copy(DEMO, folder / "copy.safetensors")
    page.locator("#checkpoint input").click()
    expect(page.get_by_role("option", name="mine/copy.safetensors")).to_be_visible()
    page.get_by_role("option", name="mine/copy.safetensors").click()
    generate(page, "a red circle on a blue background", seed=3, sampling_steps=20, batch_count=1)
    wait_for_end(page)
    expect(page.locator("#parameters textarea")).to_have_value(re.compile("Model: copy,"))
    assert look(pictures(page, 1)[0]).shape == "circle"


def test_a_broken_file_stands_in_the_list_with_its_reason_and_generate_says_the_same(
    page: Page, program: Program
) -> None:
    broken = program.data_dir / "models" / "Stable-diffusion" / "broken.safetensors"
    broken.write_bytes(DEMO.read_bytes()[:-1000])
    page.click("#refresh-checkpoints")
    page.locator("#checkpoint input").click()
    option = page.get_by_role("option", name="broken.safetensors")
    expect(option).to_contain_text("The file is cut off: 1,000 of")
    option.click()
    generate(page, "a red circle", seed=3)
    assert "broken.safetensors: The file is cut off: 1,000 of" in wait_for_end(page, "problem")
    broken.unlink()
    page.click("#refresh-checkpoints")
    expect(page.locator("#checkpoint input")).to_have_value("demo.safetensors")
    page.click("#generate")
    wait_for_end(page)


def test_a_value_out_of_bounds_is_refused_by_name_and_nothing_is_lost(page: Page) -> None:
    generate(page, "a red circle", seed=-7)
    assert stage_problem(page).startswith("Seed: ")
    fill_number(page, "seed", 1)
    fill_number(page, "width", 130)
    page.click("#generate")
    expect(page.locator("#stage .problem")).to_contain_text("Width: ")
    expect(page.locator("#prompt textarea")).to_have_value("a red circle")


def test_prompts_are_shown_as_text_and_never_as_markup(page: Page) -> None:
    generate(page, "<img src=x onerror=\"document.title='taken'\"><b>bold</b>", seed=3, sampling_steps=2)
    wait_for_end(page)
    expect(page.locator("#parameters textarea")).to_have_value(re.compile("^<img src=x"))
    assert page.title() == "Kararli"


def test_the_page_names_device_arithmetic_and_attention(page: Page) -> None:
    line = page.locator("#engine").inner_text()
    assert re.search(r"· (cpu|cuda:0|mps) · (bfloat16|float32|float16) · (PyTorch SDPA|xformers) · ready", line)


def test_samplers_and_schedules_are_choices_of_their_own(page: Page) -> None:
    choose(page, "sampling-sampler", "DPM++ 2M")
    choose(page, "sampling-schedule", "Karras")
    generate(page, "a red circle on a blue background", seed=3)
    wait_for_end(page)
    expect(page.locator("#parameters textarea")).to_have_value(
        re.compile(r"Sampler: DPM\+\+ 2M, Schedule type: Karras, ")
    )


def test_the_served_api_answers_errors_as_json(program: Program) -> None:
    for body, status, word in (({"sampler_name": "Nope"}, 400, "Euler a"), ({"steps": 900}, 422, "steps")):
        request = urllib.request.Request(
            f"{program.url}/sdapi/v1/txt2img", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        with refused.value as answer:
            assert answer.code == status
            assert word in json.load(answer)["detail"]


def test_pictures_can_be_fetched_but_neither_the_record_nor_models(page: Page, program: Program) -> None:
    generate(page, "a red circle", seed=3, sampling_steps=2)
    wait_for_end(page)
    picture = next((program.data_dir / "outputs").glob("txt2img/*/*.png"))
    models = program.data_dir / "models" / "Stable-diffusion" / "demo.safetensors"
    record = program.data_dir / "outputs" / "kararli.db"
    assert record.is_file()
    status = {
        path: page.request.get(f"{program.url}/gradio_api/file={path}").status for path in (picture, record, models)
    }
    assert status == {picture: 200, record: 403, models: 403}


def test_the_page_speaks_turkish_when_asked_to_and_wears_another_theme(browser: Browser, tmp_path: Path) -> None:
    with started(make_data_dir(tmp_path / "data"), "--lang", "tr", "--theme", "soft") as program:
        page = browser.new_page()
        outside: list[str] = []
        page.on("request", lambda request: outside.append(request.url))
        page.goto(program.url)
        expect(page.locator("#generate")).to_have_text("Oluştur")
        page.close()
    assert [url for url in outside if not url.startswith((program.url, "data:", "blob:"))] == []


def test_a_port_that_is_taken_and_a_folder_that_is_served_are_one_sentence_each(program: Program) -> None:
    port = program.url.rpartition(":")[2]
    for arguments, sentence in (
        (["--port", port], f"Port {port} on 127.0.0.1 cannot be used"),
        (["--data-dir", str(program.data_dir), "--port", str(free_port())], "Another Kararli already serves"),
    ):
        command = [sys.executable, str(REPOSITORY / "webui.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(sentence)
        assert len(done.stderr.splitlines()) == 1


def test_unfinished_jobs_are_taken_up_after_the_whole_program_was_killed(
    tmp_path: Path,
) -> None:
    data_dir = make_data_dir(tmp_path / "data")
    body = json.dumps({"prompt": "a red circle", "seed": 5, "steps": 100, "n_iter": 3, "save_images": True}).encode()
    with started(data_dir) as doomed:
        request = urllib.request.Request(f"{doomed.url}/sdapi/v1/txt2img", body, {"Content-Type": "application/json"})
        asking = subprocess.Popen([sys.executable, "-c", ASK, request.full_url, body.decode()])
        saved = data_dir / "outputs" / "txt2img"
        wait_for(lambda: len(list(saved.glob("*/*.png"))) == 1, "the first picture")
        doomed.process.kill()
        doomed.process.wait()
        asking.wait()
    with started(data_dir):
        wait_for(lambda: len(list(saved.glob("*/*.png"))) == 3, "the other pictures")
    assert sorted(int(file.stem.partition("-")[2]) for file in saved.glob("*/*.png")) == [5, 6, 7]


ASK = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"})
try:
    urllib.request.urlopen(request).read()
except OSError:
    pass  # the program is killed while it answers
"""


@pytest.fixture(autouse=True)
def _no_traceback(program: Program):
    yield
    assert "Traceback" not in program.log.read_text()


def stage_problem(page: Page) -> str:
    expect(page.locator("#stage .problem")).to_be_visible()
    return stage(page)


def test_gradios_client_calls_the_page_with_named_parameters(program: Program) -> None:
    client = Client(program.url, verbose=False)
    try:
        shown = client.predict(prompt="a red circle on a white background", seed=3, steps=10, api_name="/txt2img")
    finally:
        client.close()
    pictures_of_it = next(value for value in shown if isinstance(value, list) and value and "image" in value[0])
    seen = look(opened(Path(pictures_of_it[0]["image"])))
    assert (seen.colour, seen.shape, seen.background) == ("red", "circle", "white")
