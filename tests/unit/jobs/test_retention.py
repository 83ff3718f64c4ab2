"""Ended jobs go when they are old or too many; what somebody may still need stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from glimmr.jobs import ledger
from glimmr.jobs.job import Ending, NewJob
from glimmr.jobs.retention import Retention, prune
from glimmr.jobs.tables import jobs
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database
from tests.unit.jobs.toys import history, put, row, take

_DAY = 86_400.0
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
KEPT = Retention(seconds=7 * _DAY, most=10_000, failure_seconds=90 * _DAY)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


def ended(database: Database, outcome: Outcome, days_ago: float, step: str = "toy", **args: Any) -> int:
    (job_id,) = put(database, NewJob(step=step, args=args or {"of": f"{outcome} {days_ago}"}))
    job = take(database, job_id)
    assert job is not None
    state = "cancelled" if outcome is Outcome.CANCELLED else "dead" if outcome is Outcome.GONE else "done"
    ending = Ending(state=state, ended_as=outcome, outcome=outcome)
    database.write(lambda c: ledger.end(c, job, ending))
    when = datetime.now(UTC) - timedelta(days=days_ago)
    database.write(lambda c: c.execute(jobs.update().where(jobs.c.id == job_id).values(finished_at=when)))
    return job_id


def left(database: Database) -> set[int]:
    return {job["id"] for job in database.read(lambda c: ledger.listing(c, most=10_000))}


def run(database: Database, kept: Retention = KEPT, **more: Any) -> int:
    return prune(database, kept, remembered=("scan",), tell=lambda **_: None, **more)


def test_what_did_not_fail_goes_after_a_week_and_failures_after_ninety_days(database: Database) -> None:
    old = [ended(database, outcome, 8) for outcome in (Outcome.OK, Outcome.UNCHANGED, Outcome.CANCELLED)]
    old += [ended(database, Outcome.GONE, 91), ended(database, Outcome.NO_PRICE_TABLE, 91)]
    young = {ended(database, outcome, 6) for outcome in (Outcome.OK, Outcome.UNCHANGED, Outcome.CANCELLED)}
    young |= {ended(database, Outcome.GONE, 89), ended(database, Outcome.NO_PRICE_TABLE, 8)}
    assert run(database) == len(old)
    assert left(database) == young
    assert history(database, old[0]) == []
    assert run(database) == 0


def test_of_what_did_not_fail_only_so_many_of_each_outcome_are_kept(database: Database) -> None:
    ids = [ended(database, Outcome.OK, days) for days in (1, 2, 3, 4)]
    others = [ended(database, Outcome.CANCELLED, 5), ended(database, Outcome.GONE, 6), ended(database, Outcome.GONE, 7)]
    assert run(database, Retention(seconds=7 * _DAY, most=2, failure_seconds=90 * _DAY)) == 2
    assert left(database) == {*ids[:2], *others}


def test_a_live_job_is_never_removed(database: Database) -> None:
    waiting, running = put(database, NewJob(step="toy"), NewJob(step="toy", args={"n": 1}))
    take(database, running)
    database.write(
        lambda c: c.execute(jobs.update().values(outcome="ok", finished_at=datetime(2020, 1, 1, tzinfo=UTC)))
    )
    assert run(database) == 0
    assert {row(database, job)["state"] for job in (waiting, running)} == {"ready", "running"}


def test_the_newest_scan_of_each_place_is_remembered(database: Database) -> None:
    for days in (300, 200, 100):
        ended(database, Outcome.OK, days, "scan", place="VT")
    last = [ended(database, Outcome.OK, 90, "scan", place="VT"), ended(database, Outcome.GONE, 400, "scan", place="NH")]
    assert run(database) == 3
    assert left(database) == set(last)


def test_old_jobs_go_in_batches(database: Database) -> None:
    put(database, *(NewJob(step="toy", args={"n": n}) for n in range(2500)))
    values = {"state": "done", "outcome": "ok", "finished_at": _LONG_AGO}
    database.write(lambda c: c.execute(jobs.update().values(values)))
    told: list[dict[str, int]] = []
    assert prune(database, KEPT, remembered=(), tell=lambda **progress: told.append(progress)) == 2500
    assert told == [{"removed": 1000}, {"removed": 2000}, {"removed": 2500}]


def test_pruning_stops_between_batches_when_it_is_told_to(database: Database) -> None:
    for days in (8, 9):
        ended(database, Outcome.OK if days == 8 else Outcome.CANCELLED, days)

    def stop(**_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(database, KEPT, remembered=(), tell=stop)
    assert len(left(database)) == 1
