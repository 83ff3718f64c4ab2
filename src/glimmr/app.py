"""Builds everything from Settings: the only place that chooses implementations."""

import asyncio
import shutil
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from glimmr import events, fleet, looking, shared, watching
from glimmr.errors import DiskFull, UsageError
from glimmr.jobs import ledger, orders
from glimmr.jobs.job import Tell
from glimmr.jobs.selection import Which
from glimmr.model import FileReport
from glimmr.net import Client
from glimmr.pipeline import line, one_address, one_file, one_snapshot
from glimmr.pipeline.delivery import Target
from glimmr.pipeline.heads import Heads
from glimmr.pipeline.parts import Allowance, Parts
from glimmr.pipeline.rehearsal import rehearse
from glimmr.pipeline.run_web import RunWeb
from glimmr.pipeline.scan_job import scan_jobs
from glimmr.scan.sources import enabled
from glimmr.settings import Settings
from glimmr.steps import ROOMS
from glimmr.stores.database import Database, is_migrated, migrate
from glimmr.stores.folder_lock import FolderLock, holder
from glimmr.stores.paces import PaceBook
from glimmr.stores.scratch import PARTIALS, check_scratch, make_scratch, scratch_of
from glimmr.watch import crash_points, report, scanned
from glimmr.watch.board import Board
from glimmr.watch.channels import channels
from glimmr.watch.doctor import examine, remaining
from glimmr.watch.lookout import Lookout
from glimmr.watch.traces import traced

_GB = 10**9
_LAST_LOOK_SECONDS = 5.0
_WAIT = (
    " already; wait for it, stop it, or use another --data"
    " (looking with `status`, `jobs`, `prices` and `sql` is fine meanwhile; `glimmr scan` puts its questions for it)"
)
_NO_FIX = (
    ", and repairs by itself what it can, within 30 s (what lists a shelf, within 10 minutes):"
    " --fix is for when nobody is at work"
)


@contextmanager
def working(settings: Settings, *, limit: int | None = None) -> Generator[Parts]:
    """Everything the line needs, for the one process that works in this data folder, or for one process of a fleet.

    What a killed process left in scratch is swept away first. Raises UsageError naming the process that works there
    already, or what a fleet lacks, DiskFull when there is too little space to begin.
    """
    alone = not fleet.is_fleet(settings)
    make_scratch(settings)
    home = _alone(settings, _WAIT) if alone else shared.own_scratch(settings)
    with crash_points.heeded(settings.crash_at), home as scratch:
        check_space(settings)
        with (
            closing(fleet.database(settings)) as database,
            shared.hosts(settings, database) as hosts,
            closing(Client(settings, hosts)) as client,
        ):
            migrate(database)
            events.tell(events.DATABASE_MIGRATED)
            parts = replace(
                _parts(settings, database, client, scratch),
                engine=fleet.engine(settings),
                allowance=Allowance(limit),
            )
            if alone:
                _clear(scratch)
            parts.lake.create()
            with traced(database), closing(parts.heads):
                yield parts


def check_space(settings: Settings) -> None:
    """Raises DiskFull when the disk of the data folder or of scratch has less free space than the setting asks for."""
    settings.data.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data).free
    if free < settings.min_free_bytes:
        needed = settings.min_free_bytes
        raise DiskFull(
            f"only {free / _GB:.1f} GB are free on the disk of {settings.data.resolve()}, and {needed / _GB:.1f} GB are"
            " needed to begin: free some, name another folder with --data, or lower GLIMMR_MIN_FREE_BYTES"
        )
    check_scratch(settings)


@contextmanager
def _alone(settings: Settings, otherwise: str) -> Generator[Path]:
    """The lock on the data folder; yields its scratch folder. `otherwise`: what to do when another process has it."""
    folder = settings.data
    lock = FolderLock.take(folder)
    if lock is None:
        raise UsageError(f"process {holder(folder) or '(unknown)'} works in {folder}{otherwise}")
    with lock:
        yield scratch_of(settings)


def _parts(settings: Settings, database: Database, client: Client, scratch: Path) -> Parts:
    return Parts(
        settings=settings,
        database=database,
        blobs=shared.blobs(settings),
        lake=shared.lake(settings),
        client=client,
        sources=enabled(settings, PaceBook(database)),
        scratch=scratch,
        partials=scratch_of(settings) / PARTIALS,
        heads=Heads(settings, scratch),
        alone=not fleet.is_fleet(settings),
    )


def _clear(scratch: Path) -> None:
    """Only the holder of the folder's lock may do this: whatever is in scratch, nobody works on it any more.

    `scratch` itself may be a link to another disk, so it stays.
    """
    try:
        scratch.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{scratch} cannot be a folder ({error.strerror}): remove it or mount it") from error
    for left in scratch.iterdir():
        if left.name == PARTIALS:
            continue  # downloads go on from there
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def cancel(settings: Settings, **meant: Any) -> orders.Cancelled:
    """Stop jobs that wait or run, whoever works on them; `meant` as in `Which`."""
    with _ordering(settings) as parts:
        return orders.cancel(parts.database, line.steps(parts), Which(**meant))


def again(settings: Settings, **meant: Any) -> orders.Again:
    """Put again what failed; let what waits for a later try run now; `meant` as in `Which`."""
    with _ordering(settings) as parts:
        return orders.again(parts.database, line.steps(parts), Which(**meant))


