"""Small pieces of HTML. Everything that comes from outside is escaped here."""

import base64
from html import escape

from modules.schema.events import Progress, Queued, WorkerStatus
from modules.ui.language import Translate

ATTENTION_NAMES = {"xformers": "xformers", "sdpa": "PyTorch SDPA"}


def progress_card(event: Progress, translate: Translate, unit: str = "picture") -> str:
    """The bar over the whole job and the words below it; `unit` is what its pictures are called."""
    percent = round(event.done * 100)
    words = [translate(event.stage)]
    if event.pictures > 1:
        words.append(f"{translate(unit)} {event.picture + 1} / {event.pictures}")
    if event.steps:
        words.append(f"{translate('step')} {event.step} / {event.steps}")
    if event.seconds_left is not None and event.step:
        words.append(f"{duration(event.seconds_left)} {translate('left')}")
    return (
        f'<div class="stage" role="status"><progress max="100" value="{percent}" aria-label="{translate("Progress")}">'
        f"</progress><p>{percent} % · {' · '.join(escape(word) for word in words)}</p></div>"
    )


def preview_image(jpeg: bytes, translate: Translate) -> str:
    """The live preview."""
    data = base64.b64encode(jpeg).decode()
    return f'<img class="preview" alt="{translate("Preview")}" src="data:image/jpeg;base64,{data}">'


def place_card(event: Queued, translate: Translate) -> str:
    """Where in the queue a job waits."""
    if event.ahead == 0:
        text = translate("Next in the queue: it starts in a moment.")
    else:
        text = f"{translate('In the queue; jobs before this one:')} {event.ahead}"
    return note_card(text)


def note_card(text: str, kind: str = "note") -> str:
    """A sentence; `kind` is note, done or problem."""
    role = "alert" if kind == "problem" else "status"
    return f'<div class="stage {kind}" role="{role}"><p>{escape(text)}</p></div>'


def engine_line(status: WorkerStatus, waiting: int, busy: bool, translate: Translate) -> str:
    """What the engine runs on and what it is doing."""
    if status.problem:
        return f'<p class="engine problem" role="alert">{escape(status.problem)}</p>'
    if status.runtime is None or not status.ready:
        return f'<p class="engine">{translate("The engine is starting …")}</p>'
    runtime = status.runtime
    parts = [runtime.device_name, runtime.device, runtime.dtype, ATTENTION_NAMES[runtime.attention]]
    state = translate("painting") if busy else translate("ready")
    if waiting:
        state += f" ({waiting} {translate('waiting')})"
    return f'<p class="engine">{" · ".join(escape(part) for part in parts)} · <strong>{state}</strong></p>'


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
