"""How patient the line is: what becomes of a job that failed, and of bytes that have no end."""

from collections.abc import Callable, Sequence

from glimmr import retry
from glimmr.errors import BodyCut
from glimmr.jobs import ledger
from glimmr.jobs.job import Attempt, Job
from glimmr.jobs.verdict import Decide
from glimmr.model import Fetched
from glimmr.pipeline.parts import Parts
from glimmr.settings import Settings
from glimmr.stores import snapshots
from glimmr.stores.database import Connection


def decider(settings: Settings) -> Decide:
    """`retry.decide` with the settings' patience, told a job's past by its charged attempts."""
    policy = retry.Policy(scale=settings.retry_scale, max_attempts=settings.max_attempts)

    def decide(error: BaseException, past: Sequence[Attempt]) -> retry.Verdict:
        failed = tuple(attempt.reason for attempt in past if attempt.ended_as == "retry")
        return retry.decide(error, retry.History(failures=len(failed), reasons=failed), policy)

    return decide


def asks_again(parts: Parts, job: Job) -> Callable[[Fetched], bool]:
    """Whether a download asks once more for bytes that have no end; blocking.

    Not when they, or so many, came before: then they are cut where they are published. Nor when that was the last try.
    """
    decide = decider(parts.settings)

    def again(cut: Fetched) -> bool:
        def work(connection: Connection) -> bool:
            past = ledger.history(connection, job.id, before_epoch=job.epoch)
            if cut.size_bytes in {attempt.bytes for attempt in past}:
                return False
            if snapshots.snapshot(connection, cut.file_id) is not None:
                return False
            return decide(BodyCut(), past).delay_seconds is not None

        return parts.database.read(work)

    return again