@contextmanager
def _ordering(settings: Settings) -> Generator[Parts]:
    """The line for who gives orders: small transactions beside whoever works, so no lock is needed for them."""
    with looking.into(settings) as database, closing(Client(settings)) as client:
        yield _parts(settings, database, client, scratch_of(settings))


def doctor(settings: Settings, *, fix: bool) -> tuple[list[dict[str, Any]], int]:
    """What must be true and is not (see `watch.doctor`), and how many breaches remain. Without `fix` it only looks.

    Raises UsageError when there is nothing yet, or another process works in the data folder and repairs by itself.
    """
    alone = not fleet.is_fleet(settings)
    with looking.into(settings) as database, _alone(settings, _NO_FIX) if fix and alone else nullcontext():
        if fix:
            migrate(database)
        with closing(Client(settings)) as client:
            scratch = scratch_of(settings)
            parts = _parts(settings, database, client, scratch if alone else scratch / "doctor")
            examined = examine(line.everything(parts), line.cure(parts) if fix else None)
    return examined, remaining(examined)


def counts(parts: Parts) -> dict[str, dict[str, int]]:
    """Jobs by step and state, in the line's order."""
    return report.by_step(parts.database.read(ledger.counts), ROOMS)


def scan_summary(parts: Parts, since: datetime) -> dict[str, Any]:
    """What the sources said since then, whoever asked them."""
    return scanned.summary(parts.database, since)


def summary(parts: Parts, board: Board, since: datetime) -> dict[str, Any]:
    """What a run did that began then, and how everything stands."""
    return report.summary(parts.database, board, scan_summary(parts, since)) | {"lake": str(parts.lake.root)}


def dry_run(
    settings: Settings, asked: Sequence[tuple[str, str]], limit: int | None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """What a run would ask; see `pipeline.rehearsal`. Nothing is written."""
    with closing(Client(settings)) as client:
        web = RunWeb(client, lambda **_: None, settings.scan_deadline_seconds)
        return rehearse(enabled(settings), web, asked, limit)


async def walk(parts: Parts, asked: Sequence[tuple[str, str]], *, refresh: bool, stop: asyncio.Event) -> None:
    """Ask the (source, place) pairs, and follow every address down the line until idle, or until `stop` is set."""
    await line.walk(parts, scan_jobs(asked, refresh=refresh), stop)


def at_work(settings: Settings) -> int | None:
    """The process that works in this data folder (0: it has not said yet); None: nobody, or a fleet shares the work."""
    return None if fleet.is_fleet(settings) else holder(settings.data)


def put_questions(settings: Settings, asked: Sequence[tuple[str, str]], *, refresh: bool) -> int:
    """Leave the (source, place) pairs to whoever works there. Returns how many are put that did not wait already.

    Who has only just begun there may have no schema yet: then it is made here.
    """
    seeds = scan_jobs(asked, refresh=refresh)
    looking.must_be_readable(settings.data)
    with closing(fleet.database(settings)) as database:
        if not is_migrated(database):
            migrate(database)
        return len(database.write(lambda connection: ledger.enqueue(connection, seeds)))


async def ask_sources(parts: Parts, asked: Sequence[tuple[str, str]], *, refresh: bool, stop: asyncio.Event) -> None:
    """Ask the (source, place) pairs, and the sites they name, until no scan is left, or until `stop` is set.

    Downloads are put, and wait for who brings them home.
    """
    await line.walk(parts, scan_jobs(asked, refresh=refresh), stop, rooms=("scan",))


async def serve(parts: Parts, *, drain: bool, stop: asyncio.Event, watch: watching.Watch | None = None) -> bool:
    """Work off the jobs there are and those that come, and keep the schedules, until `stop` is set.

    With `drain` until no job is left, without schedules. `watch` looks at every part already; without it the alerts do.
    Returns whether it ended because it has grown too big.
    """
    settings = parts.settings
    with nullcontext(watch.checkup) if watch else watching.checkup(settings) as checkup:
        lookout = Lookout(parts.database, settings, channels(settings), checkup)
        try:
            return await line.serve(parts, stop, drain=drain, beside=lookout)
        finally:
            lookout.stop()
            if lookout.is_alive():
                await asyncio.to_thread(lookout.join, _LAST_LOOK_SECONDS)


async def check_one(settings: Settings, source: str, tell: Tell) -> FileReport:
    """Read one file by itself for what is wrong in it; see `pipeline.one_file`."""
    with closing(Client(settings)) as client:
        return await one_file.check_one(settings, client, source, tell)


async def read_one(
    settings: Settings, source: str, to: Path | None, tell: Tell, *, is_folder: bool = False
) -> FileReport:
    """Read one file by itself; see `pipeline.one_file`."""
    with closing(Client(settings)) as client:
        return await one_file.read_one(settings, client, source, to, tell, is_folder=is_folder)


async def bring_one(settings: Settings, url: str, target: Target, tell: Tell) -> one_address.Brought:
    """Bring one address home by itself; see `pipeline.one_address`."""
    with closing(Client(settings)) as client:
        return await one_address.bring_one(settings, client, url, target, tell)


async def hand_out(settings: Settings, file_id: str, to: Target | BinaryIO, tell: Tell) -> dict[str, Any]:
    """Copy a snapshot's bytes from the shelf; see `pipeline.one_snapshot`. Raises UsageError when there is none yet."""
    with looking.into(settings) as database:
        return await one_snapshot.hand_out(database, shared.blobs(settings), file_id, to, tell)
