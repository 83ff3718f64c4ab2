"""A program on a terminal: what it writes when it believes that a person looks."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self


def on_terminal(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run the command with its outputs on a terminal of its own: its exit code, and all it wrote there."""
    ours, its = pty.openpty()
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=its, stderr=its) as process:
        os.close(its)
        written = b""
        while piece := _read(ours):
            written += piece
    os.close(ours)
    return process.returncode, written.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how a terminal says that nobody has its other end any more
        return b""


class Terminal:
    """A program that goes on on a terminal of its own, which is its controlling one. Use with `with`."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], *, columns: int = 80, rows: int = 24) -> None:
        self._ours, its = pty.openpty()
        self._written, self._rows = b"", rows
        termios.tcsetwinsize(self._ours, (rows, columns))
        self.process = subprocess.Popen(
            [sys.executable, "-ISc", _TAKE_IT, *command], env=env, stdin=its, stdout=its, stderr=its
        )
        os.close(its)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, *, columns: int, rows: int) -> None:
        """The kernel tells the program by SIGWINCH."""
        self._rows = rows
        termios.tcsetwinsize(self._ours, (rows, columns))

    def until(self, shown: Callable[[list[str]], Any], seconds: float = 30.0) -> list[str]:
        """Read what it draws until that is as wanted: the lines of the last whole drawing."""
        deadline = time.monotonic() + seconds
        while not shown(self.drawn()):
            left = deadline - time.monotonic()
            assert left > 0, f"it shows {self.drawn()}"
            if select.select([self._ours], [], [], left)[0]:
                piece = _read(self._ours)
                assert piece, f"it ended: {self._written.decode()}"
                self._written += piece
        return self.drawn()

    def drawn(self) -> list[str]:
        """The lines of the last whole drawing in its present size, of a program that fills the screen with each."""
        for drawing in reversed(self._written.split(_TOP_LEFT)):
            drawn = [line.rstrip() for line in _ESCAPES.sub("", drawing.decode(errors="replace")).split("\r\n")]
            if len(drawn) == self._rows:
                return drawn
        return [""] * self._rows

    def rest(self) -> str:
        """All it wrote, when it has ended."""
        while piece := _read(self._ours):
            self._written += piece
        return self._written.decode()


_TOP_LEFT = b"\x1b[H"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TAKE_IT = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"
