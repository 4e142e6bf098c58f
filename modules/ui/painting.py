"""Controls and handlers that the painting tabs share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from modules.catalog.upscalers import all_upscalers
from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.media import read_image
from modules.schema.requests import RANDOM_SEED, Painting
from modules.schema.sampling import AUTOMATIC
from modules.ui.filling import Filler
from modules.ui.form import Form
from modules.ui.page import Page
from modules.ui.prompts import add_counter, reading_controls
from modules.ui.results import ResultPane, Updates
from modules.ui.seeds import seed_controls
from modules.ui.sending import side_by_side

BRUSH_COLOURS = ["#ffffff", "#e41423", "#20a03e", "#1e46d7", "#fade28", "#8020a5", "#fa8c0a", "#0c0c0c"]

PROMPT_HINT = "What the picture should show. Drop a picture here, or paste its parameters, to fill the form."


@dataclass(frozen=True)
class Prompts:
    """The two prompts of a tab, what fills its form, and its button."""

    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    filler: Filler
    generate: gr.Button


def prompt_controls(
    form: Form[Any], page: Page, name: str, pictures: Sequence[str] = ("picture",), stays: Sequence[str] = ()
) -> Prompts:
    """Prompt, negative prompt and the button that starts. A picture's parameters fill the form but for `stays`."""
    form.add("checkpoint", page.checkpoint)
    prompt = form.textbox("prompt", lines=2, max_lines=12, placeholder=page.translate(PROMPT_HINT))
    add_counter(page, prompt)
    negative = form.textbox("negative_prompt", lines=1, max_lines=8)
    add_counter(page, negative, negative=True)
    filler = Filler(page, form, prompt, pictures, stays)
    generate = gr.Button(page.translate("Generate"), variant="primary", elem_id=f"{name}-generate")
    return Prompts(prompt, negative, filler, generate)


def sampling_controls(form: Form[Any], page: Page) -> None:
    """Steps, guidance, sampler, schedule, batches, seed and refiner."""
    say = page.translate
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
        seed = form.number("seed", scale=3, info=None)
        random = gr.Button(say("Random"), min_width=80)
    random.click(lambda: RANDOM_SEED, None, [seed], api_visibility="private", show_progress="hidden")
    seed_controls(form, page)
    reading_controls(form, page)


def refiner_controls(form: Form[Any], page: Page) -> None:
    """The checkpoint that takes over."""
    with gr.Accordion(page.translate("Refiner"), open=False), gr.Row():
        form.dropdown("refiner.checkpoint", checkpoint_choices(page, "None"), allow_custom_value=True, info=None)
        form.slider("refiner.switch_at", info=None)


def hires_controls(form: Form[Any], page: Page) -> None:
    """The second, larger pass."""
    say = page.translate
    same = (say("The same"), "")
    samplers = [same, *((sampler.name, sampler.name) for sampler in page.plugins.samplers())]
    schedules = [same, *((label, label) for label in (AUTOMATIC, *(one.label for one in page.plugins.schedules())))]
    with gr.Accordion(say("Hires fix"), open=False, elem_id="hires"):
        form.checkbox("hires.enabled")
        with gr.Row():
            form.dropdown("hires.upscaler", upscaler_choices(page, latent=True), info=None)
            form.slider("hires.scale", info=None)
            form.slider("hires.strength", info=None)
            form.slider("hires.steps", info=None)
        with gr.Row():
            form.slider("hires.width", info=None)
            form.slider("hires.height", info=None)
        with gr.Row():
            form.dropdown("hires.sampler", samplers, info=None)
            form.dropdown("hires.schedule", schedules, info=None)
            form.dropdown("hires.checkpoint", checkpoint_choices(page, "The same"), allow_custom_value=True, info=None)
        form.textbox("hires.prompt", lines=1, max_lines=8)
        form.textbox("hires.negative_prompt", lines=1, max_lines=8)
        form.textbox("hires.first_pass")


