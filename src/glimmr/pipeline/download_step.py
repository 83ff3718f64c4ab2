"""Step `download`: bring home what is at one address; new bytes are parsed, known ones published for it too."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from glimmr import events
from glimmr.download import NotModified, download
from glimmr.errors import FetchError, FileRemoved
from glimmr.jobs import ledger
from glimmr.jobs.job import Ending, Job, NewJob, Result, Tell
from glimmr.model import Fetched, Ranges
from glimmr.net import direct, normalise, redact
from glimmr.net.urls import host_of
from glimmr.outcomes import Outcome
from glimmr.parse import PARSER_VERSION
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.pipeline.patience import asks_again
from glimmr.pipeline.scan_job import scan_jobs
from glimmr.retry import reprobe_seconds
from glimmr.stores import catalog, sightings, snapshots
from glimmr.stores.blobs import blob_key
from glimmr.stores.database import Connection
from glimmr.stores.scratch import check_scratch

# What a file that has another address by now leaves behind: nothing, a page, a link that ran out.
_MAY_HAVE_MOVED = frozenset((Outcome.GONE, Outcome.BLOCKED, Outcome.NOT_A_PRICE_FILE))
_ASKED_LATELY_SECONDS = 3600.0


def next_try(outcome: Outcome, now: datetime) -> datetime | None:
    """When an address that ended this way is asked again without being told to."""
    seconds = reprobe_seconds(outcome)
    return now + timedelta(seconds=seconds) if seconds is not None else None


def parse_job(file_id: str) -> NewJob:
    """Read a snapshot with this version's parser."""
    return NewJob(step="parse", args={"file_id": file_id, "parser_version": PARSER_VERSION})


def download_job(address: catalog.Address) -> NewJob:
    """Bring home what is at an address."""
    try:
        host = host_of(direct(normalise(address.url)))
    except FetchError:  # the download itself will say so
        host = None
    return NewJob(step="download", args={"price_file_id": address.price_file_id}, host=host)


def publish_job(file_id: str, price_file_id: str) -> NewJob:
    """Put a price list into the price table for one address."""
    return NewJob(step="publish", args={"file_id": file_id, "price_file_id": price_file_id})


def reconcile_job(file_id: str, now: datetime) -> NewJob:
    """Make the price table say of a snapshot what the catalog says: whose it is, or nothing.

    The moment is part of the key: a job that runs already may have looked before the change that asks for this one.
    """
    return NewJob(step="publish", args={"file_id": file_id, "price_file_id": None, "at": now.isoformat()})


def must_be_known(connection: Connection, price_file_id: str) -> None:
    """Raise FileRemoved when an address was removed while its job ran; else it stays until this transaction ends."""
    if not catalog.hold(connection, price_file_id):
        raise FileRemoved(f"address {price_file_id} was removed")


def is_publishable(outcome: Outcome, charges: int) -> bool:
    """Whether a reading gave prices worth having: a whole file's, or what is whole of a cut one."""
    return charges > 0 and outcome in (Outcome.OK, Outcome.INCOMPLETE)


def after_parsing(connection: Connection, price_file_id: str, snapshot: dict[str, Any], now: datetime) -> list[NewJob]:
    """What becomes of an address once its bytes are read: published, or ended with the reading's outcome."""
    outcome = Outcome(snapshot["outcome"])
    if is_publishable(outcome, snapshot["charges"]):
        return [publish_job(snapshot["file_id"], price_file_id)]
    address = catalog.address(connection, price_file_id)
    if address is not None and address.current_file_id is not None:
        snapshots.put_finding(connection, snapshot["file_id"], "GL-SHRINK", "error", "no prices where there were some")
    message, again = snapshot["message"] or "", next_try(outcome, now)
    catalog.end(connection, price_file_id, outcome, snapshot["reason"], message=message, next_try_at=again)
    return []


