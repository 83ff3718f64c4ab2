"""How many connections one host gets at a time, however many downloads want it."""

import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Waiting = Callable[[], None]  # called about twice a second while a turn is awaited; what it raises ends the waiting

_LOOK_UP_SECONDS = 0.5


class Politeness(Protocol):
    """Gives turns at a host. One turn is one connection; it is taken for every hop of a redirect."""

    def turn(self, host: str, waiting: Waiting) -> AbstractContextManager[None]:
        """Wait for a turn at `host` and hold it for the length of the context."""
        ...

    def when_let_go(self, close_idle: Callable[[str], None]) -> None:
        """Whom to tell of a host whose turn others may have now: an idle connection there must be closed first."""
        ...


class LocalPoliteness:
    """Turns of this process only: at most `connections_per_host` at a time."""

    def __init__(self, connections_per_host: int) -> None:
        self._limit = connections_per_host
        self._taken: dict[str, int] = {}
        self._freed = threading.Condition()

    def when_let_go(self, close_idle: Callable[[str], None]) -> None:
        """Nobody else counts this process's connections, and whoever has the next turn uses the idle one."""

    @contextmanager
    def turn(self, host: str, waiting: Waiting) -> Generator[None]:
        """Wait for a turn at `host` and hold it for the length of the context."""
        while not self._take(host):
            waiting()
        try:
            yield
        finally:
            self._give_back(host)

    def _take(self, host: str) -> bool:
        with self._freed:
            free = self._freed.wait_for(lambda: self._taken.get(host, 0) < self._limit, _LOOK_UP_SECONDS)
            if free:
                self._taken[host] = self._taken.get(host, 0) + 1
            return free

    def _give_back(self, host: str) -> None:
        with self._freed:
            left = self._taken.pop(host) - 1
            if left:
                self._taken[host] = left
            self._freed.notify_all()
