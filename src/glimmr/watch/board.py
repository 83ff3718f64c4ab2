"""What this process did so far, told by its events: jobs, bytes and rows per step, and what is under way."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from glimmr import events
from glimmr.events import Event

_RATE_SECONDS = 3.0  # the rate shown is over about this time


@dataclass(slots=True)
class Room:
    """One step's share of the work done by this process."""

    ended: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # (outcome, reason) → jobs
    retried: int = 0
    bytes: int = 0
    rows: int = 0

    @property
    def done(self) -> int:
        """Jobs that ended, well or not."""
        return sum(self.ended.values())


@dataclass(frozen=True, slots=True)
class UnderWay:
    """One running job: its step, its host if it asks one, how far it said it is, and what it was put with."""

    step: str
    host: str | None
    progress: dict[str, Any]
    args: dict[str, Any] = field(default_factory=dict[str, Any])


class Board:
    """Listens from construction until `close`. Any thread may tell and ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rooms: dict[str, Room] = {}
        self._running: dict[int, UnderWay] = {}
        self._named = 0
        self._given_up: list[dict[str, Any]] = []
        self._rate_from = (time.monotonic(), 0)
        self._rate = 0.0
        self._heard: dict[Event, Callable[[dict[str, Any]], None]] = {
            events.SCAN_FOUND: self._scanned,
            events.JOB_CLAIMED: self._claimed,
            events.JOB_PROGRESSED: self._progressed,
            events.JOB_FINISHED: self._ended,
            events.JOB_GAVE_UP: self._gave_up,
            events.JOB_RETRIED: self._retried,
            events.JOB_HANDED_BACK: self._left,
            events.LEASE_LOST: self._left,
        }
        self.close = events.listen(self._hear, self._heard)

    def rooms(self) -> dict[str, Room]:
        """What each step did, by its name."""
        with self._lock:
            return {name: Room(Counter(r.ended), r.retried, r.bytes, r.rows) for name, r in self._rooms.items()}

    def under_way(self) -> list[UnderWay]:
        """The jobs running now, oldest first."""
        with self._lock:
            return list(self._running.values())

    def named(self) -> int:
        """How many price files the sources named."""
        with self._lock:
            return self._named

    def given_up(self) -> list[dict[str, Any]]:
        """The jobs that failed and will not run again, as their events told."""
        with self._lock:
            return list(self._given_up)

    def bytes_per_second(self) -> float:
        """How fast bytes come home, over the last seconds."""
        with self._lock:
            now = time.monotonic()
            total = sum(room.bytes for name, room in self._rooms.items() if name == "download")
            total += sum(job.progress.get("bytes", 0) for job in self._running.values() if job.step == "download")
            since, before = self._rate_from
            if now - since >= _RATE_SECONDS:
                self._rate, self._rate_from = max(0, total - before) / (now - since), (now, total)
            return self._rate

    def _hear(self, event: Event, facts: dict[str, Any]) -> None:
        with self._lock:
            self._heard[event](facts)

    def _room(self, facts: dict[str, Any]) -> Room:
        return self._rooms.setdefault(facts["step"], Room())

    def _scanned(self, facts: dict[str, Any]) -> None:
        self._named += facts["found"]

    def _claimed(self, facts: dict[str, Any]) -> None:
        self._running[facts["job"]] = UnderWay(facts["step"], facts.get("host"), {}, facts.get("args", {}))

    def _progressed(self, facts: dict[str, Any]) -> None:
        if facts["job"] in self._running:
            self._running[facts["job"]].progress.update(facts)

    def _ended(self, facts: dict[str, Any]) -> None:
        self._left(facts)
        room = self._room(facts)
        room.ended[facts["outcome"], facts["reason"]] += 1
        room.bytes += facts.get("bytes", 0)
        room.rows += facts.get("rows", 0)

    def _gave_up(self, facts: dict[str, Any]) -> None:
        self._ended(facts)
        self._given_up.append(facts)

    def _retried(self, facts: dict[str, Any]) -> None:
        self._left(facts)
        self._room(facts).retried += 1

    def _left(self, facts: dict[str, Any]) -> None:
        self._running.pop(facts["job"], None)
