"""Step `publish`: what SQL says is current enters the price table, and what nobody points at any more leaves it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glimmr.errors import FileRemoved
from glimmr.jobs import ledger
from glimmr.jobs.job import Ending, Job, NewJob, Result, Tell
from glimmr.net import redact
from glimmr.outcomes import Outcome
from glimmr.pipeline.download_step import (
    is_publishable,
    must_be_known,
    next_try,
    parse_job,
    publish_job,
    reconcile_job,
)
from glimmr.pipeline.moved import give_way
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.pipeline.whose import settle
from glimmr.publish import publish, reassign, retract
from glimmr.stores import catalog, snapshots
from glimmr.stores.database import Connection
from glimmr.stores.lake import Lake, Sizes


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the catalog says of the snapshot that is to be published for an address."""

    snapshot: dict[str, Any]
    file_row: dict[str, Any]
    owners: list[dict[str, Any]]
    doubt: str | None  # why it is not trusted to take the place of the current one
    short: str | None  # why it may not be all, though nothing else says so


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the price table must say of a snapshot that some address points at."""

    file: dict[str, Any]
    owners: list[dict[str, Any]]
    sizes: Sizes
    publishable: bool  # False: a newer parser gave no prices, so that reading again gives none either


class PublishStep:
    """Room 4 as a step: all or nothing, and harmless when run twice.

    A job names a snapshot and the address that gave it; without an address it makes the table say of the snapshot what
    the catalog says: whose it still is, or nothing. One step does both: one slot (the default) keeps them apart.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, job: Job, tell: Tell) -> Result:
        """Put the price list into the four tables, then point the address at it."""
        file_id, key = job.args["file_id"], job.args["price_file_id"]
        await asyncio.to_thread(settle, self._parts.database, file_id, key)
        if key is None:
            return await self._reconcile(job, file_id, tell)
        facts = await asyncio.to_thread(
            self._parts.database.read, lambda connection: self._facts(connection, file_id, key)
        )
        if facts is None:
            return Result(outcome=Outcome.CANCELLED, reason="superseded", message="the address gave newer bytes")
        if facts.doubt:
            return self._doubted(key, facts)
        lake, version = self._parts.lake, facts.snapshot["parser_version"]
        must_hold, sizes = fence(self._parts, job), Sizes(facts.snapshot["charges"], facts.snapshot["rates"])
        if not await asyncio.to_thread(lake.holds, file_id, version, sizes):
            if file_id in await asyncio.to_thread(lake.named):
                await asyncio.to_thread(retract, lake, file_id, fence=must_hold)
            await asyncio.to_thread(_discard, lake, file_id, version, must_hold)
            return _parsed_again(file_id)
        done = await asyncio.to_thread(publish, lake, facts.file_row, facts.owners, fence=must_hold, tell=tell)
        return self._published(key, facts, rows=done.charges + done.rates if "charges" in done.changed else 0)

    async def _reconcile(self, job: Job, file_id: str, tell: Tell) -> Result:
        """What no address points at leaves the table; what one does is there, and says whose it is."""
        lake, must_hold = self._parts.lake, fence(self._parts, job)
        rows = await asyncio.to_thread(self._parts.database.read, lambda connection: _rows(connection, file_id))
        if rows is None:
            await asyncio.to_thread(retract, lake, file_id, fence=must_hold)
            return Result(outcome=Outcome.OK)
        found = await asyncio.to_thread(lake.check, file_id)
        if file_id in found.intact:
            await asyncio.to_thread(reassign, lake, file_id, rows.owners, fence=must_hold)
            return Result(outcome=Outcome.OK)
        holds = await asyncio.to_thread(lake.holds, file_id, rows.file["parser_version"], rows.sizes)
        if not holds or file_id in found.lost:  # no reader gets past an object that the log names and nobody has
            await asyncio.to_thread(retract, lake, file_id, fence=must_hold)
        if holds:
            await asyncio.to_thread(publish, lake, rows.file, rows.owners, fence=must_hold, tell=tell)
        elif rows.publishable:
            await asyncio.to_thread(_discard, lake, file_id, rows.file["parser_version"], must_hold)
            return _parsed_again(file_id)
        return Result(outcome=Outcome.OK)

    def _facts(self, connection: Connection, file_id: str, key: str) -> _Facts | None:
        address = catalog.address(connection, key)
        if address is None:
            raise FileRemoved(f"address {key} was removed")
        if snapshots.latest_file_id(connection, key) != file_id:
            return None
        row = snapshots.snapshot(connection, file_id)
        assert row is not None, "an address's answer has a snapshot"
        url = snapshots.pointing_url(connection, file_id, key) or address.url
        return _Facts(
            snapshot=row,
            file_row=snapshots.file_row(connection, file_id, redact(url)),
            owners=snapshots.owners(connection, file_id, key),
            doubt=self._doubt(connection, address, row),
            short=_short(address, row),
        )

    def _doubt(self, connection: Connection, address: catalog.Address, row: dict[str, Any]) -> str | None:
        """Why a newer snapshot must not replace the current one without a second identical answer (GL-SHRINK)."""
        before = address.current_file_id
        if before is None or before == row["file_id"]:
            return None
        former = snapshots.snapshot(connection, before)
        if former is None or former["outcome"] != Outcome.OK:
            return None
        if row["outcome"] == Outcome.INCOMPLETE:
            return "it was cut short, and what is current is whole, so that stays"
        size_before, size_now = (s["charges"] + s["rates"] for s in (former, row))
        shrunk = size_now < size_before * (1 - self._parts.settings.shrink_percent / 100)
        if shrunk and snapshots.times_seen(connection, address.price_file_id, row["file_id"]) < 2:
            return (
                f"it has {size_now:,} prices where the current one has {size_before:,}, which stays until the address"
                " gives these bytes a second time"
            )
        return None

    def _published(self, key: str, facts: _Facts, *, rows: int) -> Result:
        outcome = Outcome(facts.snapshot["outcome"])
        file_id, message = facts.snapshot["file_id"], facts.snapshot["message"] or ""

        def apply(connection: Connection) -> Sequence[NewJob]:
            now = utcnow()
            must_be_known(connection, key)
            formers = [snapshots.point(connection, key, file_id, now), *give_way(connection, key, now)]
            if facts.short:
                snapshots.put_finding(connection, file_id, "GL-SHRINK", "warning", facts.short)
            catalog.end(
                connection,
                key,
                outcome,
                facts.snapshot["reason"],
                message=message,
                next_try_at=next_try(outcome, now),
            )
            return [reconcile_job(former, now) for former in formers if former]

        return Result(outcome=Outcome.OK, apply=apply, rows=rows)

    def _doubted(self, key: str, facts: _Facts) -> Result:
        message = f"not published: {facts.doubt}"

        def apply(connection: Connection) -> None:
            must_be_known(connection, key)
            snapshots.put_finding(connection, facts.snapshot["file_id"], "GL-SHRINK", "error", message)
            again = next_try(Outcome.INCOMPLETE, utcnow())
            catalog.end(connection, key, Outcome.INCOMPLETE, "suspect_truncated", message=message, next_try_at=again)

        return Result(outcome=Outcome.INCOMPLETE, reason="suspect_truncated", message=message, apply=apply)

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """The address goes on waiting."""

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """The address ends as its publishing did; the rescuer makes the table say what the catalog says again."""
        key = job.args["price_file_id"]
        if key is None:
            return
        now = utcnow()
        if not catalog.hold(connection, key):  # some of the four tables may have their part already
            ledger.enqueue(connection, [reconcile_job(job.args["file_id"], now)])
            return
        again = next_try(outcome, now)
        catalog.end(connection, key, outcome, ending.reason, message=ending.message, next_try_at=again)

    def again(self, connection: Connection, args: Mapping[str, Any]) -> Sequence[NewJob]:
        """The price list is published for its address, when that has given no newer bytes since."""
        file_id, key = args["file_id"], args["price_file_id"]
        if key is None:
            return [reconcile_job(file_id, utcnow())]
        if not catalog.hold(connection, key) or snapshots.latest_file_id(connection, key) != file_id:
            return []
        catalog.begin(connection, [key])
        return [publish_job(file_id, key)]


