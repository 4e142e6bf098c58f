"""The tab that paints a part of a picture anew."""

import io
from collections.abc import Mapping
from typing import Any

import gradio as gr
from PIL import Image, ImageChops

from modules.schema.requests import Inpaint
from modules.ui.form import Form
from modules.ui.img2img import RESIZE_MODES
from modules.ui.page import Page
from modules.ui.painting import (
    background_of,
    connect,
    drawn_layers,
    kept,
    literal_choices,
    prompt_controls,
    refiner_controls,
    sampling_controls,
    size_controls,
)
from modules.ui.results import ResultPane
from modules.ui.sending import comparison

CONTENTS = {
    "fill": "Colours from around it",
    "original": "The picture",
    "latent noise": "Noise",
    "latent nothing": "Nothing",
}
MASK_COLOUR = "rgba(255, 60, 160, 0.65)"


def inpaint_tab(page: Page) -> None:
    """The picture with its mask and the settings on the left, the results on the right."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            form = Form(Inpaint, page.translate, "inpaint-")
            prompts = prompt_controls(form, page, "inpaint", ("picture", "mask"))
            page.fillers["inpaint"] = prompts.filler
            _editor(form, page)
            page.exchange.take("inpaint")
            _masking_controls(form, page)
            sampling_controls(form, page)
            with gr.Accordion(page.translate("More"), open=False):
                size_controls(form, page, "The picture's")
                with gr.Row():
                    form.slider("noise_multiplier")
                    form.number("encoder_noise")
                    form.dropdown("resize_mode", literal_choices(page, RESIZE_MODES), info=None)
            refiner_controls(form, page)
        with gr.Column(scale=6):
            pane = ResultPane(page, "inpaint-")
            compare = comparison(page, "inpaint")

    def prepare(values: Mapping[str, Any]) -> Mapping[str, Any]:
        drawn = mask_drawn(values["picture"])
        mask = page.jobs.keep_picture(drawn) if drawn else kept(page, values["mask"]) if values["mask"] else ""
        return {**values, "picture": kept(page, background_of(values["picture"])), "mask": mask}

    connect(page, form, pane, prompts, prepare, compare, "inpaint")


def mask_drawn(value: Any) -> bytes | None:
    """What was drawn in an editor, as a mask's file; None when nothing was. Half transparent strokes count whole."""
    mask: Image.Image | None = None
    for layer in drawn_layers(value):
        alpha = layer.getchannel("A").point([0] * 40 + [255] * 216)
        mask = alpha if mask is None else ImageChops.lighter(mask, alpha)
    if mask is None:
        return None
    file = io.BytesIO()
    mask.save(file, "PNG")
    return file.getvalue()


def _editor(form: Form[Inpaint], page: Page) -> None:
    say = page.translate
    editor = gr.ImageEditor(
        label=say("Picture: draw over what is to become new"), type="filepath", format="png", height=420,
        sources=["upload", "clipboard"], brush=gr.Brush(colors=[MASK_COLOUR], color_mode="fixed", default_size=24),
        layers=False, transforms=(), elem_id="inpaint-picture",
        elem_classes="waits-for-editor",
    )  # fmt: skip
    form.add("picture", editor)
    with gr.Accordion(say("Give the mask as a picture"), open=False):
        form.add("mask", gr.Image(label=say("Mask"), type="filepath", format="png", elem_id="inpaint-mask", height=200))


def _masking_controls(form: Form[Inpaint], page: Page) -> None:
    with gr.Row():
        form.slider("strength")
        form.dropdown("masking.content", literal_choices(page, CONTENTS), info=None)
    with gr.Row():
        form.slider("masking.blur", info=None)
        form.slider("masking.grow", info=None)
        form.checkbox("masking.invert", info=None)
    with gr.Row():
        form.checkbox("masking.only_masked")
        form.slider("masking.padding", info=None)
    with gr.Row():
        form.checkbox("masking.soft")
        form.checkbox("masking.own_size")
