"""A button that fills a prompt with what a picture shows."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from modules.schema.captioning import Interrogate
from modules.schema.errors import KararliError
from modules.schema.events import AnswerReady, Failed, Progress
from modules.ui.page import Page
from modules.ui.painting import background_of, kept
from modules.ui.widgets import note_card, progress_card


def interrogate_button(page: Page, prompt: gr.Textbox, picture: Any, name: str) -> None:
    """The button, the choice of a model, and where it stands. `picture` is the control that holds the picture."""
    say = page.translate
    with gr.Row(equal_height=True):
        button = gr.Button(say("Interrogate"), size="sm", scale=1, elem_id=f"{name}-interrogate")
        model = gr.Dropdown(
            _choices(page), value="", show_label=False, container=False, scale=2, label=say("Picture model"),
            elem_id=f"{name}-picture-model",
        )  # fmt: skip
    stage = gr.HTML("", elem_id=f"{name}-interrogate-stage")

    def ask(value: Any, chosen: str | None) -> Iterator[dict[Any, Any]]:
        """Put the picture into words."""
        try:
            digest = kept(page, background_of(value))
            job = page.jobs.submit(Interrogate(picture=digest, model=chosen or ""), save=False)
            for event in page.jobs.watch(job.id):
                if isinstance(event, Progress):
                    yield {stage: progress_card(event, say)}
                elif isinstance(event, AnswerReady):
                    yield {prompt: getattr(event.answer, "text", ""), stage: ""}
                elif isinstance(event, Failed):
                    yield {stage: note_card(event.reason, "problem")}
        except (KararliError, OSError) as error:
            yield {stage: note_card(str(error), "problem")}

    button.click(
        ask, [picture, model], [prompt, stage], api_name="interrogate", show_progress="hidden", concurrency_limit=None
    )
    model.focus(
        lambda: gr.update(choices=_choices(page)), None, [model], api_visibility="private", show_progress="hidden"
    )


def _choices(page: Page) -> list[tuple[str, str]]:
    entries = page.catalog.picture_models.entries()
    named = [(f"{entry.name} — ⚠ {entry.problem}" if entry.problem else entry.name, entry.name) for entry in entries]
    return [(page.translate("BLIP's sentence and CLIP's words, as far as they are there"), ""), *named]
