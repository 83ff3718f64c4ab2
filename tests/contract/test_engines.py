"""What every engine must do, on a real ledger (and a real Redis): carry jobs to free slots, and lose none."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from glimmr.errors import DatabaseFault
from glimmr.jobs import dispatcher, doorbells, ledger
from glimmr.jobs.engines import Engine
from glimmr.jobs.engines.docket import DocketEngine
from glimmr.jobs.engines.local import LocalEngine
from glimmr.jobs.job import Due, Job, NewJob, Result, Tell
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database
from tests.support.servers import RedisServer
from tests.unit.jobs.toys import Toy, history, put, work_off

OK = Result(outcome=Outcome.OK)
Make = Callable[[], Engine]


@pytest.fixture(params=["local-sqlite", "local-postgresql", "docket-postgresql"])
def carrying(request: pytest.FixtureRequest) -> tuple[str, str]:
    engine, _, kind = request.param.partition("-")
    return engine, kind


@pytest.fixture
def database(carrying: tuple[str, str], request: pytest.FixtureRequest) -> Iterator[Database]:
    if carrying[1] == "postgresql":
        url = request.getfixturevalue("postgresql").emptied_url()
    else:
        url = request.getfixturevalue("sqlite_database_url")
    made = Database(url, patience_seconds=10.0)
    yield made
    made.close()


@pytest.fixture
def make(carrying: tuple[str, str], request: pytest.FixtureRequest) -> Make:
    if carrying[0] == "local":
        return LocalEngine
    server: RedisServer = request.getfixturevalue("redis_server")
    server.run("FLUSHALL")
    return lambda: DocketEngine(server.url, timeout_seconds=1.0)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost is looked for after 1.5 s instead of 5."""
    for module in (dispatcher, doorbells):
        monkeypatch.setattr(module, "LOST_SECONDS", 1.5)


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> float:
    started = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)
    return time.monotonic() - started


def toys_of(count: int) -> list[NewJob]:
    return [NewJob(step="toy", args={"n": n}) for n in range(count)]


def states(database: Database) -> dict[str, int]:
    return {row["state"]: row["jobs"] for row in database.read(ledger.counts)}


def test_a_ready_job_is_carried_once(database: Database, make: Make) -> None:
    first, second = Toy(), Toy()
    ids = put(database, *toys_of(40))

    async def both() -> None:
        await asyncio.gather(*(work_off(database, {"toy": toy}, engine=make()) for toy in (first, second)))

    asyncio.run(both())
    assert sorted(job.id for job in first.ran + second.ran) == sorted(ids)
    assert states(database) == {"done": 40}


