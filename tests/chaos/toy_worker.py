"""A process that works off toy jobs until none is left: what tests/chaos/test_jobs_kill.py kills."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from glimmr import retry
from glimmr.jobs.child import run_in_child
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.jobs.worker import work
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database, migrate, sqlite_url
from glimmr.stores.folder_lock import FolderLock


class Effect:
    """Some jobs run in a child, some in a thread; each leaves one row and puts one job that leaves another."""

    async def run(self, job: Job, tell: Tell) -> Result:
        n = job.args["n"]
        if job.step == "second":
            return Result(outcome=Outcome.OK, apply=_effect("second", n))
        if n % 5 == 0:
            await run_in_child(
                "tests.unit.jobs.light:nap", {"seconds": 0.05}, tell=tell, memory_bytes=2**30, seconds=30
            )
        else:
            await asyncio.to_thread(time.sleep, 0.05)
        return Result(outcome=Outcome.OK, apply=_effect("first", n), next=[NewJob(step="second", args={"n": n})])

    def gave_up(self, *_: Any) -> None:
        raise AssertionError("no toy job may be given up")

    def waits(self, *_: Any) -> None:
        raise AssertionError("no toy job may fail")


def _effect(step: str, n: int) -> Any:
    def apply(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO effects VALUES (?, ?)", (step, n))

    return apply


async def _work(folder: Path) -> None:
    database = Database(sqlite_url(folder / "glimmr.sqlite"))
    migrate(database)
    effect = Effect()
    await work(
        database,
        {"first": effect, "second": effect},
        {"first": 2, "second": 2},
        decide=lambda error, past: retry.decide(error),
        until_idle=True,
        stop=asyncio.Event(),
        terms=Terms(lease_seconds=45.0, patience_seconds=0.0),
        alone=True,
    )
    database.close()


def main() -> None:
    folder = Path(sys.argv[1])
    with FolderLock.take(folder) or sys.exit("somebody works here"):
        asyncio.run(_work(folder))


if __name__ == "__main__":
    main()
