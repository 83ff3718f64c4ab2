import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

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

_SLOW_TO_STOP = """
import asyncio, os, signal
from glimmr.cli import interrupt

async def slow(stop):
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.to_thread(__import__("time").sleep, 60)

interrupt._MOST_STOP_SECONDS = 0.3
asyncio.run(interrupt.until_idle(slow))
"""

_INTERRUPTED_AFTER_THE_WORK = """
import os, signal, sys
from pathlib import Path
from glimmr.cli import walk
from glimmr.settings import Settings

signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run in the background
walk.app.summary = lambda *_: os.kill(os.getpid(), signal.SIGINT)
walk.run_line(Settings(data=Path(sys.argv[1]), min_free_bytes=0), [], limit=None, refresh=False, as_json=True)
"""
_INTERRUPTED_WHILE_LOADING = """
import os, runpy, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "glimmr.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run in the background
sys.meta_path.insert(0, Finder())
runpy.run_module("glimmr", run_name="__main__")
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


def test_work_that_does_not_stop_in_time_is_ended() -> None:
    done = subprocess.run([sys.executable, "-c", _SLOW_TO_STOP], capture_output=True, check=False, timeout=50)
    assert done.returncode == 130


def test_an_interrupt_while_the_commands_are_loaded_shows_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_WHILE_LOADING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_an_interrupt_after_the_work_ends_at_once_and_shows_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _INTERRUPTED_AFTER_THE_WORK, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