def _short(address: catalog.Address, row: dict[str, Any]) -> str | None:
    """What is said, and no more than said, of a file less than half as large as its source saw it (GL-SHRINK).

    The source may have looked long ago, or at another form of it; a file that is cut where a row ends looks whole.
    """
    told_bytes = address.source_bytes
    if told_bytes is None or row["outcome"] != Outcome.OK or row["bytes"] * 2 >= told_bytes:
        return None
    return f"{row['bytes']:,} bytes came, and the source says that there are {told_bytes:,}"


def _rows(connection: Connection, file_id: str) -> _Rows | None:
    """What the table must say of a snapshot, or None: nothing."""
    url, row = snapshots.pointing_url(connection, file_id), snapshots.snapshot(connection, file_id)
    if url is None or row is None:
        return None
    return _Rows(
        file=snapshots.file_row(connection, file_id, redact(url)),
        owners=snapshots.owners(connection, file_id, None),
        sizes=Sizes(row["charges"], row["rates"]),
        publishable=row["outcome"] is None or is_publishable(Outcome(row["outcome"]), row["charges"]),
    )


def _discard(lake: Lake, file_id: str, parser_version: str, must_hold: Callable[[], None]) -> None:
    must_hold()  # a run that slept meanwhile must not delete what its successor has placed
    lake.discard(file_id, parser_version)


def _parsed_again(file_id: str) -> Result:
    message = f"the price list of {file_id} is not on the shelf any more: it is parsed again"
    return Result(outcome=Outcome.CANCELLED, reason="superseded", message=message, next=[parse_job(file_id)])


def fence(parts: Parts, job: Job) -> Callable[[], None]:
    """What a commit asks first: does this run still hold its job? Raises LeaseLost."""
    return lambda: parts.database.read(lambda connection: ledger.must_hold(connection, job))
