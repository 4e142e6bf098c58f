"""The tab for pictures from words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import ValidationError

from modules.catalog.checkpoints import DEFAULT
from modules.schema.errors import KararliError, UnusableFile
from modules.schema.requests import RANDOM_SEED, Hires, Txt2Img
from modules.schema.sampling import AUTOMATIC
from modules.schema.values import Telling
from modules.storage.reading import read_picture
from modules.storage.record import request_of_picture
from modules.ui.filling import Filler
from modules.ui.form import Form
from modules.ui.page import Page
from modules.ui.painting import PROMPT_HINT, hires_controls, refiner_controls
from modules.ui.prompts import add_counter, reading_controls
from modules.ui.results import ResultPane, Updates
from modules.ui.seeds import seed_controls, variation_seed_in

EXAMPLES = (
    "a red circle on a blue background",
    "a yellow star on a purple background",
    "a large green heart on a white background",
    "a small orange triangle in the top left corner on a black background",
    "a pink ring on a cyan background",
)
"""Prompts that the demo checkpoint knows."""


@dataclass(frozen=True)
class Controls:
    """The left side of the tab."""

    form: Form[Txt2Img]
    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    generate: gr.Button
    random: gr.Button
    reuse: gr.Button
    reuse_variation: gr.Button


def txt2img_tab(page: Page) -> None:
    """Prompt and settings on the left, pictures on the right."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            controls = txt2img_controls(page)
        with gr.Column(scale=6):
            pane = ResultPane(page)
    _connect(page, controls, pane)


def txt2img_controls(page: Page) -> Controls:
    """A control for each value of a request, and the buttons."""
    say, form = page.translate, Form(Txt2Img, page.translate)
    form.add("checkpoint", page.checkpoint)
    prompt = form.textbox("prompt", lines=3, max_lines=12, autofocus=True, placeholder=say(PROMPT_HINT))
    page.exchange.prompts["txt2img"] = prompt
    add_counter(page, prompt)
    negative = form.textbox("negative_prompt", lines=2, max_lines=8)
    add_counter(page, negative, negative=True)
    filler = page.fillers["txt2img"] = Filler(page, form, prompt)
    generate = gr.Button(say("Generate"), variant="primary", elem_id="generate")
    gr.Examples([[example] for example in EXAMPLES], [prompt], label=say("The demo checkpoint knows"))
    with gr.Group():
        _size_controls(form, page)
        with gr.Row():
            form.slider("sampling.steps", info=None)
            form.slider("sampling.guidance_scale", info=None)
        with gr.Row():
            form.dropdown("sampling.sampler", [sampler.name for sampler in page.plugins.samplers()], info=None)
            schedules = [AUTOMATIC, *(schedule.label for schedule in page.plugins.schedules())]
            form.dropdown("sampling.schedule", schedules, info=None)
        with gr.Row():
            form.slider("batch_count", info=None)
            form.slider("batch_size", info=None)
        with gr.Row(equal_height=True):
            form.number("seed", scale=3, info=None)
            random = gr.Button(say("Random"), min_width=80, elem_id="seed-random")
            reuse = gr.Button(say("Reuse"), min_width=80, elem_id="seed-reuse")
        reuse_variation = seed_controls(form, page)
    reading_controls(form, page)
    hires_controls(form, page)
    refiner_controls(form, page)
    filler.connect()
    return Controls(form, prompt, negative, generate, random, reuse, reuse_variation)


