"""What addresses point at: their current snapshot exists, and was published."""

from glimmr.jobs import ledger
from glimmr.jobs.invariant import Invariant, Violation, reading, writing
from glimmr.jobs.job import NewJob
from glimmr.pipeline.download_step import download_job, reconcile_job
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.stores import catalog, underway
from glimmr.stores.database import Connection


def of(parts: Parts) -> list[Invariant]:
    """The invariant of current snapshots."""
    return [
        Invariant(
            name="current_snapshot",
            text="the current snapshot of a file exists, and was published",
            cure="the newest of the file's snapshots that has prices takes its place; else it is downloaded",
            find=reading(parts.database, _unsound),
            repair=writing(parts.database, _restore),
        )
    ]


def _unsound(connection: Connection, after: str, most: int) -> list[Violation]:
    return [
        Violation(key, f"price file {key} has a current snapshot that is gone or was never published")
        for key in underway.unsound(connection, after, most)
    ]


def _restore(connection: Connection, subject: str) -> bool:
    one = underway.locked(connection, subject)
    current = one.address.current_file_id if one else None
    if one is None or current is None or underway.was_published(connection, current):
        return False
    point_anew(connection, one.address)
    return True


def point_anew(connection: Connection, address: catalog.Address) -> None:
    """Take the current snapshot from an address: the newest good one takes its place, or it is brought home anew."""
    key, now = address.price_file_id, utcnow()
    underway.point(connection, key, None)
    best = underway.newest_published(connection, key)
    following: list[NewJob] = [reconcile_job(address.current_file_id, now)] if address.current_file_id else []
    if best is not None and best != address.current_file_id:
        underway.point(connection, key, best)
        following.append(reconcile_job(best, now))
    else:
        catalog.begin(connection, [key])
        following.append(download_job(address))
    ledger.enqueue(connection, following)
