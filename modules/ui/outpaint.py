"""The tab that continues a picture beyond its sides."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from modules.schema.errors import KararliError
from modules.schema.media import flatten, read_image
from modules.schema.requests import Outpaint
from modules.ui.form import Form
from modules.ui.page import Page
from modules.ui.painting import (
    connect,
    kept,
    literal_choices,
    prompt_controls,
    refiner_controls,
    sampling_controls,
    size_controls,
)
from modules.ui.results import ResultPane
from modules.ui.sending import comparison

FILLS = {
    "edge": "The edge drawn out",
    "latent noise": "Noise",
    "telea": "OpenCV: Telea",
    "navier-stokes": "OpenCV: Navier-Stokes",
}
RATIOS = ("1:1", "4:3", "3:2", "16:9", "3:4", "2:3", "9:16")
ZOOM = 1.5
"""How many times larger each side of the canvas becomes by "zoom out"."""

UNIT = 8
THUMBNAIL = 300
"""Pixels of the outline's picture, at most."""

SIDES = ("left", "right", "top", "bottom")


def outpaint_tab(page: Page) -> None:
    """The picture, its new outline and the settings on the left, the results on the right."""
    say = page.translate
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            form = Form(Outpaint, page.translate, "outpaint-")
            prompts = prompt_controls(form, page, "outpaint", stays=("width", "height"))
            page.fillers["outpaint"] = prompts.filler
            with gr.Row():
                picture = gr.Image(
                    label=say("Picture"), type="filepath", format="png", sources=["upload", "clipboard"], height=300,
                    elem_id="outpaint-picture",
                )  # fmt: skip
                outline = gr.HTML(elem_id="outpaint-outline")
            form.add("picture", picture)
            page.exchange.take("outpaint")
            _canvas_controls(form, page, picture, outline)
            with gr.Row():
                form.slider("strength")
                form.dropdown("canvas.fill", literal_choices(page, FILLS), info=None)
            with gr.Row():
                form.slider("canvas.overlap")
                form.slider("canvas.rounds")
            sampling_controls(form, page)
            with gr.Accordion(say("More"), open=False):
                size_controls(form, page, "The canvas's")
                form.slider("noise_multiplier")
            refiner_controls(form, page)
        with gr.Column(scale=6):
            pane = ResultPane(page, "outpaint-")
            compare = comparison(page, "outpaint")

    def prepare(values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**values, "picture": kept(page, values["picture"])}

    connect(page, form, pane, prompts, prepare, compare, "outpaint")


def sides_for_ratio(size: tuple[int, int], ratio: str) -> tuple[int, int, int, int]:
    """New pixels at the left, right, top, bottom that bring a picture to a ratio such as "16:9", in the middle."""
    across, down = (int(part) for part in ratio.split(":"))
    width, height = size
    more_width, more_height = max(0, height * across / down - width), max(0, width * down / across - height)
    return (*_halves(more_width), *_halves(more_height))


def sides_for_zoom(size: tuple[int, int], factor: float = ZOOM) -> tuple[int, int, int, int]:
    """New pixels at all sides, as if the camera had moved back."""
    return (*_halves(size[0] * (factor - 1)), *_halves(size[1] * (factor - 1)))


def outline_of(path: str | None, sides: tuple[int, int, int, int]) -> str:
    """A drawing of the new canvas with the picture where it will lie, as SVG; empty without a picture."""
    if not path:
        return ""
    try:
        image = flatten(read_image(Path(path).read_bytes()))
    except (KararliError, OSError):
        return ""
    left, right, top, bottom = sides
    width, height = image.width + left + right, image.height + top + bottom
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    data = base64.b64encode(file.getvalue()).decode()
    line = max(width, height) / 150
    return (
        f'<figure class="outline"><svg viewBox="{-line} {-line} {width + 2 * line} {height + 2 * line}" role="img"'
        f' aria-label="{width} x {height}"><rect width="{width}" height="{height}" class="canvas"'
        f' stroke-width="{line}" stroke-dasharray="{4 * line} {2 * line}"/><image x="{left}" y="{top}"'
        f' width="{image.width}" height="{image.height}" preserveAspectRatio="none"'
        f' href="data:image/jpeg;base64,{data}"/></svg>'
        f"<figcaption>{image.width} x {image.height} → {width} x {height}</figcaption></figure>"
    )


def _halves(pixels: float) -> tuple[int, int]:
    whole = round(pixels / UNIT) * UNIT
    return whole // 2 // UNIT * UNIT, whole - whole // 2 // UNIT * UNIT


def _canvas_controls(form: Form[Outpaint], page: Page, picture: gr.Image, outline: gr.HTML) -> None:
    say = page.translate
    with gr.Row():
        sliders = [form.slider(f"canvas.{side}", maximum=1024, step=UNIT, info=None, min_width=110) for side in SIDES]
    with gr.Row():
        zoom = gr.Button(say("Zoom out"), size="sm", min_width=90, elem_id="outpaint-zoom")
        ratios = [gr.Button(ratio, size="sm", min_width=40, elem_id=f"ratio-{ratio}") for ratio in RATIOS]

    def draw(path: str | None, *sides: float | None) -> str:
        left, right, top, bottom = (int(side or 0) for side in sides)
        return outline_of(path, (left, right, top, bottom))

    for control in (picture, *sliders):
        control.change(
            draw, [picture, *sliders], [outline], api_visibility="private", show_progress="hidden",
            concurrency_limit=None,
        )  # fmt: skip

    def preset(choose: Any) -> Any:
        def fill(path: str | None) -> Any:
            if not path:
                return tuple(gr.skip() for _ in SIDES)
            return choose(read_image(Path(path).read_bytes()).size)

        return fill

    zoom.click(preset(sides_for_zoom), [picture], sliders, api_visibility="private", show_progress="hidden")
    for button, ratio in zip(ratios, RATIOS, strict=True):
        button.click(
            preset(lambda size, ratio=ratio: sides_for_ratio(size, ratio)), [picture], sliders,
            api_visibility="private", show_progress="hidden",
        )  # fmt: skip
