"""The list of keyframes on the animate tab: a picture of them over time, buttons, and what the chosen one says.

A hidden box holds them as JSON; page.js moves the marks of the picture and writes their times there.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import gradio as gr
from pydantic import ValidationError

from modules.schema.animation import Easing, Keyframe
from modules.schema.easing import eased
from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.media import flatten, read_image
from modules.ui.form import Form, bounds
from modules.ui.language import Translate
from modules.ui.page import Page

FIRST = (
    Keyframe(time=0.0, prompt="a red circle on a white background", easing="ease in-out"),
    Keyframe(time=2.0, prompt="a blue square on a white background"),
)
"""What a visitor finds there."""

SPACING = 2.0
"""Seconds from the last keyframe to one that is added."""

WIDTH, HEIGHT, MARGIN, LINE = 640, 140, 32, 92
THUMBNAIL = 56

REMEMBERED = 30
"""Texts that were written into the box, by which what comes from elsewhere is told."""

OPEN = ("seed", "guidance_scale", "strength")
"""What a keyframe may leave to the animation."""

Values = dict[str, Any]
"""A keyframe as JSON has it."""


class KeyframeList:
    """The keyframes of the form, and the controls for the chosen one.

    Build it where the list is to stand; connect() once all of the tab is there.
    """

    def __init__(self, page: Page, form: Form[Any]) -> None:
        self._page, say = page, page.translate
        self.box = gr.Textbox(
            _text([one.model_dump(mode="json") for one in FIRST]), visible="hidden", label=say("Keyframes"),
            elem_id="animate-keyframes",
        )  # fmt: skip
        form.add("keyframes", self.box)
        self.chosen = gr.Number(0, visible="hidden", elem_id="animate-chosen", label=say("Keyframe"), precision=0)
        self._own = gr.State([self.box.value])
        """What the controls here have written, the last one last: the box is behind while an answer is on its way."""
        self._place = gr.State(0)
        """Which keyframe the controls show by now."""
        self._moved = gr.Textbox("", visible="hidden", elem_id="animate-moved", label=say("Keyframe"))
        """Written by page.js: the place of a keyframe that was clicked, its time if it was dragged, a new number."""
        self.picture = gr.HTML(self._draw(self.box.value, 0), elem_id="animate-timeline")
        with gr.Row():
            self._add = gr.Button(say("Add"), size="sm", min_width=70, elem_id="animate-add")
            self._copy = gr.Button(say("Copy"), size="sm", min_width=70, elem_id="animate-copy")
            self._earlier = gr.Button(f"◀ {say('Previous')}", size="sm", min_width=70, elem_id="animate-previous")
            self._later = gr.Button(f"{say('Next')} ▶", size="sm", min_width=70, elem_id="animate-next")
            self._remove = gr.Button(say("Remove"), size="sm", variant="stop", min_width=70, elem_id="animate-remove")
        self.editor = self._editor(FIRST[0])

    def _editor(self, shown: Keyframe) -> dict[str, Any]:
        """The controls of one keyframe, by the names of its values."""
        say = self._page.translate
        with gr.Group():
            with gr.Row():
                time = _number(say, "time", shown.time, step=0.05)
                easing = gr.Dropdown(
                    [(say(_capital(name)), name) for name in get_args(Easing)], value=shown.easing,
                    label=say("Easing"), elem_id="animate-key-easing",
                )  # fmt: skip
                hold = _number(say, "hold", shown.hold, step=0.1)
            prompt = gr.Textbox(
                shown.prompt, label=say("Prompt of this keyframe"), lines=2, max_lines=8, elem_id="animate-key-prompt"
            )
            with gr.Accordion(say("More about this keyframe"), open=False):
                negative = gr.Textbox("", label=say("Negative prompt"), max_lines=8, elem_id="animate-key-negative")
                with gr.Row():
                    seed, guidance, strength = (
                        gr.Textbox(
                            "", label=say(Keyframe.model_fields[name].title or name), max_lines=1,
                            placeholder=say("The animation's"), elem_id=f"animate-key-{name}",
                        )
                        for name in OPEN
                    )  # fmt: skip
                expression = gr.Textbox(
                    "", label=say("Expression"), info=say(Keyframe.model_fields["expression"].description or ""),
                    max_lines=1, elem_id="animate-key-expression",
                )  # fmt: skip
                picture = gr.Image(
                    label=say("Picture"), type="filepath", height=200, elem_id="animate-key-picture", format="png",
                    sources=["upload", "clipboard"],
                )  # fmt: skip
        return {
            "time": time, "prompt": prompt, "negative_prompt": negative, "seed": seed, "guidance_scale": guidance,
            "strength": strength, "easing": easing, "expression": expression, "hold": hold, "picture": picture,
        }  # fmt: skip

    def inputs(self) -> dict[str, Any]:
        """What a handler needs to know the list as it is, for Gradio's inputs_kwargs."""
        return {"chosen": self.chosen, **{f"key_{name}": control for name, control in self.editor.items()}}

    def current(self, values: Mapping[str, Any]) -> str:
        """The list as it is: what was typed last has not always reached the box. Raises KararliError or OSError."""
        listed, chosen = _listed(values.get("keyframes") or "[]"), int(values.get("chosen") or 0)
        given = {name: values.get(f"key_{name}") for name in self.editor}
        if not 0 <= chosen < len(listed) or all(value is None for value in given.values()):
            return _text(listed)
        listed[chosen] = self._edited(given)
        return _text(listed)

    def connect(self) -> None:
        """Let the buttons and the controls act."""
        private: dict[str, Any] = {  # one after the other: each writes the whole list
            "api_visibility": "private", "show_progress": "hidden", "concurrency_id": "keyframes",
        }  # fmt: skip
        outputs = [self.box, self._own, self._place, self.chosen, self.picture, *self.editor.values()]
        for button, change in (
            (self._add, _added), (self._copy, _copied), (self._remove, _removed), (self._earlier, _stepped(-1)),
            (self._later, _stepped(1)),
        ):  # fmt: skip

            def act(own: list[str], change: Any = change, **values: Any) -> list[Any]:
                text = self._kept(own, values)
                listed, chosen = change(_listed(text), int(values.get("chosen") or 0))
                return self._shown(own, _text(listed), chosen)

            button.click(act, inputs_kwargs={"own": self._own, **self.inputs()}, outputs=outputs, **private)

        def take(own: list[str], moved: str = "", **values: Any) -> list[Any]:
            listed = _listed(self._kept(own, values))
            place, time, _ = moved.split(":")
            if time and int(place) < len(listed):
                listed[int(place)]["time"] = float(time)
            return self._shown(own, _text(listed), int(place))

        self._moved.change(
            take, inputs_kwargs={"own": self._own, "moved": self._moved, **self.inputs()}, outputs=outputs, **private
        )  # fmt: skip
        self.box.change(self._follow, [self.box, self._own, self.chosen], outputs, **private)

        def edit(own: list[str], place: int, **values: Any) -> tuple[str, list[str], str]:
            text = self._kept(own, values)
            return text, _written(own, text), self._draw(text, place)

        for control in self.editor.values():
            for listen in _changes(control):
                listen(
                    edit, inputs_kwargs={"own": self._own, "place": self._place, **self.inputs()},
                    outputs=[self.box, self._own, self.picture], **private,
                )  # fmt: skip

    def _kept(self, own: Sequence[str], values: Mapping[str, Any]) -> str:
        """As current(), with a warning in place of an error: what was wrong stays as it was."""
        try:
            return self.current({**values, "keyframes": own[-1]})
        except (KararliError, OSError) as error:
            gr.Warning(str(error))
            return own[-1]

    def _edited(self, given: Mapping[str, Any]) -> Values:
        """A keyframe with what its controls say. A picture's file is kept once, and is its digest from then on."""
        nothing = Keyframe().model_dump(mode="json")
        after = {name: nothing[name] if value in (None, "") else value for name, value in given.items()}
        after["picture"] = self._digest(given["picture"])
        try:
            return Keyframe.model_validate(after).model_dump(mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            label = getattr(self.editor.get(place), "label", None) or self._page.translate("Keyframe")
            raise InvalidRequest(f"{label}: {first['msg']}.", "keyframes") from None

    def _digest(self, path: str | None) -> str:
        return self._page.jobs.keep_picture(Path(path).read_bytes()) if path else ""

    def _shown(self, own: Sequence[str], text: str, chosen: int) -> list[Any]:
        """The updates that show a list and one of its keyframes."""
        listed = _listed(text)
        chosen = min(max(chosen, 0), max(len(listed) - 1, 0))
        keyframe = listed[chosen] if listed else Keyframe().model_dump(mode="json")
        values = {**keyframe, "picture": self._image(keyframe.get("picture", ""))}
        updates = [gr.update(value=_typed(name, values)) for name in self.editor]
        return [text, _written(own, text), chosen, chosen, self._draw(text, chosen), *updates]

    def _follow(self, text: str, own: Sequence[str], chosen: float | None) -> list[Any]:
        """Show a list that was put into the box from elsewhere.

        What was written here is shown already, and somebody may be typing on.
        """
        if text in own:
            return [gr.skip()] * (5 + len(self.editor))
        return self._shown((), text, int(chosen or 0))

    def _image(self, digest: str) -> Any:
        try:
            return flatten(read_image(self._page.jobs.input_picture(digest))) if digest else None
        except KararliError:
            return None

    def _draw(self, text: str, chosen: int) -> str:
        return timeline(_listed(text), chosen, self._thumbnail, self._page.translate)

    def _thumbnail(self, digest: str) -> str:
        try:
            return _small(self._page.jobs.input_picture(digest))
        except KararliError:
            return ""


@dataclass(frozen=True)
class _Scale:
    """Where times lie in the picture."""

    seconds: float

    def x(self, time: float) -> float:
        return MARGIN + time / self.seconds * (WIDTH - 2 * MARGIN)


def timeline(listed: Sequence[Values], chosen: int, thumbnail: Any, say: Translate) -> str:
    """The keyframes over time as SVG: marks to click and to drag, the easing between them, their pictures."""
    if not listed:
        return f'<p class="stage">{say("There are no keyframes yet. Add one.")}</p>'
    order = _in_order(listed)
    scale = _Scale(max(*map(_time, listed), 0.5))
    parts = [_ways([listed[place] for place in order], scale), _ruler(scale)]
    for number, place in enumerate(order, start=1):
        one = listed[place]
        x, selected = scale.x(_time(one)), " selected" if place == chosen else ""
        words = escape(str(one.get("prompt") or "…")[:60])
        image = thumbnail(one["picture"]) if one.get("picture") else ""
        if image:
            parts.append(f'<image href="{image}" x="{x - 28:.1f}" y="6" width="{THUMBNAIL}" height="{THUMBNAIL}"/>')
        parts.append(
            f'<g class="mark{selected}" data-place="{place}" transform="translate({x:.1f} {LINE})" tabindex="0"'
            f' role="button" aria-label="{_time(one):g} s: {words}"><title>{words}</title>'
            f'<circle r="13"/><text y="5">{number}</text></g>'
        )
    label = say("Keyframes over time: click to choose, drag to move")
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{label}"'
        f' data-seconds="{scale.seconds}" data-margin="{MARGIN}">{"".join(parts)}</svg>'
    )


