"""Serves the page, with the API beside it, until the program is told to end."""

import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from modules.catalog.checkpoints import Catalog
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.schema.errors import KararliError
from modules.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

FONT = ["ui-sans-serif", "system-ui", "sans-serif"]
FONT_MONO = ["ui-monospace", "Consolas", "monospace"]
STYLE = Path(__file__).parent / "style.css"
SCRIPT = Path(__file__).parent / "page.js"


def check_port(settings: Settings) -> None:
    """Raises KararliError when the address cannot be bound."""
    with socket.socket(socket.AF_INET6 if ":" in settings.address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.address, settings.port))
        except OSError as error:
            raise KararliError(
                f"Port {settings.port} on {settings.address} cannot be used ({error.strerror}). Perhaps Kararli runs"
                f" there already: open http://127.0.0.1:{settings.port}, or start with --port {settings.port + 1}."
            ) from None


def run(
    settings: Settings, jobs: Jobs, catalog: Catalog, plugins: Plugins, attach: "Callable[[FastAPI], None]"
) -> None:
    """Serve until SIGINT or SIGTERM. `attach` adds the API to an app; it is there as soon as the page is."""
    os.environ["GRADIO_TEMP_DIR"] = str(settings.cache / "page")  # read by Gradio when components are made
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from fastapi import FastAPI
    from gradio import themes

    from modules.ui.app import build_page
    from modules.ui.language import translator

    blocks = build_page(jobs, catalog, plugins, translator(settings.lang))
    logging.getLogger("httpx").setLevel(logging.WARNING)
    theme = getattr(themes, settings.theme.capitalize())(font=FONT, font_mono=FONT_MONO)
    api = FastAPI(openapi_url=None)
    attach(api)
    _, _, share_url = blocks.launch(
        server_name=settings.address, server_port=settings.port, share=settings.share, theme=theme,
        css_paths=[STYLE], head=f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>",
        allowed_paths=[str(settings.outputs)],
        blocked_paths=[str(file) for file in settings.private_files], prevent_thread_lock=True, quiet=True,
        max_threads=200, show_error=True, footer_links=["api", "settings"], ssr_mode=False,
        app_kwargs={"routes": api.routes},
    )  # fmt: skip
    _announce(settings, share_url)
    _wait_for_the_end()
    blocks.close(verbose=False)


def _announce(settings: Settings, share_url: str | None) -> None:
    url = f"http://127.0.0.1:{settings.port}"
    _say(f"Kararli is at {url}  (Ctrl-C ends it)")
    if share_url:
        _say(f"and for everybody at {share_url}")
    elif settings.share:
        _say("The public link could not be made: there is no network, or a virus scanner holds Gradio's tunnel back.")
    if settings.open:
        webbrowser.open(url)


def _say(sentence: str) -> None:
    Console(soft_wrap=True, highlight=False).print(sentence, markup=False)
    sys.stdout.flush()


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    while not ended.wait(1):  # short waits: on Windows a long one would not notice Ctrl-C
        pass
