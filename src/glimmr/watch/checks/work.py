"""Looks at the work by what it gives, never by exceptions: engine, workers, queues, how jobs and files ended."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from glimmr.jobs import figures, ledger
from glimmr.jobs.job import Terms
from glimmr.outcomes import MEANINGS, Fault, Outcome
from glimmr.stores import tally
from glimmr.stores.database import Connection, Database
from glimmr.watch.alerts import MOST_EMPTY
from glimmr.watch.health import Seen, Status, with_status

_QUARTER_SECONDS, _DAY_SECONDS = 900.0, 86_400.0
_OVERDUE_SECONDS = 30.0
_BACKLOG = 1_000
_LEAST_JOBS, _MOST_FAILED = 20, 0.05
_LEAST_JOBS_A_DAY, _LEAST_SUCCESS = 1_000, 0.999
_MOST_NAMED = 10


def engine(database: Database, steps: Sequence[str], terms: Terms, *, carried_by: str) -> Seen:
    """Whether jobs of these steps that are due come to workers with a free slot."""

    def look(connection: Connection) -> Seen:
        free, _ = ledger.free_slots(connection, silence_seconds(terms))
        open_steps = [step for step in steps if free[step] > 0]
        overdue = {step: _overdue(connection, step, terms) for step in open_steps}
        stuck = {step: jobs for step, jobs in overdue.items() if jobs}
        seen = Seen(observed={"carried_by": carried_by, "free_slots": {step: free[step] for step in open_steps}})
        idle_seconds = figures.last_start_seconds(connection, stuck.keys()) if stuck else 0.0
        if stuck and (idle_seconds is None or idle_seconds > _OVERDUE_SECONDS):  # else a slot was only between two jobs
            seen.observed["overdue"] = stuck
            why = f"due jobs wait although slots are free: {', '.join(f'{n} {step}' for step, n in stuck.items())}"
            return with_status(seen, Status.FAIL, why)
        return seen

    return database.read(look)


def workers(database: Database, steps: Sequence[str], terms: Terms) -> Seen:
    """Whether those that signed in beat, and whether there is one where jobs of these steps are due."""

    def look(connection: Connection) -> Seen:
        known = figures.signed_in(connection)
        silent = [one for one in known if one["silent_seconds"] > silence_seconds(terms)]
        due = sum(queue["waiting"] for queue in figures.queues(connection) if queue["step"] in steps)
        shown = ("id", "host", "pid", "version", "started_at", "beat_at", "silent_seconds", "slots")
        seen = Seen(
            observed={
                "workers": len(known) - len(silent),
                "last_beat_seconds": min((one["silent_seconds"] for one in known), default=None),
                "silent": [{name: one[name] for name in shown} for one in silent[:_MOST_NAMED]],
            }
        )
        for one in silent[:_MOST_NAMED]:
            why = f"{one['id']} on {one['host']} has said nothing for {one['silent_seconds']:.0f} s"
            seen = with_status(seen, Status.WARN, why)
        if len(silent) == len(known) and (due or silent):
            why = f"no worker lives, and {due:,} jobs are due" if due else "no worker lives"
            seen = with_status(seen, Status.FAIL, why)
        return seen

    return database.read(look)


def queues(database: Database) -> Seen:
    """Whether steps are paused with jobs waiting, and how much waits."""

    def look(connection: Connection) -> Seen:
        paused = ledger.paused(connection)
        found = {queue.pop("step"): queue for queue in figures.queues(connection)}
        for step in paused:
            found.setdefault(step, {"waiting": 0, "later": 0, "running": 0, "rescued": 0, "oldest_seconds": 0.0})
        told = {step: queue | {"paused": step in paused} for step, queue in found.items()}
        seen = Seen(observed={"queues": told})
        for step, queue in told.items():
            if queue["paused"] and queue["waiting"]:
                why = f"{step} is paused, and {queue['waiting']:,} of its jobs wait"
                seen = with_status(seen, Status.WARN, why, f"`glimmr resume {step}` lets it go on")
        backlog = sum(queue["waiting"] for queue in told.values())
        if backlog > _BACKLOG:
            oldest_seconds = max(queue["oldest_seconds"] for queue in told.values())
            seen = with_status(seen, Status.WARN, f"{backlog:,} jobs are due; the oldest waits {oldest_seconds:.0f} s")
        return seen

    return database.read(look)


def jobs(database: Database) -> Seen:
    """Success by whose fault it was, over a quarter of an hour and a day."""
    quarter, day = database.read(
        lambda connection: tuple(_ended(connection, s) for s in (_QUARTER_SECONDS, _DAY_SECONDS))
    )
    seen = Seen(observed={"last_15_minutes": quarter, "last_24_hours": day})
    counted, failed = quarter["counted"], quarter["failed"]
    if counted >= _LEAST_JOBS and failed > _MOST_FAILED * counted:
        seen = with_status(
            seen, Status.FAIL, f"{failed:,} of {counted:,} jobs of the last 15 minutes failed by our fault"
        )
    counted, failed = day["counted"], day["failed"]
    if failed:
        bad = counted >= _LEAST_JOBS_A_DAY and counted - failed < _LEAST_SUCCESS * counted
        why = f"{failed:,} of {counted:,} jobs of the last 24 hours failed by our fault"
        seen = with_status(seen, Status.FAIL if bad else Status.WARN, why)
    return seen


def files(database: Database) -> Seen:
    """Whether what was read in a day gave prices: red where the data is empty although the jobs ended well."""

    def look(connection: Connection) -> list[dict[str, Any]]:
        now, _ = figures.clock(connection)
        return tally.read_since(connection, now - timedelta(seconds=_DAY_SECONDS))

    read = database.read(look)
    total, empty = sum(row["files"] for row in read), sum(row["empty"] for row in read)
    by_class = Counter[str]()
    for row in read:
        by_class[class_of(row["outcome"])] += row["files"]
    seen = Seen(
        observed={
            "read": total,
            "without_prices": empty,
            "by_fault": dict(by_class),
            "by_outcome": {row["outcome"]: row["files"] for row in read},
        }
    )
    untrue = sum(row["empty"] for row in read if row["outcome"] == Outcome.OK)
    if untrue:
        seen = with_status(seen, Status.FAIL, f"{untrue:,} files are called ok and gave no price: a bug of ours")
    if empty:
        status = Status.FAIL if empty > MOST_EMPTY * total else Status.WARN
        seen = with_status(seen, status, f"{empty:,} of {total:,} files read in the last 24 hours gave no price")
    return seen


def class_of(outcome: str | None) -> str:
    """Whose fault an outcome is, as one word: ok, publisher, ours or nobody."""
    fault = MEANINGS[Outcome(outcome)].fault if outcome else Fault.NOBODY
    return "nobody" if fault is Fault.NOBODY else fault.value


def silence_seconds(terms: Terms) -> float:
    """A worker that has not beaten for so long has missed two beats."""
    return 2 * terms.beat_seconds + 2.0


def _overdue(connection: Connection, step: str, terms: Terms) -> int:
    per_host = terms.connections_per_host
    found = ledger.due(
        connection, step, most=_MOST_NAMED, connections_per_host=per_host, overdue_seconds=_OVERDUE_SECONDS
    )
    return len(found)


def _ended(connection: Connection, within_seconds: float) -> dict[str, Any]:
    by_class, by_outcome, counted, failed = Counter[str](), Counter[str](), 0, 0
    for row in figures.ended(connection, within_seconds):
        by_class[class_of(row["outcome"])] += row["jobs"]
        by_outcome[row["outcome"]] += row["jobs"]
        success = MEANINGS[Outcome(row["outcome"])].success
        counted += row["jobs"] if success is not None else 0
        failed += row["jobs"] if success is False else 0
    return {
        "counted": counted,
        "failed": failed,
        "success_rate": (counted - failed) / counted if counted else None,
        "by_fault": dict(by_class),
        "by_outcome": dict(by_outcome),
    }
