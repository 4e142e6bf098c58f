"""The tab that makes pictures larger: by upscalers, or by painting them over in tiles."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.requests import SdUpscale, Upscale
from modules.storage.folders import stem_of
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

SHOWN = 12
"""Pictures that are shown of those that were given."""

PREFERRED = ("demo-x2", "Lanczos")
"""What is chosen first, if it is there."""


def upscale_tab(page: Page) -> None:
    """The pictures and the settings on the left, the results on the right."""
    say = page.translate
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            form, painting = Form(Upscale, say, "upscale-"), Form(SdUpscale, say, "sdupscale-")
            pictures, folder = _picture_controls(form, page)
            painting.add("picture", pictures)
            enlarge = gr.Button(say("Enlarge"), variant="primary", elem_id="upscale-generate")
            _enlarging_controls(form, page)
            with gr.Accordion(say("SD upscale: paint it over in tiles"), open=False, elem_id="sdupscale"):
                prompts = _painting_controls(painting, page)
        with gr.Column(scale=6):
            pane = ResultPane(page, "upscale-")
            compare = comparison(page, "upscale")
    page.exchange.take("upscale", pictures)
    _connect(page, form, pane, folder, enlarge, compare)

    def prepare(values: Mapping[str, Any]) -> Mapping[str, Any]:
        given = values["picture"] or [None]
        if len(given) > 1:
            raise InvalidRequest("Several pictures were given. SD upscale takes one at a time.", "picture")
        return {**values, "picture": kept(page, given[0])}

    connect(page, painting, pane, prompts, prepare, None, "sdupscale")


def given_pictures(page: Page, files: Sequence[str] | None, folder: str) -> tuple[list[str], list[str], list[str]]:
    """(digests, names, what was left out) of files, or of a folder where one is named.

    A file that was given by itself has to be a picture; what is none in a folder is left out.
    """
    paths = page.jobs.folder(folder) if folder.strip() else [Path(file) for file in files or ()]
    digests: list[str] = []
    names: list[str] = []
    left_out: list[str] = []
    for path in paths:
        try:
            digests.append(page.jobs.keep_picture(path.read_bytes()))
            names.append(stem_of(path.name))
        except KararliError as error:
            if not folder.strip():
                raise InvalidRequest(f"{path.name}: {error}", "pictures") from None
            left_out.append(f"{path.name}: {error}")
    return digests, names, left_out


def _picture_controls(form: Form[Upscale], page: Page) -> tuple[gr.File, gr.Textbox]:
    say = page.translate
    pictures = gr.File(
        label=say("Pictures: one or several"), type="filepath", file_count="multiple", height=130,
        elem_id="upscale-pictures",
    )  # fmt: skip
    form.add("pictures", pictures)
    seen = gr.Gallery(
        label=say("Pictures"), visible=False, columns=4, height=190, object_fit="contain", interactive=False,
        elem_id="upscale-given", buttons=[],
    )  # fmt: skip
    pictures.change(
        lambda files: gr.update(value=(files or [])[:SHOWN], visible=bool(files)), [pictures], [seen],
        api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    with gr.Accordion(say("A folder of pictures"), open=False):
        folder = gr.Textbox(
            label=say("Folder"), info=say("Below the folder that was set up with --input-root."), max_lines=1,
            elem_id="upscale-folder",
        )  # fmt: skip
    return pictures, folder


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
    prompts, hint = prompt_controls(form, page, "sdupscale"), page.translate("The checkpoint's own")
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


def _connect(
    page: Page, form: Form[Upscale], pane: ResultPane, folder: gr.Textbox, enlarge: gr.Button, compare: gr.ImageSlider
) -> None:
    sources = gr.State(("", []))
    """The last job, and the files that it was made from; of a folder none, since the page cannot show them."""
    pictures = form.control("pictures")

    def start(values: Mapping[str, Any]) -> Iterator[Updates]:
        """Make pictures larger."""
        named = str(values.get("folder") or "")
        try:
            digests, names, left_out = given_pictures(page, values["pictures"], named)
            sides = {side: values[side] or 0 for side in ("width", "height")}  # an empty number comes as None
            request = form.read({**values, **sides, "pictures": digests})
            job = page.jobs.submit(Upscale.model_validate({**request.model_dump(), "names": names}))
        except (KararliError, OSError) as error:
            yield pane.refuse(str(error))
            return
        if left_out:
            gr.Warning("\n".join([page.translate("Left out:"), *left_out]))
        yield {sources: (job.id, [] if named.strip() else list(values["pictures"] or []))}
        yield from pane.watch(job.id)

    def beside(last: Any, job: str, shown: Sequence[Any], chosen: str | None, given: Sequence[str] | None) -> Any:
        if chosen is None:
            return gr.skip()
        before = last[1] if job == last[0] else list(given or ())[:1] * len(shown)  # painted over: all from one
        place = next((index for index, (path, *_) in enumerate(shown) if path == chosen), len(before))
        return side_by_side(before[place], chosen) if place < len(before) else gr.skip()

    handler = form.handler(start)
    parameters = inspect.signature(handler).parameters.values()
    more = inspect.Parameter("folder", inspect.Parameter.KEYWORD_ONLY, default="")
    handler.__signature__ = inspect.Signature([*parameters, more])  # type: ignore[attr-defined]
    enlarge.click(
        handler, inputs_kwargs={**form.inputs(), "folder": folder}, outputs=[*pane.outputs(), sources],
        api_name="upscale", concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip
    pane.download.change(
        beside, [sources, pane.job, pane.shown, pane.chosen, pictures], [compare], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
