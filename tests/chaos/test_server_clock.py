"""Somebody sets the clock of PostgreSQL's machine: it is the clock of the fleet's leases, and there is no other."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from glimmr.jobs import ledger
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.outcomes import Outcome
from glimmr.pipeline.parts import Parts
from glimmr.pipeline.scan_job import scan_job
from glimmr.pipeline.upkeep_step import UpkeepStep, keep_schedules
from glimmr.settings import load
from glimmr.stores.database import Connection, Database, migrate
from tests.support.servers import PostgreSql
from tests.unit.jobs.toys import Toy, history, put, take, work_off

TERMS = Terms(lease_seconds=12.0, patience_seconds=0.0)
JOBS = 4
# The server's own clock, shadowed by one that runs ahead of it.
SHADOW = """
CREATE TABLE ahead (seconds DOUBLE PRECISION);
INSERT INTO ahead VALUES (0);
CREATE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
'SELECT pg_catalog.statement_timestamp() + make_interval(secs => seconds) FROM ahead';
"""


@pytest.fixture
def database(postgresql: PostgreSql) -> Iterator[Database]:
    made = Database(postgresql.url() + "?options=-c%20search_path%3Dpublic%2Cpg_catalog")
    migrate(made)
    made.write(lambda c: c.exec_driver_sql(SHADOW))
    yield made
    made.close()


def set_clock(database: Database, ahead_seconds: float) -> None:
    database.write(lambda c: c.exec_driver_sql(f"UPDATE ahead SET seconds = {ahead_seconds}"))


@pytest.mark.parametrize("ahead_seconds", [3600.0, pytest.param(-3600.0, marks=pytest.mark.long)])
def test_no_honest_run_loses_its_lease_and_a_dead_workers_jobs_are_rescued_soon(
    database: Database, ahead_seconds: float, record_property: Callable[[str, object], None]
) -> None:
    early, late, *honest = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(2 + JOBS)))
    rescued = {early: asyncio.Event(), late: asyncio.Event()}
    assert take(database, early, "dead", lease_seconds=-1.0)
    assert take(database, late, "dead", lease_seconds=TERMS.lease_seconds)

    async def do(job: Job, tell: Tell) -> Result:
        if job.id in rescued:
            rescued[job.id].set()
        await rescued[late].wait()
        return Result(outcome=Outcome.OK)

    toy = Toy(do)

    async def through() -> float:
        working = asyncio.create_task(work_off(database, {"toy": toy}, {"toy": 2 + JOBS}, terms=TERMS))
        await rescued[early].wait()  # from now on whose lease has run out is rescued at once
        assert len(toy.ran) == 1 + JOBS
        began = asyncio.get_running_loop().time()
        await asyncio.to_thread(set_clock, database, ahead_seconds)
        await rescued[late].wait()
        seconds = asyncio.get_running_loop().time() - began
        await working
        return seconds

    record_property("the dead one's job runs again after, s", asyncio.run(asyncio.wait_for(through(), 100)))
    assert [history(database, job_id) for job_id in honest] == [["ok"]] * JOBS
    assert [history(database, job_id) for job_id in rescued] == [["rescued", "ok"]] * 2


class Rooms:
    """As much of the line's parts as schedules need."""

    def __init__(self, database: Database) -> None:
        self.database, self.settings, self.sources = database, load(), {"pra": None}


class Upkeep(UpkeepStep):
    """Counts its runs: pruning removes the oldest of their jobs."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.runs: Counter[str] = Counter()

    async def run(self, job: Job, tell: Tell) -> Result:
        self.runs[job.args["task"]] += 1
        return await super().run(job, tell)


def test_no_schedule_is_missed_or_doubled_by_a_worker_that_lives_through_it(database: Database) -> None:
    sunday = datetime(2028, 1, 2, tzinfo=UTC)  # prune daily at 2:30, scan on Sundays at 3:00
    upkeep = Upkeep(cast("Parts", Rooms(database)))

    def set_to(wall: datetime) -> None:
        set_clock(database, (wall - datetime.now(UTC)).total_seconds())

    def is_busy(connection: Connection) -> bool:
        return ledger.any_due(connection) or bool(ledger.running(connection))

    async def done_at(wall: datetime) -> tuple[int, int]:
        """How often each has run when all is done that is due after the clock was set."""
        await asyncio.to_thread(set_to, wall)
        async with asyncio.timeout(30):
            while await asyncio.to_thread(database.read, is_busy):
                await asyncio.sleep(0.05)
        return upkeep.runs["prune"], upkeep.runs["scan"]

    async def through() -> None:
        steps, stop = {"scan": Toy(), "upkeep": upkeep}, asyncio.Event()
        working = asyncio.create_task(work_off(database, steps, terms=TERMS, until_idle=False, stop=stop))
        at = {
            "hour before": (sunday + timedelta(hours=1, minutes=45), (0, 0)),
            "both due": (sunday + timedelta(hours=3, seconds=1), (1, 1)),
            "an hour back": (sunday + timedelta(hours=2, seconds=1), (1, 1)),
            "the same times again": (sunday + timedelta(hours=3, minutes=1), (1, 1)),
            "an hour ahead": (sunday + timedelta(hours=4, minutes=1), (1, 1)),
            "next day": (sunday + timedelta(days=1, hours=2, minutes=31), (2, 1)),
            "next week, an hour late": (sunday + timedelta(days=7, hours=4), (3, 2)),
        }
        assert {name: await done_at(wall) for name, (wall, _) in at.items()} == {n: runs for n, (_, runs) in at.items()}
        stop.set()
        await working

    set_to(sunday)
    database.write(lambda c: keep_schedules(c, load()))
    put(database, scan_job("pra", "VT", refresh=False))
    asyncio.run(asyncio.wait_for(through(), 150))
