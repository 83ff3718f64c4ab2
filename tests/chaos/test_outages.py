"""Each server is broken in one way for a while; a long job runs, short ones come in: none fails or stalls."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import RedisError

from glimmr.jobs import ledger
from glimmr.jobs.engines.docket import DocketEngine
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database, migrate
from tests.support.servers import PostgreSql, RedisServer
from tests.unit.jobs.toys import Toy, history, put, work_off

Record = Callable[[str, object], None]
LEASE_SECONDS = 6.0
TERMS = Terms(lease_seconds=LEASE_SECONDS, stop_seconds=2.0)
STARTS_WITHIN_SECONDS = 10.0  # without Redis
RECOVERS_WITHIN_SECONDS = 30.0  # after PostgreSQL is back


class Work:
    """One long job, and a short one every quarter of a second for as long as it runs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.put_at: dict[int, float] = {}
        self.ran_at: dict[int, float] = {}
        self.is_over = asyncio.Event()

    async def short(self, job: Job, tell: Tell) -> Result:
        self.ran_at[job.args["n"]] = time.monotonic()
        return Result(outcome=Outcome.OK)

    async def long(self, job: Job, tell: Tell) -> Result:
        while not self.is_over.is_set():
            tell(still=1)
            await asyncio.sleep(0.1)
        return Result(outcome=Outcome.OK)

    async def keep_coming(self) -> None:
        while not self.is_over.is_set():
            n = len(self.put_at)
            self.put_at[n] = time.monotonic()
            await asyncio.to_thread(put, self.database, NewJob(step="short", args={"n": n}))
            await asyncio.sleep(0.25)

    def longest_wait(self, since: float = 0.0) -> float:
        return max((self.ran_at[n] - moment for n, moment in self.put_at.items() if moment >= since), default=0.0)

    async def until_flowing(self) -> float:
        """Wait until a job that is put from now on has run; the seconds it took."""
        began = time.monotonic()
        async with asyncio.timeout(120):
            while not any(moment >= began and n in self.ran_at for n, moment in list(self.put_at.items())):
                await asyncio.sleep(0.05)
        return time.monotonic() - began


@asynccontextmanager
async def at_work(database: Database, engine: DocketEngine) -> AsyncIterator[Work]:
    """While inside, a worker works; at the end all jobs are done, each by one run."""
    work, stop = Work(database), asyncio.Event()
    (long,) = put(database, NewJob(step="long"))
    steps = {"short": Toy(work.short), "long": Toy(work.long)}
    working = asyncio.create_task(work_off(database, steps, engine=engine, terms=TERMS, until_idle=False, stop=stop))
    coming = asyncio.create_task(work.keep_coming())
    await work.until_flowing()
    yield work
    work.is_over.set()
    await coming
    async with asyncio.timeout(60):
        while {row["state"] for row in await asyncio.to_thread(database.read, ledger.counts)} != {"done"}:
            await asyncio.sleep(0.1)
    stop.set()
    await working
    assert history(database, long) == ["ok"]
    ended = database.read(lambda c: c.exec_driver_sql("SELECT DISTINCT ended_as FROM attempts").scalars().all())
    assert list(ended) == ["ok"]
    assert len(work.ran_at) == len(work.put_at)


async def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(call, *arguments)


async def killed(server: RedisServer) -> None:
    await in_thread(server.kill)
    await asyncio.sleep(10)
    await in_thread(server.start)  # empty


async def read_only(server: RedisServer) -> None:
    await in_thread(server.run, "REPLICAOF", "127.0.0.1", "1")
    await asyncio.sleep(30)
    await in_thread(server.run, "REPLICAOF", "NO", "ONE")


async def paused(server: RedisServer) -> None:
    await in_thread(server.run, "CLIENT", "PAUSE", "20000", "ALL")
    await asyncio.sleep(20)


async def frozen(server: RedisServer) -> None:
    await in_thread(server.freeze)
    await asyncio.sleep(20)
    await in_thread(server.thaw)


