"""Looks after the invariants: what is not true is made true again, one small transaction each, told and counted."""

import logging
from collections.abc import Sequence

from glimmr import events
from glimmr.errors import LocalFault
from glimmr.jobs import recovery
from glimmr.jobs.invariant import Invariant, Violation, breaches
from glimmr.jobs.steady import Steady, ahead_seconds
from glimmr.stores.database import Database

_LOG = logging.getLogger(__name__)


class Rescuer:
    """Goes through a list of invariants. What cannot be repaired, or looked at now, holds up nothing after it."""

    def __init__(self, database: Database, invariants: Sequence[Invariant], steady: Steady | None = None) -> None:
        self._database, self._invariants, self._steady = database, invariants, steady
        self._stopped = False
        self._hopeless: set[tuple[str, str]] = set()

    def look(self) -> int:
        """Look once at every invariant. Returns how many repairs were made."""
        return sum(self._restore(invariant) for invariant in self._invariants)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True

    def repair(self, invariant: Invariant, violation: Violation) -> bool:
        """Make it true again and say so; False when there was nothing to do. Raises what the repair raises."""
        done = invariant.repair(violation, lambda connection: recovery.count_repair(connection, invariant.name))
        if done:
            told = {"invariant": invariant.name, "subject": violation.subject, "message": violation.text}
            events.tell(events.INVARIANT_REPAIRED, **told)
        return done

    def _restore(self, invariant: Invariant) -> int:
        repaired = 0
        try:
            for violation in breaches(invariant):
                if not self._may_act(invariant):
                    break
                repaired += self._try(invariant, violation)
        except LocalFault as fault:
            if not self._stopped:
                _LOG.warning("%s is left for the next look: %s", invariant.name, fault)
        except Exception as bug:  # noqa: BLE001 - one invariant that cannot be looked at must not stop the others
            self._say_once(invariant, "", bug)
        return repaired

    def _try(self, invariant: Invariant, violation: Violation) -> bool:
        try:
            return self.repair(invariant, violation)
        except LocalFault:
            raise
        except Exception as bug:  # noqa: BLE001 - a row that cannot be repaired must not block those after it
            self._say_once(invariant, violation.subject, bug)
            return False

    def _may_act(self, invariant: Invariant) -> bool:
        return not self._stopped and (not invariant.by_time or self._steady is None or self._is_steady(self._steady))

    def _is_steady(self, steady: Steady) -> bool:
        steady.heed(self._database.read(ahead_seconds))
        return steady.is_long_enough()

    def _say_once(self, invariant: Invariant, subject: str, bug: Exception) -> None:
        """Loud the first time: it comes again with every look."""
        if not self._stopped and (invariant.name, subject) not in self._hopeless:
            self._hopeless.add((invariant.name, subject))
            _LOG.error("%s %s cannot be repaired: %r", invariant.name, subject, bug, exc_info=bug)
