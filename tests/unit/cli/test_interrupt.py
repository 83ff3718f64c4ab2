import asyncio
import os
import signal
import sys

import pytest

from glimmr.cli.interrupt import run_to_end
from tests.support.terminal import on_terminal

_DEAF = """
import asyncio, os, signal
from glimmr.cli.interrupt import until_idle

async def deaf(stop):
    os.kill(os.getpid(), signal.SIGINT)
    await stop.wait()
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()

asyncio.run(until_idle(deaf))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_work_which_cleans_up(number: signal.Signals) -> None:
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_to_end(work())
    assert cleaned == [True]


def test_the_second_interrupt_ends_at_once_and_gives_the_terminal_its_cursor_back() -> None:
    code, written = on_terminal([sys.executable, "-c", _DEAF])
    assert code == 130
    assert written.endswith("\x1b[?25h")
