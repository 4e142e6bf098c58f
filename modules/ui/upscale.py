"""The tab that makes pictures larger: by upscalers, or by painting them over in tiles."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.requests import SdUpscale, Upscale
from modules.ui.form import Form
from modules.ui.page import Page
from modules.ui.painting import (
    Prompts,
    connect,
    kept,
    prompt_controls,
    refiner_controls,
    sampling_controls,
    upscaler_choices,
)
from modules.ui.results import ResultPane, Updates
from modules.ui.sending import comparison, side_by_side
from modules.ui.several import given_pictures, several_pictures

PREFERRED = ("demo-x2", "Lanczos")
"""What is chosen first, if it is there."""


def upscale_tab(page: Page) -> None:
    """The pictures and the settings on the left, the results on the right."""
    say = page.translate
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            form, painting = Form(Upscale, say, "upscale-"), Form(SdUpscale, say, "sdupscale-")
            pictures, folder = several_pictures(page, "upscale")
            form.add("pictures", pictures)
            form.add_beside("folder", folder)
            painting.add("picture", pictures)
            enlarge = gr.Button(say("Enlarge"), variant="primary", elem_id="upscale-generate")
            _enlarging_controls(form, page)
            with gr.Accordion(say("SD upscale: paint it over in tiles"), open=False, elem_id="sdupscale"):
                prompts = _painting_controls(painting, page)
        with gr.Column(scale=6):
            pane = ResultPane(page, "upscale-")
            compare = comparison(page, "upscale")
    page.exchange.take("upscale")
    _connect(page, form, pane, enlarge, compare)

    def prepare(values: Mapping[str, Any]) -> Mapping[str, Any]:
        given = values["picture"] or [None]
        if len(given) > 1:
            raise InvalidRequest("Several pictures were given. SD upscale takes one at a time.", "picture")
        return {**values, "picture": kept(page, given[0])}

    connect(page, painting, pane, prompts, prepare, None, "sdupscale")


def _enlarging_controls(form: Form[Upscale], page: Page) -> None:
    say, choices = page.translate, upscaler_choices(page)
    preferred = next(name for name in PREFERRED if (name, name) in choices)
    with gr.Row():
        upscaler = form.dropdown("enlarging.upscaler", choices, value=preferred, info=None)
        form.slider("enlarging.scale", info=None)
    with gr.Row():
        form.number("enlarging.width", info=None)
        form.number("enlarging.height", info=None)
        form.checkbox("enlarging.crop", info=None)
    with gr.Row():
        second = form.dropdown("enlarging.second", [(say("None"), ""), *choices], info=None)
        form.slider("enlarging.second_share", info=None)
    with gr.Accordion(say("Tiles"), open=False), gr.Row():
        form.slider("enlarging.tiles.tile", maximum=1024)
        form.slider("enlarging.tiles.overlap", maximum=128)
    with gr.Accordion(say("Faces"), open=False):
        with gr.Row():
            form.slider("faces.gfpgan")
            form.slider("faces.codeformer")
        with gr.Row():
            form.slider("faces.codeformer_weight")
            form.checkbox("faces.enlarge_first")

    def look() -> tuple[Any, Any]:
        found = upscaler_choices(page)
        return gr.update(choices=found), gr.update(choices=[(say("None"), ""), *found])

    upscaler.focus(look, None, [upscaler, second], api_visibility="private", show_progress="hidden")


def _painting_controls(form: Form[SdUpscale], page: Page) -> Prompts:
    prompts = prompt_controls(form, page, "sdupscale", stays=("width", "height"))
    page.fillers["upscale"], hint = prompts.filler, page.translate("The checkpoint's own")
    with gr.Row():
        form.dropdown("redrawing.upscaler", upscaler_choices(page), info=None)
        form.slider("redrawing.scale", info=None)
    with gr.Row():
        form.slider("strength", info=None)
        form.slider("redrawing.overlap")
    with gr.Row():
        form.number("width", label=page.translate("Tile width"), placeholder=hint, info=None)
        form.number("height", label=page.translate("Tile height"), placeholder=hint, info=None)
    sampling_controls(form, page)
    form.slider("noise_multiplier")
    refiner_controls(form, page)
    return prompts


def _connect(page: Page, form: Form[Upscale], pane: ResultPane, enlarge: gr.Button, compare: gr.ImageSlider) -> None:
    sources = gr.State(("", []))
    """The last job, and the files that it was made from; of a folder none, since the page cannot show them."""
    pictures = form.control("pictures")

    def start(values: Mapping[str, Any]) -> Iterator[Updates]:
        """Make pictures larger."""
        named = str(values.get("folder") or "")
        try:
            digests, names = given_pictures(page, values["pictures"], named)
            sides = {side: values[side] or 0 for side in ("width", "height")}  # an empty number comes as None
            request = form.read({**values, **sides, "pictures": digests})
            job = page.jobs.submit(Upscale.model_validate({**request.model_dump(), "names": names}))
        except (KararliError, OSError) as error:
            yield pane.refuse(str(error))
            return
        yield {sources: (job.id, [] if named.strip() else list(values["pictures"] or []))}
        yield from pane.watch(job.id)

    def beside(last: Any, job: str, shown: Sequence[Any], chosen: str | None, given: Sequence[str] | None) -> Any:
        if chosen is None:
            return gr.skip()
        before = last[1] if job == last[0] else list(given or ())[:1] * len(shown)  # painted over: all from one
        place = next((index for index, (path, *_) in enumerate(shown) if path == chosen), len(before))
        return side_by_side(before[place], chosen) if place < len(before) else gr.skip()

    gr.on(
        [enlarge.click], form.handler(start), inputs_kwargs=form.inputs(), outputs=[*pane.outputs(), sources],
        api_name="upscale", concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip
    pane.download.change(
        beside, [sources, pane.job, pane.shown, pane.chosen, pictures], [compare], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
