"""The ledger's SQL statements, each built once (building one costs more than running it), for SQLite and PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Double,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from glimmr.jobs.tables import LIVE, READY, RUNNING, attempts, jobs, steps, workers
from glimmr.stores.clock import lease_clock, lease_era, moment

_NOW = moment(literal(0.0, Double()))
_LATER = moment(bindparam("delay_seconds", type_=Double()))
_LEASE_END = lease_clock(bindparam("lease_seconds", type_=Double()))
_LEASE_NOW = lease_clock(literal(0.0, Double()))

_WANTED = not_(jobs.c.cancel_requested)
_UNPAUSED = jobs.c.step.not_in(select(steps.c.step).where(steps.c.paused))
# The step is hidden from SQLite's planner, which would take the index by step although another one finds a few rows.
_STEP_KNOWN = jobs.c.step.concat("").in_(bindparam("steps", expanding=True))
_busy = jobs.alias("busy")
_HOST_FREE = or_(
    jobs.c.host.is_(None),
    bindparam("per_host", type_=Integer())
    > select(func.count())
    .where(_busy.c.state == text("'running'"), _busy.c.host == jobs.c.host)
    .correlate(jobs)
    .scalar_subquery(),
)
_FENCE = and_(
    jobs.c.id == bindparam("job_id"),
    jobs.c.owner == bindparam("holder"),
    jobs.c.epoch == bindparam("held_epoch"),
    RUNNING,
)
_EXPIRED = and_(RUNNING, or_(jobs.c.lease_until < _LEASE_NOW, jobs.c.lease_era != lease_era()))
_RUN = (
    jobs.c.id,
    jobs.c.step,
    jobs.c.args,
    jobs.c.host,
    jobs.c.priority,
    jobs.c.attempt,
    jobs.c.stalls,
    jobs.c.owner,
    jobs.c.epoch,
)
_TAKEN: Mapping[Any, Any] = {
    "state": "running",
    "owner": bindparam("holder"),
    "epoch": jobs.c.epoch + 1,
    "lease_until": _LEASE_END,
    "lease_era": lease_era(),
    "started_at": _NOW,
    "progress": null(),
}

_NEW_JOB: Mapping[Any, Any] = {
    "state": "ready",
    "attempt": 1,
    "stalls": 0,
    "epoch": 0,
    "cancel_requested": False,
    "run_at": _LATER,
    "created_at": _NOW,
}
ENQUEUE = {
    dialect.__name__.rpartition(".")[2]: dialect.insert(jobs)
    .values(_NEW_JOB)
    .on_conflict_do_nothing(index_elements=[jobs.c.key], index_where=LIVE)
    .returning(jobs.c.key, jobs.c.id)
    for dialect in (sqlite, postgresql)
}
PAUSE = {
    dialect.__name__.rpartition(".")[2]: dialect.insert(steps)
    .values(step=bindparam("step"), paused=bindparam("paused"))
    .on_conflict_do_update(index_elements=[steps.c.step], set_={"paused": bindparam("paused")})
    for dialect in (sqlite, postgresql)
}
ANY_DUE = select(exists().where(READY, jobs.c.run_at <= _NOW))
DUE = (
    select(jobs.c.id, jobs.c.step, jobs.c.host)
    .where(
        READY,
        jobs.c.step == bindparam("step"),
        jobs.c.run_at <= _LATER,
        _WANTED,
        _UNPAUSED,
        _HOST_FREE,
        or_(jobs.c.host.is_(None), jobs.c.host.not_in(bindparam("full_hosts", expanding=True))),
        jobs.c.id.not_in(bindparam("sent", expanding=True)),
    )
    .order_by(jobs.c.priority.desc(), jobs.c.run_at, jobs.c.id)
    .limit(bindparam("most"))
)
AWAITED = select(
    or_(
        exists().where(RUNNING),
        exists().where(
            READY,
            _WANTED,
            _UNPAUSED,
            _STEP_KNOWN,
            jobs.c.run_at <= _LATER,
        ),
    )
)
CLAIM = (
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), READY, jobs.c.run_at <= _NOW, _WANTED, _UNPAUSED, _HOST_FREE)
    .values(_TAKEN)
    .returning(*_RUN)
)
SEIZE = (
    update(jobs).where(jobs.c.id == bindparam("job_id"), READY, jobs.c.cancel_requested).values(_TAKEN).returning(*_RUN)
)
_HELD = (jobs.c.id, jobs.c.epoch, jobs.c.cancel_requested)
BEAT = (
    update(jobs)
    .where(jobs.c.owner == bindparam("holder"), RUNNING)
    .values(lease_until=_LEASE_END, lease_era=lease_era())
    .returning(*_HELD)
)
HELD = select(*_HELD).where(jobs.c.owner == bindparam("holder"), RUNNING)
PROGRESS = update(jobs).where(_FENCE).values(progress=bindparam("progress_now", type_=jobs.c.progress.type))
MUST_HOLD = select(exists().where(_FENCE))
_LEFT: Mapping[Any, Any] = {
    "state": bindparam("new_state"),
    "owner": null(),
    "lease_until": null(),
    "lease_era": null(),
    "outcome": bindparam("new_outcome"),
    "reason": bindparam("new_reason"),
    "message": bindparam("new_message"),
}
END = update(jobs).where(_FENCE).values(_LEFT | {"finished_at": _NOW}).returning(jobs.c.started_at)
RETURN = (
    update(jobs)
    .where(_FENCE)
    .values(
        _LEFT
        | {
            "attempt": jobs.c.attempt + bindparam("charged", type_=Integer()),
            "stalls": jobs.c.stalls + bindparam("stalled", type_=Integer()),
            "run_at": _LATER,
        }
    )
    .returning(jobs.c.started_at)
)
WRITE_ATTEMPT = insert(attempts).values(ended_at=_NOW)
ENDED_SO = select(
    exists().where(
        attempts.c.job_id == bindparam("job_id"),
        attempts.c.number == bindparam("held_epoch"),
        attempts.c.worker == bindparam("holder"),
        attempts.c.ended_as == bindparam("ended_as"),
    )
)
HISTORY = (
    select(attempts)
    .where(attempts.c.job_id == bindparam("job_id"), attempts.c.number < bindparam("before_epoch"))
    .order_by(attempts.c.number)
)
# Not ordered by id: SQLite would walk the whole table by it instead of the few running jobs.
EXPIRED = select(*_RUN).where(_EXPIRED)
STILL_EXPIRED = select(jobs.c.id).where(_FENCE, _EXPIRED).with_for_update()
RUNNING_JOBS = select(*_RUN).where(RUNNING)
TO_CANCEL = (
    select(jobs.c.id, jobs.c.step, jobs.c.host)
    .where(READY, jobs.c.cancel_requested, _STEP_KNOWN)
    .order_by(jobs.c.id)
    .limit(100)
)
CANCEL = (
    update(jobs)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)), LIVE)
    .values(cancel_requested=True)
    .returning(jobs.c.id)
)
HASTEN = update(jobs).where(jobs.c.key == bindparam("waiting_key"), READY).values(run_at=_NOW)
FROM_THE_FUTURE = (
    update(jobs)
    .where(READY, or_(jobs.c.created_at > _LATER, jobs.c.started_at > _LATER))
    .values(run_at=_NOW, created_at=_NOW, started_at=null())
)
SIGN_IN = insert(workers).values(started_at=_NOW, beat_at=_NOW)
SIGN_OUT = delete(workers).where(workers.c.id == bindparam("worker"))
FORGET_WORKERS = delete(workers)
SEEN = update(workers).where(workers.c.id == bindparam("worker")).values(beat_at=_NOW)
SLOTS = select(workers.c.slots).where(workers.c.beat_at > _LATER)
RUNNING_OF = select(jobs.c.step, func.count().label("jobs")).where(RUNNING).group_by(jobs.c.step)
STILL_READY = select(jobs.c.id).where(jobs.c.id.in_(bindparam("sent", expanding=True)), READY)
COUNTS = select(jobs.c.step, jobs.c.state, jobs.c.outcome, func.count().label("jobs")).group_by(
    jobs.c.step, jobs.c.state, jobs.c.outcome
)
