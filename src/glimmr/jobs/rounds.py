"""When the rescuer looks: each pace in a thread of its own, so that no slow shelf delays a rescue."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from glimmr.jobs.invariant import Invariant
from glimmr.jobs.rescuer import Rescuer
from glimmr.jobs.steady import Steady
from glimmr.stores.database import Database

_LOOKS_SHARE, _LONGEST_REST_SECONDS = 0.02, 600.0
_LOG = logging.getLogger(__name__)


class Beside(Protocol):
    """What goes on beside a worker's work in a thread of its own, and should know who leads."""

    def start(self) -> None:
        """Begin."""
        ...

    def lead(self, leading: bool) -> None:
        """Say whether this worker leads now."""
        ...

    def stop(self) -> None:
        """End soon."""
        ...


class Rounds:
    """Invariants of one pace are one round, apart from those that list a shelf. Only the leader's are made.

    `repaired` is called, in the round's thread, after repairs.
    """

    def __init__(
        self, database: Database, invariants: Sequence[Invariant], steady: Steady, repaired: Callable[[], None]
    ) -> None:
        paced = sorted(invariants, key=_pace)
        self._rounds = [
            _Round(Rescuer(database, list(same), steady), every_seconds, repaired, lists_a_shelf=lists_a_shelf)
            for (every_seconds, lists_a_shelf), same in itertools.groupby(paced, key=_pace)
        ]

    def start(self) -> None:
        """Begin; nothing is looked at before this worker leads."""
        for one in self._rounds:
            one.start()

    def lead(self, leading: bool) -> None:
        """Say whether this worker leads now. Who begins to lead looks at everything at once."""
        for one in self._rounds:
            one.lead(leading)

    @property
    def have_looked(self) -> bool:
        """Whether everything was looked at since this worker leads; true while it does not lead."""
        return all(one.has_looked for one in self._rounds)

    def stop(self) -> None:
        """End soon."""
        for one in self._rounds:
            one.stop()

    def join(self, seconds: float) -> None:
        """Wait until all have ended, but not longer than that for a shelf that does not answer."""
        until = time.monotonic() + seconds
        for one in self._rounds:
            if one.is_alive():
                one.join(max(0.0, until - time.monotonic()))


class _Round(threading.Thread):
    def __init__(
        self, rescuer: Rescuer, every_seconds: float, repaired: Callable[[], None], *, lists_a_shelf: bool
    ) -> None:
        super().__init__(name=f"rescuer {every_seconds:g} s{' shelf' * lists_a_shelf}", daemon=True)
        self._rescuer, self._every_seconds, self._repaired = rescuer, every_seconds, repaired
        self._lists_a_shelf, self._pause_seconds = lists_a_shelf, every_seconds
        self._woken = threading.Event()
        self._leading = self._stopping = False
        self._terms_led = 0  # how often this worker began or ceased to lead
        self.has_looked = True

    def lead(self, leading: bool) -> None:
        if leading == self._leading:
            return
        self._leading, self.has_looked = leading, not leading
        self._terms_led += 1
        self._woken.set()

    def stop(self) -> None:
        self._rescuer.stop()
        self._stopping = True
        self._woken.set()

    def run(self) -> None:
        while not self._stopping:
            self._woken.wait(self._pause_seconds if self._leading else None)
            self._woken.clear()
            if self._leading and not self._stopping:
                self._look()

    def _look(self) -> None:
        begun_in, began = self._terms_led, time.monotonic()
        try:
            if self._rescuer.look():
                self._repaired()
        except Exception:  # noqa: BLE001 - whatever it was, the next look is due all the same
            _LOG.exception("the rescuer stumbled; it looks again soon")
        if self._lists_a_shelf:
            self._pause_seconds = rest_seconds(self._every_seconds, time.monotonic() - began)
        if begun_in == self._terms_led:  # else the look was that of an earlier leader
            self.has_looked = True


def rest_seconds(every_seconds: float, look_seconds: float) -> float:
    """How long to rest after a look at a shelf: so that looks take a fiftieth of the time, yet 10 minutes at most."""
    return max(every_seconds, min(look_seconds / _LOOKS_SHARE, _LONGEST_REST_SECONDS))


def _pace(invariant: Invariant) -> tuple[float, bool]:
    return invariant.every_seconds, invariant.lists_a_shelf
