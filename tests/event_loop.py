"""Gradio leaves event loops open when Blocks are built outside a running one, and warnings are errors here."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")


def inside_event_loop(make: Callable[[], Made]) -> Made:
    """What `make` returns, called inside a running event loop that is closed afterwards.

    In a thread of its own: the browser tests leave a loop running in this one.
    """

    async def run() -> Made:
        return make()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(run())).result()
