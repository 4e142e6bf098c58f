"""What a tab is given."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gradio as gr

from modules.catalog.checkpoints import Catalog
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.ui.language import Translate
from modules.ui.sending import Exchange

if TYPE_CHECKING:
    from modules.ui.filling import Filler


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
    tabs: gr.Tabs | None = None
    """All tabs, each with its title as its id."""
    fillers: "dict[str, Filler]" = field(default_factory=dict)
    """By a tab's title, what fills its form; a tab adds its own when it is built."""
    exchange: Exchange = field(default_factory=Exchange)
    """How a result of one tab comes to another."""
    animation: gr.BrowserState | None = None
    """As `memory`, of the last animation. What stands in a tab is not there before the tab has been opened."""
