"""A button that makes a picture again, and says whether it is the same."""

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from modules.catalog.identifying import find_by_digest
from modules.jobs.checking import Change, Outcome, Verdict, check
from modules.schema.events import Job, JobEvent, Progress, Queued, Started, Stop
from modules.storage.opening import UnreadablePicture, file_bytes
from modules.ui.language import Translate
from modules.ui.page import Page
from modules.ui.widgets import note_card, place_card, progress_card

KINDS = {Outcome.IDENTICAL: "done", Outcome.CLOSE: "done", Outcome.DIFFERENT: "problem", Outcome.IMPOSSIBLE: "problem"}


class CheckPane:
    """The button, where the check stands, and its verdict. `source` is the component that holds the picture's file."""

    def __init__(self, page: Page, source: Any, name: str) -> None:
        self._page, self._source, say = page, source, page.translate
        self._job = gr.State("")
        with gr.Row():
            self.button = gr.Button(say("Check: make it again and compare"), size="sm", elem_id=name)
            self._stop = gr.Button(say("Stop the check"), size="sm", interactive=False, elem_id=f"{name}-stop")
        self.verdict = gr.HTML("", elem_id=f"{name}-verdict")
        outputs = [self.button, self._stop, self.verdict, self._job]
        self.button.click(
            self._run, [source], outputs, api_visibility="private", show_progress="hidden", concurrency_limit=None
        )
        self._stop.click(
            lambda job_id: page.jobs.stop(job_id, Stop.NOW), [self._job], None, api_visibility="private",
            show_progress="hidden", concurrency_limit=None,
        )  # fmt: skip

    def _run(self, path: str | None) -> Iterator[dict[Any, Any]]:
        say = self._page.translate
        if not path:
            yield {self.verdict: note_card(say("There is no picture to check yet."), "problem")}
            return
        yield {self.button: gr.update(interactive=False), self.verdict: note_card(say("Reading the picture …"))}
        try:
            data = file_bytes(Path(path))
        except UnreadablePicture as error:
            yield {self.button: gr.update(interactive=True), self.verdict: note_card(str(error), "problem")}
            return
        for event in check(data, self._page.jobs, self._locate):
            if isinstance(event, Job):
                yield {self._job: event.id, self._stop: gr.update(interactive=True)}
            elif (shown := self.show(event)) is not None:
                yield {self.verdict: shown}
        yield {self.button: gr.update(interactive=True), self._stop: gr.update(interactive=False)}

    def show(self, event: JobEvent | Verdict) -> str | None:
        """Where the check stands after an event; None when it says nothing new."""
        say = self._page.translate
        if isinstance(event, Verdict):
            return verdict_card(event, say)
        if isinstance(event, Queued):
            return place_card(event, say)
        if isinstance(event, Started):
            return note_card(say("Starting …"))
        return progress_card(event, say) if isinstance(event, Progress) else None

    def _locate(self, name: str, sha256: str) -> str:
        return find_by_digest(self._page.catalog, name, sha256).name


def verdict_card(verdict: Verdict, say: Translate) -> str:
    """The verdict, what the picture depends on then and now, and where the pixels differ."""
    titles = {
        Outcome.IDENTICAL: say("Identical"),
        Outcome.CLOSE: say("Equal within tolerance"),
        Outcome.DIFFERENT: say("Different"),
        Outcome.IMPOSSIBLE: say("It cannot be checked here"),
    }
    kind = KINDS[verdict.outcome]
    parts = [f"<h4>{titles[verdict.outcome]}</h4><p>{escape(verdict.sentence)}</p>"]
    if verdict.difference is not None:
        data = base64.b64encode(verdict.difference.picture).decode()
        alt = say("The brighter, the more a pixel differs")
        parts.append(
            f'<figure><img class="difference" alt="{alt}" src="data:image/png;base64,{data}">'
            f"<figcaption>{alt}</figcaption></figure>"
        )
    if verdict.changes:
        is_open = " open" if any(change.differs for change in verdict.changes) else ""
        rows = "".join(_row(change) for change in verdict.changes)
        head = f"<tr><th></th><th>{say('Then')}</th><th>{say('Now')}</th></tr>"
        parts.append(
            f"<details{is_open}><summary>{say('What it was made with')}</summary>"
            f'<table class="facts">{head}{rows}</table></details>'
        )
    role = "alert" if kind == "problem" else "status"
    return f'<div class="stage verdict {kind}" role="{role}">{"".join(parts)}</div>'


def _row(change: Change) -> str:
    cells = "".join(f"<td>{escape(value) or '–'}</td>" for value in (change.then, change.now))
    return f'<tr class="{"differs" if change.differs else "same"}"><th>{escape(change.name)}</th>{cells}</tr>'
