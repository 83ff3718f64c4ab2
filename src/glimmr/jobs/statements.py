"""The ledger's SQL statements, each built once (building one costs more than running it), for SQLite and PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Double,
    Integer,
    and_,
    bindparam,
    case,
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

from glimmr.jobs.tables import LIVE, READY, RUNNING, attempts, jobs, repairs, steps, workers
from glimmr.stores.clock import lease_clock, lease_era, moment
from glimmr.stores.tables import hosts

_NOW = moment(literal(0.0, Double()))
_LATER = moment(bindparam("delay_seconds", type_=Double()))
_LEASE_END = lease_clock(bindparam("lease_seconds", type_=Double()))
_LEASE_NOW = lease_clock(literal(0.0, Double()))

_WANTED = not_(jobs.c.cancel_requested)
PAUSED = select(steps.c.step).where(steps.c.paused)
_UNPAUSED = jobs.c.step.not_in(PAUSED)
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
# A host that failed again and again is left alone for a while (`net.breaker`), and one that wants a pause between two
# requests for so long (`net.pace`): its jobs wait uncharged, and take nobody's slot.
_HOST_AWAKE = not_(exists().where(hosts.c.host == jobs.c.host, or_(hosts.c.until > _NOW, hosts.c.next_at > _NOW)))
_FENCE = and_(
    jobs.c.id == bindparam("job_id"),
    jobs.c.owner == bindparam("holder"),
    jobs.c.epoch == bindparam("held_epoch"),
    RUNNING,
)
# A lease that ends much later than any could was given before the clock of leases was set back: its worker, if it
# lives, has put it right long before anybody may ask (`steady`).
_EXPIRED = and_(
    RUNNING,
    or_(
        jobs.c.lease_until < _LEASE_NOW,
        jobs.c.lease_until > lease_clock(bindparam("longest_seconds", type_=Double())),
        jobs.c.lease_era != lease_era(),
    ),
)
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
    "progressed_at": _NOW,
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
        _HOST_AWAKE,
        or_(jobs.c.host.is_(None), jobs.c.host.not_in(bindparam("full_hosts", expanding=True))),
        jobs.c.id.not_in(bindparam("sent", expanding=True)),
    )
    .order_by(jobs.c.priority.desc(), jobs.c.attempt, jobs.c.run_at, jobs.c.id)  # retries wait behind fresh work
    .limit(bindparam("most"))
)
_COMES = (
    READY,
    _WANTED,
    _UNPAUSED,
    _STEP_KNOWN,
    jobs.c.run_at <= _LATER,
    not_(exists().where(hosts.c.host == jobs.c.host, hosts.c.until > _LATER)),
)
AWAITED = select(or_(exists().where(RUNNING), exists().where(*_COMES)))
NEXT_TO_COME = select(func.count(), func.min(jobs.c.run_at), _NOW).where(*_COMES, jobs.c.run_at > _NOW)
CLAIM = (
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), READY, jobs.c.run_at <= _NOW, _WANTED, _UNPAUSED, _HOST_FREE, _HOST_AWAKE)
    .values(_TAKEN)
    .returning(*_RUN)
)
SEIZE = (
    update(jobs).where(jobs.c.id == bindparam("job_id"), READY, jobs.c.cancel_requested).values(_TAKEN).returning(*_RUN)
)
_HELD = (jobs.c.id, jobs.c.epoch, jobs.c.cancel_requested, jobs.c.step)
_EXTENDED: Mapping[Any, Any] = {"lease_until": _LEASE_END, "lease_era": lease_era()}
# A lease that was extended a moment ago, with the job's progress, is left alone.
_STALE = or_(
    jobs.c.lease_until < lease_clock(bindparam("fresh_until_seconds", type_=Double())),
    jobs.c.lease_until > _LEASE_END,  # the clock of leases was set back
    jobs.c.lease_era != lease_era(),
)
BEAT = update(jobs).where(jobs.c.owner == bindparam("holder"), RUNNING, _STALE).values(_EXTENDED)
HELD = select(*_HELD).where(jobs.c.owner == bindparam("holder"), RUNNING)
PROGRESS = (
    update(jobs)
    .where(_FENCE)
    .values(_EXTENDED | {"progress": bindparam("progress_now", type_=jobs.c.progress.type)} | {"progressed_at": _NOW})
)
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
_GONE: Mapping[Any, Any] = {"state": "cancelled", "finished_at": _NOW}
END = update(jobs).where(_FENCE).values(_LEFT | {"finished_at": _NOW}).returning(jobs.c.started_at)
RETURN = (
    update(jobs)
    .where(_FENCE)
    .values(
        _LEFT
        | {
            "attempt": jobs.c.attempt + bindparam("charged", type_=Integer()),
            "stalls": jobs.c.stalls + bindparam("stalled", type_=Integer()),
            # A rescued job keeps its place: behind a long queue it would not run again within a minute of its worker's
            # death. (One handed back goes to the end, since nobody counts how often it takes its worker along.) A place
            # in the future is none: the clock was set back while it ran.
            "run_at": case(
                (and_(bindparam("stalled", type_=Integer()) == 1, jobs.c.run_at < _NOW), jobs.c.run_at), else_=_LATER
            ),
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
# A row somebody has locked is just being ended; a frozen worker would hold up the rescue of all others.
LOST_RUN = select(*_RUN).where(jobs.c.id == bindparam("job_id"), _EXPIRED).with_for_update(skip_locked=True)
RUNNING_JOBS = select(*_RUN).where(RUNNING)
TO_CANCEL = (
    select(jobs.c.id, jobs.c.step, jobs.c.host)
    .where(READY, jobs.c.cancel_requested, _STEP_KNOWN, jobs.c.id > bindparam("after", type_=Integer()))
    .order_by(jobs.c.id)
    .limit(bindparam("most"))
)
CANCEL = (
    update(jobs)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)), LIVE)
    .values(cancel_requested=True)
    .returning(jobs.c.id)
)
LIVE_ONE = select(*_RUN).where(jobs.c.id == bindparam("job_id"), LIVE).with_for_update()
WITHDRAW = update(jobs).where(jobs.c.id == bindparam("job_id"), READY).values(_LEFT | _GONE)
LIVE_KEYS = select(jobs.c.key).where(LIVE, jobs.c.key.in_(bindparam("keys", expanding=True)))
LIVE_ARGS = select(jobs.c.args).where(LIVE, jobs.c.step == bindparam("step"))
_ABOUT = (jobs.c.id, jobs.c.step, jobs.c.key, jobs.c.args)
LIVE_JOB = select(*_ABOUT).where(LIVE, jobs.c.key == bindparam("key"))
LIVE_PAGE = select(*_ABOUT).where(LIVE, jobs.c.key > bindparam("after")).order_by(jobs.c.key).limit(bindparam("most"))
_OF_KEY = and_(jobs.c.key == bindparam("waiting_key"), READY)
HASTEN = update(jobs).where(_OF_KEY, jobs.c.run_at > _NOW).values(run_at=_NOW)
NOW = select(_NOW)
LEASE_NOW = select(_LEASE_NOW)
APPOINT = update(jobs).where(_OF_KEY).values(run_at=bindparam("when"))
APPOINTMENT = select(jobs.c.run_at, jobs.c.attempt).where(_OF_KEY)
STRIKE = delete(jobs).where(_OF_KEY)
PRIORITY = select(jobs.c.priority).where(jobs.c.id == bindparam("job_id"))
RUN_AT = select(jobs.c.run_at).where(jobs.c.id == bindparam("job_id"))
FROM_THE_FUTURE = (
    update(jobs)
    .where(
        READY,
        or_(jobs.c.created_at > _LATER, jobs.c.started_at > _LATER),
        jobs.c.step.not_in(bindparam("but", expanding=True)),
    )
    .values(run_at=_NOW, created_at=_NOW, started_at=null())
)
SIGN_IN = insert(workers).values(started_at=_NOW, beat_at=_NOW)
CLOSE_SLOTS = (
    update(workers)
    .where(workers.c.id == bindparam("worker"))
    .values(slots=bindparam("none", type_=workers.c.slots.type))
)
SIGN_OUT = delete(workers).where(workers.c.id == bindparam("worker"))
FORGET_WORKERS = delete(workers)
SILENT = (
    select(workers.c.id)
    .where(workers.c.beat_at < _LATER, workers.c.id > bindparam("after"))
    .order_by(workers.c.id)
    .limit(bindparam("most"))
)
FORGET_SILENT = delete(workers).where(workers.c.id == bindparam("worker"), workers.c.beat_at < _LATER)
COUNT_REPAIR = {
    dialect.__name__.rpartition(".")[2]: dialect.insert(repairs)
    .values(name=bindparam("name"), repaired=1, last_at=_NOW)
    .on_conflict_do_update(index_elements=[repairs.c.name], set_={"repaired": repairs.c.repaired + 1, "last_at": _NOW})
    for dialect in (sqlite, postgresql)
}
REPAIRS = select(repairs).order_by(repairs.c.name)
SEEN = update(workers).where(workers.c.id == bindparam("worker")).values(beat_at=_NOW)
SLOTS = select(workers.c.slots).where(workers.c.beat_at > _LATER)
RUNNING_OF = select(jobs.c.step, func.count().label("jobs")).where(RUNNING).group_by(jobs.c.step)
STILL_READY = select(jobs.c.id).where(jobs.c.id.in_(bindparam("sent", expanding=True)), READY)
COUNTS = select(jobs.c.step, jobs.c.state, jobs.c.outcome, func.count().label("jobs")).group_by(
    jobs.c.step, jobs.c.state, jobs.c.outcome
)
