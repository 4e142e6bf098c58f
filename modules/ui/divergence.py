"""The tab that measures how far apart words are, and paints them together and one by one."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import gradio as gr

from modules.schema.divergence import ASKED, Divergence, Scores
from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.events import AnswerReady, Cancelled, Failed, PictureReady, Progress
from modules.schema.requests import Txt2Img
from modules.ui.language import Translate
from modules.ui.page import Page
from modules.ui.widgets import note_card, progress_card

BINS = 24
"""Columns of the histogram."""

HONEST = "This is not the score of the published test, which measures with GloVe: a text encoder sees other distances."

COMPARE = "Compare it with the lists drawn at random below, which were measured in the same way, and with nothing else."

NO_SCALE = "This text encoder knows too few everyday nouns to draw lists for scale."


def divergence_tab(page: Page) -> None:
    """Ten words on the left, their distances on the right."""
    say = page.translate
    with gr.Row(equal_height=False):
        with gr.Column(scale=4):
            gr.HTML(f"<p>{say('Write ten nouns, as different from each other as you can, one a line.')}</p>")
            words = gr.Textbox(label=say("Ten nouns"), lines=ASKED, max_lines=20, elem_id="divergence-words")
            clip = gr.Dropdown(_choices(page), value="", label=say("Measured by"), elem_id="divergence-clip")
            measure = gr.Button(say("Measure"), variant="primary", elem_id="divergence-measure")
            paint = gr.Button(say("Paint them: all together, then each alone"), elem_id="divergence-paint")
        with gr.Column(scale=6):
            stage = gr.HTML(note_card(say("How far apart the words are appears here.")), elem_id="divergence-stage")
            gallery = gr.Gallery(
                label=say("Pictures"), columns=4, object_fit="contain", format="png", interactive=False,
                elem_id="divergence-gallery", buttons=["fullscreen", "download"],
            )  # fmt: skip

    def score(text: str, chosen: str | None, checkpoint: str | None) -> Iterator[str]:
        """Measure how far apart words are."""
        try:
            request = Divergence(words=tuple(_words(text)), clip=chosen or "", checkpoint=checkpoint or "")
            job = page.jobs.submit(request, save=False)
            for event in page.jobs.watch(job.id):
                if isinstance(event, Progress):
                    yield progress_card(event, say)
                elif isinstance(event, AnswerReady) and isinstance(event.answer, Scores):
                    yield scores_card(event.answer, say)
                elif isinstance(event, Failed):
                    yield note_card(event.reason, "problem")
        except (KararliError, ValueError) as error:
            yield note_card(str(error), "problem")

    def paintings(text: str, checkpoint: str | None) -> Iterator[tuple[Any, Any]]:
        """Paint the words: one picture of all of them, then one of each."""
        given = _words(text)
        done: list[tuple[str, str]] = []
        try:
            jobs = [page.jobs.submit(request) for request in requests_for(given, checkpoint or "")]
            for job, title in zip(jobs, [", ".join(given), *given], strict=True):
                for event in page.jobs.watch(job.id):
                    if isinstance(event, Progress):
                        yield progress_card(event, say), gr.skip()
                    elif isinstance(event, PictureReady) and event.path is not None:
                        done.append((str(event.path), title))
                        yield gr.skip(), list(done)
                    elif isinstance(event, Failed | Cancelled):
                        yield note_card(event.reason, "problem"), gr.skip()
            yield note_card(f"{say('Done:')} {len(done)} {say('pictures')}", "done"), list(done)
        except (KararliError, ValueError) as error:
            yield note_card(str(error), "problem"), gr.skip()

    measure.click(
        score, [words, clip, page.checkpoint], [stage], api_name="divergence", show_progress="hidden",
        concurrency_limit=None,
    )  # fmt: skip
    paint.click(
        paintings, [words, page.checkpoint], [stage, gallery], api_visibility="private", show_progress="hidden",
        concurrency_limit=None,
    )  # fmt: skip
    clip.focus(
        lambda: gr.update(choices=_choices(page)), None, [clip], api_visibility="private", show_progress="hidden"
    )


def requests_for(words: Sequence[str], checkpoint: str) -> list[Txt2Img]:
    """One picture that joins all words, then one of each. Raises InvalidRequest when there are none."""
    if not words:
        raise InvalidRequest("There are no words yet. Write some, one a line.", "words")
    prompts = [", ".join(words), *words]
    return [Txt2Img(prompt=prompt, checkpoint=checkpoint) for prompt in prompts]


def scores_card(scores: Scores, say: Translate) -> str:
    """The score, the distances as a heat map, and where the score lies among lists drawn at random."""
    head = "".join(f"<th>{escape(word)}</th>" for word in scores.words)
    most = max(max(row) for row in scores.distances) or 1.0
    rows = "".join(
        f"<tr><th>{escape(word)}</th>{''.join(_heat(value, most) for value in row)}</tr>"
        for word, row in zip(scores.words, scores.distances, strict=True)
    )
    left_out = "".join(f"<li>{escape(reason)}</li>" for reason in scores.left_out)
    return (
        f'<div class="stage divergence"><h3>{scores.score:.1f}</h3><p>{say("measured by")} {escape(scores.measure)}</p>'
        f"<p>{say(HONEST)}</p>{histogram(scores, say)}"
        f'<table class="heat"><tr><th></th>{head}</tr>{rows}</table><ul>{left_out}</ul></div>'
    )


def histogram(scores: Scores, say: Translate) -> str:
    """How many of the lists drawn at random reach which score, and where this one lies."""
    drawn = scores.random_scores
    if not drawn:
        return f"<p>{say(NO_SCALE)}</p>"
    low, high = min(*drawn, scores.score), max(*drawn, scores.score)
    width = (high - low) / BINS or 1.0
    counts = [0] * BINS
    for value in drawn:
        counts[min(BINS - 1, int((value - low) / width))] += 1
    tallest = max(counts)
    heights = [76 * count / tallest for count in counts]
    columns = "".join(
        f'<rect x="{index * 10 + 0.5}" y="{80 - height:.1f}" width="9" height="{height:.1f}"/>'
        for index, height in enumerate(heights)
    )
    place = (scores.score - low) / width * 10
    share = sum(value < scores.score for value in drawn) / len(drawn)
    title = say("Lists of seven everyday nouns drawn at random that are less far apart")
    return (
        f'<p>{say(COMPARE)}</p><figure class="histogram"><svg viewBox="0 0 {BINS * 10} 96" role="img">{columns}'
        f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="82"/>'
        f'<text x="0" y="94">{low:.1f}</text><text x="{BINS * 10}" y="94" text-anchor="end">{high:.1f}</text></svg>'
        f"<figcaption>{title}: {share:.0%}</figcaption></figure>"
    )


def _heat(value: float, most: float) -> str:
    share = value / most * 75
    return f'<td style="background: color-mix(in srgb, #dc2626 {share:.0f}%, transparent)">{value:.0f}</td>'


def _words(text: str) -> list[str]:
    """One a line; commas part them too."""
    return [word.strip() for line in text.splitlines() for word in line.split(",") if word.strip()]


def _choices(page: Page) -> list[tuple[str, str]]:
    named = [(entry.name, entry.name) for entry in page.catalog.picture_models.entries("clip")]
    return [(page.translate("The checkpoint's own text encoder"), ""), *named]
