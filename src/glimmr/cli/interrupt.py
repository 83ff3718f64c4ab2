"""Ctrl-C and SIGTERM: once stops cleanly, twice at once."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import typer

from glimmr.errors import ShuttingDown

EXIT_INTERRUPTED = 130
_MOST_STOP_SECONDS = 27.0
_SHOW_CURSOR = "\x1b[?25h"
Value = TypeVar("Value")


async def until_idle(work: Callable[[asyncio.Event], Awaitable[object]]) -> bool:
    """Do `work`, which stops when its event is set. Returns whether somebody interrupted it.

    Where stopping takes very long (a database that is away), the process ends all the same, within 30 s.
    """
    stop = asyncio.Event()

    def interrupted() -> None:
        stop.set()
        timer = threading.Timer(_MOST_STOP_SECONDS, _end_at_once)
        timer.daemon = True
        timer.start()

    _on_interrupt(interrupted, "unfinished work is handed back")
    await work(stop)
    return stop.is_set()


def run_to_end(work: Coroutine[Any, Any, Value], promise: str = "nothing is kept") -> Value:
    """What `work` returns. An interrupt cancels it, and when it has cleaned up, KeyboardInterrupt is raised."""

    async def watched() -> Value:
        task = asyncio.ensure_future(work)
        _on_interrupt(task.cancel, promise)
        return await task

    try:
        return asyncio.run(watched())
    except (asyncio.CancelledError, ShuttingDown):  # a signal to the whole group may reach a child first
        raise KeyboardInterrupt from None


def _on_interrupt(stop: Callable[[], object], promise: str) -> None:
    """Call `stop` at the first signal, and end the process at the second."""
    told = False

    def interrupted() -> None:
        nonlocal told
        if told:
            _end_at_once()
        told = True
        stop()
        typer.echo(f"\nstopping: {promise} (Ctrl-C again: at once)", err=True)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)


def nothing_to_lose() -> None:
    """From now on a signal ends the process at once: the work is over, and only its summary is to come."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_at_once)


def _end_at_once(*_: object) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        if sys.stderr.isatty():
            sys.stderr.write(_SHOW_CURSOR)  # a live drawing has hidden it
            sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)  # children end with their stdin; what is half done is swept by the next run
