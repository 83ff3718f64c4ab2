# ruff: noqa: ARG002, ARG005 - a step has the shape the engine room calls
"""How fast the engine room is: `python bench/jobs.py [--on sqlite,postgresql,fleet]`, one JSON line a measure.

Servers are started by the bench itself (`tests/support/servers.py`), PostgreSQL with its fsyncs. Yardsticks of the same
run: the same statements by bare sqlite3, and docket alone.
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

from glimmr import retry
from glimmr.jobs import ledger
from glimmr.jobs.engines import Engine
from glimmr.jobs.engines.docket import DocketEngine
from glimmr.jobs.engines.local import LocalEngine
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.jobs.worker import work
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database, migrate, sqlite_url

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.servers import PostgreSql, RedisServer

SLOTS = 8
Make = Callable[[], Engine]


class Noop:
    """Writes one domain row, as a real step does; remembers when it started."""

    def __init__(self) -> None:
        self.started_at: dict[int, float] = {}

    async def run(self, job: Job, tell: Tell) -> Result:
        self.started_at[job.args["n"]] = time.monotonic()

        def apply(connection: Connection) -> None:
            connection.exec_driver_sql(f"INSERT INTO bench_rows VALUES ({job.id})")

        return Result(outcome=Outcome.OK, apply=apply)

    def gave_up(self, *_: Any) -> None: ...

    def waits(self, *_: Any) -> None: ...


_on = [""]


def say(measure: str, value: float, unit: str, **more: Any) -> None:
    told = {"on": _on[0]} if _on[0] else {}
    print(json.dumps(told | {"measure": measure, "value": round(value, 4), "unit": unit, **more}), flush=True)


def jobs_of(count: int) -> list[NewJob]:
    return [NewJob(step="noop", args={"n": n}, host=f"h{n % 50}.test") for n in range(count)]


async def worked(database: Database, step: Noop, make: Make, *, until_idle: bool, stop: asyncio.Event) -> None:
    terms = Terms(patience_seconds=0.0, connections_per_host=SLOTS)
    await work(
        database,
        {"noop": step},
        {"noop": SLOTS},
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
    started = time.monotonic()
    step = Noop()
    asyncio.run(worked(database, step, make, until_idle=True, stop=asyncio.Event()))
    first = min(step.started_at.values())  # connecting to Redis is not what is measured
    say("no-op jobs with a domain row", count / (time.monotonic() - max(started, first)), "jobs/s", jobs=count)


def idle(database: Database, make: Make, seconds: float, waiting: int) -> None:
    """CPU of a worker that has nothing to do but look at jobs that wait for their time."""
    later = [NewJob(step="noop", args={"later": n}, delay_seconds=86_400) for n in range(waiting)]
    database.write(lambda c: ledger.enqueue(c, later))

    async def wait() -> float:
        stop = asyncio.Event()
        working = asyncio.create_task(worked(database, Noop(), make, until_idle=False, stop=stop))
        await asyncio.sleep(4)
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
    """The same transactions (claim, finish with history and a row) by bare sqlite3."""
    raw = sqlite3.connect(folder / "yardstick.sqlite", isolation_level=None)
    raw.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT, owner TEXT, epoch INTEGER);"
        "CREATE TABLE attempts (job_id INTEGER, number INTEGER); CREATE TABLE rows (n INTEGER);"
    )
    raw.execute("BEGIN")
    raw.executemany("INSERT INTO jobs VALUES (?, 'ready', NULL, 0)", [(n,) for n in range(count)])
    raw.execute("COMMIT")
    started = time.monotonic()
    for n in range(count):
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE jobs SET state='running', owner='w', epoch=epoch+1 WHERE id=? AND state='ready'", (n,))
        raw.execute("COMMIT")
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE jobs SET state='done', owner=NULL WHERE id=? AND owner='w' AND epoch=1", (n,))
        raw.execute("INSERT INTO attempts VALUES (?, 1)", (n,))
        raw.execute("INSERT INTO rows VALUES (?)", (n,))
        raw.execute("COMMIT")
    say("yardstick: the same in bare sqlite3", count / (time.monotonic() - started), "jobs/s")
    raw.close()


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

        started = time.monotonic()
        for n in range(count):
            await docket.add(noop, key=str(n))(n)
        async with Worker(
            docket, concurrency=SLOTS, minimum_check_interval=timedelta(milliseconds=20), schedule_automatic_tasks=False
        ) as worker:
            await worker.run_until_finished()
    say("yardstick: docket alone", count / (time.monotonic() - started), "jobs/s")


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
