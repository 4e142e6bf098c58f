"""The tab for pictures from words and a picture, with colours drawn on it."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from modules.schema.requests import Img2Img
from modules.ui.form import Form
from modules.ui.interrogating import interrogate_button
from modules.ui.page import Page
from modules.ui.painting import (
    BRUSH_COLOURS,
    background_of,
    connect,
    drawn_layers,
    kept,
    literal_choices,
    prompt_controls,
    refiner_controls,
    sampling_controls,
    size_controls,
    upscaler_choices,
)
from modules.ui.results import ResultPane
from modules.ui.sending import comparison

RESIZE_MODES = {
    "stretch": "Stretch",
    "crop": "Crop and resize",
    "fill": "Resize and fill",
    "latent": "Stretch the latents",
}


def img2img_tab(page: Page) -> None:
    """The picture and the settings on the left, the results on the right."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            form = Form(Img2Img, page.translate, "img2img-")
            prompts = prompt_controls(form, page, "img2img")
            editor = _editor(form, page)
            page.exchange.take("img2img", editor)
            interrogate_button(page, prompts.prompt, editor, "img2img")
            with gr.Row():
                form.slider("strength")
                form.dropdown("resize_mode", literal_choices(page, RESIZE_MODES), info=None)
            size_controls(form, page, "The picture's")
            sampling_controls(form, page)
            with gr.Accordion(page.translate("More"), open=False), gr.Row():
                form.slider("noise_multiplier")
                form.slider("image_guidance_scale")
            form.dropdown("upscaler", upscaler_choices(page, plain=True))
            refiner_controls(form, page)
        with gr.Column(scale=6):
            pane = ResultPane(page, "img2img-")
            compare = comparison(page, "img2img")

    def prepare(values: Mapping[str, Any]) -> Mapping[str, Any]:
        value = values["picture"]
        path = value["composite"] if drawn_layers(value) else background_of(value)
        return {**values, "picture": kept(page, path)}

    connect(page, form, pane, prompts, prepare, compare, "img2img")


def _editor(form: Form[Img2Img], page: Page) -> gr.ImageEditor:
    editor = gr.ImageEditor(
        label=page.translate("Picture"), type="filepath", format="png", sources=["upload", "clipboard"], height=420,
        brush=gr.Brush(colors=list(BRUSH_COLOURS), default_color=BRUSH_COLOURS[1], color_mode="defaults"),
        layers=False, transforms=(), elem_id="img2img-picture",
        elem_classes="waits-for-editor",
    )  # fmt: skip
    form.add("picture", editor)
    return editor
