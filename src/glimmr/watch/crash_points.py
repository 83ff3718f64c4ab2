"""Lets this process die at a chosen event: so tests find out whether a death at any moment loses anything."""

import difflib
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from glimmr import events
from glimmr.errors import UsageError
from glimmr.events import Event

_SIGNALS = ("KILL", "STOP", "TERM", "INT")
_HOW = "it looks like job.claimed:1, job.claimed:1:STOP or log:FILE"


@contextmanager
def heeded(crash_at: str) -> Generator[None]:
    """Heed the setting `crash_at` inside the `with` block.

    That is `event:n` (SIGKILL when the event is told the n-th time), `event:n:STOP` (or TERM, INT: another signal),
    `log:FILE` (write down the name of every event told, a line each), or several of these with commas between.
    Raises UsageError, naming the near miss.
    """
    listeners = [_listener(part.strip()) for part in crash_at.split(",") if part.strip()]
    with ExitStack() as stack:
        for listener in listeners:
            stack.callback(events.listen(listener))
        yield


def _listener(part: str) -> events.Listener:
    name, _, rest = part.partition(":")
    if name == "log" and rest:
        return _log(Path(rest))
    number, _, sent = rest.partition(":")
    if not number.isdecimal() or int(number) < 1 or (sent or "KILL") not in _SIGNALS:
        raise UsageError(f"GLIMMR_CRASH_AT={part}: {_HOW}")
    return _end(_known(name), int(number), signal.Signals[f"SIG{sent or 'KILL'}"])


def _known(name: str) -> str:
    names = [event.name for event in events.CATALOGUE]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "`docs/reference/events.md` lists them all"
        raise UsageError(f"GLIMMR_CRASH_AT: there is no event {name}; {hint}")
    return name


def _log(path: Path) -> Callable[[Event, dict[str, Any]], None]:
    def write(event: Event, facts: dict[str, Any]) -> None:
        del facts
        with path.open("ab", buffering=0) as file:
            file.write(f"{event.name}\n".encode())

    return write


def _end(name: str, number: int, sent: signal.Signals) -> Callable[[Event, dict[str, Any]], None]:
    lock, left = threading.Lock(), number

    def count(event: Event, facts: dict[str, Any]) -> None:
        nonlocal left
        del facts
        if event.name != name:
            return
        with lock:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), sent)

    return count
