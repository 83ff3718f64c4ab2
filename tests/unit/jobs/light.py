"""Child functions whose module imports next to nothing."""

import sys
import time
from collections.abc import Callable


def count_loaded(tell: Callable[..., None]) -> list[str]:
    return sorted(sys.modules)


def nap(tell: Callable[..., None], *, seconds: float) -> None:
    time.sleep(seconds)


def spin(tell: Callable[..., None], *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
