"""What must be true after any fault, once all has come to rest: a list of sentences, empty when all is well."""

import contextlib
import hashlib
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from deltalake.exceptions import TableNotFoundError

from glimmr.download import sweep
from glimmr.outcomes import MEANINGS, Outcome, is_reason
from glimmr.stores import catalog
from glimmr.stores.database import Database, sqlite_url
from glimmr.stores.lake import Lake
from glimmr.stores.scratch import PARTIALS
from tests.support import line

_DAYS_SECONDS = 2 * 86_400.0
# A schedule always waits.
_LIVE = "SELECT id, key, state FROM jobs WHERE state IN ('ready', 'running') AND step <> 'upkeep'"


def audit(
    store: Path,
    database: Database | None = None,
    *,
    urls: Collection[str] | None = None,
    digest: str | None = None,
    scratch: Collection[Path] = (),
) -> list[str]:
    """Every violation in a store (one machine: the data folder, whose database is then the default).

    What a dead process of a fleet left in the price table is swept a day later, in scratch an hour later, since others
    may be at work: let that time pass.

    `urls` are the addresses that must be known, `digest` what `line.whole_digest` must give, `scratch` the scratch
    folders of a fleet's processes.
    """
    known = database or Database(sqlite_url(store / "glimmr.sqlite"))
    if database is not None:
        Lake(store / "lake").sweep()
        for folder in scratch:
            let_days_pass(folder)
            sweep(folder / PARTIALS, database.read(catalog.unfinished_urls), _DAYS_SECONDS / 2)
    try:
        return [
            *_lost(known, urls),
            *_live(known),
            *_unexplained(known),
            *_uncounted(known),
            *_misplaced(known, store),
            *_doubled(store),
            *(f"the tables differ from those of an undisturbed run: {digest}" for _ in _differs(store, digest)),
            *(f"nobody refers to {path}" for path in line.leftovers(store)),
            *(f"nobody refers to {path}" for folder in scratch for path in folder.rglob("*") if path.is_file()),
        ]
    finally:
        if database is None:
            known.close()


def let_days_pass(folder: Path) -> None:
    """For whoever asks how old the files in it are."""
    then = time.time() - _DAYS_SECONDS
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # whoever works there has taken it away
            os.utime(path, (then, then))


def half_published(store: Path) -> list[str]:
    """What a reader would see of a publishing that was broken off: at no moment anything."""
    try:
        if not line.uris(store, "files"):
            return []
    except TableNotFoundError:
        return []
    torn = line.bare(store).execute(
        "SELECT file_id FROM files AS f WHERE NOT EXISTS (FROM file_hospitals WHERE file_id = f.file_id)"
        " OR charges <> (SELECT count(*) FROM charges WHERE file_id = f.file_id)"
        " OR rates <> (SELECT count(*) FROM rates WHERE file_id = f.file_id)"
    )
    return [f"{file_id} counts as published, and is not whole" for (file_id,) in torn.fetchall()]


def rows(database: Database, query: str) -> list[dict[str, Any]]:
    return database.read(lambda c: [dict(row) for row in c.exec_driver_sql(query).mappings()])


def _lost(database: Database, urls: Collection[str] | None) -> Iterator[str]:
    """Every address is known, and has ended."""
    found = rows(database, "SELECT url, state, outcome FROM price_files")
    for url in sorted(set(urls or ()) - {row["url"] for row in found}):
        yield f"address {url} is lost"
    for row in found:
        if row["state"] != "done" or not row["outcome"]:
            yield f"address {row['url']} is {row['state']} without an end"


def _live(database: Database) -> Iterator[str]:
    for row in rows(database, _LIVE):
        yield f"job {row['id']} ({row['key']}) is still {row['state']}"


def _unexplained(database: Database) -> Iterator[str]:
    """What did not end well has a reason from the closed list, and words for a person."""
    ended = "SELECT url AS what, outcome, reason, message FROM price_files WHERE outcome IS NOT NULL"
    jobs = "SELECT key AS what, outcome, reason, message FROM jobs WHERE state IN ('dead', 'cancelled')"
    for row in rows(database, f"{ended} UNION ALL {jobs}"):
        if row["outcome"] is None or not is_reason(Outcome(row["outcome"]), row["reason"]):
            yield f"{row['what']} ended as {row['outcome']} for no known reason: {row['reason']!r}"
        elif MEANINGS[Outcome(row["outcome"])].success is False and not row["message"]:
            yield f"{row['what']} ended as {row['outcome']} without a word"


def _uncounted(database: Database) -> Iterator[str]:
    """Every run that ever began has its row in the history; only the last one is how the job ended."""
    query = (
        "SELECT id, key, epoch, outcome, (SELECT count(*) FROM attempts WHERE job_id = id) AS attempts,"
        " (SELECT ended_as FROM attempts WHERE job_id = id AND number = epoch) AS last,"
        " (SELECT count(*) FROM attempts WHERE job_id = id AND number < epoch"
        " AND ended_as NOT IN ('retry', 'rescued', 'handed_back')) AS early"
        " FROM jobs WHERE state IN ('done', 'dead')"
    )
    for row in rows(database, query):
        if row["attempts"] != row["epoch"] or row["last"] != row["outcome"] or row["early"]:
            yield f"the history of job {row['id']} ({row['key']}) does not fit: {row}"


def _misplaced(database: Database, store: Path) -> Iterator[str]:
    """The bytes of every snapshot are there and are its, all others are nobody's; the table holds what is current."""
    snapshots = {row["file_id"]: row for row in rows(database, "SELECT file_id, blob_key, bytes FROM snapshots")}
    for file_id, row in snapshots.items():
        blob = store / "blobs" / row["blob_key"]
        if not blob.is_file() or hashlib.sha256(blob.read_bytes()).hexdigest() != file_id:
            yield f"the bytes of {file_id} are not on the shelf"
    for blob in (store / "blobs" / "sha256").rglob("*"):
        if blob.is_file() and blob.name not in snapshots:
            yield f"nobody refers to {blob}"
    query = "SELECT DISTINCT current_file_id FROM price_files WHERE current_file_id IS NOT NULL"
    current = {row["current_file_id"] for row in rows(database, query)}
    published = {file_id for (file_id,) in line.bare(store).execute("SELECT file_id FROM files").fetchall()}
    for file_id in sorted(current ^ published):
        yield f"{file_id} is {'current, not' if file_id in current else 'not current, but'} in the price table"


def _doubled(store: Path) -> Iterator[str]:
    counts = (
        line.bare(store)
        .execute(
            "SELECT (SELECT count(*) - count(DISTINCT (file_id, charge_id)) FROM charges),"
            " (SELECT count(*) - count(DISTINCT (file_id, rate_id)) FROM rates),"
            " (SELECT count(*) - count(DISTINCT file_id) FROM files),"
            " (SELECT count(*) FROM (SELECT file_id FROM charges EXCEPT SELECT file_id FROM files)),"
            " (SELECT coalesce(sum(charges), 0) FROM files) - (SELECT count(*) FROM charges),"
            " (SELECT coalesce(sum(rates), 0) FROM files) - (SELECT count(*) FROM rates)"
        )
        .fetchone()
    )
    if counts != (0, 0, 0, 0, 0, 0):
        yield f"rows of the price table are doubled, unpublished or missing: {counts}"


def _differs(store: Path, digest: str | None) -> list[str]:
    return [found for found in (line.whole_digest(store),) if digest not in (None, found)]
