# ruff: noqa: ARG002, ARG005 - a step has the shape the engine room calls
"""What watching costs: `python bench/overhead.py [--pairs 10] [--jobs 2000] [--lists | --line FILES] [--report FILE]`.

The same jobs without network are worked off twice: with logs, metrics, health and heartbeat, as `glimmr serve` does,
scraped every 5 s; and without all four. Processor time of this process and its children, alternating which comes first;
a JSON line a pair, and then the medians: of the ratio, and of the milliseconds a job.

The jobs write a row each and do nothing else: the least work there can be, about a millisecond. With `--lists` they are
the least real ones: scans of lists of the user's own, ten hospitals each. With `--line` they are the line's longest: so
many small files of a simulated world, here already, are parsed and published.
"""

import argparse
import asyncio
import contextlib
import io
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from glimmr import app, fleet, retry, shared, watching
from glimmr.cli import log
from glimmr.cli.narrate import narrate
from glimmr.jobs import ledger
from glimmr.jobs.heartbeat import Heartbeat
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.jobs.worker import work
from glimmr.outcomes import Outcome
from glimmr.pipeline.scan_job import scan_job
from glimmr.settings import Settings, load
from glimmr.stores.database import Connection, Database, migrate
from glimmr.watch.lookout import Lookout
from glimmr.world.places import STATES

_SCRAPE_SECONDS = 5.0
_WORLD = ("-m", "glimmr.world", "--mix", "clean", "--pra-requests", "100000", "--hospitals")
_LONG_SECONDS = 3600.0
_LISTED = 10  # hospitals


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
    """No heartbeat (the leases last longer than the work), and nobody looks out for alerts."""
    with contextlib.ExitStack() as silenced:
        for part, name in ((Heartbeat, "start"), (Heartbeat, "stop"), (Lookout, "start")):
            silenced.enter_context(patch.object(part, name, lambda self: None))
        yield


@contextmanager
def rows(jobs: int) -> Generator[Callable[[Settings], "Work"]]:
    """Work of jobs that write a row each."""

    def prepared(settings: Settings) -> Work:
        database = fleet.database(settings)
        migrate(database)
        shared.lake(settings).create()
        database.write(lambda c: c.exec_driver_sql("CREATE TABLE bench_rows (n BIGINT)"))
        new = [NewJob(step="download", args={"n": n}, host=f"h{n % 50}.test") for n in range(jobs)]
        database.write(lambda c: ledger.enqueue(c, new))

        async def worked(_watch: watching.Watch | None) -> int:
            await work(
                database,
                {"download": Noop()},
                {"download": 8},
                decide=lambda error, past: retry.decide(error),
                until_idle=True,
                stop=asyncio.Event(),
                terms=Terms(patience_seconds=0.0, connections_per_host=8, lease_seconds=settings.lease_seconds),
            )
            assert done(database, "download") == jobs, "all were worked off"
            database.close()
            return jobs

        return worked

    yield prepared


@contextmanager
def lists(jobs: int) -> Generator[Callable[[Settings], "Work"]]:
    """Work of scans: each reads a list and remembers its hospitals and their addresses."""
    with tempfile.TemporaryDirectory() as home:
        places = [str(Path(home) / f"{n}.csv") for n in range(jobs)]
        for n, place in enumerate(places):
            listed = (f"Hospital {n} {m},{n:05}{m},VT,http://h{n}.test/{m}.csv" for m in range(_LISTED))
            Path(place).write_text("\n".join(("name,ccn,state,url", *listed)), "utf-8")

        def prepared(settings: Settings) -> Work:
            async def worked(watch: watching.Watch | None) -> int:
                with app.working(settings, limit=0) as parts:
                    put = [scan_job("listing", place, refresh=False) for place in places]
                    parts.database.write(lambda connection: ledger.enqueue(connection, put))
                    await app.serve(parts, drain=True, stop=asyncio.Event(), watch=watch)
                    assert done(parts.database, "scan") == jobs, "all were worked off"
                    return jobs

            return worked

        yield prepared


