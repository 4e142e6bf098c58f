"""Our own samplers, schedules and tasks, registered through the same hooks as anybody's.

Importing this loads no torch: the page asks it for names. Tasks are loaded when the worker asks for them.
"""

from collections.abc import Sequence

import pluggy

from modules.engine.sampling.samplers import SAMPLERS
from modules.engine.sampling.schedules import SCHEDULES
from modules.schema.sampling import Sampler, Schedule

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
def register_tasks() -> dict[str, object]:
    """The tasks of tasks/. Called in the worker only."""
    from modules.engine.tasks.txt2img import txt2img

    return {"txt2img": txt2img}
