"""Fills a form from a picture's parameters: dropped on the prompt, pasted there, or sent from another tab."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import BaseModel

from modules.schema.errors import KararliError
from modules.storage.reading import read_text
from modules.ui.form import Form, field_at
from modules.ui.language import Translate
from modules.ui.page import Page
from modules.ui.takeover import Takeover, TakeoverRules, read_file

Updates = dict[Any, Any]

TAKES_PARAMETERS = "takes-parameters"
"""The class of prompts that page.js listens to; the hidden inputs have the prompt's id and an ending."""


class Filler:
    """A form's hidden inputs, the note of what was filled in, and the way back.

    Build it where the note is to stand, and connect() it once the form has all its controls. Other tabs fill the form
    through send_on().
    """

    def __init__(self, page: Page, form: Form[Any], model: type[BaseModel], prompt: gr.Textbox) -> None:
        self._page, self._form, self._model = page, form, model
        name, say = prompt.elem_id, page.translate
        prompt.elem_classes = [*(prompt.elem_classes or []), TAKES_PARAMETERS]
        with gr.Row(visible=False, equal_height=True, elem_id=f"{name}-filled", elem_classes="filled") as self._row:
            self._note = gr.HTML("", elem_id=f"{name}-note")
            self._undo_button = gr.Button(say("Undo"), size="sm", scale=0, min_width=90, elem_id=f"{name}-undo")
        self._before = gr.State(None)
        """The controls' values before they were filled."""
        self._pasted = gr.Textbox("", visible="hidden", elem_id=f"{name}-pasted", label="Parameters")
        self._take = gr.Button("", visible="hidden", elem_id=f"{name}-take")
        self._dropped = gr.File(visible="hidden", elem_id=f"{name}-dropped", label="Picture", type="filepath")

    def connect(self) -> None:
        """Listen to the hidden inputs."""
        self._on(self._take.click, self._pasted, lambda text: self._rules().of_reading(read_text(text)))
        self._on(self._dropped.upload, self._dropped, self._of_file)
        self._undo_button.click(
            self._undo, [self._before], self._outputs(), api_visibility="private", show_progress="hidden",
            concurrency_limit=None,
        )  # fmt: skip

    def send_on(self, trigger: Callable[..., Any], picture: gr.File) -> Any:
        """Fill the form from the picture in a component when something happens there; gives Gradio's dependency."""
        return self._on(trigger, picture, self._of_file, clear=False)

    def _of_file(self, path: str) -> Takeover:
        return self._rules().of_picture(read_file(Path(path)))

    def _rules(self) -> TakeoverRules:
        return TakeoverRules(self._model, self._form.paths, self._page.catalog, self._page.plugins)

    def _on(self, trigger: Callable[..., Any], source: Any, read: Callable[[str], Takeover], clear: bool = True) -> Any:
        """Fill the form from what is given there, and make that empty again."""
        outputs = [*self._outputs(), source] if clear else self._outputs()

        def fill(given: Any, **values: Any) -> Updates:
            emptied = {source: "" if source is self._pasted else None} if clear else {}
            if not given and clear:
                return {self._before: gr.skip()}
            try:
                takeover = read(given) if given else Takeover({}, ("There is no picture yet.",))
            except KararliError as error:
                takeover = Takeover({}, (str(error),))
            return {**emptied, **self._show(takeover, values)}

        return trigger(
            fill, inputs_kwargs={"given": source, **self._form.inputs()}, outputs=outputs, api_visibility="private",
            show_progress="hidden", concurrency_limit=None,
        )  # fmt: skip

    def _show(self, takeover: Takeover, values: Mapping[str, Any]) -> Updates:
        controls = {path: self._form.control(path) for path in takeover.values}
        return {
            **{control: self._form.shown(path, takeover.values[path]) for path, control in controls.items()},
            self._note: filled_note(takeover, self._model, self._page.translate),
            self._row: gr.update(visible=True),
            self._before: dict(values),
        }

    def _undo(self, before: Mapping[str, Any] | None) -> Updates:
        hidden = {self._row: gr.update(visible=False), self._before: None}
        inputs = self._form.inputs()
        return {**hidden, **{inputs[name]: gr.update(value=value) for name, value in (before or {}).items()}}

    def _outputs(self) -> list[Any]:
        return [*self._form.inputs().values(), self._note, self._row, self._before]


def filled_note(takeover: Takeover, model: type[BaseModel], say: Translate) -> str:
    """Which controls were filled, and what was left out, as HTML."""
    labels = [say(field_at(model, path).title or path) for path in takeover.values]
    kind = "done" if labels else "problem"
    lines = [f"<p><strong>{say('Filled in:')}</strong> {escape(', '.join(labels))}</p>"] if labels else []
    if takeover.left_out:
        items = "".join(f"<li>{escape(words)}</li>" for words in takeover.left_out)
        lines.append(f"<p><strong>{say('Left out:')}</strong></p><ul>{items}</ul>")
    return f'<div class="stage {kind}" role="status">{"".join(lines)}</div>'
