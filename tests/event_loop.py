"""Gradio makes an event loop for each Blocks that is built outside of one, and never closes it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


def inside_event_loop(make: Callable[[], Made]) -> Made:
    """What `make` returns, called where a loop runs."""

    async def run() -> Made:
        return make()

    return asyncio.run(run())