class DownloadStep:
    """Room 2 as a step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, job: Job, tell: Tell) -> Result:
        """Ask the address; it answers with bytes, or that nothing changed."""
        key = job.args["price_file_id"]
        since = utcnow() - timedelta(seconds=self._parts.settings.whole_fetch_seconds)
        address, known, ranges = await asyncio.to_thread(
            self._parts.database.read, lambda connection: _known(connection, key, since)
        )
        if address is None:
            return Result(outcome=Outcome.CANCELLED, reason="file_removed", message=f"address {key} is gone")
        check_scratch(self._parts.settings)  # before anybody asks a hospital for bytes that could go nowhere
        has_bytes = known is not None and await asyncio.to_thread(self._has, known, address.current_file_id)
        events.tell(events.FETCH_STARTED, url=redact(address.url))
        answer = await asyncio.to_thread(
            download,
            address.url,
            client=self._parts.client,
            blobs=self._parts.blobs,
            scratch=self._parts.partials,
            tell=tell,
            min_free_bytes=self._parts.settings.min_free_bytes,
            etag=address.etag if has_bytes else None,
            last_modified=address.last_modified if has_bytes else None,
            ranges=ranges if has_bytes else None,
            asks_again=asks_again(self._parts, job),
        )
        told = {"bytes": answer.size_bytes, "http_status": answer.http_status}
        events.tell(events.FETCH_ENDED, url=redact(address.url), **told)
        if isinstance(answer, Fetched):
            return _arrived(key, answer)
        assert known is not None, "only bytes we have are asked about conditionally"
        return _unchanged(key, known["file_id"], answer)

    def _has(self, known: dict[str, Any], current_file_id: str | None) -> bool:
        """Whether its bytes need not be brought: they are here, or were deleted and nothing is left to do with them."""
        is_done = known["outcome"] == Outcome.OK and known["parser_version"] == PARSER_VERSION
        if known["bytes_removed_at"] is not None and is_done and current_file_id == known["file_id"]:
            return True
        return self._parts.blobs.holds(known["blob_key"], known["bytes"])

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """The address failed for now: what is known so far, and when it is asked again."""
        now, key = utcnow(), job.args["price_file_id"]
        again = now + timedelta(seconds=ending.delay_seconds)
        catalog.end(connection, key, outcome, ending.reason, message=ending.message, next_try_at=again, state="waiting")
        self._look_elsewhere(connection, key, outcome, now)

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """The address will not be asked again by itself before its next probe."""
        now, key = utcnow(), job.args["price_file_id"]
        if not catalog.hold(connection, key):
            return
        snapshots.record_answer(connection, key, now, outcome=outcome, reason=ending.reason)
        catalog.end(connection, key, outcome, ending.reason, message=ending.message, next_try_at=next_try(outcome, now))
        if outcome is Outcome.GONE:
            sightings.note(connection, key, "gone", now, detail=ending.reason)
        self._look_elsewhere(connection, key, outcome, now)

    def _look_elsewhere(self, connection: Connection, key: str, outcome: Outcome, now: datetime) -> None:
        """Who named an address that has nothing (more) to give is asked again: the file may have another by now."""
        if outcome not in _MAY_HAVE_MOVED:
            return
        lately = now - timedelta(seconds=_ASKED_LATELY_SECONDS * self._parts.settings.retry_scale)
        asked = [
            (source, place)
            for source, place, at in sightings.who_named(connection, key)
            if source in self._parts.sources and source != "listing" and (at is None or at < lately)
        ]
        ledger.enqueue(connection, scan_jobs(asked, refresh=False))

    def again(self, connection: Connection, args: Mapping[str, Any]) -> Sequence[NewJob]:
        """The address is asked again; moot when it is gone."""
        address = catalog.address(connection, args["price_file_id"])
        if address is None:
            return []
        catalog.begin(connection, [address.price_file_id])
        return [download_job(address)]


def _known(
    connection: Connection, key: str, since: datetime
) -> tuple[catalog.Address | None, dict[str, Any] | None, Ranges | None]:
    """The address, the snapshot of its last answer, and its ranges if it was brought home whole after `since`."""
    address, file_id = catalog.address(connection, key), snapshots.latest_file_id(connection, key)
    if file_id is None:
        return address, None, None
    return address, snapshots.snapshot(connection, file_id), snapshots.ranges(connection, key, file_id, since)


def _arrived(key: str, fetched: Fetched) -> Result:
    def apply(connection: Connection) -> Sequence[NewJob]:
        now = utcnow()
        must_be_known(connection, key)
        snapshots.remember_bytes(connection, fetched, blob_key(fetched.file_id))
        snapshots.hold(connection, fetched.file_id)
        snapshots.put_weaknesses(connection, fetched.file_id, fetched.weaknesses)
        snapshots.record_answer(connection, key, now, outcome=Outcome.OK, fetched=fetched)
        return _go_on(connection, key, fetched.file_id, "same_bytes", now)

    return Result(outcome=Outcome.OK, apply=apply, bytes=fetched.size_bytes)


def _unchanged(key: str, file_id: str, answer: NotModified) -> Result:
    unchanged: dict[str, Any] = {"outcome": Outcome.UNCHANGED, "reason": answer.reason}

    def apply(connection: Connection) -> Sequence[NewJob]:
        now = utcnow()
        must_be_known(connection, key)
        snapshots.hold(connection, file_id)
        snapshots.record_answer(connection, key, now, file_id=file_id, **unchanged)
        return _go_on(connection, key, file_id, answer.reason, now)

    return Result(apply=apply, bytes=answer.size_bytes, **unchanged)


def _go_on(connection: Connection, key: str, file_id: str, why_unchanged: str, now: datetime) -> list[NewJob]:
    """What follows for an address that gave these bytes: they are read, or published, or current already.

    Bytes that were read before and gave no prices end the address as they did then: an ill file stays ill.
    """
    catalog.begin(connection, [key])  # it may have waited for this try
    sightings.note(connection, key, "back", now, after="gone")
    address, row = catalog.address(connection, key), snapshots.snapshot(connection, file_id)
    if row is None or row["parser_version"] != PARSER_VERSION:
        return [parse_job(file_id)]
    if address is not None and address.current_file_id == file_id and row["outcome"] == Outcome.OK:
        catalog.end(connection, key, Outcome.UNCHANGED, why_unchanged, message="", next_try_at=None)
        return []
    return after_parsing(connection, key, row, now)
