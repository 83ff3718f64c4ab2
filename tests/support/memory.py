"""How much memory this process takes for something: its peak above what it had before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@contextmanager
def growth() -> Iterator[Callable[[], int]]:
    """Gives the bytes by which the process has grown at most since (proc(5): `VmHWM`, the highest since its reset)."""
    _CLEAR.write_text("5")
    before = _bytes("VmRSS")
    yield lambda: _bytes("VmHWM") - before


def _bytes(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