def _ways(listed: Sequence[Values], scale: _Scale) -> str:
    """How much of the way is done, between each keyframe and the next."""
    paths: list[str] = []
    for one, other in pairwise(listed):
        begin, end = _time(one), _time(other)
        points: list[str] = []
        for step in range(25):
            try:
                done = eased(step / 24, one.get("easing") or "linear", one.get("expression") or "")
            except ValueError:
                done = step / 24
            points.append(f"{scale.x(begin + (end - begin) * step / 24):.1f},{LINE - 4 - 26 * done:.1f}")
        paths.append(f'<polyline class="way" points="{" ".join(points)}"/>')
    return "".join(paths)


def _ruler(scale: _Scale) -> str:
    step = next(size for size in (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900) if scale.seconds / size <= 10)
    ticks = (step * number for number in range(int(scale.seconds / step) + 1))
    marks = "".join(f'<text class="tick" x="{scale.x(tick):.1f}" y="{HEIGHT - 12}">{tick:g} s</text>' for tick in ticks)
    return f'<line class="ruler" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{LINE}" y2="{LINE}"/>{marks}'


def _listed(text: str) -> list[Values]:
    """The keyframes in a box. What cannot be read is left out."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(listed: Sequence[Values]) -> str:
    return json.dumps(list(listed), ensure_ascii=False)


def _changes(control: Any) -> list[Any]:
    """The events that say that a person has changed a control, once they are done."""
    if isinstance(control, gr.Image):
        return [control.upload, control.clear]
    return [control.input if isinstance(control, gr.Dropdown) else control.blur]


def _written(own: Sequence[str], text: str) -> list[str]:
    """With one more text, and without those that no answer on its way can bring any more."""
    return [*own[-REMEMBERED:], text]


def _in_order(listed: Sequence[Values]) -> list[int]:
    """The places of the keyframes, the earliest first. In the list itself they stay as they were added."""
    return sorted(range(len(listed)), key=lambda place: _time(listed[place]))


def _time(keyframe: Values) -> float:
    return float(keyframe.get("time") or 0)


def _added(listed: list[Values], _chosen: int) -> tuple[list[Values], int]:
    last = max(map(_time, listed), default=-SPACING)
    return [*listed, Keyframe(time=last + SPACING).model_dump(mode="json")], len(listed)


def _copied(listed: list[Values], chosen: int) -> tuple[list[Values], int]:
    if not 0 <= chosen < len(listed):
        return _added(listed, chosen)
    return [*listed, {**listed[chosen], "time": max(map(_time, listed)) + SPACING}], len(listed)


def _removed(listed: list[Values], chosen: int) -> tuple[list[Values], int]:
    return [one for place, one in enumerate(listed) if place != chosen], max(chosen - 1, 0)


def _stepped(by: int) -> Any:
    """Chooses a neighbour in time."""

    def step(listed: list[Values], chosen: int) -> tuple[list[Values], int]:
        order = _in_order(listed)
        if chosen not in order:
            return listed, 0
        return listed, order[min(max(order.index(chosen) + by, 0), len(order) - 1)]

    return step


def _number(say: Translate, name: str, value: float | None, **options: Any) -> gr.Number:
    field = Keyframe.model_fields[name]
    low, high = bounds(field)
    return gr.Number(
        value, label=say(field.title or name), minimum=low, maximum=high, elem_id=f"animate-key-{name}", **options
    )


def _typed(name: str, values: Values) -> Any:
    """A value as its control shows it."""
    value = values.get(name)
    return ("" if value is None else f"{value}") if name in OPEN else value


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


@lru_cache(maxsize=64)
def _small(data: bytes) -> str:
    """A small square of a picture, as an address."""
    image = flatten(read_image(data))
    image.thumbnail((2 * THUMBNAIL, 2 * THUMBNAIL))
    file = BytesIO()
    image.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"
