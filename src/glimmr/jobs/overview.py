"""What the ledger says of a moment: the queue of each step, the workers, what ended of late, and what failed."""

from typing import Any

from sqlalchemy import Double, and_, bindparam, case, func, literal, select

from glimmr.jobs.tables import ENDED, LIVE, READY, RUNNING, attempts, jobs, workers
from glimmr.outcomes import Outcome
from glimmr.stores.clock import moment
from glimmr.stores.database import Connection

_NO_FAILURES = (Outcome.OK, Outcome.UNCHANGED, Outcome.CANCELLED)
_FAILURES = [outcome.value for outcome in Outcome if outcome not in _NO_FAILURES]
_EVERY = [outcome.value for outcome in Outcome]  # named one by one, so that their index is of use

_NOW_AS = moment(literal(0.0, Double()))
_SINCE = moment(-bindparam("seconds", type_=Double()))
_DUE = and_(READY, jobs.c.run_at <= _NOW_AS)


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_NOW = select(_NOW_AS)
_QUEUES = (
    select(
        jobs.c.step,
        _count(_DUE).label("waiting"),
        _count(and_(READY, jobs.c.run_at > _NOW_AS)).label("later"),
        _count(RUNNING).label("running"),
        _count(jobs.c.stalls > 0).label("rescued"),
        func.min(case((_DUE, jobs.c.run_at))).label("oldest_at"),
    )
    .where(LIVE)
    .group_by(jobs.c.step)
)
_WORKERS = select(workers).order_by(workers.c.host, workers.c.pid)
_RECENT = (
    select(
        jobs.c.step,
        func.count().label("ended"),
        _count(jobs.c.outcome.in_(_FAILURES)).label("failed"),
        func.coalesce(func.sum(attempts.c.bytes), 0).label("bytes"),
        func.coalesce(func.sum(attempts.c.rows), 0).label("rows"),
    )
    .select_from(jobs.outerjoin(attempts, and_(attempts.c.job_id == jobs.c.id, attempts.c.number == jobs.c.epoch)))
    .where(ENDED, jobs.c.outcome.in_(_EVERY), jobs.c.finished_at > _SINCE)
    .group_by(jobs.c.step)
)
_KIND = (jobs.c.step, jobs.c.outcome, jobs.c.reason)
_COUNTED = (func.count().label("jobs"), func.max(jobs.c.id).label("newest"))
_FAILED = (
    select(*_KIND, *_COUNTED, func.max(jobs.c.finished_at).label("last_at"))
    .where(ENDED, jobs.c.outcome.in_(_FAILURES), jobs.c.finished_at > _SINCE)
    .group_by(*_KIND)
)
_TO_BE_RETRIED = (
    select(*_KIND, *_COUNTED, func.max(jobs.c.started_at).label("last_at"))
    .where(READY, jobs.c.outcome.in_(_FAILURES), jobs.c.started_at > _SINCE)
    .group_by(*_KIND)
)
_MESSAGES = select(jobs.c.id, jobs.c.message).where(jobs.c.id.in_(bindparam("ids", expanding=True)))


def now(connection: Connection) -> Any:
    """The moment it is, by the clock that the ledger's moments are of."""
    return connection.execute(_NOW).scalar_one()


def queues(connection: Connection) -> dict[str, dict[str, Any]]:
    """By step: jobs `waiting` (due), `later` (not due yet), `running`; how many of these were `rescued`; `oldest_at`.

    That is since when the job that waits longest is due; None: none waits.
    """
    rows = (dict(row) for row in connection.execute(_QUEUES).mappings())
    return {row.pop("step"): {name: _number(value) for name, value in row.items()} for row in rows}


def present(connection: Connection) -> list[dict[str, Any]]:
    """The workers that signed in, with every column."""
    return [dict(row) for row in connection.execute(_WORKERS).mappings()]


def recent(connection: Connection, seconds: float) -> dict[str, dict[str, int]]:
    """By step, of the last seconds: jobs that `ended`, how many of them `failed`, and their `bytes` and `rows`."""
    rows = (dict(row) for row in connection.execute(_RECENT, {"seconds": seconds}).mappings())
    return {row.pop("step"): {name: int(value) for name, value in row.items()} for row in rows}


def failures(connection: Connection, seconds: float, most: int) -> list[dict[str, Any]]:
    """What failed in the last seconds, by `step, outcome, reason`, the latest first.

    With `jobs`, `again` (how many of these will run again), `last_at`, and the `job` that is the newest of its kind,
    with its `message`.
    """
    kinds: dict[tuple[str, str, str], dict[str, Any]] = {}
    for again, question in ((False, _FAILED), (True, _TO_BE_RETRIED)):
        for row in connection.execute(question, {"seconds": seconds}).mappings():
            kind = kinds.setdefault(
                (row["step"], row["outcome"], row["reason"]),
                {"jobs": 0, "again": 0, "job": 0, "last_at": row["last_at"]},
            )
            kind["jobs"] += row["jobs"]
            kind["again"] += row["jobs"] if again else 0
            kind["job"] = max(kind["job"], row["newest"])
            kind["last_at"] = max(kind["last_at"], row["last_at"])
    latest = sorted(kinds.items(), key=lambda item: item[1]["last_at"], reverse=True)[:most]
    found = connection.execute(_MESSAGES, {"ids": [kind["job"] for _, kind in latest]})
    messages = {row.id: row.message for row in found}
    return [
        {"step": step, "outcome": outcome, "reason": reason, **kind, "message": messages.get(kind["job"]) or ""}
        for (step, outcome, reason), kind in latest
    ]


def _number(value: Any) -> Any:
    """PostgreSQL's sums are decimals."""
    return value if value is None or hasattr(value, "tzinfo") else int(value)
