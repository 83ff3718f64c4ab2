"""A line without web and workers: real database and shelves, and what steps would write, written step by step."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from glimmr.jobs import ledger
from glimmr.jobs.endings import finish
from glimmr.jobs.job import Job, NewJob, Result
from glimmr.model import Fetched, FileReport, Found, Hospital
from glimmr.net import Client
from glimmr.parse import PARSER_VERSION
from glimmr.pipeline import download_step
from glimmr.pipeline.download_step import download_job
from glimmr.pipeline.heads import Heads
from glimmr.pipeline.parse_step import ParseStep
from glimmr.pipeline.parts import Parts
from glimmr.settings import Settings
from glimmr.stores import catalog
from glimmr.stores.blobs import Blobs, blob_key
from glimmr.stores.database import Database
from glimmr.stores.lake import Lake
from tests.support.known import remember as remembered

__all__ = ["PARSER_VERSION", "finish"]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONTENT = b"prices"
FILE_ID = hashlib.sha256(CONTENT).hexdigest()


def parts_of(database: Database, folder: Path, *, alone: bool = True) -> Parts:
    settings = Settings(data=folder)
    lake = Lake(folder / "lake")
    lake.create()
    scratch = folder / "scratch"
    scratch.mkdir()
    return Parts(
        settings=settings,
        database=database,
        blobs=Blobs(folder / "blobs"),
        lake=lake,
        client=Client(settings),
        sources={},
        scratch=scratch,
        partials=scratch / "partial",
        heads=Heads(settings, scratch),
        alone=alone,
    )


def remember(database: Database, *names: str, state: str = "waiting") -> list[str]:
    """Addresses of one hospital, in that state."""
    hospital = Hospital(hospital_id="470001", ccn="470001", name="St. Mary", state="VT")
    found = [Found(hospital=hospital, url=f"http://h.test/{name}.csv", source="listing") for name in names]
    keys = database.write(lambda c: remembered(c, found, NOW))
    if state != "waiting":
        database.write(lambda c: c.execute(text("UPDATE price_files SET state = :state"), {"state": state}))
    return keys


def address(database: Database, key: str) -> catalog.Address:
    found = database.read(lambda c: catalog.address(c, key))
    assert found is not None
    return found


def put(database: Database, *new: NewJob) -> list[int]:
    return list(database.write(lambda c: ledger.enqueue(c, new)).values())


def running_one(database: Database, step: str) -> Job:
    """A run of the one job of this step that waits."""
    (found,) = database.read(lambda c: ledger.listing(c, step=step, state="ready"))
    return claimed(database, found["id"])


def claimed(database: Database, job_id: int) -> Job:
    job = database.write(lambda c: ledger.claim(c, job_id, owner="w1", lease_seconds=60, connections_per_host=9))
    assert job is not None
    return job


def running(database: Database, new: NewJob) -> Job:
    """A run of this job by a worker that is not there."""
    (job_id,) = put(database, new)
    return claimed(database, job_id)


def bytes_of(parts: Parts, content: bytes = CONTENT) -> Fetched:
    file_id = hashlib.sha256(content).hexdigest()
    path = parts.scratch / "bytes"
    path.write_bytes(content)
    parts.blobs.put_file(path, blob_key(file_id))
    path.unlink(missing_ok=True)
    return Fetched(
        path=blob_key(file_id), file_id=file_id, size_bytes=len(content), http_status=200, final_url="http://h.test"
    )


def arrived(key: str, fetched: Fetched) -> Result:
    return download_step._arrived(key, fetched)


def downloaded(parts: Parts, key: str, content: bytes = CONTENT) -> str:
    """The address gave these bytes, and the job that reads them is put. Returns their id."""
    fetched = bytes_of(parts, content)
    job = running(parts.database, download_job(address(parts.database, key)))
    parts.database.write(lambda c: finish(c, job, arrived(key, fetched)))
    return fetched.file_id


def report(file_id: str, *, charges: int = 3, outcome: str = "ok") -> FileReport:
    return FileReport(
        file_id=file_id,
        bytes=6,
        container=None,
        outcome=outcome,
        reason="" if outcome == "ok" else "no_prices",
        rows_in=charges,
        items_out=charges,
        charges=charges,
        rates=0,
        rows_rejected=0,
        seconds=0.1,
        peak_rss_bytes=1,
        parser_version=PARSER_VERSION,
        members=(),
    )


def read(parts: Parts, of: FileReport) -> Result:
    return ParseStep(parts)._result(of)


def live(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """Step and arguments of every live job."""
    rows = database.read(lambda c: ledger.listing(c, most=10_000))
    return sorted(((row["step"], row["args"]) for row in rows if row["state"] in ("ready", "running")), key=str)
