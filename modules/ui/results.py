"""The right side of a tab: where a job stands, its pictures, and the three ways to stop it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from modules.schema.errors import KararliError
from modules.schema.events import (
    AnswerReady,
    Cancelled,
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
from modules.schema.results import Result
from modules.ui.checking import CheckPane
from modules.ui.page import Page
from modules.ui.widgets import duration, note_card, place_card, preview_image, progress_card

Updates = dict[Any, Any]


class ResultPane:
    """Builds the components and shows jobs in them, each visitor's own."""

    def __init__(self, page: Page, prefix: str = "") -> None:
        self._page, say, self.prefix = page, page.translate, prefix
        self.job = gr.State("")
        """The job that is shown."""
        self.shown = gr.State([])
        """Its pictures: (path, seed, parameters) each."""
        self.seed = gr.State(None)
        """The seed of the picture whose parameters are shown."""
        self.stage = gr.HTML(note_card(say("Pictures appear here.")), elem_id=f"{prefix}stage")
        self.preview = gr.HTML("", visible=False, elem_id=f"{prefix}preview")
        with gr.Row():
            self.stop_now = gr.Button(
                say("Stop now"), variant="stop", size="sm", interactive=False, elem_id=f"{prefix}stop-now"
            )
            self.stop_after = gr.Button(
                say("Stop after this picture"), size="sm", interactive=False, elem_id=f"{prefix}stop-after"
            )
            self.skip = gr.Button(
                say("Skip this picture"), size="sm", interactive=False, elem_id=f"{prefix}skip"
            )  # fmt: skip
        self.gallery = gr.Gallery(
            label=say("Pictures"), columns=3, object_fit="contain", height=460, format="png",
            elem_id=f"{prefix}gallery", buttons=["fullscreen", "download"], interactive=False,
        )  # fmt: skip
        self.parameters = gr.Textbox(
            label=say("Parameters"), lines=4, buttons=["copy"], interactive=False, elem_id=f"{prefix}parameters"
        )
        self.download = gr.DownloadButton(say("Download the PNG"), interactive=False, elem_id=f"{prefix}download")
        CheckPane(page, self.download, f"{prefix}check")
        self.chosen = gr.State(None)
        """The file of the picture whose parameters are shown."""
        self.send_row = gr.Row(elem_classes="send-row")
        page.exchange.panes.append(self)
        self._connect()

    def outputs(self) -> list[Any]:
        """All that show() may change."""
        return [
            self.job, self.shown, self.seed, self.chosen, self.stage, self.preview, self.gallery, self.parameters,
            self.download, *self._stops(),
        ]  # fmt: skip

    def watch(self, job_id: str) -> Iterator[Updates]:
        """Show a job from wherever it stands to its end."""
        pictures: list[PictureReady] = []
        notice = ""
        yield {self.job: job_id, **self._pictures(pictures), **self._running(True)}
        try:
            for burst in self._page.jobs.watch_bursts(job_id):
                arrived = [event for event in burst if isinstance(event, PictureReady)]
                pictures += arrived
                updates: Updates = {}
                for event in burst:
                    if isinstance(event, Requeued):
                        notice = note_card(event.reason, "problem")
                    elif not isinstance(event, PictureReady | AnswerReady):
                        updates |= self._show(event, pictures)
                if notice and self.stage in updates:
                    updates[self.stage] = notice + updates[self.stage]
                if arrived:  # one update of the gallery a burst: it loses one of two that follow closely
                    updates |= {**self._pictures(pictures), self.preview: gr.update(visible=False)}
                yield updates
        except KararliError as error:
            yield self.refuse(str(error))

    def refuse(self, sentence: str) -> Updates:
        """Say why something is not done; what is shown stays."""
        return {self.stage: note_card(sentence, "problem"), **self._running(False)}

    def _show(self, event: JobEvent, pictures: list[PictureReady]) -> Updates:
        say = self._page.translate
        if isinstance(event, Progress):
            picture = gr.skip()
            if event.preview is not None:
                picture = gr.update(value=preview_image(event.preview, say), visible=True)
            return {self.stage: progress_card(event, say), self.preview: picture}
        if isinstance(event, Queued):
            return {self.stage: place_card(event, say)}
        if isinstance(event, Started):
            waiting = say("Starting …") if self._page.jobs.status().ready else say("The engine is starting …")
            return {self.stage: note_card(waiting)}
        return {  # with the pictures again: programs that call the page get what is said last
            **self._ended(event, pictures),
            **self._pictures(pictures),
            self.preview: gr.update(visible=False),
            **self._running(False),
        }

    def _ended(self, event: JobEvent, pictures: list[PictureReady]) -> Updates:
        kept = f" {self._page.translate('Pictures kept:')} {len(pictures)}." if pictures else ""
        if isinstance(event, Finished):
            return {self.stage: note_card(self._summary(event.result, len(pictures)), "done")}
        if isinstance(event, Failed):
            return {self.stage: note_card(event.reason + kept, "problem")}
        assert isinstance(event, Cancelled)
        return {self.stage: note_card(self._page.translate(event.reason) + kept)}

    def _summary(self, result: Result, count: int) -> str:
        say, timings = self._page.translate, result.timings
        runtime = result.environment.runtime
        painted = f"{count} {say('picture') if count == 1 else say('pictures')}"
        return f"{say('Done:')} {painted}, {duration_precise(timings.total)} · {runtime.device} {runtime.dtype}"

    def _pictures(self, pictures: list[PictureReady]) -> Updates:
        shown = [(str(picture.path), picture.seed, picture.infotext) for picture in pictures if picture.path]
        last = shown[-1] if shown else None
        return {
            self.shown: shown,
            self.seed: last[1] if last else None,
            self.chosen: last[0] if last else None,
            self.gallery: [(path, f"{seed}" if seed else Path(path).stem) for path, seed, _ in shown],
            self.parameters: last[2] if last else "",
            self.download: gr.update(value=last[0] if last else None, interactive=last is not None),
        }

    def _running(self, running: bool) -> Updates:
        return {button: gr.update(interactive=running) for button in self._stops()}

    def _stops(self) -> list[gr.Button]:
        return [self.stop_now, self.stop_after, self.skip]

    def _connect(self) -> None:
        jobs = self._page.jobs
        for button, how in zip(self._stops(), Stop, strict=True):

            def stop(job_id: str, how: Stop = how) -> None:
                jobs.stop(job_id, how)

            button.click(
                stop, [self.job], None, api_visibility="private", show_progress="hidden", concurrency_limit=None
            )
        self.gallery.select(
            self._select, [self.shown], [self.seed, self.chosen, self.parameters, self.download],
            api_visibility="private", show_progress="hidden",
        )  # fmt: skip

    @staticmethod
    def _select(shown: list[tuple[str, int, str]], event: gr.SelectData) -> tuple[Any, Any, Any, Any]:
        """Show the parameters of the picture that was clicked."""
        if not shown:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        path, seed, infotext = shown[event.index if isinstance(event.index, int) else event.index[0]]
        return seed, path, infotext, gr.update(value=path)


def duration_precise(seconds: float) -> str:
    """Short times with a digit behind the point."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)
