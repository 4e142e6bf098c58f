"""Takes a result on to another tab, and shows it beside the picture that it came from."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from modules.ui.page import Page
    from modules.ui.results import ResultPane


@dataclass(frozen=True)
class Exchange:
    """Which tabs take a picture, by their titles, and whose results can be sent to them. Filled as tabs are built."""

    takers: dict[str, Any] = field(default_factory=dict[str, Any])
    prompts: dict[str, Any] = field(default_factory=dict[str, Any])
    """The prompts of tabs that words can be sent to, by the tabs' titles."""
    panes: list["ResultPane"] = field(default_factory=list["ResultPane"])

    def take(self, title: str, control: Any = None) -> None:
        """Results may be sent to the tab of that title: to its form (page.fillers), else to this control."""
        self.takers[title] = control

    def connect(self, page: "Page", tabs: gr.Tabs) -> None:
        """Called once all tabs are there: the buttons under each result."""
        for title, control in self.takers.items():
            inbox = gr.State(("", 0))
            """The result that was sent last, and when: the same one may be sent again."""
            if title in page.fillers:
                arrived = page.fillers[title].send_result(inbox.change, inbox)
            else:
                arrived = inbox.change(
                    lambda sent: sent[0], [inbox], [control], api_visibility="private", show_progress="hidden"
                )  # fmt: skip
            arrived.then(
                lambda title=title: gr.update(selected=title), None, [tabs], api_visibility="private",
                show_progress="hidden",
            )  # fmt: skip
            for pane in self.panes:
                with pane.send_row:
                    button = gr.Button(f"→ {title}", size="sm", min_width=80, elem_id=f"{pane.prefix}to-{title}")
                button.click(
                    lambda path: (path, time.monotonic_ns()) if path else gr.skip(), [pane.chosen], [inbox],
                    api_visibility="private", show_progress="hidden",
                )  # fmt: skip


def comparison(page: "Page", name: str) -> gr.ImageSlider:
    """Before and after, with a line to move between them."""
    with gr.Accordion(page.translate("Before and after"), open=False):
        return gr.ImageSlider(
            type="filepath", show_label=False, interactive=False, max_height=420, format="png",
            elem_id=f"{name}-compare", label=page.translate("Before and after"),
        )  # fmt: skip


def side_by_side(before: str, after: str) -> tuple[Any, str]:
    """Both for the slider, which lays them on each other only where they have one size."""
    with Image.open(after) as result, Image.open(before) as source:
        if source.size == result.size:
            return before, after
        size, image = result.size, ImageOps.exif_transpose(source).convert("RGB")
    return ImageOps.fit(image, size, Image.Resampling.NEAREST), after
