"""The steps by name, and a walk of the whole line until nothing is left to do."""

import asyncio
from collections.abc import Sequence

from glimmr import __version__, retry
from glimmr.jobs import ledger
from glimmr.jobs.job import Attempt, NewJob, Step, Terms
from glimmr.jobs.verdict import Decide
from glimmr.jobs.worker import work
from glimmr.pipeline.download_step import DownloadStep, reconcile_job
from glimmr.pipeline.parse_step import ParseStep
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.pipeline.publish_step import PublishStep
from glimmr.pipeline.scan_step import ScanStep
from glimmr.settings import Settings
from glimmr.stores import snapshots
from glimmr.stores.database import Connection

_OTHERS_MAY_PUBLISH_SECONDS = 24 * 3600.0


def steps(parts: Parts) -> dict[str, Step]:
    """The rooms as steps, in the order in which prices walk through them."""
    return {
        "scan": ScanStep(parts),
        "download": DownloadStep(parts),
        "parse": ParseStep(parts),
        "publish": PublishStep(parts),
    }


async def walk(parts: Parts, seeds: Sequence[NewJob], stop: asyncio.Event, *, until_idle: bool = True) -> None:
    """Put the seeds, then run every job that is due until none is left (`until_idle`), or until `stop` is set."""
    settings = parts.settings
    mends = await asyncio.to_thread(_mends, parts)

    def begin(connection: Connection) -> None:
        ledger.heed_the_clock(connection)
        ledger.enqueue(connection, [*mends, *seeds])

    await asyncio.to_thread(parts.database.write, begin)
    await work(
        parts.database,
        steps(parts),
        _slots(settings),
        decide=_decider(settings),
        until_idle=until_idle,
        stop=stop,
        terms=_terms(settings),
        engine=parts.engine,
        alone=parts.alone,
        version=__version__,
    )


def _mends(parts: Parts) -> list[NewJob]:
    """Sweep the price table's shelf; jobs that make the table say what the catalog says.

    That is: where a publishing was given up in between, and where something vanished from the shelf. What somebody
    still waits for is left to its own job.
    """
    named, intact = parts.lake.named(), parts.lake.check().intact
    current, wanted = parts.database.read(
        lambda connection: (snapshots.current(connection), snapshots.wanted(connection))
    )
    if parts.alone:
        parts.lake.sweep(keep=wanted | (current - intact))  # what only lost its log entry is named again
    else:
        parts.lake.sweep(_OTHERS_MAY_PUBLISH_SECONDS, keep=wanted)
    now = utcnow()
    return [reconcile_job(file_id, now) for file_id in sorted(((named - current) | (current - intact)) - wanted)]


def _slots(settings: Settings) -> dict[str, int]:
    """How many jobs of each step run at a time in this process."""
    # One publish at a time: two would only wait for each other's commit of the same four tables.
    return {"scan": 1, "download": settings.downloads, "parse": settings.parses, "publish": 1}


def _terms(settings: Settings) -> Terms:
    return Terms(
        lease_seconds=settings.lease_seconds,
        max_stalls=settings.max_stalls,
        max_attempts=settings.max_attempts,
        connections_per_host=settings.connections_per_host,
        patience_seconds=settings.patience_seconds,
    )


def _decider(settings: Settings) -> Decide:
    """`retry.decide` with the settings' patience, told a job's past by its charged attempts."""
    policy = retry.Policy(scale=settings.retry_scale, max_attempts=settings.max_attempts)

    def decide(error: BaseException, past: Sequence[Attempt]) -> retry.Verdict:
        failed = tuple(attempt.reason for attempt in past if attempt.ended_as == "retry")
        return retry.decide(error, retry.History(failures=len(failed), reasons=failed), policy)

    return decide
