"""How long the database has taken beats without a gap: what must be known before another's lease is called run out."""

import threading
from collections.abc import Callable

from glimmr.jobs.job import Terms
from glimmr.stores.clock import boot_seconds

_GRACE_SECONDS, _LONGEST_SETTLE_SECONDS = 2.0, 6.0
_LEAST_GAP_SECONDS = 1.0


class Steady:
    """The worker's own beats are the witness: where they are written, those of honest others are written, too.

    A frozen or locked database lets the leases of honest workers run out; a while after it lets them beat again before
    anybody takes their jobs. 6 s is enough: whose beat is overdue tries every second. (Reads prove nothing: SQLite
    answers them while no write gets in.)
    """

    def __init__(self, terms: Terms) -> None:
        self._beat_seconds = terms.beat_seconds
        self._longest_gap_seconds = max(_LEAST_GAP_SECONDS, 1.5 * terms.beat_seconds)
        self._settle_seconds = min(terms.beat_seconds + _GRACE_SECONDS, _LONGEST_SETTLE_SECONDS)
        self._since = self._beat_at = boot_seconds()

    def beat(self) -> None:
        """A beat has just been written."""
        now = boot_seconds()
        if now - self._beat_at > self._longest_gap_seconds:
            self._since = now
        self._beat_at = now

    def prove(self, beat: Callable[[], object]) -> None:
        """Beat until it is long enough: for who has no worker's heartbeat. `beat` writes to the database."""
        while not self.is_long_enough():
            beat()
            self.beat()
            threading.Event().wait(min(_LEAST_GAP_SECONDS, self._beat_seconds) / 2)

    def is_long_enough(self) -> bool:
        """Whether a lease that has run out now has run out for want of its worker."""
        now = boot_seconds()
        gapless = now - self._beat_at <= self._longest_gap_seconds
        return gapless and now - self._since >= self._settle_seconds
