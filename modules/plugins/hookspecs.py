"""The hooks. Each is called once at start and registers something; docs/hooks.md has an example of each."""

from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from modules.schema.sampling import Sampler, Schedule
from modules.schema.upscaling import Upscaler

PROJECT = "kararli"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_samplers() -> Sequence[Sampler]:  # type: ignore[empty-body]
    """Samplers, as modules.schema.sampling.Sampler. Called by the page and in the worker: import no torch for it."""


@hookspec
def register_schedules() -> Sequence[Schedule]:  # type: ignore[empty-body]
    """Schedules, as modules.schema.sampling.Schedule. Called by the page and in the worker: import no torch for it."""


@hookspec
def register_upscalers() -> Sequence[Upscaler]:  # type: ignore[empty-body]
    """Upscalers, as modules.schema.upscaling.Upscaler. Called by the page and in the worker: import no torch for it."""


@hookspec
def register_tasks() -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Tasks by the name that their requests carry, as modules.engine.workbench.Task. Called in the worker only."""


@hookspec
def register_tabs() -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Tabs by their title, each a function of modules.ui.app.Page that builds Gradio components. Called by the page."""
