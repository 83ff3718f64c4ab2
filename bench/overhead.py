# ruff: noqa: ARG002, ARG005 - a step has the shape the engine room calls
"""What watching costs: `python bench/overhead.py [--pairs 10] [--jobs 2000] [--report FILE]`, a JSON line a pair.

The same jobs without network (each writes a row, nothing else: the least work there can be) are worked off twice: with
logs, metrics, health and heartbeat, as `glimmr serve` does, scraped every 5 s; and without all four. Processor time of
this process, alternating which comes first; medians count: of the ratio, and of the milliseconds a job. Such a job
takes a millisecond; those of the line take tens to hundreds, so to them the milliseconds are what matters.
"""

import argparse
import asyncio
import contextlib
import io
import json
import resource
import statistics
import tempfile
import threading
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from glimmr import fleet, retry, watching
from glimmr.cli import log
from glimmr.cli.narrate import narrate
from glimmr.jobs import ledger
from glimmr.jobs.heartbeat import Heartbeat
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.jobs.worker import work
from glimmr.outcomes import Outcome
from glimmr.settings import Settings
from glimmr.stores.database import Connection, migrate

_SCRAPE_SECONDS = 5.0


class Noop:
    async def run(self, job: Job, tell: Tell) -> Result:
        def apply(connection: Connection) -> None:
            connection.exec_driver_sql(f"INSERT INTO bench_rows VALUES ({job.id})")

        return Result(outcome=Outcome.OK, apply=apply)

    def gave_up(self, *_: Any) -> None: ...

    def waits(self, *_: Any) -> None: ...


@contextmanager
def watched(settings: Settings) -> Generator[watching.Watch]:
    """Logs, metrics, health: told, looked at and scraped."""
    log.configure(settings)
    stop, stopped = narrate(), threading.Event()
    with watching.ops(settings) as watch:
        assert watch is not None

        def scrape() -> None:
            while not stopped.wait(_SCRAPE_SECONDS):
                urllib.request.urlopen(f"{watch.url}/metrics", timeout=10).read()

        scraping = threading.Thread(target=scrape)
        scraping.start()
        yield watch
        stopped.set()
        scraping.join()
    stop()


@contextmanager
def unwatched() -> Generator[None]:
    """No heartbeat: the leases last longer than the work."""
    with patch.object(Heartbeat, "start", lambda self: None), patch.object(Heartbeat, "stop", lambda self: None):
        yield


def cpu_seconds(settings: Settings, count: int, *, with_all: bool) -> float:
    database = fleet.database(settings)
    migrate(database)
    database.write(lambda c: c.exec_driver_sql("CREATE TABLE bench_rows (n BIGINT)"))
    jobs = [NewJob(step="download", args={"n": n}, host=f"h{n % 50}.test") for n in range(count)]
    database.write(lambda c: ledger.enqueue(c, jobs))
    fleet.lake(settings).create()

    async def run(watch: watching.Watch | None) -> None:
        async with watch.over() if watch else contextlib.nullcontext():
            await work(
                database,
                {"download": Noop()},
                {"download": 8},
                decide=lambda error, past: retry.decide(error),
                until_idle=True,
                stop=asyncio.Event(),
                terms=Terms(patience_seconds=0.0, connections_per_host=8, lease_seconds=45.0 if with_all else 3600.0),
            )

    with watched(settings) if with_all else unwatched() as watch, contextlib.redirect_stderr(io.StringIO()) as said:
        before = resource.getrusage(resource.RUSAGE_SELF)
        asyncio.run(run(watch))
        after = resource.getrusage(resource.RUSAGE_SELF)
    done = database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM jobs WHERE state = 'done'").scalar())
    assert done == count, "all were worked off"
    assert with_all == ("finished" in said.getvalue()), "it was told, or not"
    database.close()
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--report", type=Path)
    given = parser.parse_args()
    ratios: list[float] = []
    more_ms: list[float] = []
    for pair in range(given.pairs + 1):
        seconds = dict[bool, float]()
        for with_all in (True, False) if pair % 2 else (False, True):
            with tempfile.TemporaryDirectory() as folder:
                settings = Settings(data=Path(folder), min_free_bytes=1, log_format="json")
                seconds[with_all] = cpu_seconds(settings, given.jobs if pair else 100, with_all=with_all)
        if pair:  # the first warms up
            ratios.append(seconds[True] / seconds[False] - 1)
            more_ms.append((seconds[True] - seconds[False]) / given.jobs * 1000)
            told = {"with": round(seconds[True], 3), "without": round(seconds[False], 3), "more": round(ratios[-1], 4)}
            print(json.dumps(told), flush=True)
    summary = {
        "jobs": given.jobs,
        "pairs": given.pairs,
        "more, median": round(statistics.median(ratios), 4),
        "more, ms a job": round(statistics.median(more_ms), 4),
    }
    print(json.dumps(summary), flush=True)
    if given.report:
        given.report.write_text(json.dumps(summary))


if __name__ == "__main__":
    main()
