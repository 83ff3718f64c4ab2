"""Blocking work for a door that can be interrupted."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from glimmr.errors import ShuttingDown
from glimmr.jobs.job import Tell

Value = TypeVar("Value")


async def in_thread(work: Callable[[Tell], Value], tell: Tell) -> Value:
    """What `work` returns, from a thread. When this is cancelled, `work` is stopped by its `tell` and waited for."""
    cancelled = threading.Event()

    def telling(**progress: Any) -> None:
        if cancelled.is_set():
            raise ShuttingDown("it was told to stop")
        tell(**progress)

    thread = asyncio.ensure_future(asyncio.to_thread(work, telling))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        cancelled.set()
        await asyncio.wait({thread})
        thread.exception()  # it is of no interest any more
        raise
