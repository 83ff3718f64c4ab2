"""Breaches of every invariant, made by hand."""

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from glimmr.jobs import ledger
from glimmr.jobs.job import NewJob
from glimmr.pipeline.download_step import download_job, parse_job
from glimmr.pipeline.parts import Parts
from glimmr.pipeline.upkeep_step import keep_schedules
from glimmr.stores import catalog, snapshots
from glimmr.stores.blobs import blob_key
from glimmr.stores.database import Database
from tests.support.price_lists import charge, file_row, hospital_row, write_price_list
from tests.unit.pipeline import stage

DAY = 86_400.0


def sql(database: Database, statement: str, **values: object) -> None:
    database.write(lambda c: c.execute(text(statement), values))


def aged(path: Path, seconds: float) -> Path:
    then = time.time() - seconds
    for one in (path, *path.rglob("*")):
        os.utime(one, (then, then))
    return path


def published(parts: Parts, content: bytes = stage.CONTENT) -> tuple[str, str]:
    """An address, and its price list: read, current, and in the price table."""
    (key,) = stage.remember(parts.database, "a", state="working")
    file_id = read(parts, key, content)
    enter(parts, file_id)
    sql(parts.database, "DELETE FROM jobs WHERE step = 'publish'")
    sql(parts.database, "UPDATE price_files SET state = 'done', outcome = 'ok'")
    parts.database.write(lambda c: snapshots.point(c, key, file_id, stage.NOW))
    return key, file_id


def read(parts: Parts, key: str, content: bytes = stage.CONTENT, *, charges: int = 3, outcome: str = "ok") -> str:
    """The address gave bytes, and they were read."""
    file_id = stage.downloaded(parts, key, content)
    job = stage.running_one(parts.database, "parse")
    result = stage.read(parts, stage.report(file_id, charges=charges, outcome=outcome))
    parts.database.write(lambda c: stage.finish(c, job, result))
    return file_id


def enter(parts: Parts, file_id: str) -> None:
    """The price list is in all four tables."""
    charges = [charge() for _ in range(3)]
    folder = write_price_list(parts.scratch / "prices", file_id, charges)
    parts.lake.place(file_id, stage.PARSER_VERSION, folder)
    folder.rmdir()
    parts.lake.replace("charges", file_id, stage.PARSER_VERSION, lambda: None)
    parts.lake.put_rows("file_hospitals", file_id, [hospital_row(file_id)], lambda: None)
    parts.lake.put_rows("files", file_id, [file_row(file_id, charges, stage.PARSER_VERSION)], lambda: None)


# -- jobs and workers --------------------------------------------------------------------------------------------


