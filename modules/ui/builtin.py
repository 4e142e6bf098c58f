"""Our own tabs, registered through the same hook as anybody's."""

from collections.abc import Callable, Mapping

from modules.plugins.hookspecs import hookimpl
from modules.ui.animate import animate_tab
from modules.ui.captioning import captioning_tab
from modules.ui.divergence import divergence_tab
from modules.ui.img2img import img2img_tab
from modules.ui.inpaint import inpaint_tab
from modules.ui.outpaint import outpaint_tab
from modules.ui.page import Page
from modules.ui.pnginfo import pnginfo_tab
from modules.ui.txt2img import txt2img_tab
from modules.ui.upscale import upscale_tab


@hookimpl
def register_tabs() -> Mapping[str, Callable[[Page], object]]:
    """The tabs of this folder, in the order of the page; the last one sends to those before it."""
    return {
        "txt2img": txt2img_tab,
        "img2img": img2img_tab,
        "inpaint": inpaint_tab,
        "outpaint": outpaint_tab,
        "animate": animate_tab,
        "upscale": upscale_tab,
        "Video captioning": captioning_tab,
        "divergence": divergence_tab,
        "PNG info": pnginfo_tab,
    }
