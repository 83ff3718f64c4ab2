"""How deep the queues are, how runs ended lately, who works: the ledger in numbers, for whoever watches."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Double, and_, case, func, literal, select, tuple_

from glimmr.jobs.tables import ENDED, LIVE, READY, RUNNING, attempts, jobs, workers
from glimmr.stores.clock import moment
from glimmr.stores.database import Connection

_NOW = select(moment(literal(0.0, Double())))
_BY_STEP = select(jobs.c.step, jobs.c.state, func.count()).group_by(jobs.c.step, jobs.c.state)
_WORKERS = select(workers).order_by(workers.c.started_at, workers.c.id)
_NEWEST = select(jobs.c.created_at).order_by(jobs.c.id.desc()).limit(1)


def queues(connection: Connection) -> list[dict[str, Any]]:
    """Live jobs by step: `step, waiting` (due now)`, later, running, rescued, oldest_seconds` (of those that wait)."""
    now = connection.execute(_NOW).scalar_one()
    due = and_(READY, jobs.c.run_at <= now)
    rows = connection.execute(
        select(
            jobs.c.step,
            func.sum(case((due, 1), else_=0)).label("waiting"),
            func.sum(case((and_(READY, jobs.c.run_at > now), 1), else_=0)).label("later"),
            func.sum(case((RUNNING, 1), else_=0)).label("running"),
            func.sum(case((jobs.c.stalls > 0, 1), else_=0)).label("rescued"),
            func.min(case((due, jobs.c.run_at))).label("oldest_at"),
        )
        .where(LIVE)
        .group_by(jobs.c.step)
        .order_by(jobs.c.step)
    )
    told: list[dict[str, Any]] = []
    for row in rows.mappings():
        queue = dict(row)
        oldest_at: datetime | None = queue.pop("oldest_at")
        told.append(queue | {"oldest_seconds": (now - oldest_at).total_seconds() if oldest_at else 0.0})
    return told


def by_state(connection: Connection) -> list[tuple[str, str, int]]:
    """Every job there is, counted by step and state."""
    return [(step, state, int(count)) for step, state, count in connection.execute(_BY_STEP)]


def ended(connection: Connection, within_seconds: float) -> list[dict[str, Any]]:
    """How the jobs ended that did so within that time: `step, outcome, jobs`."""
    since = moment(literal(-within_seconds, Double()))
    said = select(jobs.c.step, jobs.c.outcome, func.count().label("jobs")).where(ENDED, jobs.c.finished_at > since)
    return [dict(row) for row in connection.execute(said.group_by(jobs.c.step, jobs.c.outcome)).mappings()]


def last_start_seconds(connection: Connection, steps: Collection[str]) -> float | None:
    """How long ago a job of these steps last began to run; None: none ever did."""
    now = connection.execute(_NOW).scalar_one()
    last = connection.execute(select(func.max(jobs.c.started_at)).where(jobs.c.step.in_(steps))).scalar_one()
    return (now - last).total_seconds() if last else None


def signed_in(connection: Connection) -> list[dict[str, Any]]:
    """The workers, with every column and `silent_seconds`: how long ago each has beaten last."""
    now = connection.execute(_NOW).scalar_one()
    rows = connection.execute(_WORKERS).mappings()
    return [dict(row) | {"silent_seconds": max(0.0, (now - row["beat_at"]).total_seconds())} for row in rows]


def clock(connection: Connection) -> tuple[datetime, datetime | None]:
    """The database's wall time, and when the newest job was put by it."""
    return connection.execute(_NOW).scalar_one(), connection.execute(_NEWEST).scalar_one_or_none()


def began(connection: Connection, keys: Collection[str]) -> dict[str, datetime]:
    """When the jobs with these keys last began to run, the newest job of each."""
    newest = (
        select(func.max(jobs.c.id)).where(jobs.c.key.in_(keys), jobs.c.started_at.is_not(None)).group_by(jobs.c.key)
    )
    rows = connection.execute(select(jobs.c.key, jobs.c.started_at).where(jobs.c.id.in_(newest)))
    return {key: started_at for key, started_at in rows}  # noqa: C416 - rows are more than pairs


def rescued_at(connection: Connection, runs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], datetime]:
    """When these runs (job, epoch) were taken from workers that were silent; those that ended otherwise are missing."""
    told = select(attempts.c.job_id, attempts.c.number, attempts.c.ended_at).where(
        attempts.c.ended_as == "rescued", tuple_(attempts.c.job_id, attempts.c.number).in_(runs)
    )
    return {(job, number): ended_at for job, number, ended_at in connection.execute(told)}
