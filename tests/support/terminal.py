"""A program on a terminal: what it writes when it believes that a person looks."""

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence


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
