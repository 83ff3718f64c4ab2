"""Ctrl-C: once stops cleanly, twice at once."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import typer

_EXIT_INTERRUPTED = 130


async def until_idle(work: Callable[[asyncio.Event], Awaitable[None]]) -> bool:
    """Do `work`, which stops when its event is set. Returns whether somebody interrupted it."""
    stop = asyncio.Event()

    def interrupted() -> None:
        if stop.is_set():
            os._exit(_EXIT_INTERRUPTED)  # children end with their stdin; what is half done is swept by the next run
        typer.echo("\nstopping: unfinished work is handed back (Ctrl-C again: at once)", err=True)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    await work(stop)
    return stop.is_set()
