# ruff: noqa: ARG002, ARG005 - a step has the shape the engine room calls
"""How fast the engine room is: `python bench/jobs.py [--on sqlite,postgresql,fleet]`, one JSON line a measure.

Servers are started by the bench itself (`tests/support/servers.py`), PostgreSQL with its fsyncs. Yardsticks of the same
run: the very statements of a job's life by bare sqlite3, and docket alone. The CPU is that of the worker's process.
"""

import argparse
import asyncio
import json
import logging
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from docket import Docket, Worker
from sqlalchemy import event

from glimmr import retry
from glimmr.jobs import ledger
from glimmr.jobs.endings import finish
from glimmr.jobs.engines import Engine
from glimmr.jobs.engines.docket import DocketEngine
from glimmr.jobs.engines.local import LocalEngine
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.jobs.worker import work
from glimmr.outcomes import Outcome
from glimmr.stores import clock
from glimmr.stores.database import Connection, Database, migrate, sqlite_url

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.servers import PostgreSql, RedisServer

SLOTS = {"noop": 8}
LINE = {"scan": 1, "download": 2, "parse": 2, "publish": 1}  # the real line's steps, as two cores have them
Make = Callable[[], Engine]


class Noop:
    """Writes one domain row, as a real step does; remembers when it started."""

    def __init__(self) -> None:
        self.started_at: dict[int, float] = {}

    async def run(self, job: Job, tell: Tell) -> Result:
        self.started_at[job.args["n"]] = time.monotonic()
        return with_a_row(job)

    def gave_up(self, *_: Any) -> None: ...

    def waits(self, *_: Any) -> None: ...


def with_a_row(job: Job) -> Result:
    def apply(connection: Connection) -> None:
        connection.exec_driver_sql(f"INSERT INTO bench_rows VALUES ({job.id})")

    return Result(outcome=Outcome.OK, apply=apply)


_on = [""]


def say(measure: str, value: float, unit: str, **more: Any) -> None:
    told = {"on": _on[0]} if _on[0] else {}
    print(json.dumps(told | {"measure": measure, "value": round(value, 4), "unit": unit, **more}), flush=True)


def jobs_of(count: int) -> list[NewJob]:
    return [NewJob(step="noop", args={"n": n}, host=f"h{n % 50}.test") for n in range(count)]


async def worked(
    database: Database, step: Noop, make: Make, *, until_idle: bool, stop: asyncio.Event, slots: dict[str, int] = SLOTS
) -> None:
    terms = Terms(patience_seconds=0.0, connections_per_host=8)
    await work(
        database,
        dict.fromkeys(slots, step),
        slots,
        decide=lambda error, past: retry.decide(error),
        until_idle=until_idle,
        stop=stop,
        terms=terms,
        engine=make(),
    )


def throughput(database: Database, make: Make, count: int) -> None:
    started = time.monotonic()
    database.write(lambda c: ledger.enqueue(c, jobs_of(count)))
    say("enqueue", count / (time.monotonic() - started), "jobs/s")
    step, before = Noop(), _cpu_seconds()
    asyncio.run(worked(database, step, make, until_idle=True, stop=asyncio.Event()))
    used, starts = _cpu_seconds() - before, sorted(step.started_at.values())
    # From the first start to the last: connecting to Redis and ending in an orderly way are not what is measured.
    rate = (count - 1) / (starts[-1] - starts[0])
    say("no-op jobs with a domain row", rate, "jobs/s", jobs=count, cpu_ms_per_job=round(1000 * used / count, 2))


def idle(database: Database, make: Make, seconds: float, waiting: int) -> None:
    """CPU of a worker of the line's four steps that has nothing to do but look at jobs that wait for their time."""
    later = [NewJob(step="scan", args={"later": n}, delay_seconds=86_400) for n in range(waiting)]
    database.write(lambda c: ledger.enqueue(c, later))

    async def wait() -> float:
        stop = asyncio.Event()
        working = asyncio.create_task(worked(database, Noop(), make, until_idle=False, stop=stop, slots=LINE))
        await asyncio.sleep(5)
        before = _cpu_seconds()
        await asyncio.sleep(seconds)
        used = _cpu_seconds() - before
        stop.set()
        await working
        return used

    say("idle CPU", 100 * asyncio.run(wait()) / seconds, "% of a core", waiting=waiting)


def latency(database: Database, make: Make, count: int) -> None:
    """From a commit by somebody else to the start of the job, at an idle worker."""
    step, put_at = Noop(), dict[int, float]()

    async def trickle() -> None:
        stop = asyncio.Event()
        working = asyncio.create_task(worked(database, step, make, until_idle=False, stop=stop))
        await asyncio.sleep(2)
        for n in range(count):
            new = NewJob(step="noop", args={"n": n})
            await asyncio.to_thread(database.write, lambda c, new=new: ledger.enqueue(c, [new]))
            put_at[n] = time.monotonic()
            await asyncio.sleep(0.087)
        await asyncio.sleep(0.5)
        stop.set()
        await working

    asyncio.run(trickle())
    waits = [step.started_at[n] - put_at[n] for n in range(count)]
    say("enqueue to start, p95", statistics.quantiles(waits, n=20)[-1], "s", p50=round(statistics.median(waits), 4))


