"""Takes a result on to another tab, and shows it beside the picture that it came from."""

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

    def take(self, title: str, control: Any) -> None:
        """Results may be sent to this control of the tab of that title."""
        self.takers[title] = control

    def connect(self, page: "Page", tabs: gr.Tabs) -> None:
        """Called once all tabs are there: the buttons under each result."""
        for pane in self.panes:
            with pane.send_row:
                for title, control in self.takers.items():
                    button = gr.Button(
                        f"→ {title}", size="sm", min_width=80, elem_id=f"{pane.prefix}to-{title}",
                    )  # fmt: skip
                    button.click(
                        _send(title, control), [pane.chosen], [control, tabs],
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


def _send(title: str, control: Any) -> Any:
    def send(path: str | None) -> tuple[Any, Any]:
        if not path:
            return gr.skip(), gr.skip()
        value: Any = [path] if isinstance(control, gr.File) else path
        if isinstance(control, gr.ImageEditor):
            value = {"background": path, "layers": [], "composite": path}
        return gr.update(value=value), gr.update(selected=title)

    return send
