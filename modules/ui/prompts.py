"""What belongs to a prompt box: a token counter and hints below it, and how the words are to be read."""

from html import escape
from typing import Any, get_args

import gradio as gr

from modules.prompts.chunks import Names
from modules.prompts.findings import Finding, Oddity, count_tokens, find_oddities
from modules.schema.requests import Emphasis
from modules.ui.form import Form
from modules.ui.page import Page

AROUND = 16
"""Letters that are shown on either side of an odd bracket."""

HINTS_SHOWN = 5

SENTENCES = {
    Oddity.BRACKET: "This bracket has no other half and is read as text:",
    Oddity.NO_NUMBER: "No number ends these brackets, so they are no schedule and only weaken their words:",
    Oddity.WHOLE_WEIGHT: "The prompt ends in a weight, which counts for all of it (write \\: for a plain colon):",
    Oddity.NO_LIST: "There is no such list in models/wildcards/:",
    Oddity.NETWORK: "Networks cannot be used yet; take this out of the prompt:",
    Oddity.NEGATIVE_NETWORK: "Networks do not count in a negative prompt; this is read as text:",
}


def add_counter(page: Page, box: gr.Textbox, negative: bool = False) -> None:
    """Below a prompt box: how many tokens each chunk holds and what is odd, while one types."""
    sentences = {oddity: page.translate(sentence) for oddity, sentence in SENTENCES.items()}
    tokens = page.translate("Tokens")

    def look(text: str | None) -> str:
        lines, text = page.catalog.wildcards.lines, text or ""
        names = Names({entry.name: entry.vectors for entry in page.catalog.embeddings.entries() if not entry.problem})
        count = f'<span class="tokens" title="{escape(tokens)}">{count_tokens(text, lines, names, negative)}</span>'
        found = find_oddities(text, lines, negative)
        shown = [_hint(finding, text, sentences) for finding in found[:HINTS_SHOWN]]
        return count + "".join(shown) + (f"<p>+ {len(found) - HINTS_SHOWN}</p>" if len(found) > HINTS_SHOWN else "")

    below = gr.HTML(look(""), elem_id=f"{box.elem_id}-tokens", elem_classes="below-prompt", padding=False)
    gr.on(
        [box.change, page.blocks.load], look, [box], [below], trigger_mode="always_last", queue=False,
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip


def reading_controls(form: Form[Any], page: Page) -> None:
    """How the words of both prompts are read."""
    with gr.Accordion(page.translate("How the prompts are read"), open=False), gr.Row():
        form.dropdown("reading.emphasis", get_args(Emphasis))
        form.slider("reading.clip_skip")


def _hint(finding: Finding, text: str, sentences: dict[Oddity, str]) -> str:
    return f'<p role="note">{escape(sentences[finding.oddity])} {_place(finding, text)}</p>'


def _place(finding: Finding, text: str) -> str:
    """The words that a hint is about; an odd bracket is marked between its neighbours."""
    if not finding.line:
        return f"<code>{escape(finding.text)}</code>"
    line, at = text.split("\n")[finding.line - 1], finding.column - 1
    before, after = line[max(0, at - AROUND) : at], line[at + 1 : at + 1 + AROUND]
    return f"<code>{escape(before)}<mark>{escape(finding.text)}</mark>{escape(after)}</code>"
