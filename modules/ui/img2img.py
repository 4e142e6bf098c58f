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
from modules.ui.several import given_pictures, several_pictures

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
            page.fillers["img2img"] = prompts.filler
            _editor(form, page)
            interrogate_button(page, prompts.prompt, form.control("picture"), "img2img")
            page.exchange.take("img2img")
            with gr.Accordion(page.translate("Several pictures, with one result for each"), open=False):
                pictures, folder = several_pictures(page, "img2img")
            form.add_beside("pictures", pictures)
            form.add_beside("folder", folder)
            with gr.Row():
                form.slider("strength")
                form.dropdown("resize_mode", literal_choices(page, RESIZE_MODES), info=None)
            size_controls(form, page, "The picture's")
            sampling_controls(form, page)
            with gr.Accordion(page.translate("More"), open=False), gr.Row():
                form.slider("noise_multiplier")
                form.number("encoder_noise")
                form.slider("image_guidance_scale")
            form.dropdown("upscaler", upscaler_choices(page, plain=True))
            refiner_controls(form, page)
        with gr.Column(scale=6):
            pane = ResultPane(page, "img2img-")
            compare = comparison(page, "img2img")

    def prepare(values: Mapping[str, Any]) -> Mapping[str, Any]:
        if values["pictures"] or (values["folder"] or "").strip():
            return {**values, "picture": ""}
        value = values["picture"]
        path = value["composite"] if drawn_layers(value) else background_of(value)
        return {**values, "picture": kept(page, path)}

    def complete(request: Img2Img, values: Mapping[str, Any]) -> Img2Img:
        if request.picture:
            return request
        digests, names = given_pictures(page, values["pictures"], values["folder"] or "")
        series = {"pictures": digests, "names": names}
        return Img2Img.model_validate({**request.model_dump(), "series": series, "batch_count": 1, "batch_size": 1})

    connect(page, form, pane, prompts, prepare, compare, "img2img", complete)


def _editor(form: Form[Img2Img], page: Page) -> None:
    editor = gr.ImageEditor(
        label=page.translate("Picture"), type="filepath", format="png", sources=["upload", "clipboard"], height=420,
        brush=gr.Brush(colors=list(BRUSH_COLOURS), default_color=BRUSH_COLOURS[1], color_mode="defaults"),
        layers=False, transforms=(), elem_id="img2img-picture",
        elem_classes="waits-for-editor",
    )  # fmt: skip
    form.add("picture", editor)
