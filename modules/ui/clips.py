"""The right side of the animate tab: where an animation stands, the clip as it grows, and the clip."""

import time
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from PIL import Image

from modules.schema.errors import KararliError
from modules.schema.events import (
    Cancelled,
    ClipReady,
    Failed,
    Finished,
    JobEvent,
    PictureReady,
    Progress,
    Queued,
    Requeued,
    Started,
    Stop,
)
from modules.ui.language import Translate
from modules.ui.page import Page
from modules.ui.widgets import duration, note_card, place_card, preview_image, progress_card

Updates = dict[Any, Any]

GROWS_EVERY = 3.0
"""Seconds between two looks at the clip as it grows, at least."""

GROWING_FRAMES, GROWING_SIDE = 24, 256
"""Of the growing clip: the most frames, and pixels of its longer side."""

VIDEOS = ("mp4", "webm")


class ClipPane:
    """Builds the components and shows animations in them, each visitor's own."""

    def __init__(self, page: Page) -> None:
        self._page, say = page, page.translate
        self.job = gr.State("")
        self.stage = gr.HTML(note_card(say("The clip appears here.")), elem_id="animate-stage")
        self.preview = gr.HTML("", visible=False, elem_id="animate-preview")
        with gr.Row():
            self.stop_now = self._button("Stop now", "stop-now", variant="stop")
            self.stop_after = self._button("Stop after this frame", "stop-after")
            self.go_on = self._button("Continue", "continue")
        self.clip = gr.HTML("", elem_id="animate-clip")
        self.download = gr.DownloadButton(say("Download the clip"), interactive=False, elem_id="animate-download")
        self.parameters = gr.Textbox(
            label=say("Parameters"), lines=4, buttons=["copy"], interactive=False, elem_id="animate-parameters"
        )
        for button, how in ((self.stop_now, Stop.NOW), (self.stop_after, Stop.AFTER_PICTURE)):

            def stop(job_id: str, how: Stop = how) -> None:
                page.jobs.stop(job_id, how)

            button.click(
                stop, [self.job], None, api_visibility="private", show_progress="hidden", concurrency_limit=None
            )
        self.go_on.click(
            self._go_on, [self.job], self.outputs(), api_visibility="private", show_progress="hidden",
            concurrency_limit=None,
        )  # fmt: skip

    def outputs(self) -> list[Any]:
        """All that watch() may change."""
        return [
            self.job, self.stage, self.preview, self.stop_now, self.stop_after, self.go_on, self.clip, self.download,
            self.parameters,
        ]  # fmt: skip

    def watch(self, job_id: str) -> Iterator[Updates]:
        """Show an animation from wherever it stands to its end."""
        growing, notice = _Growing(self._page, job_id), ""
        yield {self.job: job_id, **self._emptied(), **self._running(True)}
        try:
            for burst in self._page.jobs.watch_bursts(job_id):
                updates: Updates = {}
                for event in burst:
                    if isinstance(event, Requeued):
                        notice = note_card(event.reason, "problem")
                    updates |= self._show(event)
                if notice and self.stage in updates:
                    updates[self.stage] = notice + updates[self.stage]
                if any(isinstance(event, PictureReady) for event in burst) and (image := growing.look()):
                    updates[self.preview] = gr.update(value=image, visible=True)
                if updates:
                    yield updates
        except KararliError as error:
            yield self.refuse(str(error))

    def refuse(self, sentence: str) -> Updates:
        """Say why something is not done; what is shown stays."""
        return {self.stage: note_card(sentence, "problem"), **self._running(False)}

    def found(self, job_id: str) -> Updates:
        """The clip of an earlier run of the program, if there is one."""
        clip = self._page.jobs.clip(job_id) if job_id else None
        return {self.job: job_id, **self._clip(clip)} if clip is not None else {self.job: gr.skip()}

    def _button(self, text: str, name: str, **options: Any) -> gr.Button:
        return gr.Button(self._page.translate(text), size="sm", interactive=False, elem_id=f"animate-{name}", **options)

    def _go_on(self, job_id: str) -> Iterator[Updates]:
        try:
            self._page.jobs.go_on(job_id)
        except KararliError as error:
            yield self.refuse(str(error))
            return
        yield from self.watch(job_id)

    def _show(self, event: JobEvent) -> Updates:
        say = self._page.translate
        if isinstance(event, Progress):
            shown: Updates = {self.stage: progress_card(event, say, "frame")}
            if event.preview is not None and event.picture < 2:  # later the clip grows in its place
                shown[self.preview] = gr.update(value=preview_image(event.preview, say), visible=True)
            return shown
        if isinstance(event, Queued):
            return {self.stage: place_card(event, say)}
        if isinstance(event, Started):
            waiting = say("Starting …") if self._page.jobs.status().ready else say("The engine is starting …")
            return {self.stage: note_card(waiting)}
        if isinstance(event, ClipReady):
            return self._clip(event)
        if isinstance(event, Finished | Failed | Cancelled):
            return {**self._ended(event), self.preview: gr.update(visible=False)}
        return {}

    def _ended(self, event: Finished | Failed | Cancelled) -> Updates:
        say = self._page.translate
        if isinstance(event, Finished):
            result = event.result
            frames = f"{result.request.picture_count} {say('frames')}"
            words = f"{say('Done:')} {frames}, {duration(result.timings.total)}"
            return {self.stage: note_card(words, "done"), **self._running(False)}
        kind, reason = ("problem", event.reason) if isinstance(event, Failed) else ("note", say(event.reason))
        words = f"{reason} {say('What is there is kept; Continue goes on from it.')}"
        return {self.stage: note_card(words, kind), **self._running(False), self.go_on: gr.update(interactive=True)}

    def _clip(self, ready: ClipReady) -> Updates:
        is_file = ready.path.is_file()
        return {
            self.clip: clip_card(ready, self._page.translate),
            self.download: gr.update(value=str(ready.path) if is_file else None, interactive=is_file),
            self.parameters: ready.infotext,
        }

    def _emptied(self) -> Updates:
        return {
            self.clip: "", self.parameters: "", self.download: gr.update(value=None, interactive=False),
            self.preview: gr.update(visible=False),
        }  # fmt: skip

    def _running(self, running: bool) -> Updates:
        stops = {button: gr.update(interactive=running) for button in (self.stop_now, self.stop_after)}
        return {**stops, self.go_on: gr.update(interactive=False)}


