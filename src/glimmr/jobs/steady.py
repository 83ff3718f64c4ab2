"""How long the database has taken beats without a gap: what must be known before another's lease is called run out."""

import threading
from collections.abc import Callable

from glimmr.jobs import ledger
from glimmr.jobs.job import Terms
from glimmr.stores.clock import boot_seconds
from glimmr.stores.database import Connection

_GRACE_SECONDS, _LONGEST_SETTLE_SECONDS = 2.0, 6.0
_LEAST_GAP_SECONDS = 1.0
_LEAST_JUMP_SECONDS = 2.0  # less may be an answer that was long on its way


class Steady:
    """The worker's own beats are the witness: where they are written, those of honest others are written, too.

    A frozen or locked database lets the leases of honest workers run out; a while after it lets them beat again before
    anybody takes their jobs. 6 s is enough: whose beat is overdue tries every second. (Reads prove nothing: SQLite
    answers them while no write gets in.) A server's clock that somebody set does the same, and no other worker knows
    of it before its next beat.
    """

    def __init__(self, terms: Terms) -> None:
        self._beat_seconds = terms.beat_seconds
        self._longest_gap_seconds = max(_LEAST_GAP_SECONDS, 1.5 * terms.beat_seconds)
        self._settle_seconds = min(terms.beat_seconds + _GRACE_SECONDS, _LONGEST_SETTLE_SECONDS)
        self._beat_at = boot_seconds()
        self._settled_at = self._beat_at + self._settle_seconds
        self._ahead_seconds: float | None = None

    def beat(self, ahead_seconds: float) -> None:
        """A beat has just been written, with the clock of leases so far ahead (the function `ahead_seconds`)."""
        now = boot_seconds()
        if now - self._beat_at > self._longest_gap_seconds:
            self._settled_at = max(self._settled_at, now + self._settle_seconds)
        self._beat_at = now
        self.heed(ahead_seconds)

    def heed(self, ahead_seconds: float) -> None:
        """Trust no lease for a while when somebody has set the clock of leases since this was last told."""
        before_seconds, self._ahead_seconds = self._ahead_seconds, ahead_seconds
        if before_seconds is not None and abs(ahead_seconds - before_seconds) > _LEAST_JUMP_SECONDS:
            self._settled_at = boot_seconds() + self._beat_seconds + _GRACE_SECONDS

    def prove(self, beat: Callable[[], float]) -> None:
        """Beat until it is long enough: for who has no worker's heartbeat.

        `beat` writes to the database and returns `ahead_seconds`.
        """
        while not self.is_long_enough():
            self.beat(beat())
            threading.Event().wait(min(_LEAST_GAP_SECONDS, self._beat_seconds) / 2)

    def is_long_enough(self) -> bool:
        """Whether a lease that has run out now has run out for want of its worker."""
        now = boot_seconds()
        return now - self._beat_at <= self._longest_gap_seconds and now >= self._settled_at


def ahead_seconds(connection: Connection) -> float:
    """How far the clock of leases is ahead of this machine's: always the same, unless somebody sets it."""
    return ledger.lease_time(connection) - boot_seconds()