def a_dead_workers_job(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a", state="working")
    stage.running(parts.database, download_job(stage.address(parts.database, key)))
    sql(parts.database, "UPDATE jobs SET lease_until = lease_until - 1000")


def a_cancelled_job_that_waits(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a", state="working")
    (job_id,) = stage.put(parts.database, download_job(stage.address(parts.database, key)))
    parts.database.write(lambda c: ledger.cancel(c, [job_id]))


def a_dead_workers_row(parts: Parts) -> None:
    parts.database.write(lambda c: ledger.sign_in(c, "w0", host="h", pid=1, version="1", slots={}))
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    sql(parts.database, "UPDATE workers SET beat_at = :then", then=long_ago.isoformat(" "))
    parts.database.write(lambda c: ledger.sign_in(c, "w1", host="h", pid=1, version="1", slots={}))


# -- files -------------------------------------------------------------------------------------------------------


def a_file_nobody_downloads(parts: Parts) -> None:
    stage.remember(parts.database, "a", state="working")


def a_file_nobody_reads(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a", state="working")
    stage.downloaded(parts, key)
    sql(parts.database, "DELETE FROM jobs WHERE step = 'parse'")


def a_file_nobody_publishes(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a", state="working")
    read(parts, key)
    sql(parts.database, "DELETE FROM jobs WHERE step = 'publish'")


def a_retry_nobody_makes(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a")
    later = datetime.now(UTC) + timedelta(hours=2)
    parts.database.write(
        lambda c: catalog.end(c, key, "unreachable", "server_error", message="", next_try_at=later, state="waiting")
    )


def a_download_without_its_file(parts: Parts) -> None:
    stage.put(parts.database, NewJob(step="download", args={"price_file_id": "0" * 16}))


def a_running_parse_without_its_snapshot(parts: Parts) -> None:
    stage.running(parts.database, parse_job("0" * 64))


def bytes_that_vanished(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a", state="working")
    parts.blobs.delete(blob_key(stage.downloaded(parts, key)))


def a_current_snapshot_without_a_row(parts: Parts) -> None:
    key, _ = published(parts)
    sql(parts.database, "UPDATE price_files SET current_file_id = :gone", gone="0" * 64)
    del key


def a_current_snapshot_that_was_never_published(parts: Parts) -> None:
    key, file_id = published(parts)
    sql(parts.database, "UPDATE price_files SET state = 'working'")
    worse = read(parts, key, b"no prices", charges=0, outcome="unparseable")
    sql(parts.database, "DELETE FROM jobs WHERE state = 'ready'")
    sql(parts.database, "UPDATE price_files SET state = 'done', current_file_id = :worse", worse=worse)
    del file_id


# -- the price table ---------------------------------------------------------------------------------------------


def prices_nobody_points_at(parts: Parts) -> None:
    published(parts)
    sql(parts.database, "UPDATE price_files SET current_file_id = NULL")


def prices_that_vanished(parts: Parts) -> None:
    _, file_id = published(parts)
    (parts.settings.data / "lake" / "charges" / f"{file_id[:2]}/{file_id}-{stage.PARSER_VERSION}.parquet").unlink()


def rows_that_vanished(parts: Parts) -> None:
    published(parts)
    for path in (parts.settings.data / "lake" / "files").glob("?/*.parquet"):
        path.unlink()


# -- what lies about ---------------------------------------------------------------------------------------------


def old_scratch(parts: Parts) -> None:
    folder = parts.scratch / "parse-7-1" / "prices"
    folder.mkdir(parents=True)
    (folder / "charges.parquet").write_bytes(b"half")
    aged(folder.parent, 2 * 3600)
    (parts.scratch / "1-young.download").write_bytes(b"half")


def half_bytes(parts: Parts) -> None:
    folder = parts.settings.data / "blobs" / "sha256" / "aa"
    folder.mkdir(parents=True)
    (folder / f".{'a' * 64}.partial").write_bytes(b"half")
    aged(folder, 2 * 3600)


def half_prices(parts: Parts) -> None:
    folder = parts.settings.data / "lake" / "charges" / "ee"
    folder.mkdir(parents=True)
    (folder / f"{'e' * 64}-1.parquet").write_bytes(b"half")
    aged(folder, 2 * DAY)


def bytes_of_nobody(parts: Parts) -> None:
    stage.bytes_of(parts)
    aged(parts.settings.data / "blobs", 8 * DAY)
    stage.bytes_of(parts, b"young")


# -- schedules ---------------------------------------------------------------------------------------------------


def a_schedule_nobody_waits_for(parts: Parts) -> None:
    slots = {"upkeep": 1}
    parts.database.write(lambda c: ledger.sign_in(c, "w0", host="h", pid=1, version="1", slots=slots))
    parts.database.write(lambda c: keep_schedules(c, parts.settings))
    sql(parts.database, "DELETE FROM jobs WHERE key LIKE '%prune%'")


PLANTS: Mapping[Callable[[Parts], None], tuple[str, ...]] = {
    a_dead_workers_job: ("live_lease",),
    a_cancelled_job_that_waits: ("cancelled_job_ends",),
    a_dead_workers_row: ("live_worker",),
    a_file_nobody_downloads: ("file_on_its_way",),
    a_file_nobody_reads: ("file_on_its_way",),
    a_file_nobody_publishes: ("file_on_its_way",),
    a_retry_nobody_makes: ("retry_in_ledger",),
    a_download_without_its_file: ("job_has_file",),
    a_running_parse_without_its_snapshot: ("job_has_file",),
    bytes_that_vanished: ("bytes_there",),
    a_current_snapshot_without_a_row: ("current_snapshot",),
    a_current_snapshot_that_was_never_published: ("current_snapshot",),
    prices_nobody_points_at: ("table_as_catalog",),
    prices_that_vanished: ("table_as_catalog",),
    rows_that_vanished: ("table_rows_there", "table_as_catalog"),
    old_scratch: ("scratch_has_owner",),
    half_bytes: ("bytes_have_snapshot",),
    half_prices: ("no_half_prices",),
    bytes_of_nobody: ("bytes_have_snapshot",),
    a_schedule_nobody_waits_for: ("schedule_kept",),
}
