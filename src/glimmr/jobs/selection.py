"""Which jobs an operator means, and everything about one job: the ledger's questions whose wording is not fixed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Double, and_, func, literal, not_, or_, select, update

from glimmr.jobs.tables import ENDED, LIVE, READY, jobs
from glimmr.outcomes import Outcome
from glimmr.stores.clock import lease_clock, lease_era, moment
from glimmr.stores.database import Connection

_MOST_ID = 2**63 - 1
_ENDED_WELL = (Outcome.OK, Outcome.UNCHANGED)
_NOW = moment(literal(0.0, Double()))
_NEWEST_OF_ITS_KEY = jobs.c.id.in_(select(func.max(jobs.c.id)).group_by(jobs.c.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Jobs of these ids, or (without ids) all those that have the values given; None is any."""

    ids: tuple[int, ...] = ()
    step: str | None = None
    state: str | None = None
    outcome: str | None = None
    reason: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """A job that was meant: what it is, and in which state it was found."""

    id: int
    step: str
    key: str
    args: dict[str, Any]
    state: str


_PICKED = (jobs.c.id, jobs.c.step, jobs.c.key, jobs.c.args, jobs.c.state)


def live(connection: Connection, which: Which) -> list[Picked]:
    """Those that wait or run."""
    rows = connection.execute(select(*_PICKED).where(LIVE, *_meant(which)).order_by(jobs.c.id)).mappings()
    return [Picked(**row) for row in rows]


def prioritize(connection: Connection, which: Which, priority: int) -> Counter[str]:
    """Give those that wait or run, and so the jobs that follow them, this priority; how many of each step."""
    given = update(jobs).where(LIVE, *_meant(which)).values(priority=priority).returning(jobs.c.step)
    return Counter(connection.execute(given).scalars())


def held_up(connection: Connection, most: int) -> list[dict[str, Any]]:
    """What this machine or a resting host keeps from running: `step, message, jobs, run_at`, most jobs first.

    They were handed back, and wait to be run again without being charged for it; nothing of theirs has failed.
    """
    said = select(jobs.c.step, jobs.c.message, func.count().label("jobs"), func.min(jobs.c.run_at).label("run_at"))
    waiting = said.where(READY, jobs.c.outcome.is_(None), jobs.c.message.is_not(None))
    rows = connection.execute(waiting.group_by(jobs.c.step, jobs.c.message).order_by(func.count().desc()).limit(most))
    return [dict(row) for row in rows.mappings()]


def unknown(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Those of these ids that no job has."""
    possible = [job_id for job_id in ids if _can_be(job_id)]
    known = set(connection.execute(select(jobs.c.id).where(jobs.c.id.in_(possible))).scalars())
    return [job_id for job_id in ids if job_id not in known]


def worth_again(connection: Connection, which: Which, *, after_id: int, most: int) -> list[Picked]:
    """Those that ended badly and have not been put again since, and those that wait to be tried again; by id.

    Of jobs named by their id also those that were put again since, and those that wait for their first run.
    """
    named = bool(which.ids)
    waits = and_(READY, jobs.c.run_at > _NOW, not_(jobs.c.cancel_requested), *([] if named else [jobs.c.epoch > 0]))
    failed = and_(ENDED, jobs.c.outcome.not_in(_ENDED_WELL))
    wanted = or_(waits, failed if named else and_(failed, _NEWEST_OF_ITS_KEY))
    rows = connection.execute(
        select(*_PICKED).where(wanted, jobs.c.id > after_id, *_meant(which)).order_by(jobs.c.id).limit(most)
    )
    return [Picked(**row) for row in rows.mappings()]


def one(connection: Connection, job_id: int) -> dict[str, Any] | None:
    """Every column of a job, and `lease_left_seconds`: how long its worker may still say nothing. None: no such job."""
    if not _can_be(job_id):
        return None
    left = (jobs.c.lease_until - lease_clock(literal(0.0, Double()))).label("lease_left_seconds")
    same_clock = (jobs.c.lease_era == lease_era()).label("same_clock")
    row = connection.execute(select(jobs, left, same_clock).where(jobs.c.id == job_id)).mappings().one_or_none()
    if row is None:
        return None
    told = dict(row)
    if told.pop("same_clock") is False:
        told["lease_left_seconds"] = 0.0  # of an earlier boot: it has run out
    return told


def newest_args(connection: Connection, step: str) -> list[dict[str, Any]]:
    """The arguments of the newest job of each key of a step, the oldest of these first."""
    newest = select(func.max(jobs.c.id)).where(jobs.c.step == step).group_by(jobs.c.key)
    return list(connection.execute(select(jobs.c.args).where(jobs.c.id.in_(newest)).order_by(jobs.c.id)).scalars())


def _can_be(job_id: int) -> bool:
    """Whether a database can be asked for it: a number with a digit too many is nobody's, and no error of theirs."""
    return 0 < job_id <= _MOST_ID


def _meant(which: Which) -> Sequence[ColumnElement[bool]]:
    if which.ids:
        return [jobs.c.id.in_(which.ids)]
    return [jobs.c[name] == value for name, value in asdict(which).items() if name != "ids" and value is not None]
