"""Somebody sets the clock of PostgreSQL's machine: it is the clock of the fleet's leases, and there is no other."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database, migrate
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


@pytest.mark.parametrize("ahead_seconds", [3600.0, -3600.0])
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