def size_controls(form: Form[Any], page: Page, hint: str) -> None:
    """Width and height to type, both of which may be left open."""
    with gr.Row():
        form.number("width", placeholder=page.translate(hint), info=None)
        form.number("height", placeholder=page.translate(hint), info=None)


def checkpoint_choices(page: Page, none: str) -> list[tuple[str, str]]:
    """The usable checkpoints, and none of them under a name of its own."""
    usable = [entry.name for entry in page.catalog.checkpoints() if entry.architecture is not None]
    return [(page.translate(none), ""), *((name, name) for name in usable)]


def upscaler_choices(page: Page, *, latent: bool = False, plain: bool = False) -> list[tuple[str, str]]:
    """(what is shown, the name) of upscalers; a file that cannot be used stands there with its reason.

    With those that stretch latents, or with the one that does nothing of its own, where these are wanted.
    """
    choices = all_upscalers(page.plugins.upscalers(), page.catalog.upscalers)
    usable = [one.name for one in choices if (latent or one.latent is None) and (plain or latent or one.name != "None")]
    broken = [entry for entry in page.catalog.upscalers.entries() if entry.problem]
    return [
        *((name, name) for name in usable),
        *((f"{entry.name} — ⚠ {entry.problem}", entry.name) for entry in broken),
    ]


def literal_choices(page: Page, labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """(label in the page's language, value) each, in their order."""
    return [(page.translate(label), value) for value, label in labels.items()]


def connect(
    page: Page,
    form: Form[Any],
    pane: ResultPane,
    prompts: Prompts,
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    compare: gr.ImageSlider | None,
    name: str,
    complete: Callable[[Any, Mapping[str, Any]], Painting] = lambda request, values: request,
) -> None:
    """Let the tab paint. `prepare` puts the digests of kept pictures in the place of the page's files, and `complete`
    adds to the request what is no control's value.

    Without `compare` the tab shows what was before and after by itself.
    """

    def start(values: Mapping[str, Any]) -> Iterator[Updates]:
        """Paint pictures from a picture."""
        try:
            open_sides = {side: values[side] or None for side in ("width", "height")}  # an empty number comes as 0
            prepared = prepare({**values, **open_sides})
            request = complete(form.read(prepared), values)
            job = page.jobs.submit(request)  # type: ignore[arg-type]
        except (KararliError, OSError) as error:
            yield pane.refuse(str(error))
            return
        yield from pane.watch(job.id)

    prompts.filler.connect()
    gr.on(
        [prompts.generate.click, prompts.prompt.submit, prompts.negative_prompt.submit],
        form.handler(start), inputs_kwargs=form.inputs(), outputs=pane.outputs(), api_name=name,
        concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip
    if compare is None:
        return
    pane.download.change(
        _beside(page), [form.control("picture"), pane.shown], [compare], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip


def kept(page: Page, path: str | None) -> str:
    """Keep a file of the page; returns its digest. Raises InvalidRequest when there is none or it is no picture."""
    if not path:
        raise InvalidRequest("There is no picture to start from. Give one.", "picture")
    return page.jobs.keep_picture(Path(path).read_bytes())


def background_of(value: Any) -> str | None:
    """The file of the picture in an editor, in a list of files, or in a plain picture control."""
    if isinstance(value, list):
        return value[0] if value else None
    return value.get("background") or value.get("composite") if isinstance(value, dict) else value


def drawn_layers(value: Any) -> list[Image.Image]:
    """What was drawn over the picture in an editor: RGBA, without empty layers."""
    layers: Sequence[str] = value.get("layers", ()) if isinstance(value, dict) else ()
    images = [read_image(Path(layer).read_bytes()) for layer in layers if layer]
    return [image for image in images if image.getchannel("A").getbbox() is not None]


def _beside(page: Page) -> Callable[[Any, Any], Any]:
    def beside(value: Any, shown: Sequence[tuple[str, int, str]]) -> Any:
        before = background_of(value)
        return side_by_side(before, shown[-1][0]) if before and shown else gr.skip()

    return beside