def yardstick(folder: Path, count: int) -> None:
    """The same transactions by bare sqlite3: what one job's claim and finish say, recorded and played again."""
    database = _fresh(sqlite_url(folder / "yardstick.sqlite"))
    # Ids of seven digits, so that no other value is one.
    database.write(lambda c: c.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', 1000000)"))
    ids = list(database.write(lambda c: ledger.enqueue(c, jobs_of(count + 1))).values())
    claim, finish = _recorded(database, ids[0])
    database.close()
    raw = sqlite3.connect(folder / "yardstick.sqlite", isolation_level=None)
    raw.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
    clock.teach_sqlite(raw)
    before, started = _cpu_seconds(), time.monotonic()
    for job_id in ids[1:]:
        for transaction in (claim, finish):
            raw.execute("BEGIN IMMEDIATE")
            for statement, values in transaction:
                raw.execute(statement, tuple(job_id if value == ids[0] else value for value in values)).fetchall()
            raw.execute("COMMIT")
    used = _cpu_seconds() - before
    rate = count / (time.monotonic() - started)
    done = raw.execute("SELECT count(*) FROM jobs WHERE state = 'done'").fetchone()[0]
    assert done == count + 1, "the same statements do the same"
    say("yardstick: the same in bare sqlite3", rate, "jobs/s", cpu_ms_per_job=round(1000 * used / count, 2))
    raw.close()


Recorded = list[tuple[str, tuple[Any, ...]]]


def _recorded(database: Database, job_id: int) -> tuple[Recorded, Recorded]:
    """What claiming this job says to the database, and what finishing it does."""
    owner, said = "yardstick-host-1234-abcdef", [list[Any](), list[Any]()]

    def listen(connection: Connection, to: list[Any]) -> None:
        @event.listens_for(connection, "before_cursor_execute")
        def note(_c: object, _u: object, text: str, values: tuple[Any, ...], *_: object) -> None:
            to.append((text.replace(f"VALUES ({job_id})", "VALUES (?)"), values or (job_id,)))

    def claim(connection: Connection) -> Job:
        listen(connection, said[0])
        job = ledger.claim(connection, job_id, owner=owner, lease_seconds=45.0, connections_per_host=8)
        assert job is not None
        return job

    def end(connection: Connection) -> None:
        listen(connection, said[1])
        finish(connection, job, with_a_row(job))

    job = database.write(claim)
    database.write(end)
    return said[0], said[1]


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _fresh(url: str) -> Database:
    database = Database(url)
    migrate(database)

    def clear(connection: Connection) -> None:
        for table in ("attempts", "jobs"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("DROP TABLE IF EXISTS bench_rows")
        connection.exec_driver_sql("CREATE TABLE bench_rows (n BIGINT)")

    database.write(clear)
    return database


async def docket_alone(url: str, count: int) -> None:
    """No-op tasks through docket, without any ledger."""
    async with Docket(name="yardstick", url=url, execution_ttl=timedelta(0)) as docket:

        async def noop(n: int) -> None: ...

        before, started = _cpu_seconds(), time.monotonic()
        for n in range(count):
            await docket.add(noop, key=str(n))(n)
        async with Worker(
            docket,
            concurrency=SLOTS["noop"],
            minimum_check_interval=timedelta(milliseconds=20),
            schedule_automatic_tasks=False,
        ) as worker:
            await worker.run_until_finished()
    used, rate = _cpu_seconds() - before, count / (time.monotonic() - started)
    say("yardstick: docket alone", rate, "jobs/s", cpu_ms_per_job=round(1000 * used / count, 2))


@contextmanager
def _places(folder: Path, kinds: list[str]) -> Generator[dict[str, tuple[str, Make]]]:
    """The database and engine of each kind."""
    places: dict[str, tuple[str, Make]] = {"sqlite": (sqlite_url(folder / "bench.sqlite"), LocalEngine)}
    if kinds == ["sqlite"]:
        yield places
        return
    with PostgreSql(durable=True) as postgresql, RedisServer() as redis_server:
        places["postgresql"] = postgresql.url(), LocalEngine
        places["fleet"] = postgresql.url(), lambda: DocketEngine(redis_server.url)
        if "fleet" in kinds:
            asyncio.run(docket_alone(redis_server.url, 2000))
        yield places


def main() -> None:
    logging.getLogger("docket").setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser()
    parser.add_argument("--on", default="sqlite,postgresql,fleet", help="which of sqlite, postgresql, fleet")
    parser.add_argument("--jobs", type=int, default=3000)
    given = parser.parse_args()
    kinds = given.on.split(",")
    measures: list[Callable[[Database, Make], None]] = [
        lambda database, make: throughput(database, make, given.jobs),
        lambda database, make: latency(database, make, 60),
        lambda database, make: idle(database, make, 5, 0),
        lambda database, make: idle(database, make, 5, 100_000),
    ]
    with tempfile.TemporaryDirectory() as folder, _places(Path(folder), kinds) as places:
        for kind in kinds:
            _on[0] = kind
            for measure in measures:
                database = _fresh(places[kind][0])
                measure(database, places[kind][1])
                database.close()
        _on[0] = ""
        yardstick(Path(folder), given.jobs)


if __name__ == "__main__":
    main()
