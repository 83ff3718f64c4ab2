"""Whether the parts that work needs answer now: all asked at once, each given a few seconds and no more."""

import threading
import time
from collections.abc import Callable, Mapping

from glimmr.errors import GlimmrError

Probe = Callable[[], object]
"""Raises a GlimmrError that says what is wrong."""
_SECONDS = 8.0


def failing(probes: Mapping[str, Probe], seconds: float = _SECONDS) -> dict[str, str]:
    """The parts that do not do their work, and why; one that hangs is one of them, and holds up nobody."""
    faults: dict[str, str] = {}
    threads = {
        name: threading.Thread(target=_ask, args=(name, probe, faults), daemon=True) for name, probe in probes.items()
    }
    for thread in threads.values():
        thread.start()
    until = time.monotonic() + seconds
    for name, thread in threads.items():
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            faults[name] = f"it has not answered for {seconds:.0f} s"
    return faults


def _ask(name: str, probe: Probe, faults: dict[str, str]) -> None:
    try:
        probe()
    except GlimmrError as error:
        faults[name] = str(error)
    except Exception as bug:  # noqa: BLE001 - whatever it was, the part did not answer as it should
        faults[name] = repr(bug)
