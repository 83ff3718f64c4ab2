"""How much memory this process itself has, and whether that is too much; its children are watched elsewhere."""

import time

import psutil

_EVERY_SECONDS = 1.0


class Girth:
    """Asked often, looks once a second. Without a limit (None) nothing is too much."""

    def __init__(self, limit_bytes: int | None) -> None:
        self._limit_bytes = limit_bytes
        self._process = psutil.Process()
        self._looked_at = float("-inf")
        self.was_too_much = False

    def is_too_much(self) -> bool:
        """Whether the last look found more than the limit."""
        if self._limit_bytes is None:
            return False
        now = time.monotonic()
        if now - self._looked_at >= _EVERY_SECONDS:
            self._looked_at = now
            self.was_too_much = self._process.memory_info().rss > self._limit_bytes
        return self.was_too_much
