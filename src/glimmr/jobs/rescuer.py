"""Restores what broken workers left behind: runs whose lease ran out, and waiting jobs that somebody cancelled."""

import logging
import time
from collections.abc import Callable, Mapping

from glimmr.errors import LeaseLost, LocalFault
from glimmr.jobs import ledger
from glimmr.jobs.endings import broken, end_with_step, tell_end
from glimmr.jobs.job import Ending, Job, Step, Terms
from glimmr.jobs.steady import Steady
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database

_EVERY_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class Rescuer:
    """Looks every second, but rescues only while the database has been `steady` for long enough."""

    def __init__(
        self, database: Database, steps: Mapping[str, Step], *, owner: str, terms: Terms, steady: Steady
    ) -> None:
        self._database, self._steps, self._owner, self._terms = database, steps, owner, terms
        self._steady = steady
        self._looked_at = float("-inf")

    def is_due(self) -> bool:
        """Whether it is time to look again."""
        return time.monotonic() - self._looked_at >= _EVERY_SECONDS

    def look(self) -> int:
        """End what is to be cancelled, rescue what is lost. Returns how many jobs changed. Raises LocalFault."""
        self._looked_at = time.monotonic()
        return self._cancel_waiting() + self._rescue_expired()

    def hand_back_of_the_dead(self) -> int:
        """Give back every running job at once; only for who knows that no other worker can be alive."""

        def work(connection: Connection) -> list[tuple[Job, Ending]]:
            ledger.forget_workers(connection)
            ending = Ending(state="ready", ended_as="handed_back", message="its worker is dead")
            return [(job, ending) for job in ledger.running(connection) if ledger.end(connection, job, ending)]

        return _tell(self._database.write(work))

    def _cancel_waiting(self) -> int:
        waiting = self._database.read(lambda connection: ledger.to_cancel(connection, self._steps.keys()))
        return sum(self._end(self._cancel(due.id)) for due in waiting)

    def _cancel(self, job_id: int) -> Callable[[Connection, bool], tuple[Job, Ending] | None]:
        def work(connection: Connection, with_step: bool) -> tuple[Job, Ending] | None:
            job = ledger.seize(connection, job_id, owner=self._owner, lease_seconds=self._terms.lease_seconds)
            if job is None:
                return None
            ending = Ending(
                state="cancelled",
                ended_as="cancelled",
                outcome=Outcome.CANCELLED,
                reason="operator",
                message="cancelled by an operator",
            )
            return self._write(connection, job, ending, with_step=with_step)

        return work

    def _rescue_expired(self) -> int:
        expired = self._database.read(ledger.expired)
        if not self._steady.is_long_enough():
            return 0
        return sum(self._end(self._rescue(job)) for job in expired if job.step in self._steps)

    def _rescue(self, job: Job) -> Callable[[Connection, bool], tuple[Job, Ending] | None]:
        def work(connection: Connection, with_step: bool) -> tuple[Job, Ending] | None:
            if not ledger.still_expired(connection, job) or not self._steady.is_long_enough():
                return None
            return self._write(connection, job, _rescued(job, self._terms.max_stalls), with_step=with_step)

        return work

    def _write(self, connection: Connection, job: Job, ending: Ending, *, with_step: bool) -> tuple[Job, Ending]:
        if with_step:
            end_with_step(connection, job, ending, self._steps[job.step])
        else:
            ledger.end(connection, job, ending)
        return job, ending

    def _end(self, work: Callable[[Connection, bool], tuple[Job, Ending] | None]) -> int:
        """One transaction a job: a step whose own ending fails holds up no other job."""
        try:
            done = self._database.write(lambda connection: work(connection, True))
        except LocalFault:
            raise
        except LeaseLost:
            return 0
        except Exception as bug:  # noqa: BLE001 - a bug in a step must not stop the rescue of others
            _LOG.exception("a step's own ending failed; its job ends without it: %s", broken("rescue", bug).message)
            done = self._database.write(lambda connection: work(connection, False))
        return _tell([done] if done else [])


def _rescued(job: Job, max_stalls: int) -> Ending:
    message = f"the lease of run {job.epoch} ({job.owner}) ran out: its worker died or was cut off"
    if job.stalls + 1 > max_stalls:
        return Ending(
            state="dead",
            ended_as=str(Outcome.POISON),
            outcome=Outcome.POISON,
            reason="stalled",
            message=f"{message}; that was the {job.stalls + 1}th time",
        )
    return Ending(state="ready", ended_as="rescued", message=message, stalled=True)


def _tell(ended: list[tuple[Job, Ending]]) -> int:
    for job, ending in ended:
        tell_end(job, ending)
    return len(ended)
