"""How many bytes a second one process receives: one queue that all its transfers wait in, piece by piece."""

import threading
import time
from collections.abc import Callable

_BURST_SECONDS = 0.1  # what may come at once after a silence
_LOOK_SECONDS = 0.25
_PIECES_A_SECOND = 16
_LEAST_PIECE_BYTES, _LARGEST_PIECE_BYTES = 1024, 256 * 1024


class Bandwidth:
    """A limit that running transfers share fairly: each waits for the piece it has before it takes the next.

    So who is slower by himself leaves his part to the others. Any thread may wait. 0: no limit.
    """

    def __init__(self, bytes_per_second: int = 0) -> None:
        self._rate = bytes_per_second
        self._lock = threading.Lock()
        self._paid_until = float("-inf")

    @property
    def piece_bytes(self) -> int:
        """How much a transfer takes at a time: small pieces make equal shares, large ones are cheap."""
        if not self._rate:
            return _LARGEST_PIECE_BYTES
        return min(max(self._rate // _PIECES_A_SECOND, _LEAST_PIECE_BYTES), _LARGEST_PIECE_BYTES)

    def pay(self, size_bytes: int, waiting: Callable[[], None]) -> float:
        """Wait until so many bytes were allowed to come; the seconds it took. What `waiting` raises ends the wait."""
        if not self._rate:
            return 0.0
        began = time.monotonic()
        with self._lock:
            self._paid_until = max(self._paid_until, began - _BURST_SECONDS) + size_bytes / self._rate
            until = self._paid_until
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
            waiting()
        return time.monotonic() - began
