"""What was said of videos: the words, how sure the model is, when what happens, what it saw and where it looked."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from modules.schema.captioning import Description, Label, Passage
from modules.schema.errors import KararliError
from modules.schema.events import AnswerReady, Cancelled, Failed, Finished, JobEvent, Progress, Queued, Started, Stop
from modules.storage.captions import WRITERS, passages_of
from modules.ui.language import Translate
from modules.ui.page import Page
from modules.ui.results import Updates, duration_precise
from modules.ui.widgets import note_card, place_card, progress_card

FRAMES, ATTENTION = "frames.png", "attention.mp4"
"""What belongs to an answer, by the names that the engine gives it."""

MEDIA_TYPES = {".srt": "application/x-subrip", ".vtt": "text/vtt", ".json": "application/json", ".csv": "text/csv"}

COLOURS = 6
"""How many colours the timeline has for its words."""


class CaptionPane:
    """Builds the components and shows jobs in them, each visitor's own."""

    def __init__(self, page: Page) -> None:
        self._page, say = page, page.translate
        self.job = gr.State("")
        self.results = gr.State([])
        """What was said: (description as JSON, its files by name) for each video."""
        self.stage = gr.HTML(note_card(say("What the video shows appears here, in words.")), elem_id="caption-stage")
        self.stop = gr.Button(say("Stop now"), variant="stop", size="sm", interactive=False, elem_id="caption-stop")
        self.which = gr.Dropdown([], label=say("Video"), visible=False, elem_id="caption-which")
        self.words = gr.Textbox(
            label=say("In words"), lines=2, interactive=False, buttons=["copy"], elem_id="caption-words"
        )
        self.facts = gr.HTML("", elem_id="caption-result")
        self.strip = gr.Image(
            show_label=False, interactive=False, visible=False, buttons=["fullscreen"],
            format="png", elem_id="caption-strip",
        )  # fmt: skip
        self.overlay = gr.Video(
            label=say("Where it looked"), interactive=False, visible=False, loop=True, height=300,
            elem_id="caption-attention", buttons=["download"],
        )  # fmt: skip
        self.downloads = gr.HTML("", elem_id="caption-downloads")
        self.as_prompt = gr.Button(
            say("As prompt in txt2img"), size="sm", interactive=False, elem_id="caption-as-prompt"
        )
        self._connect()

    def outputs(self) -> list[Any]:
        """All that watch() may change."""
        return [
            self.job, self.results, self.stage, self.stop, self.which, self.words, self.facts, self.strip,
            self.overlay, self.downloads, self.as_prompt,
        ]  # fmt: skip

    def watch(self, job_id: str) -> Iterator[Updates]:
        """Show a job from wherever it stands to its end."""
        answers: list[AnswerReady] = []
        yield {self.job: job_id, self.stop: gr.update(interactive=True), **self.show([], 0)}
        try:
            for burst in self._page.jobs.watch_bursts(job_id):
                updates: Updates = {}
                arrived = [event for event in burst if isinstance(event, AnswerReady)]
                answers += arrived
                for event in burst:
                    updates |= self._stage(event, len(answers))
                if arrived:
                    updates |= self.show([_kept(answer) for answer in answers], 0)
                yield updates
        except KararliError as error:
            yield self.refuse(str(error))

    def refuse(self, sentence: str) -> Updates:
        """Say why something is not done; what is shown stays."""
        return {self.stage: note_card(sentence, "problem"), self.stop: gr.update(interactive=False)}

    def show(self, results: Sequence[tuple[str, Mapping[str, str]]], place: int) -> Updates:
        """The results, with the one at `place` in full."""
        say = self._page.translate
        descriptions = [Description.model_validate_json(said) for said, _ in results]
        names = [(f"{index + 1}. {one.name}", index) for index, one in enumerate(descriptions)]
        files = results[place][1] if results else {}
        one = descriptions[place] if results else Description()
        return {
            self.results: list(results),
            self.which: gr.update(choices=names, value=place if names else None, visible=len(names) > 1),
            self.words: one.text,
            self.facts: (table(descriptions, say) + details(one, say)) if results else "",
            self.strip: gr.update(value=files.get(FRAMES), visible=FRAMES in files),
            self.overlay: gr.update(value=files.get(ATTENTION), visible=ATTENTION in files),
            self.downloads: downloads(descriptions, place, say) if results else "",
            self.as_prompt: gr.update(interactive=bool(one.text)),
        }

    def _stage(self, event: JobEvent, count: int) -> Updates:
        say = self._page.translate
        if isinstance(event, Progress):
            return {self.stage: progress_card(event, say)}
        if isinstance(event, Queued):
            return {self.stage: place_card(event, say)}
        if isinstance(event, Started):
            return {self.stage: note_card(say("Starting …"))}
        if isinstance(event, Finished):
            runtime, seconds = event.result.environment.runtime, duration_precise(event.result.timings.total)
            words = f"{say('Done:')} {count} {say('video') if count == 1 else say('videos')}, {seconds}"
            ended = note_card(f"{words} · {runtime.device} {runtime.dtype}", "done")
        elif isinstance(event, Failed):
            ended = note_card(event.reason, "problem")
        elif isinstance(event, Cancelled):
            ended = note_card(say(event.reason))
        else:
            return {}
        return {self.stage: ended, self.stop: gr.update(interactive=False)}

    def _connect(self) -> None:
        page = self._page
        self.stop.click(
            lambda job_id: page.jobs.stop(job_id, Stop.NOW), [self.job], None, api_visibility="private",
            show_progress="hidden", concurrency_limit=None,
        )  # fmt: skip
        self.which.input(
            lambda results, place: self.show(results, place or 0), [self.results, self.which], self.outputs(),
            api_visibility="private", show_progress="hidden",
        )  # fmt: skip
        prompt = page.exchange.prompts.get("txt2img")
        if prompt is not None and page.tabs is not None:
            self.as_prompt.click(
                lambda words: (words, gr.Tabs(selected="txt2img")), [self.words], [prompt, page.tabs],
                api_visibility="private", show_progress="hidden",
            )  # fmt: skip


