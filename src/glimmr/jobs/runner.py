"""One job as one straight pipe: claim, run, and one fenced transaction that says how it ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from structlog.contextvars import bound_contextvars

from glimmr import events
from glimmr.errors import DatabaseFault, DiskFull, LeaseLost, LocalFault, ShuttingDown
from glimmr.jobs import ledger
from glimmr.jobs.endings import broken, facts, fail, finish, good_end, tell_end
from glimmr.jobs.job import Due, Result, Step, Terms
from glimmr.jobs.run import Run, Runs
from glimmr.jobs.verdict import Decide
from glimmr.stores.database import Connection, Database

T = TypeVar("T")

_AGAIN_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class InThread(Protocol):
    """Runs a blocking call in one of the ledger's own threads (a step can never use them up)."""

    def __call__(self, call: Callable[[], T]) -> Awaitable[T]:
        """The call's answer."""
        ...


class Runner:
    """Runs jobs of known steps for one worker."""

    def __init__(
        self,
        database: Database,
        steps: Mapping[str, Step],
        *,
        owner: str,
        terms: Terms,
        runs: Runs,
        decide: Decide,
        in_thread: InThread,
    ) -> None:
        self._database, self._steps, self._owner, self._terms = database, steps, owner, terms
        self._runs, self._decide, self._in_thread = runs, decide, in_thread
        self._leaving = self._thrown_away = False

    def leave(self, *, at_once: bool = False) -> None:
        """The worker stops: wait for no database any more; `at_once`, write nothing more either."""
        self._leaving, self._thrown_away = True, at_once

    async def run(self, due: Due) -> frozenset[str]:
        """Claim the job, run it, write how it ended. Returns the steps whose jobs may be due now because of it."""
        run = await self._claim(due)
        if run is None:
            return frozenset()
        try:
            with bound_contextvars(**facts(run.job)):  # whatever logs on the way says which run it was
                return await self._from_start_to_end(run)
        except LeaseLost as lost:
            events.tell(events.LEASE_LOST, **facts(run.job), message=str(lost), seconds=run.seconds())
        except LocalFault as fault:
            # The end could not be written: the ledger still says that we run it, and its lease decides.
            _LOG.warning("job %d (%s): %s", run.job.id, run.job.step, fault)
        finally:
            self._runs.ended(run)
        return frozenset({due.step})

    async def _claim(self, due: Due) -> Run | None:
        run: Run | None = None
        events.tell(events.JOB_OFFERED, job=due.id, step=due.step, host=due.host)
        self._runs.claiming(due.id)
        try:
            job = await self._write(
                lambda connection: ledger.claim(
                    connection,
                    due.id,
                    owner=self._owner,
                    lease_seconds=self._terms.lease_seconds,
                    connections_per_host=self._terms.connections_per_host,
                )
            )
            run = Run(job, self._terms.write_seconds) if job is not None else None
        except LocalFault as fault:
            _LOG.warning("job %d cannot be claimed: %s", due.id, fault)
        finally:
            self._runs.claimed(due.id, run)
        if run is not None:
            events.tell(events.JOB_CLAIMED, **facts(run.job))
            if self._leaving:
                run.stop(ShuttingDown("this process is stopping; the job is handed back"))
        return run

    async def _from_start_to_end(self, run: Run) -> frozenset[str]:
        try:
            run()
            result = await self._steps[run.job.step].run(run.job, run)
            run.ending = True
            return await self._finish(run, result)
        except asyncio.CancelledError:
            if run.stopped is None or run.ending or self._thrown_away:
                raise  # nothing (more) is written, and the lease decides
            await self._fail(run, run.stopped)
        except Exception as error:  # noqa: BLE001 - whatever a step raises is an ending, decided by `retry`
            await self._fail(run, run.stopped or error)
        return frozenset({run.job.step})

    async def _finish(self, run: Run, result: Result) -> frozenset[str]:
        job = run.job
        following = await self._until_written(run, lambda connection: finish(connection, job, result))
        tell_end(job, good_end(result), run.seconds())
        for job_id, new in following.items():
            events.tell(events.JOB_ENQUEUED, job=job_id, step=new.step, args=new.args, host=new.host)
        return frozenset({job.step} | {new.step for new in following.values()})

    async def _fail(self, run: Run, error: BaseException) -> None:
        if isinstance(error, LeaseLost):
            raise error
        job, step = run.job, self._steps[run.job.step]
        run.ending = True
        try:
            ending = await self._until_written(
                run, lambda connection: fail(connection, job, error, step=step, decide=self._decide, terms=self._terms)
            )
        except (LeaseLost, LocalFault):
            raise
        except Exception as bug:  # noqa: BLE001 - whatever a step raises here, its job must end
            # The step cannot even write down that it failed. The job must end all the same, and say so.
            _LOG.exception("job %d (%s): the step's own ending failed", job.id, job.step)
            ending = broken(error, bug)
            await self._until_written(run, lambda connection: ledger.end(connection, job, ending))
        tell_end(job, ending, run.seconds())

    async def _until_written(self, run: Run, work: Callable[[Connection], T]) -> T:
        """A run's last transaction is worth waiting for: its work is done, only the database is away."""
        while True:
            try:
                return await self._write(work)
            except (DatabaseFault, DiskFull) as fault:
                if self._leaving:
                    raise
                _LOG.warning("job %d (%s): its end cannot be written yet: %s", run.job.id, run.job.step, fault)
                await asyncio.sleep(_AGAIN_SECONDS)

    def _write(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        return self._in_thread(lambda: self._database.write(work))