def _connect(page: Page, controls: Controls, pane: ResultPane) -> None:
    form, seed = controls.form, controls.form.control("seed")

    def start(values: Mapping[str, Any]) -> Iterator[Updates]:
        """Paint pictures from words."""
        try:
            request = form.read(values)
            job = page.jobs.submit(request)
        except KararliError as error:
            yield pane.refuse(str(error))
            return
        yield {page.memory: {"job": job.id, "request": request.model_dump_json()}}
        yield from pane.watch(job.id)

    def resume(memory: Mapping[str, str] | None) -> Iterator[Updates]:
        """After a reload: the form as it was, and the job that runs, or this browser's last one."""
        yield _remembered(form, page, memory or {})
        shown = (memory or {}).get("job", "")
        running = page.jobs.running() or next(iter(page.jobs.waiting()), None)
        if running is not None and not isinstance(running.request, Telling) and page.jobs.latest(shown) is None:
            shown = running.id
        if page.jobs.knows(shown):
            yield from pane.watch(shown)

    def enlarge(chosen: str | None, **values: Any) -> Iterator[Updates]:
        """Hires fix for a picture that is there, without a first pass."""
        try:
            job = page.jobs.submit(enlarged_later(page, form.read(values).hires, chosen))
        except (KararliError, OSError) as error:
            yield pane.refuse(str(error))
            return
        yield from pane.watch(job.id)

    outputs = [*pane.outputs(), page.memory]
    with pane.send_row:
        hires = gr.Button(page.translate("Hires fix"), size="sm", min_width=80, elem_id="to-hires")
    hires.click(
        enlarge, inputs_kwargs={"chosen": pane.chosen, **form.inputs()}, outputs=pane.outputs(),
        api_visibility="private", concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip
    gr.on(
        [controls.generate.click, controls.prompt.submit, controls.negative_prompt.submit],
        form.handler(start), inputs_kwargs=form.inputs(),
        outputs=outputs, api_name="txt2img", concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip
    page.blocks.load(
        resume, [page.memory], [*outputs, *form.inputs().values()], api_visibility="private", concurrency_limit=None,
        show_progress="hidden",
    )  # fmt: skip
    controls.random.click(lambda: RANDOM_SEED, None, [seed], api_visibility="private", show_progress="hidden")
    controls.reuse.click(
        lambda shown: gr.skip() if shown is None else shown, [pane.seed], [seed], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
    controls.reuse_variation.click(
        variation_seed_in, [pane.parameters], [form.control("seeding.variation_seed")], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip


def enlarged_later(page: Page, hires: Hires, path: str | None) -> Txt2Img:
    """What paints a picture of txt2img's once more, larger, as the form's hires fix says. Raises KararliError."""
    if not path:
        raise KararliError("There is no picture yet.")
    data = Path(path).read_bytes()
    info = read_picture(data)
    request = request_of_picture(info.record) if info.record is not None else None
    if not isinstance(request, Txt2Img):
        raise KararliError("Only pictures of txt2img go on to its hires fix. Send this one to upscale.")
    own = {"enabled": True, "first_pass": page.jobs.keep_picture(data)}
    width, height = (side // 8 * 8 for side in (info.metadata.width, info.metadata.height))
    second = hires.model_copy(update=own)
    return request.model_copy(update={"width": width, "height": height, "hires": second})


def _size_controls(form: Form[Txt2Img], page: Page) -> None:
    """Width, height, a button that swaps them; they follow the checkpoint as long as they are its own size."""
    native = _resolution(page, DEFAULT)
    with gr.Row(equal_height=True):
        width = form.slider("width", value=native, info=None)
        swap = gr.Button("⇄", min_width=40, scale=0, elem_id="swap-size")
        height = form.slider("height", value=native, info=None)
    previous = gr.State(native)
    swap.click(
        lambda width, height: (height, width), [width, height], [width, height], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip

    def follow(name: str, before: int, width_now: int, height_now: int) -> tuple[Any, Any, int]:
        now = _resolution(page, name)
        if (width_now, height_now) == (before, before):
            return now, now, now
        return gr.skip(), gr.skip(), now

    page.checkpoint.input(
        follow, [page.checkpoint, previous, width, height], [width, height, previous], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip


def _resolution(page: Page, name: str) -> int:
    try:
        return page.catalog.find(name).usable().resolution
    except UnusableFile:
        return 512


def _remembered(form: Form[Txt2Img], page: Page, memory: Mapping[str, str]) -> Updates:
    try:
        request = Txt2Img.model_validate_json(memory.get("request", ""))
        page.catalog.find(request.checkpoint)
    except (ValidationError, UnusableFile):
        return {page.memory: gr.skip()}
    return form.write(request)
