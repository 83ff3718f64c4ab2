"""How often an API may be asked, counted over everybody who asks it: the next free moment is taken before the wait."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Moments = tuple[float, ...]  # when the latest requests went or will go, in order; seconds of the diary's clock
Change = Callable[[Moments, float], Moments]

_LONGEST_QUEUE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float


class Diary(Protocol):
    """Where the moments that were taken are written down, with the one clock they are told by.

    The one that `stores` keeps, with the database's clock, makes a limit hold for a fleet (`stores.paces`).
    """

    def change(self, name: str, change: Change) -> tuple[Moments, float]:
        """Apply a pure change to what is written under `name` now, nobody else's in between: what is there, and now."""
        ...


class LocalDiary:
    """What this process alone took."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, Moments] = {}
        self._clock = clock

    def change(self, name: str, change: Change) -> tuple[Moments, float]:
        """Apply a change."""
        with self._lock:
            now = self._clock()
            self._taken[name] = after = change(self._taken.get(name, ()), now)
            return after, now


class Pace:
    """The pace at which one thing is asked by all who share its diary."""

    def __init__(self, name: str, limit: Limit, diary: Diary) -> None:
        self._name, self._limit, self._diary = name, limit, diary

    def take(self) -> float:
        """Take the next free moment; seconds until it. A moment that is not used is lost, which harms nobody."""
        taken, now = self._diary.change(self._name, lambda moments, now: after_one(moments, now, self._limit))
        return taken[-1] - now


def after_one(taken: Moments, now: float, limit: Limit) -> Moments:
    """The moments with one more: the first that the limit leaves free. Pure.

    Moments too far ahead to be a queue are there because the clock was set back: they count as now.
    """
    latest = now + limit.seconds + _LONGEST_QUEUE_SECONDS
    kept = [now if moment > latest else moment for moment in taken]
    free = max([now, *kept[-1:]])
    if len(kept) >= limit.requests:
        free = max(free, kept[-limit.requests] + limit.seconds)
    return (*kept, free)[-limit.requests :]
