"""A worker at work while its servers are restarted, killed, frozen, emptied: no job fails, none is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from glimmr.jobs import ledger
from glimmr.jobs.engines.docket import DocketEngine
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database, migrate
from tests.support.servers import PostgreSql, RedisServer
from tests.unit.jobs.toys import Toy, put, work_off

TERMS = Terms(lease_seconds=6.0, patience_seconds=0.0, stop_seconds=2.0)
Faults = Callable[[PostgreSql, RedisServer], Awaitable[None]]


async def _in_thread(*calls: Callable[[], Any]) -> None:
    for call in calls:
        await asyncio.to_thread(call)
        await asyncio.sleep(0.5)


async def _cheap(postgresql: PostgreSql, redis_server: RedisServer) -> None:
    await _in_thread(
        postgresql.restart,
        redis_server.restart,
        postgresql.terminate_backends,
        postgresql.kill,
        postgresql.start,
        redis_server.kill,
        postgresql.restart,
        redis_server.start,
    )
    with postgresql.read_only():
        await asyncio.sleep(1)


async def _costly(postgresql: PostgreSql, redis_server: RedisServer) -> None:
    for _ in range(6):
        await _cheap(postgresql, redis_server)
        with redis_server.frozen():
            await asyncio.sleep(3)
    with postgresql.frozen():
        await asyncio.sleep(2 * TERMS.lease_seconds)
    with redis_server.frozen():
        await asyncio.sleep(20)


def _toy() -> Toy:
    async def do(job: Job, tell: Tell) -> Result:
        await asyncio.sleep(0.1)
        tell(n=job.args["n"])
        return Result(outcome=Outcome.OK, apply=_effect(job.args["n"]))

    return Toy(do)


def _effect(n: int) -> Any:
    def apply(connection: Connection) -> None:
        connection.exec_driver_sql(f"INSERT INTO effects VALUES ({n})")

    return apply


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("faults", "jobs"), [(_cheap, 120), pytest.param(_costly, 1500, marks=pytest.mark.long)], ids=["cheap", "costly"]
)
def test_a_worker_whose_servers_break_again_and_again_does_every_job_exactly_once(faults: Faults, jobs: int) -> None:
    with PostgreSql() as postgresql, RedisServer() as redis_server:
        database = Database(postgresql.url(), patience_seconds=20.0)
        migrate(database)
        database.write(lambda c: c.exec_driver_sql("CREATE TABLE effects (n INTEGER)"))
        put(database, *(NewJob(step="toy", args={"n": n}) for n in range(jobs)))

        async def through_it_all() -> None:
            engine = DocketEngine(redis_server.url, timeout_seconds=1.0)
            working = asyncio.create_task(work_off(database, {"toy": _toy()}, engine=engine, terms=TERMS))
            await faults(postgresql, redis_server)
            await working

        asyncio.run(through_it_all())
        assert database.read(ledger.counts) == [{"step": "toy", "state": "done", "outcome": "ok", "jobs": jobs}]
        done = database.read(lambda c: c.exec_driver_sql("SELECT n FROM effects ORDER BY n").scalars().all())
        assert list(done) == list(range(jobs))
        ended = database.read(lambda c: c.exec_driver_sql("SELECT DISTINCT ended_as FROM attempts").scalars().all())
        assert set(ended) <= {"ok", "handed_back"}  # never failed, never stalled
        database.close()
