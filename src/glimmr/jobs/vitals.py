"""Figures of the ledger that tell whether all is well: what `watch` judges by. Functions of the caller's Connection."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from glimmr.jobs.statements import PAUSED
from glimmr.jobs.tables import ENDED, READY, RUNNING, attempts, jobs, workers
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection

_KEPT_BY_NUMBER = (Outcome.OK, Outcome.UNCHANGED, Outcome.CANCELLED)
_OF_ANY_OUTCOME = jobs.c.outcome.in_([str(outcome) for outcome in Outcome])  # so that an index is used
_newer, _next = jobs.alias("newer"), attempts.alias("following")


@dataclass(frozen=True, slots=True)
class Still:
    """A running job, and since when it has not said that it got on."""

    id: int
    step: str
    since: datetime


def still(connection: Connection, since: datetime) -> list[Still]:
    """Running jobs that have not got on since then, the longest first. Other versions' workers keep no such time."""
    got_on = func.coalesce(jobs.c.progressed_at, jobs.c.started_at)
    found = select(jobs.c.id, jobs.c.step, got_on).where(RUNNING, got_on < since).order_by(got_on)
    return [Still(*row) for row in connection.execute(found)]


def ended(connection: Connection, since: datetime) -> Counter[Outcome]:
    """Jobs that ended since then, by outcome."""
    found = (select(jobs.c.outcome, func.count()).where(ENDED, _OF_ANY_OUTCOME, jobs.c.finished_at > since)).group_by(
        jobs.c.outcome
    )
    return Counter({Outcome(outcome): count for outcome, count in connection.execute(found)})


def complete_since(connection: Connection, since: datetime, kept: int) -> datetime:
    """That moment, or the later one from which on every ended job is still in the ledger.

    Jobs that did not fail are kept up to a number of each outcome (`retention`), failures for long: a share of failures
    over a time of which only these are left would be far too large.
    """
    oldest = (
        select(func.count(), func.min(jobs.c.finished_at))
        .where(ENDED, jobs.c.outcome.in_([str(outcome) for outcome in _KEPT_BY_NUMBER]))
        .group_by(jobs.c.outcome)
    )
    return max([since, *(first for count, first in connection.execute(oldest) if count >= kept)])


def due(connection: Connection, now: datetime) -> Counter[str]:
    """Jobs that could run now if somebody were free, by step; those of paused steps apart."""
    waiting = and_(READY, jobs.c.run_at <= now, jobs.c.step.not_in(PAUSED))
    return Counter(
        dict(connection.execute(select(jobs.c.step, func.count()).where(waiting).group_by(jobs.c.step)).all())
    )


def served(connection: Connection, since: datetime) -> set[str]:
    """The steps for which a worker has slots that has beaten since then."""
    return {
        step
        for slots in connection.execute(select(workers.c.slots).where(workers.c.beat_at > since)).scalars()
        for step, count in (slots or {}).items()
        if count
    }


def unresolved(connection: Connection, outcome: Outcome, reason: str, since: datetime) -> list[int]:
    """The jobs that ended so since then, and were not put again, newest first."""
    ended_so = and_(ENDED, jobs.c.outcome == str(outcome), jobs.c.reason == reason, jobs.c.finished_at > since)
    put_again = exists().where(_newer.c.key == jobs.c.key, _newer.c.id > jobs.c.id)
    return list(connection.execute(select(jobs.c.id).where(ended_so, ~put_again).order_by(jobs.c.id.desc())).scalars())


def recoveries(connection: Connection, since: datetime, now: datetime, lease_seconds: float) -> list[float]:
    """Seconds until jobs ran again whose worker died, of rescues since then; of those that still wait, until now.

    A worker is known to be dead a lease after it was last heard of, so that is counted in.
    """
    waits: ColumnElement[bool] = and_(READY, jobs.c.run_at <= now, jobs.c.step.not_in(PAUSED))
    found = (
        select(attempts.c.ended_at, func.coalesce(_next.c.started_at, jobs.c.started_at), jobs.c.state)
        .join(jobs, jobs.c.id == attempts.c.job_id)
        .outerjoin(_next, and_(_next.c.job_id == attempts.c.job_id, _next.c.number == attempts.c.number + 1))
        .where(attempts.c.ended_as == "rescued", attempts.c.ended_at > since)
        .where(or_(_next.c.started_at.is_not(None), RUNNING, waits))
    )
    return [_seconds(row, now) + lease_seconds for row in connection.execute(found)]


def _seconds(row: Sequence[Any], now: datetime) -> float:
    rescued_at, began_at, state = row
    again_at = began_at if began_at is not None and (began_at >= rescued_at or state == "running") else now
    return max(timedelta(0), again_at - rescued_at).total_seconds()


def last_scan(connection: Connection) -> datetime | None:
    """When a scan last ended well; where none has, when the first job was put; None: there is no job."""
    scanned = (
        select(jobs.c.finished_at)
        .where(ENDED, jobs.c.outcome == str(Outcome.OK), jobs.c.step == "scan")
        .order_by(jobs.c.finished_at.desc())
        .limit(1)
    )
    return connection.execute(scanned).scalar() or connection.execute(select(func.min(jobs.c.created_at))).scalar()
