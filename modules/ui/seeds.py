"""What is to be set about seeds and about chance, beside the seed itself."""

import re
from typing import Any, get_args

import gradio as gr

from modules.schema.requests import RANDOM_SEED, Seeding
from modules.ui.form import Form
from modules.ui.page import Page

VARIATION_SEED = re.compile(r"\bVariation seed: (\d+)")


def seed_controls(form: Form[Any], page: Page) -> gr.Button:
    """Two closed sections. Returns the button that takes the shown picture's variation seed again."""
    say = page.translate
    with gr.Accordion(say("More about seeds"), open=False, elem_id=f"{form.prefix}more-seeds"):
        with gr.Row(equal_height=True):
            form.number("seeding.variation_seed", scale=2, info=None)
            random = gr.Button(say("Random"), min_width=80, elem_id=f"{form.prefix}variation-random")
            reuse = gr.Button(say("Reuse"), min_width=80, elem_id=f"{form.prefix}variation-reuse")
            form.slider("seeding.variation_strength", scale=3, info=None)
        with gr.Row():
            form.slider("seeding.resize_from_width")
            form.slider("seeding.resize_from_height")
        with gr.Row():
            form.dropdown("seeding.noise_source", get_args(Seeding.model_fields["noise_source"].annotation))
            form.number("seeding.eta_seed_delta")
    with gr.Accordion(say("More about the sampler"), open=False, elem_id=f"{form.prefix}more-sampler"):
        with gr.Row():
            form.number("stochastic.eta", precision=None, step=0.01)
            form.slider("stochastic.noise_scale")
        with gr.Row():
            for name in ("churn", "churn_from", "churn_to"):
                form.slider(f"stochastic.{name}")
    seed = form.control("seeding.variation_seed")
    random.click(lambda: RANDOM_SEED, None, [seed], api_visibility="private", show_progress="hidden")
    return reuse


def variation_seed_in(infotext: str) -> Any:
    """The variation seed that a picture's parameters name; what is shown stays where they name none."""
    found = VARIATION_SEED.search(infotext.rpartition("\n")[2])
    return int(found[1]) if found else gr.skip()