async def loading(server: RedisServer) -> None:
    """It is back, and reads its snapshot for 20 s."""
    said: set[str] = set()
    restarting = asyncio.create_task(in_thread(server.restart_slowly, 20.0))
    while not restarting.done():
        try:
            await in_thread(server.run, "PING")
        except RedisError as error:
            said.add(type(error).__name__)
        await asyncio.sleep(0.2)
    await restarting
    assert "BusyLoadingError" in said


async def full(server: RedisServer) -> None:
    await in_thread(server.run, "CONFIG", "SET", "maxmemory", "1")
    await asyncio.sleep(15)
    await in_thread(server.run, "CONFIG", "SET", "maxmemory", "0")


REDIS_FAULTS = (killed, read_only, paused, frozen, full, loading)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", REDIS_FAULTS, ids=lambda fault: fault.__name__)
def test_redis_breaks_and_short_jobs_go_on_starting_beside_a_long_one(
    postgresql: PostgreSql, fault: Callable[[RedisServer], Awaitable[None]], record_property: Record
) -> None:
    async def through(server: RedisServer, database: Database) -> None:
        engine = DocketEngine(server.url, timeout_seconds=1.0)
        async with at_work(database, engine) as work:
            await fault(server)
            back_seconds = time.monotonic()
            async with asyncio.timeout(60):
                while not engine.carries:
                    await asyncio.sleep(0.05)
            record_property("Redis carries again after, s", time.monotonic() - back_seconds)
            await work.until_flowing()
        record_property("short jobs", len(work.put_at))
        record_property("longest wait of a short job, s", work.longest_wait())
        assert work.longest_wait() < STARTS_WITHIN_SECONDS

    with RedisServer() as server:
        database = Database(postgresql.url())
        migrate(database)
        asyncio.run(through(server, database))
        database.close()


async def restarted(server: PostgreSql) -> None:
    """The shape of DBOS's chaos tests: a restart every few seconds, for two minutes."""
    until = time.monotonic() + 120
    for pause_seconds in (5, 12, 7, 30, 5, 20, 40):
        await in_thread(server.restart)
        await asyncio.sleep(min(pause_seconds, max(0.0, until - time.monotonic())))


async def terminated(server: PostgreSql) -> None:
    for _ in range(20):
        await in_thread(server.terminate_backends)
        await asyncio.sleep(1)


async def gone(server: PostgreSql) -> None:
    await in_thread(server.kill)
    await asyncio.sleep(2 * LEASE_SECONDS)
    await in_thread(server.start)


async def closed_for_writing(server: PostgreSql) -> None:
    with server.read_only():
        await asyncio.sleep(2 * LEASE_SECONDS)


async def asleep(server: PostgreSql) -> None:
    await in_thread(server.freeze)
    await asyncio.sleep(2 * LEASE_SECONDS)
    await in_thread(server.thaw)


async def crowded(server: PostgreSql) -> None:
    """Too many connections: whoever works there loses its own and gets no other."""
    with server.crowded():
        await asyncio.sleep(2 * LEASE_SECONDS)


POSTGRESQL_FAULTS = (restarted, terminated, gone, closed_for_writing, asleep, crowded)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", POSTGRESQL_FAULTS, ids=lambda fault: fault.__name__)
def test_postgresql_breaks_and_no_job_fails_or_stalls_and_work_flows_again_soon(
    redis_server: RedisServer, fault: Callable[[PostgreSql], Awaitable[None]], record_property: Record
) -> None:
    async def through(server: PostgreSql, database: Database) -> None:
        redis_server.run("FLUSHALL")
        async with at_work(database, DocketEngine(redis_server.url, timeout_seconds=1.0)) as work:
            await fault(server)
            recovery_seconds = await work.until_flowing()
        record_property("short jobs", len(work.put_at))
        record_property("work flows again after, s", recovery_seconds)
        assert recovery_seconds < RECOVERS_WITHIN_SECONDS

    with PostgreSql() as server:
        database = Database(server.url(), patience_seconds=None)
        migrate(database)
        asyncio.run(through(server, database))
        database.close()
