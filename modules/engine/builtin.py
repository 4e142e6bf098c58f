"""Our own samplers, schedules and tasks, registered through the same hooks as anybody's.

Importing this loads no torch: the page asks it for names. Tasks are loaded when the worker asks for them.
"""

from collections.abc import Sequence

import pluggy

from modules.engine.sampling.samplers import SAMPLERS
from modules.engine.sampling.schedules import SCHEDULES
from modules.engine.vision.upscalers import UPSCALERS
from modules.schema.sampling import Sampler, Schedule
from modules.schema.upscaling import Upscaler

hookimpl = pluggy.HookimplMarker("kararli")


@hookimpl
def register_samplers() -> Sequence[Sampler]:
    """The samplers of samplers.py."""
    return SAMPLERS


@hookimpl
def register_schedules() -> Sequence[Schedule]:
    """The schedules of schedules.py."""
    return SCHEDULES


@hookimpl
def register_upscalers() -> Sequence[Upscaler]:
    """The upscalers of vision/upscalers.py."""
    return UPSCALERS


@hookimpl
def register_tasks() -> dict[str, object]:
    """The tasks of tasks/. Called in the worker only."""
    from modules.engine.tasks.caption import caption
    from modules.engine.tasks.divergence import divergence
    from modules.engine.tasks.img2img import img2img
    from modules.engine.tasks.inpaint import inpaint
    from modules.engine.tasks.interpolate import interpolate
    from modules.engine.tasks.interrogate import interrogate
    from modules.engine.tasks.outpaint import outpaint
    from modules.engine.tasks.sdupscale import sdupscale
    from modules.engine.tasks.txt2img import txt2img
    from modules.engine.tasks.upscale import upscale

    return {
        "txt2img": txt2img,
        "img2img": img2img,
        "inpaint": inpaint,
        "outpaint": outpaint,
        "interpolate": interpolate,
        "upscale": upscale,
        "sdupscale": sdupscale,
        "caption": caption,
        "interrogate": interrogate,
        "divergence": divergence,
    }