def details(one: Description, say: Translate) -> str:
    """What is known of one video: the sentence, the bars, the timeline."""
    if one.problem:
        return note_card(one.problem, "problem")
    parts = [f'<p class="said">{escape(one.sentence)}</p>', bars(one.labels)]
    if one.timeline:
        parts.append(f"<h4>{say('What happens when')}</h4>{timeline(one)}")
    model = f"{say('Model')}: {escape(one.model)}"
    licence = f" · {say('licence')}: {escape(one.licence)}" if one.licence else f" · {say('its card names no licence')}"
    parts += [f"<p>{escape(note)}</p>" for note in one.notes]
    seen = ", ".join(f"{moment:.2f}" for moment in one.moments)
    parts.append(f'<p class="small">{model}{licence}<br>{say("Seconds that were looked at")}: {seen}</p>')
    parts.append(f"<h4>{say('The frames as the model saw them')}</h4>")
    return f'<div class="stage caption">{"".join(parts)}</div>'


def bars(labels: Sequence[Label]) -> str:
    """The labels with their probabilities, as bars."""
    rows = "".join(
        f'<div class="bar"><span style="width: {label.probability * 100:.1f}%"></span>'
        f"<b>{escape(label.text)}</b><i>{label.probability:.1%}</i></div>"
        for label in labels
    )
    return f'<div class="bars">{rows}</div>' if rows else ""


def timeline(one: Description) -> str:
    """When what happens: a line of blocks, and the same as a table."""
    passages = passages_of(one)
    length = max(passages[-1].end - passages[0].start, 1e-6)
    order = list(dict.fromkeys(passage.text for passage in passages))

    def block(passage: Passage) -> str:
        width = (passage.end - passage.start) / length * 100
        title = escape(f"{passage.start:.1f} – {passage.end:.1f} s: {passage.text}", quote=True)
        colour = order.index(passage.text) % COLOURS
        return f'<span class="c{colour}" style="width: {width:.2f}%" title="{title}">{escape(passage.text)}</span>'

    def row(passage: Passage) -> str:
        chance = f"{passage.labels[0].probability:.0%}" if passage.labels else ""
        clock = f"{passage.start:.1f} – {passage.end:.1f} s"
        return f"<tr><th>{clock}</th><td>{escape(passage.text)}</td><td>{chance}</td></tr>"

    blocks, rows = "".join(map(block, passages)), "".join(map(row, passages))
    return f'<div class="timeline">{blocks}</div><table class="facts">{rows}</table>'


def table(descriptions: Sequence[Description], say: Translate) -> str:
    """A line for each of several videos."""
    if len(descriptions) < 2:
        return ""
    head = f"<tr><th>{say('Video')}</th><td>{say('In words')}</td></tr>"
    rows = "".join(
        f"<tr><th>{escape(one.name)}</th><td>{escape(one.sentence or one.problem)}</td></tr>" for one in descriptions
    )
    return f'<div class="stage"><table class="facts">{head}{rows}</table></div>'


def downloads(descriptions: Sequence[Description], place: int, say: Translate) -> str:
    """Links to the results as files; subtitles are those of the video that is shown."""
    links: list[str] = []
    for ending, write in WRITERS.items():
        one_only = ending in (".srt", ".vtt")
        if one_only and descriptions[place].problem:
            continue
        text = write([descriptions[place]] if one_only else descriptions)
        name = descriptions[place].name or "video" if one_only or len(descriptions) == 1 else "videos"
        data = base64.b64encode(text.encode()).decode()
        address = f"data:{MEDIA_TYPES[ending]};base64,{data}"
        links.append(f'<a download="{escape(name, quote=True)}{ending}" href="{address}">{ending}</a>')
    return f'<p class="downloads">{say("Download")}: {" ".join(links)}</p>'


def _kept(answer: AnswerReady) -> tuple[str, dict[str, str]]:
    files = {name: str(file) for name, file in answer.files.items() if isinstance(file, Path)}
    return answer.answer.model_dump_json(), files