def test_a_job_put_later_starts_at_once_and_so_does_what_follows_it(database: Database, make: Make) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        return Result(outcome=Outcome.OK, next=[NewJob(step="second")])

    async def trickle() -> float:
        stop = asyncio.Event()
        steps = {"toy": Toy(do), "second": Toy()}
        working = asyncio.create_task(work_off(database, steps, engine=make(), until_idle=False, stop=stop))
        await until(lambda: database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM workers").scalar()))
        await asyncio.sleep(1.0)  # long enough that docket waits for messages
        await asyncio.to_thread(put, database, *toys_of(1))
        seconds = await until(lambda: steps["second"].ran)
        stop.set()
        await working
        return seconds

    assert asyncio.run(trickle()) < 2.0


def test_a_message_that_led_to_no_claim_is_sent_again(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, lost = ledger.claim, list[int]()

    def forgetful(connection: Any, job_id: int, **options: Any) -> Any:
        if job_id not in lost:
            lost.append(job_id)
            raise DatabaseFault("just then it was away")
        return claim(connection, job_id, **options)

    monkeypatch.setattr(ledger, "claim", forgetful)
    toy = Toy()
    (job_id,) = put(database, *toys_of(1))
    asyncio.run(asyncio.wait_for(work_off(database, {"toy": toy}, engine=make()), 15))
    assert [job.id for job in toy.ran] == [job_id]
    assert history(database, job_id) == ["ok"]


def test_a_full_worker_is_sent_no_more_and_others_get_the_rest(database: Database, make: Make) -> None:
    running: Counter[int] = Counter()
    most: Counter[int] = Counter()
    go_on = asyncio.Event()

    def busy(worker: int) -> Toy:
        async def do(job: Job, tell: Tell) -> Result:
            running[worker] += 1
            most[worker] = max(most[worker], running[worker])
            await go_on.wait()
            running[worker] -= 1
            return OK

        return Toy(do)

    async def fill() -> None:
        put(database, *toys_of(8))
        workers = [
            asyncio.create_task(work_off(database, {"toy": busy(worker)}, {"toy": 2}, engine=make()))
            for worker in range(2)
        ]
        await until(lambda: states(database).get("running") == 4)
        await asyncio.sleep(0.5)
        assert states(database) == {"running": 4, "ready": 4}
        go_on.set()
        await asyncio.gather(*workers)

    asyncio.run(fill())
    assert most == {0: 2, 1: 2}
    assert states(database) == {"done": 8}


def test_who_leads_has_jobs_carried_also_to_steps_that_only_others_have_slots_for(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (dispatcher, doorbells):
        monkeypatch.setattr(module, "LOST_SECONDS", 60.0)
    steps = {"toy": Toy(), "second": Toy()}
    workers = "SELECT count(*) FROM workers"

    async def trickle() -> float:
        stop, running = asyncio.Event(), list[asyncio.Task[None]]()
        for number, slots in enumerate(({"toy": 1}, {"second": 1}), start=1):  # the first one leads
            options: Any = {"engine": make(), "until_idle": False, "stop": stop}
            running.append(asyncio.create_task(work_off(database, steps, slots, **options)))
            await until(lambda number=number: database.read(lambda c: c.exec_driver_sql(workers).scalar()) == number)
        await asyncio.sleep(1.0)  # long enough that docket waits for messages
        await asyncio.to_thread(put, database, NewJob(step="second"))
        seconds = await until(lambda: steps["second"].ran)
        stop.set()
        await asyncio.gather(*running)
        return seconds

    assert asyncio.run(trickle()) < 5.0


def test_stopping_is_clean(database: Database, make: Make, request: pytest.FixtureRequest) -> None:
    async def listen(job: Job, tell: Tell) -> Result:
        while True:
            tell()
            await asyncio.sleep(0.02)

    async def stopped() -> float:
        stop = asyncio.Event()
        put(database, *toys_of(6))
        working = asyncio.create_task(work_off(database, {"toy": Toy(listen)}, engine=make(), stop=stop))
        await until(lambda: states(database).get("running") == 2)
        stop.set()
        started = time.monotonic()
        await working
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return time.monotonic() - started

    assert asyncio.run(stopped()) < 5
    assert states(database) == {"ready": 6}
    attempts = database.read(lambda c: list(c.exec_driver_sql("SELECT DISTINCT ended_as FROM attempts").scalars()))
    assert attempts == ["handed_back"]
    if isinstance(make(), DocketEngine):
        server = request.getfixturevalue("redis_server")
        assert [name for name in server.clients() if name.startswith("glimmr")] == []


# What only an engine with a server of its own must do.

docket_only = pytest.mark.parametrize("carrying", [("docket", "postgresql")])


def replica(server: RedisServer) -> None:
    server.run("REPLICAOF", "127.0.0.1", "1")


def full(server: RedisServer) -> None:
    server.run("CONFIG", "SET", "maxmemory", "1")


def healed(server: RedisServer) -> None:
    server.run("REPLICAOF", "NO", "ONE")
    for name, value in (("maxmemory", "0"), ("save", ""), ("dir", str(server.folder))):
        server.run("CONFIG", "SET", name, value)


FAULTS = {
    "killed": (lambda s: s.kill(), lambda s: s.start()),
    "replica": (replica, healed),
    "full": pytest.param(full, healed, marks=pytest.mark.long),
    "cannot-save": pytest.param(RedisServer.cannot_save, healed, marks=pytest.mark.long),
    "frozen": pytest.param(lambda s: s.freeze(), lambda s: s.thaw(), marks=pytest.mark.long),
}


@docket_only
@pytest.mark.parametrize(("hurt", "heal"), FAULTS.values(), ids=FAULTS.keys())
def test_without_redis_jobs_go_on_starting_and_with_it_they_are_carried_again(
    database: Database, redis_server: RedisServer, hurt: Callable[[Any], None], heal: Callable[[Any], None]
) -> None:
    redis_server.run("FLUSHALL")
    engine, toy, long = DocketEngine(redis_server.url, timeout_seconds=1.0), Toy(), asyncio.Event()

    async def slow(job: Job, tell: Tell) -> Result:
        await long.wait()
        return OK

    async def through_an_outage() -> None:
        stop = asyncio.Event()
        working = asyncio.create_task(
            work_off(database, {"toy": toy, "slow": Toy(slow)}, engine=engine, until_idle=False, stop=stop)
        )
        put(database, NewJob(step="slow"), NewJob(step="toy", args={"before": 1}))
        await until(lambda: len(toy.ran) == 1)
        hurt(redis_server)
        put(database, NewJob(step="toy", args={"during": 1}))
        assert await until(lambda: len(toy.ran) == 2) < 10
        heal(redis_server)
        await until(lambda: engine.carries)
        heard = list[int]()
        hear = engine._hear

        async def listen(mine: Sequence[Due], rest: Sequence[Due]) -> None:
            heard.extend(due.id for due in mine)
            await hear(mine, rest)

        for line in engine._lines.values():
            line._hear = listen
        for n in range(20):  # docket itself may need a moment more than our own connection
            put(database, NewJob(step="toy", args={"after": n}))
            await until(lambda n=n: len(toy.ran) == 3 + n)
            if heard:
                break
        assert heard
        long.set()
        await until(lambda: states(database).keys() == {"done"})
        stop.set()
        await working

    try:
        asyncio.run(through_an_outage())
    finally:
        if redis_server.process is not None and redis_server.process.poll() is not None:
            redis_server.start()
    ended = database.read(lambda c: list(c.exec_driver_sql("SELECT DISTINCT ended_as FROM attempts").scalars()))
    assert ended == ["ok"]


@docket_only
def test_a_redis_that_lost_everything_costs_no_job(database: Database, redis_server: RedisServer) -> None:
    toy = Toy()

    async def emptied_again_and_again() -> None:
        put(database, *toys_of(60))
        working = asyncio.create_task(
            work_off(database, {"toy": toy}, engine=DocketEngine(redis_server.url, timeout_seconds=1.0))
        )
        while not working.done():
            await asyncio.to_thread(redis_server.run, "FLUSHALL")
            await asyncio.sleep(0.2)
        await working

    asyncio.run(asyncio.wait_for(emptied_again_and_again(), 60))
    assert len(toy.ran) == 60
    assert states(database) == {"done": 60}


@docket_only
def test_a_worker_starts_without_redis(database: Database) -> None:
    toy = Toy()
    put(database, *toys_of(3))
    engine = DocketEngine("redis://127.0.0.1:1/0", timeout_seconds=0.5)
    asyncio.run(asyncio.wait_for(work_off(database, {"toy": toy}, engine=engine), 20))
    assert len(toy.ran) == 3
    assert not engine.carries