@contextmanager
def line(files: int) -> Generator[Callable[[Settings], "Work"]]:
    """Work of the line: a world's files are brought home once, and parsed and published in each copy of the folder."""
    with tempfile.TemporaryDirectory() as home:
        bring_home(Path(home), files)

        def prepared(settings: Settings) -> Work:
            shutil.copytree(home, settings.data, dirs_exist_ok=True)

            async def worked(watch: watching.Watch | None) -> int:
                with app.working(settings) as parts:
                    pause(parts.database, "scan", "download", "upkeep")
                    await app.serve(parts, drain=True, stop=asyncio.Event(), watch=watch)
                    return done(parts.database, "parse") + done(parts.database, "publish")

            return worked

        yield prepared


def bring_home(data: Path, files: int) -> None:
    """Download the files of so many hospitals of a simulated world; parse none."""
    command = [sys.executable, *_WORLD, str(files)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as world:
        assert world.stdout is not None
        assert world.stdin is not None
        told = json.loads(world.stdout.readline())["settings"]
        given = {name.removeprefix("GLIMMR_").lower(): value for name, value in told.items()}
        settings = load(data=data, min_free_bytes=1, pra_delay_seconds=0.0, patience_seconds=0.0, **given)
        with app.working(settings) as parts:
            pause(parts.database, "parse")
            asked = [("pra", state) for state in STATES]
            asyncio.run(app.walk(parts, asked, refresh=False, stop=asyncio.Event()))
            parts.database.write(lambda connection: ledger.pause(connection, "parse", paused=False))
        world.stdin.close()


def pause(database: Database, *steps: str) -> None:
    for step in steps:
        database.write(lambda connection, step=step: ledger.pause(connection, step, paused=True))


def done(database: Database, step: str) -> int:
    """How many jobs of a step ended well."""
    count = f"SELECT count(*) FROM jobs WHERE state = 'done' AND step = '{step}'"
    return database.read(lambda connection: connection.exec_driver_sql(count).scalar_one())


Work = Callable[[watching.Watch | None], Awaitable[int]]


def cpu_seconds(settings: Settings, worked: Work, *, with_all: bool) -> tuple[float, int]:
    """Of this process and its children, and for how many jobs."""

    async def run(watch: watching.Watch | None) -> int:
        async with watch.over() if watch else contextlib.nullcontext():
            return await worked(watch)

    with watched(settings) if with_all else unwatched() as watch, contextlib.redirect_stderr(io.StringIO()) as said:
        before = used_seconds()
        jobs = asyncio.run(run(watch))
        seconds = used_seconds() - before
    assert with_all == ("finished" in said.getvalue()), "it was told, or not"
    return seconds, jobs


def used_seconds() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2000)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--lists", action="store_true")
    kind.add_argument("--line", type=int, metavar="FILES")
    parser.add_argument("--report", type=Path)
    given = parser.parse_args()
    ratios: list[float] = []
    more_ms: list[float] = []
    jobs = 0
    made = line(given.line) if given.line else (lists if given.lists else rows)(given.jobs)
    with made as prepared:
        for pair in range(given.pairs + 1):
            seconds = dict[bool, float]()
            for with_all in (True, False) if pair % 2 else (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    terms = {} if with_all else {"lease_seconds": _LONG_SECONDS}
                    settings = Settings(data=Path(folder), min_free_bytes=1, log_format="json", **terms)
                    seconds[with_all], jobs = cpu_seconds(settings, prepared(settings), with_all=with_all)
            if pair:  # the first warms up
                ratios.append(seconds[True] / seconds[False] - 1)
                more_ms.append((seconds[True] - seconds[False]) / jobs * 1000)
                told = {"with": round(seconds[True], 3), "without": round(seconds[False], 3)}
                print(json.dumps(told | {"more": round(ratios[-1], 4)}), flush=True)
    summary = {
        "jobs": jobs,
        "pairs": given.pairs,
        "more, median": round(statistics.median(ratios), 4),
        "more, ms a job": round(statistics.median(more_ms), 4),
    }
    print(json.dumps(summary), flush=True)
    if given.report:
        given.report.write_text(json.dumps(summary))


if __name__ == "__main__":
    main()
