"""The tab that puts videos into words."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from modules.catalog.describers import Describer
from modules.schema.captioning import Caption
from modules.schema.errors import InvalidRequest, KararliError
from modules.schema.film import film_facts
from modules.storage.folders import stem_of
from modules.ui.captions import CaptionPane
from modules.ui.form import Form
from modules.ui.language import Translate
from modules.ui.page import Page
from modules.ui.results import Updates
from modules.ui.widgets import note_card

PLAYED = (".mp4", ".webm", ".mov", ".m4v", ".ogv")
"""Endings that browsers play by themselves."""


def captioning_tab(page: Page) -> Form[Caption]:
    """The videos and the settings on the left, what was said of them on the right; gives the form."""
    say = page.translate
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            form = Form(Caption, say, "caption-")
            videos, recorded, facts = _video_controls(form, page)
            advice = gr.HTML(_advice(page), visible=bool(_advice(page)), elem_id="caption-advice")
            describe = gr.Button(say("Describe"), variant="primary", elem_id="caption-generate")
            model = _settings(form, page)
        with gr.Column(scale=6):
            pane = CaptionPane(page)
    _connect(page, form, pane, videos, recorded, facts, describe)

    def look() -> tuple[Any, Any]:
        return gr.update(choices=model_choices(page)), gr.update(value=_advice(page), visible=bool(_advice(page)))

    for trigger in (model.focus, page.blocks.load):
        trigger(look, None, [model, advice], api_visibility="private", show_progress="hidden")
    return form


def model_choices(page: Page) -> list[tuple[str, str]]:
    """(what is shown, the name) of the models for videos; one that cannot be used stands there with its reason."""
    entries = page.catalog.video_models.entries()
    return [(page.translate("The first one"), ""), *((_title(entry), entry.name) for entry in entries)]


def _title(entry: Describer) -> str:
    if entry.problem:
        return f"{entry.name} — ⚠ {entry.problem}"
    return f"{entry.name} ({entry.licence})" if entry.licence else entry.name


def _advice(page: Page) -> str:
    """What to put where, as long as no model can be used."""
    models = page.catalog.video_models
    if models.entries("labels", "sentences"):
        return ""
    broken = [f"{entry.name}: {entry.problem}" for entry in models.entries()]
    return note_card(" ".join([models.advice(("labels", "sentences")), *broken]))


def _video_controls(form: Form[Caption], page: Page) -> tuple[gr.File, gr.Video, gr.HTML]:
    say = page.translate
    videos = gr.File(
        label=say("Videos: one or several"), type="filepath", file_count="multiple", height=130,
        elem_id="caption-videos",
    )  # fmt: skip
    form.add("videos", videos)
    with gr.Accordion(say("Record with a camera"), open=False, elem_id="caption-record"):
        recorded = gr.Video(
            sources=["webcam"], include_audio=True, webcam_options=gr.WebcamOptions(mirror=False), height=260,
            label=say("Recording"), elem_id="caption-recorded",
        )  # fmt: skip
    player = gr.Video(
        visible=False, interactive=False, height=260, label=say("Video"), elem_id="caption-player", buttons=[]
    )
    facts = gr.HTML("", elem_id="caption-facts")
    with gr.Row(elem_id="caption-range"):
        start = form.slider("viewing.start", maximum=600, info=None)
        end = form.slider("viewing.end", maximum=600, info=None)

    videos.change(
        lambda files: look_at(say, files), [videos], [player, facts, start, end], api_visibility="private",
        show_progress="hidden", concurrency_limit=None,
    )  # fmt: skip
    return videos, recorded, facts


def look_at(say: Translate, files: Sequence[str] | None) -> tuple[Any, ...]:
    """What to show of the first video: itself, its facts, and handles that reach from its beginning to its end."""
    hidden = gr.update(value=None, visible=False)
    if not files:
        return hidden, "", gr.skip(), gr.skip()
    try:
        found = film_facts(Path(files[0]))
    except (KararliError, OSError) as error:
        return hidden, note_card(f"{Path(files[0]).name}: {error}", "problem"), gr.skip(), gr.skip()
    words = f"{found.length:.1f} s · {found.width} × {found.height} · {found.rate:.4g} {say('frames a second')}"
    most = max(0.1, math.ceil(found.length * 10) / 10)
    shown = gr.update(value=files[0], visible=True) if files[0].lower().endswith(PLAYED) else hidden
    return shown, note_card(words), gr.update(maximum=most, value=0), gr.update(maximum=most, value=most)


def _settings(form: Form[Caption], page: Page) -> gr.Dropdown:
    say = page.translate
    model = form.dropdown("model", model_choices(page), info=None)
    with gr.Row():
        form.slider("viewing.window", maximum=60)
        form.slider("viewing.step", maximum=60)
    with gr.Row():
        form.slider("top", info=None)
        form.checkbox("overlay", info=None)
    with gr.Accordion(say("More"), open=False):
        form.slider("frames")
        with gr.Row():
            form.slider("wording.beams")
            form.slider("wording.shortest", info=None)
            form.slider("wording.longest", info=None)
    return model


def _connect(
    page: Page,
    form: Form[Caption],
    pane: CaptionPane,
    videos: gr.File,
    recorded: gr.Video,
    facts: gr.HTML,
    describe: gr.Button,
) -> None:
    def start(values: Mapping[str, Any]) -> Iterator[Updates]:
        """Put videos into words."""
        files = list(values["videos"] or [])
        try:
            files = files or [one for one in [values.get("recorded")] if one]
            given = kept_films(page, files)
            whole = bool(files) and (values["end"] or 0) >= film_facts(Path(files[0])).length
            read = {**values, "videos": [digest for digest, _ in given], "end": 0.0 if whole else values["end"]}
            request = form.read(read)
            names = [name for _, name in given]
            job = page.jobs.submit(Caption.model_validate({**request.model_dump(), "names": names}))
        except (KararliError, OSError) as error:
            yield pane.refuse(str(error))
            return
        yield from pane.watch(job.id)

    handler = form.handler(start)
    parameters = inspect.signature(handler).parameters.values()
    more = inspect.Parameter("recorded", inspect.Parameter.KEYWORD_ONLY, default=None)
    handler.__signature__ = inspect.Signature([*parameters, more])  # type: ignore[attr-defined]
    describe.click(
        handler, inputs_kwargs={**form.inputs(), "recorded": recorded}, outputs=pane.outputs(), api_name="caption",
        concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip


def kept_films(page: Page, files: Sequence[str]) -> list[tuple[str, str]]:
    """Digest and name of each video. Raises InvalidRequest with the name of the one that is none."""
    kept: list[tuple[str, str]] = []
    for file in files:
        try:
            kept.append((page.jobs.keep_film(Path(file)), stem_of(Path(file).name)))
        except InvalidRequest as error:
            raise InvalidRequest(f"{Path(file).name}: {error}", "videos") from None
    return kept
