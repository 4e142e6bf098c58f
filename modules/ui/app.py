"""The page: what stands above all tabs, and the tabs that are registered."""

from typing import Any

import gradio as gr

from modules.catalog.checkpoints import Catalog, Checkpoint
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.schema.errors import UnusableFile
from modules.ui.language import Translate
from modules.ui.page import Page
from modules.ui.widgets import engine_line

REFRESH_SECONDS = 2.0
"""How often the page asks for the engine's state and the checkpoints in the folder."""


CACHE_AGE = (3600, 7 * 86400)
"""Look every so many seconds, remove the page's copies of pictures that are so many seconds old."""

HINT = (
    "Put Stable Diffusion 1.x .safetensors files into models/Stable-diffusion/: they appear in the list by themselves."
)


def build_page(jobs: Jobs, catalog: Catalog, plugins: Plugins, translate: Translate) -> gr.Blocks:
    """All components and their handlers."""
    with gr.Blocks(title="Kararli", fill_width=True, analytics_enabled=False, delete_cache=CACHE_AGE) as blocks:
        with gr.Row(equal_height=True, elem_id="header"):
            gr.HTML('<h1>Kararl<span class="i">ı</span></h1>', elem_id="name", scale=0, min_width=130)
            checkpoint = gr.Dropdown(
                _choices(catalog.checkpoints()), value=_default(catalog), label=translate("Checkpoint"), scale=4,
                allow_custom_value=True,
                elem_id="checkpoint",
            )  # fmt: skip
            refresh = gr.Button("↻", scale=0, min_width=44, elem_id="refresh-checkpoints")
            engine = gr.HTML(_engine(jobs, translate), elem_id="engine", scale=4)
        memory = gr.BrowserState(None, storage_key="kararli", secret="kararli")
        animation = gr.BrowserState(None, storage_key="kararli-animation", secret="kararli")
        with gr.Tabs(elem_id="tabs") as tabs:
            page = Page(
                jobs, catalog, plugins, translate, blocks, checkpoint, memory, tabs, animation=animation
            )  # fmt: skip
            for title, build_tab in plugins.tabs().items():
                with gr.Tab(title, id=title):
                    build_tab(page)
        page.exchange.connect(page, tabs)
        _switched_off(plugins, translate)
        gr.HTML(f"<p>{translate(HINT)}</p>", elem_id="hint")
        _keep_fresh(page, checkpoint, refresh, engine)
    return blocks


def _keep_fresh(page: Page, checkpoint: gr.Dropdown, refresh: gr.Button, engine: gr.HTML) -> None:
    """The list of checkpoints and the engine's line follow what happens, by themselves and at a click."""
    seen = gr.State((None, None))

    def look(known: tuple[Any, Any], chosen: str | None) -> tuple[Any, Any, Any]:
        entries = page.catalog.checkpoints()
        choices, line = _choices(entries), _engine(page.jobs, page.translate)
        listed, shown = known
        return (
            (choices, line),
            gr.skip() if choices == listed else gr.update(choices=choices, value=_still(entries, chosen, page.catalog)),
            gr.skip() if line == shown else line,
        )

    timer = gr.Timer(REFRESH_SECONDS)
    for trigger in (timer.tick, page.blocks.load):
        trigger(
            look, [seen, checkpoint], [seen, checkpoint, engine], api_visibility="private", concurrency_limit=None,
            show_progress="hidden",
        )  # fmt: skip
    refresh.click(
        lambda chosen: look((None, None), chosen), [checkpoint], [seen, checkpoint, engine],
        api_visibility="private", concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip


def _choices(entries: list[Checkpoint]) -> list[tuple[str, str]]:
    """(what is shown, the name): a file that cannot be used stands there with its reason."""
    return [(f"{entry.name} — ⚠ {entry.problem}" if entry.problem else entry.name, entry.name) for entry in entries]


def _still(entries: list[Checkpoint], chosen: str | None, catalog: Catalog) -> str | None:
    """The choice, as long as the file is there."""
    return chosen if any(entry.name == chosen for entry in entries) else _default(catalog)


def _default(catalog: Catalog) -> str | None:
    try:
        return catalog.find("").name
    except UnusableFile:
        return None


def _engine(jobs: Jobs, translate: Translate) -> str:
    return engine_line(jobs.status(), len(jobs.waiting()), jobs.running() is not None, translate)


def _switched_off(plugins: Plugins, translate: Translate) -> None:
    broken = [extension for extension in plugins.extensions if extension.problem]
    if broken:
        with gr.Accordion(translate("Extensions that are switched off"), open=False):
            for extension in broken:
                gr.Textbox(extension.problem, label=extension.name, interactive=False)
