"""Keeps a worker's leases alive from a thread of its own, so that no step can starve them, and brings orders back."""

import logging
import threading
import time
from collections.abc import Sequence

from glimmr import events
from glimmr.errors import JobCancelled, LeaseLost, LocalFault
from glimmr.jobs import ledger
from glimmr.jobs.job import Ending, Held, Job, Terms
from glimmr.jobs.run import Run, Runs
from glimmr.jobs.steady import Steady
from glimmr.stores.database import Connection, Database

_CONTROL_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class Heartbeat:
    """Beats every third of a lease; every second it reads which runs are cancelled or lost, and writes progress.

    `failure` is what stopped it against its will: a bug, since a database that does not answer is waited for.
    """

    def __init__(self, database: Database, owner: str, *, terms: Terms, runs: Runs, steady: Steady) -> None:
        self._database, self._owner, self._terms = database, owner, terms
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
                beats = time.monotonic() - beat_at >= self._terms.beat_seconds - wait_seconds / 2
                if self._tick(beats=beats) and beats:
                    beat_at = time.monotonic()
        except Exception as error:  # noqa: BLE001 - kept: the worker raises it at its next tick
            self.failure = error

    def _tick(self, *, beats: bool) -> bool:
        """One look at the ledger; False when the database did not answer."""
        before = self._runs.all()
        try:
            self._obey(before, self._beat() if beats else self._look())
            self._write_progress(before)
        except LocalFault as fault:
            _LOG.warning("heartbeat: %s", fault)
            return False
        return True

    def _beat(self) -> list[Held]:
        held = self._database.write(lambda connection: ledger.beat(connection, self._owner, self._terms.lease_seconds))
        self._steady.beat()
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
            id=row.id, step="", args={}, host=None, priority=0, attempt=0, stalls=0, owner=self._owner, epoch=row.epoch
        )
        ending = Ending(state="ready", ended_as="handed_back", message="the answer to its claim was lost")

        def work(connection: Connection) -> bool:
            try:
                return ledger.end(connection, job, ending)
            except LeaseLost:
                return False

        if self._database.write(work):
            events.tell(events.JOB_HANDED_BACK, job=row.id, worker=self._owner, reason=ending.message)

    def _write_progress(self, runs: dict[tuple[int, int], Run]) -> None:
        told = [(run.job, progress) for run in runs.values() if (progress := run.unwritten()) is not None]
        if told:
            self._database.write(lambda connection: ledger.write_progress(connection, told))
