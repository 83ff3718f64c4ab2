"""Step `scan`: ask one source about one place; an address that is due becomes a download."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

from glimmr.jobs.job import Ending, Job, NewJob, Result, Tell
from glimmr.outcomes import Outcome
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.scan import Scanned, scan
from glimmr.stores import catalog
from glimmr.stores.database import Connection

_WAKE_SECONDS = 0.2  # how soon a pause notices that the run should stop


def scan_job(source: str, place: str, *, refresh: bool) -> NewJob:
    """Ask `source` about `place` (a state's code, a list's path)."""
    return NewJob(step="scan", args={"source": source, "place": place, "refresh": refresh})


def download_job(address: catalog.Address) -> NewJob:
    """Bring home what is at an address."""
    return NewJob(step="download", args={"price_file_id": address.price_file_id}, host=address.host or None)


class ScanStep:
    """Room 1 as a step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, job: Job, tell: Tell) -> Result:
        """Ask, remember what was said, and put a download for every address that is due."""
        name, place = job.args["source"], job.args["place"]
        granted: list[int] = []  # once, however often the transaction is repeated
        scanned = await asyncio.to_thread(scan, name, self._parts.sources[name], place, _pause(tell))

        def apply(connection: Connection) -> Sequence[NewJob]:
            now = utcnow()
            ids = catalog.remember(connection, scanned.found, now)
            due = catalog.due(connection, ids, now, refresh=job.args["refresh"])
            if not granted:
                granted.append(self._parts.allowance.take(len(due)))
            taken = due[: granted[0]]
            catalog.begin(connection, [address.price_file_id for address in taken])
            return [download_job(address) for address in taken]

        return Result(outcome=Outcome.OK, message=_said(scanned), apply=apply, rows=len(scanned.found))

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """Nothing is known yet; the job's own row says why it waits."""

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """A source that fails changes nothing that is known; the job's own row says what failed."""


def _said(scanned: Scanned) -> str:
    reasons = Counter(skipped.reason for skipped in scanned.skipped)
    skipped = "".join(f"; {count} skipped: {reason}" for reason, count in reasons.most_common())
    return f"{len(scanned.found)} found{skipped}"


def _pause(tell: Tell) -> Callable[[float], None]:
    """A wait that goes on telling, so that the lease is kept and a stop is noticed."""

    def pause(seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            tell(pausing_seconds=round(left, 1))
            time.sleep(min(left, _WAKE_SECONDS))

    return pause
