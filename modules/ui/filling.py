"""Fills a form from a picture's parameters: dropped on the prompt, pasted there, or sent from another tab."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_pil_to_cache
from pydantic import BaseModel

from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.media import read_image
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
    through send_on(). `pictures` are the paths of input pictures, the one to start from first; what is in `stays` is
    left as it is.
    """

    def __init__(
        self,
        page: Page,
        form: Form[Any],
        prompt: gr.Textbox,
        pictures: Collection[str] = (),
        stays: Collection[str] = (),
    ) -> None:
        self._page, self._form, self._model = page, form, form.model
        self._pictures, self._stays = tuple(pictures), frozenset(stays)
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
        self._on(self._take.click, self._pasted, self._of_text)
        self._on(self._dropped.upload, self._dropped, self._of_file)
        self._undo_button.click(
            self._undo, [self._before], self._outputs(), api_visibility="private", show_progress="hidden",
            concurrency_limit=None,
        )  # fmt: skip

    def send_on(self, trigger: Callable[..., Any], picture: gr.File) -> Any:
        """Fill the form from the picture in a component when something happens there; gives Gradio's dependency."""
        return self._on(trigger, picture, self._of_file, clear=False)

    def send_result(self, trigger: Callable[..., Any], sent: gr.State) -> Any:
        """The same from a result (its file, and when it was sent), which becomes the picture to start from."""
        return self._on(trigger, sent, lambda given: self._of_result(given[0]), clear=False)

    def _of_text(self, text: str) -> Takeover:
        return self._with_inputs(self._rules().of_reading(read_text(text)))

    def _of_file(self, path: str) -> Takeover:
        """Of a picture that started from no other one, or from one that is not here, the picture itself is taken."""
        taken = self._with_inputs(self._parameters(path))
        return taken if not self._pictures or self._pictures[0] in taken.values else self._starting_from(path, taken)

    def _of_result(self, path: str) -> Takeover:
        return self._starting_from(path, self._parameters(path))

    def _parameters(self, path: str) -> Takeover:
        return self._rules().of_picture(read_file(Path(path)))

    def _starting_from(self, path: str, taken: Takeover) -> Takeover:
        values = {name: value for name, value in taken.values.items() if name not in (*self._pictures, *self._stays)}
        empty = dict.fromkeys(self._pictures)
        return replace(taken, values={**values, **empty, self._pictures[0]: self._shown(self._pictures[0], path)})

    def _with_inputs(self, taken: Takeover) -> Takeover:
        """With the input pictures themselves in place of their digests, as far as they are here."""
        values = {name: value for name, value in taken.values.items() if name not in self._stays}
        left_out = list(taken.left_out)
        for name in self._pictures:
            if digest := values.pop(name, ""):
                try:
                    image = read_image(self._page.jobs.input_picture(digest))
                    path = save_pil_to_cache(image, self._form.control(name).GRADIO_CACHE, format="png")
                    values[name] = self._shown(name, path)
                except InvalidRequest as error:
                    left_out.append(str(error))
        return Takeover(values, tuple(left_out))

    def _shown(self, name: str, path: str) -> Any:
        """How that control takes a picture's file."""
        control = self._form.control(name)
        if isinstance(control, gr.ImageEditor):
            return {"background": path, "layers": [], "composite": path}
        return [path] if isinstance(control, gr.File) else path

    def _rules(self) -> TakeoverRules:
        return TakeoverRules(self._model, self._form.paths, self._page.catalog, self._page.plugins)

    def _on(self, trigger: Callable[..., Any], source: Any, read: Callable[[Any], Takeover], clear: bool = True) -> Any:
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
