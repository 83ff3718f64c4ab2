"""Builds what looks into the database beside whoever works, or gives a small order there: it starts fast."""

import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from glimmr import fleet
from glimmr.errors import LocalFault, UsageError
from glimmr.jobs import ledger, selection
from glimmr.jobs.selection import Which
from glimmr.settings import Settings
from glimmr.steps import STEPS
from glimmr.stores.database import Database, is_migrated
from glimmr.stores.folder_lock import holder
from glimmr.stores.scratch import check_scratch, scratch_of
from glimmr.watch import report
from glimmr.watch.top import Top


@contextmanager
def into(settings: Settings, *, patience_seconds: float = 60.0) -> Generator[Database]:
    """The database for who only looks; another process may be at work. Raises UsageError when there is none yet."""
    fleet.must_be_something(settings)
    if not fleet.is_fleet(settings):
        must_be_readable(settings.data)
    with closing(fleet.database(settings, patience_seconds=patience_seconds)) as database:
        if not is_migrated(database):
            raise fleet.nothing_yet(settings)
        yield database


def must_be_readable(folder: Path) -> None:
    """Raises UsageError when it is not: SQLite keeps its shared memory in a file beside the database."""
    if not (os.access(folder, os.W_OK) or (folder / "glimmr.sqlite-shm").exists()):
        raise UsageError(
            f"nothing can be written in {folder}, which looking into its database needs: ask as its owner, or copy it"
            " (`prices` and `sql` need no more than to read)"
        )


def status(settings: Settings) -> dict[str, Any]:
    """What is known, how the files ended, what is going on. Raises UsageError when there is nothing yet."""
    with into(settings) as database:
        said = {
            "working_pid": holder(settings.data),
            "redis": fleet.redis_status(settings),
            "scratch": _scratch_status(settings),
        }
        return report.status(database) | said


def _scratch_status(settings: Settings) -> dict[str, Any]:
    told: dict[str, Any] = {"folder": str(scratch_of(settings)), "free_bytes": None, "fault": None}
    try:
        return told | {"free_bytes": check_scratch(settings)}
    except LocalFault as fault:
        return told | {"fault": str(fault)}


@contextmanager
def top(settings: Settings) -> Generator[Callable[[], dict[str, Any]]]:
    """What goes on at each moment the callable is called (see `watch.top`).

    Raises UsageError when there is nothing yet. The callable raises DatabaseFault when the database does not answer.
    """
    with into(settings, patience_seconds=0.0) as database:
        yield Top(database, STEPS).look


def jobs(settings: Settings, limit: int, **equal: str | None) -> list[dict[str, Any]]:
    """Jobs, newest first, whose columns equal what is given (None: any), with the `url` each is about."""
    with into(settings) as database:
        return database.read(lambda connection: report.jobs(connection, limit, **equal))


def job(settings: Settings, job_id: int) -> dict[str, Any]:
    """Everything about one job, with its `attempts`. Raises UsageError when there is no such job."""
    with into(settings) as database:
        return database.read(lambda connection: report.job(connection, job_id))


def pause(settings: Settings, step: str, *, paused: bool) -> None:
    """Let no job of `step` start, or let them start again."""
    with into(settings) as database:
        database.write(lambda connection: ledger.pause(connection, step, paused=paused))


def unknown_jobs(settings: Settings, ids: Sequence[int]) -> list[int]:
    """Those of these ids that no job has. Raises UsageError when there is nothing yet."""
    with into(settings) as database:
        return database.read(lambda connection: selection.unknown(connection, ids)) if ids else []


def prioritize(settings: Settings, priority: int, **meant: Any) -> Counter[str]:
    """Let live jobs, and those that follow them, run before those of lower priority; `meant` as in `Which`."""
    with into(settings) as database:
        return database.write(lambda connection: selection.prioritize(connection, Which(**meant), priority))
