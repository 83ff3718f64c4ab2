"""Keeps a worker's leases alive from a thread of its own, so that no step can starve them, and brings orders back."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from glimmr.errors import JobCancelled, LeaseLost, LocalFault
from glimmr.jobs import ledger
from glimmr.jobs.endings import tell_end
from glimmr.jobs.job import Ending, Held, Job, Terms
from glimmr.jobs.run import Run, Runs
from glimmr.jobs.steady import Steady, ahead_seconds
from glimmr.stores.database import Connection, Database

_CONTROL_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class Heartbeat:
    """Beats every 10 s (or third of a lease); every second it reads which runs are cancelled or lost.

    A job's progress is written at most every 5 s, which extends its lease, too, and the next beat leaves it out: so a
    running job's row is written less than once in 5 s.
    `failure` is what stopped it against its will: a bug, since a database that does not answer is waited for.
    """

    def __init__(
        self,
        database: Database,
        owner: str,
        *,
        terms: Terms,
        runs: Runs,
        steady: Steady,
        sign_in: Callable[[Connection], None],
    ) -> None:
        self._database, self._owner, self._terms, self._sign_in = database, owner, terms, sign_in
        self._runs, self._steady = runs, steady
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._live, name="heartbeat", daemon=True)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating, and wait for the last beat to end."""
        self.stop_soon()
        self._thread.join()

    def stop_soon(self) -> None:
        """Stop beating, without waiting."""
        self._leave.set()

    def _live(self) -> None:
        beat_at = time.monotonic()
        wait_seconds = min(_CONTROL_SECONDS, self._terms.beat_seconds)
        try:
            while not self._leave.wait(wait_seconds):
                due = time.monotonic() - beat_at >= self._terms.beat_seconds - wait_seconds / 2
                if self._tick(due=due) and due:
                    beat_at = time.monotonic()
        except Exception as error:  # noqa: BLE001 - kept: the worker raises it at its next tick
            self.failure = error

    def _tick(self, *, due: bool) -> bool:
        """One look at the ledger; False when the database did not answer."""
        before = self._runs.all()
        beats = due or not self._steady.is_long_enough()  # each beat proves that the database takes them
        told = [(run.job, progress) for run in before.values() if (progress := run.unwritten()) is not None]
        try:
            self._obey(before, self._write(told, beats=beats, due=due) if told or beats else self._look())
        except LocalFault as fault:
            _LOG.warning("heartbeat: %s", fault)
            return False
        return True

    def _write(self, told: Sequence[tuple[Job, dict[str, Any]]], *, beats: bool, due: bool) -> list[Held]:
        lease_seconds = self._terms.lease_seconds
        fresh_seconds = self._terms.write_seconds if due else lease_seconds  # a proof alone leaves the jobs' rows be

        def work(connection: Connection) -> tuple[list[Held], float | None]:
            ledger.write_progress(connection, told, lease_seconds)
            if not beats:
                return ledger.held(connection, self._owner), None
            held = ledger.beat(connection, self._owner, lease_seconds, self._sign_in, fresh_seconds=fresh_seconds)
            return held, ahead_seconds(connection)

        held, ahead = self._database.write(work, longest_pause_seconds=_CONTROL_SECONDS)
        if ahead is not None:
            self._steady.beat(ahead)
        return held

    def _look(self) -> list[Held]:
        return self._database.read(lambda connection: ledger.held(connection, self._owner))

    def _obey(self, before: dict[tuple[int, int], Run], held: Sequence[Held]) -> None:
        """Stop runs that are cancelled or lost; hand back what the ledger says we hold and nobody here works on.

        `before` was taken before the ledger was read: a run that is missing there has ended or lost its lease.
        """
        said = {(row.id, row.epoch): row for row in held}
        now = self._runs.all()
        for name, run in before.items():
            if name not in now:
                continue
            if name not in said:
                run.stop(LeaseLost(f"job {run.job.id} ({run.job.step}) belongs to another run now"))
            elif said[name].cancel_requested:
                run.stop(JobCancelled("cancelled by an operator"))
        for row in held:
            if not self._runs.knows(row.id, row.epoch):
                self._hand_back(row)

    def _hand_back(self, row: Held) -> None:
        # The answer to its claim was lost: nobody here knows that the job is ours.
        job = Job(
            id=row.id,
            step=row.step,
            args={},
            host=None,
            priority=0,
            attempt=0,
            stalls=0,
            owner=self._owner,
            epoch=row.epoch,
        )
        ending = Ending(state="ready", ended_as="handed_back", message="the answer to its claim was lost")

        def work(connection: Connection) -> bool:
            try:
                return ledger.end(connection, job, ending)
            except LeaseLost:
                return False

        if self._database.write(work):
            tell_end(job, ending)
