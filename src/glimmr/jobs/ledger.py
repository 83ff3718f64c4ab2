"""The SQL truth about jobs, as plain functions of the caller's Connection: what they write, the caller commits.

    ready --claim--> running --end--> done | dead | cancelled
      ^                 |
      +--- end (retry, handed back, rescued) ---+

Only the run that holds a job (its id, owner and epoch, state running) may move it out of `running`: the fence.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select

from glimmr.errors import LeaseLost
from glimmr.jobs import statements as sql
from glimmr.jobs.job import Attempt, Due, Ending, Held, Job, NewJob
from glimmr.jobs.tables import jobs
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection

_LEASES_DIFFER = 10.0  # times: what is longer still was given before a clock was set back, not by other settings
_CLOCKS_DIFFER_SECONDS = 300.0  # machines of a fleet may differ by so much; the database's clock counts


def enqueue(connection: Connection, new: Iterable[NewJob]) -> dict[str, int]:
    """Write jobs; one whose key a live job has already is left out. Returns the ids of those written, by key."""
    rows = [
        {
            "step": job.step,
            "key": job.key,
            "args": job.args | job.more_args,
            "host": job.host,
            "priority": job.priority,
            "delay_seconds": job.delay_seconds,
        }
        for job in new
    ]
    if not rows:
        return {}
    return {row.key: row.id for row in connection.execute(sql.ENQUEUE[connection.dialect.name], rows)}


def any_due(connection: Connection) -> bool:
    """Whether any job at all may run by its time: the cheap question asked before the exact one."""
    return bool(connection.execute(sql.ANY_DUE).scalar())


def due(
    connection: Connection,
    step: str,
    *,
    most: int,
    connections_per_host: int,
    full_hosts: Collection[str] = (),
    sent: Collection[int] = (),
    overdue_seconds: float = 0.0,
) -> list[Due]:
    """Jobs of `step` that may run now, best first, without those of full hosts and those sent already.

    `overdue_seconds`: only those that have waited so long beyond their time.
    """
    rows = connection.execute(
        sql.DUE,
        {
            "step": step,
            "most": most,
            "per_host": connections_per_host,
            "full_hosts": list(full_hosts),
            "sent": list(sent),
            "delay_seconds": -overdue_seconds,
        },
    )
    return [Due(*row) for row in rows]


def awaited(connection: Connection, steps_known: Collection[str], within_seconds: float) -> bool:
    """Whether any job runs anywhere, or a job of these steps is due within that time: a worker is not idle yet."""
    return bool(connection.execute(sql.AWAITED, {"steps": list(steps_known), "delay_seconds": within_seconds}).scalar())


def next_to_come(
    connection: Connection, steps_known: Collection[str], within_seconds: float
) -> tuple[int, datetime, float] | None:
    """Of the jobs that are awaited and not due: how many, when the first is, in how many seconds. None: none."""
    given = {"steps": list(steps_known), "delay_seconds": within_seconds}
    count, first, now = connection.execute(sql.NEXT_TO_COME, given).one()
    return (count, first, (first - now).total_seconds()) if count else None


def claim(
    connection: Connection, job_id: int, *, owner: str, lease_seconds: float, connections_per_host: int
) -> Job | None:
    """Take the job if it may run now; None when somebody else has it, it is paused, or its host is busy."""
    row = connection.execute(
        sql.CLAIM,
        {"job_id": job_id, "holder": owner, "lease_seconds": lease_seconds, "per_host": connections_per_host},
    ).mappings()
    return _job(row.one_or_none())


def seize(connection: Connection, job_id: int, *, owner: str, lease_seconds: float) -> Job | None:
    """Take a waiting job whose cancelling was requested, so that it can be ended; None when it is gone."""
    row = connection.execute(sql.SEIZE, {"job_id": job_id, "holder": owner, "lease_seconds": lease_seconds}).mappings()
    return _job(row.one_or_none())


def beat(
    connection: Connection,
    owner: str,
    lease_seconds: float,
    sign_in: Callable[[Connection], None] | None = None,
    *,
    fresh_seconds: float = 0.0,
) -> list[Held]:
    """Extend the leases of this worker, but those extended within `fresh_seconds`.

    Returns what it holds; a run that is missing has lost its lease. `sign_in` is called when the worker was silent for
    so long that its row was removed.
    """
    if not connection.execute(sql.SEEN, {"worker": owner}).rowcount and sign_in is not None:
        sign_in(connection)
    values = {"holder": owner, "lease_seconds": lease_seconds, "fresh_until_seconds": lease_seconds - fresh_seconds}
    connection.execute(sql.BEAT, values)
    return held(connection, owner)


def held(connection: Connection, owner: str) -> list[Held]:
    """What this worker is said to hold."""
    return [Held(*row) for row in connection.execute(sql.HELD, {"holder": owner})]


def write_progress(connection: Connection, told: Sequence[tuple[Job, dict[str, Any]]], lease_seconds: float) -> None:
    """Keep what runs told of themselves, and extend their leases; a run that lost its lease writes nothing."""
    if told:
        lease = {"lease_seconds": lease_seconds}
        connection.execute(sql.PROGRESS, [_fence(job) | lease | {"progress_now": progress} for job, progress in told])


def must_hold(connection: Connection, job: Job) -> None:
    """Raise LeaseLost when the job belongs to another run now."""
    if not connection.execute(sql.MUST_HOLD, _fence(job)).scalar():
        raise LeaseLost(f"job {job.id} ({job.step}): run {job.epoch} of {job.owner} has lost its lease")


def end(connection: Connection, job: Job, ending: Ending) -> bool:
    """End this run: the job's new state and its history row. The fence of everything else in the transaction.

    False when an earlier try of this transaction had gone through after all: write nothing more.
    Raises LeaseLost when the job belongs to another run now.
    """
    values: dict[str, Any] = _fence(job) | {
        "new_state": ending.state,
        "new_outcome": ending.outcome,
        "new_reason": ending.reason,
        "new_message": ending.message,
    }
    if ending.state == "ready":
        values |= {"charged": int(ending.charged), "stalled": int(ending.stalled)}
        left = connection.execute(sql.RETURN, values | {"delay_seconds": ending.delay_seconds}).one_or_none()
    else:
        left = connection.execute(sql.END, values).one_or_none()
    if left is None:
        if connection.execute(sql.ENDED_SO, _fence(job) | {"ended_as": ending.ended_as}).scalar():
            return False
        raise LeaseLost(f"job {job.id} ({job.step}): run {job.epoch} of {job.owner} has lost its lease")
    connection.execute(
        sql.WRITE_ATTEMPT,
        {
            "job_id": job.id,
            "number": job.epoch,
            "worker": job.owner,
            "started_at": left.started_at,
            "ended_as": ending.ended_as,
            "reason": ending.reason,
            "message": ending.message,
            "traceback": ending.traceback,
            "bytes": ending.bytes,
            "rows": ending.rows,
        },
    )
    return True


def priority(connection: Connection, job_id: int) -> int:
    """The priority a job has now."""
    return connection.execute(sql.PRIORITY, {"job_id": job_id}).scalar_one()


def history(connection: Connection, job_id: int, *, before_epoch: int = 2**31 - 1) -> tuple[Attempt, ...]:
    """The ended runs of a job, oldest first."""
    rows = connection.execute(sql.HISTORY, {"job_id": job_id, "before_epoch": before_epoch}).mappings()
    return tuple(Attempt(**{name: value for name, value in row.items() if name != "job_id"}) for row in rows)


def lease_time(connection: Connection) -> float:
    """The clock of leases now, in seconds."""
    return float(connection.execute(sql.LEASE_NOW).scalar_one())


def expired(connection: Connection, lease_seconds: float) -> list[Job]:
    """Running jobs whose lease ran out, oldest first; others give leases of about `lease_seconds`, too."""
    found = connection.execute(sql.EXPIRED, _longest(lease_seconds)).mappings()
    return sorted((_job_of(row) for row in found), key=lambda job: job.id)


def lost_run(connection: Connection, job_id: int, lease_seconds: float) -> Job | None:
    """The run of this job if its lease is run out now, with the row locked so that it stays so."""
    values = {"job_id": job_id} | _longest(lease_seconds)
    return _job(connection.execute(sql.LOST_RUN, values).mappings().one_or_none())


def running(connection: Connection) -> list[Job]:
    """Every running job: of dead workers, when no other process can be alive."""
    return [_job_of(row) for row in connection.execute(sql.RUNNING_JOBS).mappings()]


def cancel(connection: Connection, ids: Collection[int]) -> list[int]:
    """Ask for jobs to be stopped: a worker ends them. Returns the ids of those that were live."""
    return sorted(connection.execute(sql.CANCEL, {"ids": list(ids)}).scalars())


def to_cancel(connection: Connection, steps_known: Collection[str], *, after: int = 0, most: int = 100) -> list[Due]:
    """Waiting jobs of these steps whose cancelling was requested, by id, from after that one on."""
    rows = connection.execute(sql.TO_CANCEL, {"steps": list(steps_known), "after": after, "most": most})
    return [Due(*row) for row in rows]


def withdraw(connection: Connection, job_id: int, *, reason: str, message: str) -> bool:
    """End a live job as cancelled, whoever runs it: its run finds that the lease is lost. False when it is not live."""
    row = connection.execute(sql.LIVE_ONE, {"job_id": job_id}).mappings().one_or_none()
    if row is None:
        return False
    ending = Ending(state="cancelled", ended_as="cancelled", outcome=Outcome.CANCELLED, reason=reason, message=message)
    if row["owner"] is not None:
        return end(connection, _job_of(row), ending)
    values = {"job_id": job_id, "new_outcome": ending.outcome, "new_reason": reason, "new_message": message}
    connection.execute(sql.WITHDRAW, values)
    return True


def pause(connection: Connection, step: str, *, paused: bool = True) -> None:
    """Let no job of `step` start (or, with `paused=False`, let them start again). Running ones go on."""
    connection.execute(sql.PAUSE[connection.dialect.name], {"step": step, "paused": paused})


def resume(connection: Connection, step: str) -> None:
    """Let jobs of `step` start again."""
    pause(connection, step, paused=False)


def paused(connection: Connection) -> list[str]:
    """The steps that are paused."""
    return sorted(connection.execute(sql.PAUSED).scalars())


def hasten(connection: Connection, waiting: Iterable[NewJob]) -> None:
    """Let these jobs, where they wait for a later time, run now."""
    if rows := [{"waiting_key": new.key} for new in waiting]:
        connection.execute(sql.HASTEN, rows)


def hasten_one(connection: Connection, key: str) -> bool:
    """Let the job of this key, where it waits for a later time, run now. Whether it did wait."""
    return connection.execute(sql.HASTEN, {"waiting_key": key}).rowcount > 0


def heed_the_clock(connection: Connection, *, but: Collection[str] = ()) -> None:
    """Let jobs run now that were written under a clock that was ahead: else they wait until it comes to that again.

    Not those of the steps `but`, whose time is their own.
    """
    connection.execute(sql.FROM_THE_FUTURE, {"delay_seconds": _CLOCKS_DIFFER_SECONDS, "but": list(but)})


def sign_in(
    connection: Connection, worker: str, *, host: str, pid: int, version: str, slots: Mapping[str, int]
) -> None:
    """Say that this worker lives, and how many jobs of each step it runs at a time."""
    row = {"id": worker, "host": host, "pid": pid, "version": version, "slots": dict(slots)}
    connection.execute(sql.SIGN_IN, row)


def free_slots(connection: Connection, silence_seconds: float) -> tuple[Counter[str], Counter[str]]:
    """Slots of all workers that have beaten within that time, by step, less the jobs that run; how many they are."""
    free, workers = Counter[str](), Counter[str]()
    for slots in connection.execute(sql.SLOTS, {"delay_seconds": -silence_seconds}).scalars():
        free.update(slots or {})
        workers.update((slots or {}).keys())
    free.subtract({row.step: row.jobs for row in connection.execute(sql.RUNNING_OF)})
    return free, workers


def still_ready(connection: Connection, ids: Collection[int]) -> set[int]:
    """Those of these jobs that nobody has claimed yet."""
    return set(connection.execute(sql.STILL_READY, {"sent": list(ids)}).scalars()) if ids else set()


def close_slots(connection: Connection, worker: str) -> None:
    """Say that this worker takes nothing new."""
    connection.execute(sql.CLOSE_SLOTS, {"worker": worker, "none": {}})


def sign_out(connection: Connection, worker: str) -> None:
    """Say that this worker went home."""
    connection.execute(sql.SIGN_OUT, {"worker": worker})


def forget_workers(connection: Connection) -> None:
    """No worker lives: for who knows that."""
    connection.execute(sql.FORGET_WORKERS)


def counts(connection: Connection) -> list[dict[str, Any]]:
    """How many jobs there are per step, state and outcome: `step, state, outcome, jobs`."""
    return [dict(row) for row in connection.execute(sql.COUNTS).mappings()]


def listing(connection: Connection, *, most: int = 100, **equal: str | None) -> list[dict[str, Any]]:
    """Jobs with every column, newest first; `equal` are columns and values they must have (None: any)."""
    wanted = [jobs.c[name] == value for name, value in equal.items() if value is not None]
    rows = connection.execute(select(jobs).where(*wanted).order_by(jobs.c.id.desc()).limit(most))
    return [dict(row) for row in rows.mappings()]


def _longest(lease_seconds: float) -> dict[str, float]:
    return {"longest_seconds": _LEASES_DIFFER * lease_seconds + _CLOCKS_DIFFER_SECONDS}


def _fence(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "holder": job.owner, "held_epoch": job.epoch}


def _job(row: RowMapping | None) -> Job | None:
    return None if row is None else _job_of(row)


def _job_of(row: RowMapping) -> Job:
    return Job(**{str(name): value for name, value in row.items()})
