"""Step `parse`: read one snapshot in a limited child process, and put its price list on the shelf."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glimmr import events
from glimmr.errors import FileRemoved
from glimmr.jobs.child import run_in_child
from glimmr.jobs.job import Ending, Job, NewJob, Result, Tell
from glimmr.model import FileReport
from glimmr.outcomes import Outcome
from glimmr.pipeline.download_step import (
    after_parsing,
    download_job,
    is_publishable,
    next_try,
    parse_job,
    reconcile_job,
)
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.pipeline.publish_step import fence
from glimmr.settings import Settings
from glimmr.stores import catalog, snapshots
from glimmr.stores.blobs import sha256_of
from glimmr.stores.database import Connection

_GB = 10**9


async def read_in_child(path: Path, to: Path, file_id: str | None, settings: Settings, tell: Tell) -> FileReport:
    """Read a file in a child process under the settings' memory and time limits: what `glimmr parse` does, too."""
    size_bytes = await asyncio.to_thread(lambda: path.stat().st_size)
    answer = await run_in_child(
        "glimmr.parse:parse_in_child",
        {"path": str(path), "to": str(to), "file_id": file_id, "limits": limits(settings)},
        tell=tell,
        memory_bytes=settings.child_memory_bytes,
        seconds=deadline_seconds(size_bytes, settings),
    )
    return FileReport.from_dict(answer)


def deadline_seconds(size_bytes: int, settings: Settings) -> float:
    """How long a file of this size may be read."""
    return max(settings.parse_deadline_seconds, size_bytes / _GB * settings.parse_deadline_seconds_per_gb)


def limits(settings: Settings) -> dict[str, float]:
    """The settings that the parser heeds."""
    names = ("max_unpacked_bytes", "max_members", "max_rejected_percent")
    return {name: getattr(settings, name) for name in names}


class ParseStep:
    """Room 3 as a step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, job: Job, tell: Tell) -> Result:
        """Read the bytes; every file ends in an outcome, so this ends well unless the child itself fails."""
        file_id = job.args["file_id"]
        row = await asyncio.to_thread(
            self._parts.database.read, lambda connection: snapshots.snapshot(connection, file_id)
        )
        if row is None:
            return Result(outcome=Outcome.CANCELLED, reason="file_removed", message=f"snapshot {file_id} is gone")
        if not await asyncio.to_thread(self._parts.blobs.holds, row["blob_key"], row["bytes"]):
            return await self._brought_again(file_id)
        folder = self._parts.scratch / f"parse-{job.id}-{job.epoch}"
        folder.mkdir(parents=True)
        events.tell(events.PARSE_STARTED, file_id=file_id, bytes=row["bytes"])
        try:
            path = await asyncio.to_thread(self._parts.blobs.local_copy, row["blob_key"], folder)
            if await asyncio.to_thread(sha256_of, path) != file_id:
                await asyncio.to_thread(self._throw_away, job, row["blob_key"])
                return await self._brought_again(file_id)
            report = await read_in_child(path, folder / "prices", file_id, self._parts.settings, tell)
            events.tell(events.PARSE_READ, file_id=file_id, outcome=report.outcome, seconds=report.seconds)
            await asyncio.to_thread(self._shelve, report, folder / "prices")
        finally:
            await asyncio.to_thread(shutil.rmtree, folder)
        events.tell(events.PARSE_ENDED, file_id=file_id, outcome=report.outcome, charges=report.charges)
        return self._result(report)

    async def _brought_again(self, file_id: str) -> Result:
        found = await asyncio.to_thread(self._parts.lake.check, file_id)
        return _brought_again(file_id, lost=file_id not in found.intact)

    def _throw_away(self, job: Job, key: str) -> None:
        """Bytes that are not those of their name: of the right size, they would be taken for good for ever."""
        fence(self._parts, job)()  # a run that slept meanwhile must not delete what its successor had brought home
        self._parts.blobs.delete(key)

    def _shelve(self, report: FileReport, folder: Path) -> None:
        if is_publishable(Outcome(report.outcome), report.charges):
            self._parts.lake.place(report.file_id, report.parser_version, folder)
        rejects = folder / "rejects.parquet"
        if rejects.exists():
            self._parts.blobs.put_file(rejects, f"rejects/{report.file_id}-{report.parser_version}.parquet")

    def _result(self, report: FileReport) -> Result:
        def apply(connection: Connection) -> Sequence[NewJob]:
            now = utcnow()
            if not snapshots.is_had(connection, report.file_id):
                raise FileRemoved(f"every address that gave {report.file_id} was removed")
            snapshots.record_report(connection, report, now)
            row = snapshots.snapshot(connection, report.file_id)
            assert row is not None, "what an address gave has a snapshot"
            waiting = snapshots.waiting_for(connection, report.file_id)
            following = [job for key in waiting for job in after_parsing(connection, key, row, now)]
            if snapshots.pointing_url(connection, report.file_id):
                following.append(reconcile_job(report.file_id, now))
            return following

        outcome = Outcome(report.outcome)
        return Result(
            outcome=outcome,
            reason=report.reason,
            message=report.message,
            apply=apply,
            bytes=report.bytes,
            rows=report.charges + report.rates,
        )

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """The addresses go on waiting for their bytes to be read."""

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """Every address that gave these bytes ends as the reading did."""
        now = utcnow()
        snapshots.hold(connection, job.args["file_id"])
        for key in snapshots.waiting_for(connection, job.args["file_id"]):
            catalog.end(
                connection, key, outcome, ending.reason, message=ending.message, next_try_at=next_try(outcome, now)
            )

    def again(self, connection: Connection, args: Mapping[str, Any]) -> Sequence[NewJob]:
        """The bytes are read again, by this version's parser, for every address that gave them last."""
        file_id = args["file_id"]
        if snapshots.snapshot(connection, file_id) is None:
            return []
        catalog.begin(connection, snapshots.ended_with(connection, file_id))
        return [parse_job(file_id)]


def _brought_again(file_id: str, *, lost: bool) -> Result:
    """The bytes are gone from the shelf: whoever waits for them is asked for them again.

    `lost`: their price list is not in the price table either, so whoever has it as the current one has none.
    """

    def apply(connection: Connection) -> Sequence[NewJob]:
        snapshots.hold(connection, file_id)
        keys = snapshots.waiting_for(connection, file_id)
        if lost:
            keys = sorted({*keys, *snapshots.unpoint(connection, file_id)})
            catalog.begin(connection, keys)
        asked = (catalog.address(connection, key) for key in keys)
        return [download_job(address) for address in asked if address is not None]

    message = f"the bytes of {file_id} are not whole on the shelf any more: they are brought home again"
    return Result(outcome=Outcome.CANCELLED, reason="superseded", message=message, apply=apply)
