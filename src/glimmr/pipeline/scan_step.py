"""Step `scan`: ask one source about one place; an address that is due becomes a download."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from glimmr.errors import DeadlineExceeded
from glimmr.jobs import ledger
from glimmr.jobs.job import Ending, Job, NewJob, Result, Tell
from glimmr.net import Client, Reply
from glimmr.outcomes import Outcome
from glimmr.pipeline.download_step import download_job, reconcile_job
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.scan import Scanned, scan
from glimmr.stores import catalog
from glimmr.stores.database import Connection

_WAKE_SECONDS = 0.2  # how soon a pause notices that the run should stop


def scan_job(source: str, place: str, *, refresh: bool) -> NewJob:
    """Ask `source` about `place` (a state's code, a list's path)."""
    return NewJob(step="scan", args={"source": source, "place": place, "refresh": refresh})


class ScanStep:
    """Room 1 as a step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, job: Job, tell: Tell) -> Result:
        """Ask, remember what was said, and put a download for every address that is due."""
        name, place = job.args["source"], job.args["place"]
        granted: list[int] = []  # once, however often the transaction is repeated
        web = RunWeb(self._parts.client, tell, self._parts.settings.scan_deadline_seconds)
        scanned = await asyncio.to_thread(scan, name, self._parts.sources[name], place, web)

        def apply(connection: Connection) -> Sequence[NewJob]:
            now = utcnow()
            ids, changed = _remember(connection, scanned, now)
            due = catalog.due(connection, ids, now, refresh=job.args["refresh"])
            if not granted:
                granted.append(self._parts.allowance.take(len(due)))
            taken = due[: granted[0]]
            catalog.begin(connection, [address.price_file_id for address in taken])
            downloads = [download_job(address) for address in taken]
            ledger.hasten(connection, downloads)  # a refresh asks those too that wait for a later try
            return [*downloads, *(reconcile_job(file_id, now) for file_id in changed)]

        return Result(outcome=Outcome.OK, message=_said(scanned), apply=apply, rows=len(scanned.found))

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """Nothing is known yet; the job's own row says why it waits."""

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """A source that fails changes nothing that is known; the job's own row says what failed."""

    def again(self, connection: Connection, args: Mapping[str, Any]) -> Sequence[NewJob]:
        """The same question once more."""
        del connection
        return [NewJob(step="scan", args=dict(args))]


def _remember(connection: Connection, scanned: Scanned, now: datetime) -> tuple[list[str], list[str]]:
    """Write down what was said. Returns the addresses, and the current snapshots whose hospitals it changed."""
    ids = [catalog.price_file_id(found.url) for found in scanned.found]
    before = catalog.current_owners(connection, ids)
    ids = catalog.remember(connection, scanned.found, now)
    after = catalog.current_owners(connection, ids)
    return ids, sorted(file_id for file_id in after if after[file_id] != before.get(file_id))


def _said(scanned: Scanned) -> str:
    reasons = Counter(skipped.reason for skipped in scanned.skipped)
    skipped = "".join(f"; {count} skipped: {reason}" for reason, count in reasons.most_common())
    return f"{len(scanned.found)} found{skipped}"


class RunWeb:
    """The web for one run of a scan: everything it does tells, so that the lease is kept and a stop is noticed."""

    def __init__(self, client: Client, tell: Callable[..., None], deadline_seconds: float) -> None:
        self._client, self._tell = client, tell
        self._deadline_seconds = deadline_seconds
        self._until = time.monotonic() + deadline_seconds

    def ask(
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        """A small answer; see `scan.Web`."""
        left_seconds = self._left_seconds()
        reply = self._client.get_bytes(
            url, method=method, headers=headers, body=body, tell=self._tell, deadline_seconds=left_seconds
        )
        return reply.body, reply.headers

    def visit(self, url: str, *, most_bytes: int) -> Reply:
        """A page or a text; see `scan.Web`."""
        left_seconds = self._left_seconds()
        return self._client.get_bytes(url, max_bytes=most_bytes, tell=self._tell, deadline_seconds=left_seconds)

    def pause(self, seconds: float) -> None:
        """Wait, telling how long it takes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._must_go_on()
            self._tell(pausing_seconds=round(left, 1))
            time.sleep(min(left, _WAKE_SECONDS))

    def _left_seconds(self) -> float:
        self._must_go_on()
        return max(1.0, self._until - time.monotonic())

    def _must_go_on(self) -> None:
        if time.monotonic() > self._until:
            raise DeadlineExceeded(f"the scan took longer than the {self._deadline_seconds:,.0f} s it may take")
