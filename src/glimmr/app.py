"""Builds everything from Settings: the only place that chooses implementations."""

import asyncio
import itertools
import shutil
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glimmr.errors import DiskFull, UsageError
from glimmr.jobs import ledger
from glimmr.jobs.job import Tell
from glimmr.model import FileReport, Found
from glimmr.net import Client, redact
from glimmr.pipeline import line, one_file
from glimmr.pipeline.parts import Allowance, Parts
from glimmr.pipeline.scan_step import RunWeb, scan_job
from glimmr.query import PriceTable
from glimmr.scan.sources import SOURCES
from glimmr.settings import Settings
from glimmr.stores import snapshots
from glimmr.stores.blobs import Blobs
from glimmr.stores.database import Database, is_migrated, migrate, sqlite_url
from glimmr.stores.folder_lock import FolderLock, holder
from glimmr.stores.lake import Lake
from glimmr.watch import report
from glimmr.watch.board import Board

_GB = 10**9


def price_table_of(settings: Settings) -> PriceTable:
    """The price table for readers. Raises UsageError when there is none yet."""
    _one_machine(settings)
    _must_exist(settings.data / "lake", settings)
    return PriceTable(Lake(settings.data / "lake"))


@contextmanager
def looking(settings: Settings) -> Generator[Database]:
    """The database for who only looks; another process may be at work. Raises UsageError when there is none yet."""
    _one_machine(settings)
    _must_exist(settings.data / "glimmr.sqlite", settings)
    with closing(_database(settings)) as database:
        if not is_migrated(database):
            raise _nothing_yet(settings)
        yield database


@contextmanager
def working(settings: Settings, *, limit: int | None = None) -> Generator[Parts]:
    """Everything the line needs, for the one process that works in this data folder.

    What a killed process left half done is swept away first. Raises UsageError naming the process that works there
    already, DiskFull when there is too little space to begin.
    """
    _one_machine(settings)
    with _alone(settings.data):
        check_space(settings)
        with closing(_database(settings)) as database, closing(Client(settings)) as client:
            migrate(database)
            parts = _parts(settings, database, client, limit)
            _sweep(parts)
            yield parts


def check_space(settings: Settings) -> None:
    """Raises DiskFull when the data folder's disk has less free space than the setting asks for."""
    settings.data.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data).free
    if free < settings.min_free_bytes:
        needed = settings.min_free_bytes
        raise DiskFull(
            f"only {free / _GB:.1f} GB are free on the disk of {settings.data.resolve()}, and {needed / _GB:.1f} GB are"
            " needed to begin: free some, name another folder with --data, or lower GLIMMR_MIN_FREE_BYTES"
        )


def _one_machine(settings: Settings) -> None:
    """Two processes on one database would both think they are alone: until there is a fleet, its URLs are refused."""
    for name in ("database_url", "redis_url", "store_url"):
        if getattr(settings, name):
            raise UsageError(
                f"GLIMMR_{name.upper()} is set, but this version works on one machine, in the data folder: unset it"
            )


def _database(settings: Settings) -> Database:
    return Database(sqlite_url(settings.data / "glimmr.sqlite"))


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    lock = FolderLock.take(folder)
    if lock is None:
        raise UsageError(
            f"process {holder(folder) or '(unknown)'} works in {folder} already; wait for it, stop it, or use another"
            " --data (looking with `status`, `jobs`, `prices` and `sql` is fine meanwhile)"
        )
    with lock:
        yield


def _parts(settings: Settings, database: Database, client: Client, limit: int | None) -> Parts:
    return Parts(
        settings=settings,
        database=database,
        blobs=Blobs(settings.data / "blobs"),
        lake=Lake(settings.data / "lake"),
        client=client,
        sources={name: build(settings) for name, build in SOURCES.items()},
        scratch=settings.data / "scratch",
        allowance=Allowance(limit),
    )


def _sweep(parts: Parts) -> None:
    """Only the holder of the folder's lock may do this: whatever is in scratch, nobody works on it any more.

    `scratch` itself may be a link to another disk, so it stays.
    """
    try:
        parts.scratch.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{parts.scratch} cannot be a folder ({error.strerror}): remove it or mount it") from error
    for left in parts.scratch.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    parts.lake.create()
    parts.lake.sweep(keep=parts.database.read(snapshots.wanted))


def _must_exist(path: Path, settings: Settings) -> None:
    if not path.exists():
        raise _nothing_yet(settings)


def _nothing_yet(settings: Settings) -> UsageError:
    return UsageError(
        f"there is nothing in {settings.data} yet: `glimmr run --state VT` fills it, or name another --data"
    )


def status(settings: Settings) -> dict[str, Any]:
    """What is known, how the files ended, what is going on. Raises UsageError when there is nothing yet."""
    with looking(settings) as database:
        return report.status(database) | {"working_pid": holder(settings.data)}


def jobs(settings: Settings, limit: int, **equal: str | None) -> list[dict[str, Any]]:
    """Jobs, newest first, whose columns equal what is given (None: any)."""
    with looking(settings) as database:
        return database.read(lambda connection: ledger.listing(connection, most=limit, **equal))


def counts(parts: Parts) -> dict[str, dict[str, int]]:
    """Jobs by step and state, in the line's order."""
    return report.by_step(parts.database.read(ledger.counts), list(line.steps(parts)))


def summary(parts: Parts, board: Board) -> dict[str, Any]:
    """What a run did, and how everything stands."""
    return report.summary(parts.database, board) | {"lake": str(parts.lake.root)}


def dry_run(settings: Settings, asked: Sequence[tuple[str, str]], limit: int | None) -> list[dict[str, Any]]:
    """The addresses the sources name, without writing anything."""
    with closing(Client(settings)) as client:
        sources = {name: build(settings) for name, build in SOURCES.items()}
        web = RunWeb(client, lambda **_: None, settings.scan_deadline_seconds)
        said = (record for name, place in asked for record in sources[name].find(place, web))
        found = list(itertools.islice((record for record in said if isinstance(record, Found)), limit))
    return [{**asdict(record.hospital), "url": redact(record.url)} for record in found]


async def walk(parts: Parts, asked: Sequence[tuple[str, str]], *, refresh: bool, stop: asyncio.Event) -> None:
    """Ask the (source, place) pairs, and follow every address down the line until idle, or until `stop` is set."""
    await line.walk(parts, [scan_job(source, place, refresh=refresh) for source, place in asked], stop)


async def read_one(settings: Settings, source: str, to: Path | None, tell: Tell) -> FileReport:
    """Read one file by itself; see `pipeline.one_file`."""
    with closing(Client(settings)) as client:
        return await one_file.read_one(settings, client, source, to, tell)
