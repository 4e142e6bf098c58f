"""What a tab is given."""

from dataclasses import dataclass

import gradio as gr

from modules.catalog.checkpoints import Catalog
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.ui.language import Translate


@dataclass(frozen=True)
class Page:
    """The running program's parts, and the controls that all tabs share."""

    jobs: Jobs
    catalog: Catalog
    plugins: Plugins
    translate: Translate
    blocks: gr.Blocks
    checkpoint: gr.Dropdown
    memory: gr.BrowserState
    """What this browser remembers over a reload: {"job": id, "request": JSON}."""
