"""The tab that shows how a picture was made."""

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from modules.schema.errors import KararliError
from modules.storage.reading import PictureInfo
from modules.ui.checking import CheckPane
from modules.ui.language import Translate
from modules.ui.page import Page
from modules.ui.takeover import read_file
from modules.ui.widgets import note_card


def pnginfo_tab(page: Page) -> None:
    """A picture on the left, what it says on the right."""
    say = page.translate
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            picture = gr.File(label=say("Drop a picture here"), type="filepath", height=120, elem_id="info-picture")
            preview = gr.Image(
                label=say("Picture"), interactive=False, visible=False, height=420, elem_id="info-preview",
                buttons=["fullscreen"],
            )  # fmt: skip
            with gr.Row():
                sends = {
                    title: gr.Button(f"{say('Send to')} {title}", variant="primary", elem_id=f"send-to-{title}")
                    for title in page.fillers
                }
            checking = CheckPane(page, picture, "info-check")
        with gr.Column(scale=6):
            table = gr.HTML(note_card(say("What the picture says appears here.")), elem_id="info-table")
            with gr.Accordion(say("As text"), open=False):
                text = gr.Textbox(
                    label=say("Parameters"), lines=5, max_lines=20, buttons=["copy"], interactive=False,
                    elem_id="info-text",
                )  # fmt: skip
            with gr.Accordion(say("The record"), open=False):
                record = gr.Textbox(
                    label=say("Everything it takes to make the picture again"), lines=5, max_lines=30,
                    buttons=["copy"], interactive=False, elem_id="info-record",
                )  # fmt: skip

    page.exchange.take("PNG info", picture)

    def read(path: str | None) -> tuple[Any, ...]:
        hidden = gr.update(value=None, visible=False)
        if not path:
            return hidden, note_card(say("What the picture says appears here.")), "", "", ""
        try:
            info = read_file(Path(path))
        except KararliError as error:
            return hidden, note_card(str(error), "problem"), "", "", ""
        shown = gr.update(value=path, visible=True)
        return shown, info_card(info, say), info.text, _record_text(info), ""

    picture.change(
        read, [picture], [preview, table, text, record, checking.verdict], api_visibility="private",
        show_progress="hidden", concurrency_limit=None,
    )  # fmt: skip
    for title, button in sends.items():
        sent = page.fillers[title].send_on(button.click, picture)
        sent.then(
            lambda title=title: gr.Tabs(selected=title), None, [page.tabs], api_visibility="private",
            show_progress="hidden",
        )  # fmt: skip


def info_card(info: PictureInfo, say: Translate) -> str:
    """The parameters as a table, with what is said about them above."""
    metadata = info.metadata
    facts = f"{metadata.format} · {metadata.width} × {metadata.height}"
    if info.record is not None:
        facts += f" · {say('with our record: it can be checked')}"
    notes = [note for note in (info.record_problem, *info.notes) if note]
    rows = "".join(_row(key, value) for key, value in _pairs(info, say))
    rest = {key: text for key, text in metadata.texts.items() if key not in ("parameters", "kararli")}
    others = "".join(_row(key, text[:2000]) for key, text in rest.items())
    parts = [f"<p>{escape(facts)}</p>", *(f"<p>{escape(note)}</p>" for note in notes)]
    if rows:
        parts.append(f'<table class="facts">{rows}</table>')
    else:
        parts.append(f"<p>{say('There are no parameters in this picture.')}</p>")
    if others:
        title = say("Other texts in the file")
        parts.append(f'<details><summary>{title}</summary><table class="facts">{others}</table></details>')
    return f'<div class="stage info">{"".join(parts)}</div>'


def _pairs(info: PictureInfo, say: Translate) -> list[tuple[str, str]]:
    if info.reading is None:
        return []
    infotext = info.reading.infotext
    prompts = [(say("Prompt"), infotext.prompt), (say("Negative prompt"), infotext.negative_prompt)]
    return [*((label, text) for label, text in prompts if text), *infotext.pairs.items()]


def _row(key: str, value: str) -> str:
    return f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>"


def _record_text(info: PictureInfo) -> str:
    return json.dumps(info.record.model_dump(), indent=2, ensure_ascii=False) if info.record is not None else ""
