"""Notices that the machine's clock was set back: jobs written before would wait until it comes to that time again."""

import time
from collections.abc import Callable

from glimmr.stores.clock import boot_seconds

_STEP_SECONDS = 300.0  # less is what machines of a fleet may differ by
_EVERY_SECONDS = 60.0


class WallClock:
    """Compares the clock that people set with the one nobody sets."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._ahead_seconds = now() - boot_seconds()
        self._asked_at = boot_seconds()

    def is_doubtful(self) -> bool:
        """Whether it was set back since the last call, or nobody has looked for a minute.

        The latter since on PostgreSQL the server's clock counts, which this process does not see being set.
        """
        ahead_seconds, before_seconds = self._now() - boot_seconds(), self._ahead_seconds
        self._ahead_seconds = ahead_seconds
        if before_seconds - ahead_seconds < _STEP_SECONDS and boot_seconds() - self._asked_at < _EVERY_SECONDS:
            return False
        self._asked_at = boot_seconds()
        return True