class _Growing:
    """The clip as far as it is there: small, and not at every frame."""

    def __init__(self, page: Page, job_id: str) -> None:
        self._page, self._job_id = page, job_id
        self._words = page.translate("The clip as far as it is there")
        self._known: dict[Path, Image.Image] = {}
        self._seen, self._next = 0, 0.0

    def look(self) -> str:
        """The clip as HTML; "" while there is nothing new to be seen."""
        paths = self._page.jobs.frames(self._job_id)
        if time.monotonic() < self._next or len(paths) < 2 or len(paths) == self._seen:
            return ""
        self._seen, self._next = len(paths), time.monotonic() + GROWS_EVERY
        count = min(len(paths), GROWING_FRAMES)
        wanted = [paths[round(number * (len(paths) - 1) / (count - 1))] for number in range(count)]
        try:
            self._known = {path: self._known.get(path) or _thumbnail(path) for path in wanted}
        except OSError:  # it has just been finished: its frames are gone
            return ""
        first, *rest = self._known.values()
        file = BytesIO()
        first.save(file, "WEBP", save_all=True, append_images=rest, duration=120, loop=0, quality=75, method=0)
        data = b64encode(file.getvalue()).decode()
        return f'<img class="preview" alt="{self._words}" src="data:image/webp;base64,{data}">'


def clip_card(ready: ClipReady, say: Translate) -> str:
    """A player for the clip, and what it is."""
    clip = ready.clip
    facts = f"{clip.format.upper()} · {clip.width} × {clip.height} · {clip.frames} {say('frames')}"
    facts += f" · {clip.seconds:.2f} s · {clip.fps} {say('frames a second')}"
    if not ready.complete:
        facts += f" · {say('not whole yet')}"
    address = f"gradio_api/file={quote(str(ready.path))}"
    if clip.format in VIDEOS:
        player = f'<video src="{address}" controls loop autoplay muted playsinline></video>'
    elif ready.path.is_dir():
        player = f"<p>{say('The frames are in this folder:')} <code>{escape(str(ready.path))}</code></p>"
    else:
        player = f'<img src="{address}" alt="{say("The clip")}">'
    return f'<figure class="clip">{player}<figcaption>{facts}</figcaption></figure>'


def _thumbnail(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.thumbnail((GROWING_SIDE, GROWING_SIDE))
        return image.convert("RGB")
