"""Schedules are jobs: one waits for its time, its run puts the work and the next one; the rooms are toys here."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from glimmr.errors import UsageError
from glimmr.jobs import appointments, ledger
from glimmr.jobs.job import NewJob, Step
from glimmr.jobs.orders import again, cancel
from glimmr.jobs.schedule import next_time
from glimmr.jobs.selection import Which
from glimmr.pipeline.parts import Parts
from glimmr.pipeline.scan_job import scan_job
from glimmr.pipeline.upkeep_step import UpkeepStep, check_schedules, keep_schedules, upkeep_job
from glimmr.settings import Settings, load
from glimmr.stores import clock
from glimmr.stores.database import Database
from tests.unit.jobs.toys import Toy, put, retry_after, work_off

_SCAN, _PRUNE = upkeep_job("scan"), upkeep_job("prune")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


class _Rooms:
    """As much of the line's parts as the step needs."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database, self.settings, self.sources = database, settings, {"pra": None, "listing": None}


def steps_of(database: Database, settings: Settings | None = None) -> dict[str, Step]:
    parts = cast("Parts", _Rooms(database, settings or load()))
    return {"scan": Toy(), "upkeep": UpkeepStep(parts)}


def keep(database: Database, settings: Settings | None = None) -> None:
    database.write(lambda c: keep_schedules(c, settings or load()))


def due(database: Database, job: NewJob) -> datetime | None:
    waits = database.read(lambda c: appointments.appointment(c, job.key))
    return waits.run_at if waits else None


def make_due(database: Database, job: NewJob, seconds_ago: float = 1.0) -> datetime:
    when = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    database.write(lambda c: appointments.appoint(c, job, when))
    return when


def jobs(database: Database, step: str) -> list[dict[str, Any]]:
    return database.read(lambda c: ledger.listing(c, step=step))


def run(database: Database, settings: Settings | None = None, **more: Any) -> None:
    asyncio.run(work_off(database, steps_of(database, settings), **more))


def test_each_schedule_has_one_waiting_job_at_its_next_time(database: Database) -> None:
    keep(database)
    keep(database)
    now = datetime.now(UTC)
    assert due(database, _SCAN) == next_time("0 3 * * 0", now)
    assert due(database, _PRUNE) == next_time("30 2 * * *", now)
    assert len(jobs(database, "upkeep")) == 2


def test_a_changed_schedule_is_heeded_at_the_next_start_and_one_that_is_off_has_no_job(database: Database) -> None:
    keep(database)
    changed = load(scan_schedule="15 4 * * 1", prune_schedule="off")
    keep(database, changed)
    assert due(database, _SCAN) == next_time("15 4 * * 1", datetime.now(UTC))
    assert due(database, _PRUNE) is None


def test_what_was_due_while_nobody_worked_is_made_up_for_once(database: Database) -> None:
    put(database, scan_job("pra", "VT", refresh=False))
    run(database)
    make_due(database, _SCAN, 40 * 86_400)
    keep(database)
    run(database)
    run(database)
    assert [job["args"]["refresh"] for job in jobs(database, "scan")] == [True, False]
    assert due(database, _SCAN) == next_time("0 3 * * 0", datetime.now(UTC))
    assert [job["state"] for job in jobs(database, "upkeep") if job["key"] == _SCAN.key] == ["ready", "done"]


def test_a_failed_try_of_a_schedule_waits_for_its_retry_also_over_a_restart(database: Database) -> None:
    make_due(database, _SCAN)
    steps = steps_of(database)
    steps["upkeep"]._asked = None  # type: ignore[attr-defined]

    asyncio.run(work_off(database, steps, decide=retry_after(600)))
    retry_at = due(database, _SCAN)
    keep(database)
    assert due(database, _SCAN) == retry_at


def test_two_schedulers_at_once_put_one_scan(database: Database) -> None:
    put(database, scan_job("listing", "list.csv", refresh=False))
    run(database)
    make_due(database, _SCAN)
    settings = load()

    async def two() -> None:
        def start() -> Any:
            return asyncio.to_thread(keep, database, settings)

        await asyncio.gather(start(), start())
        await asyncio.gather(*(work_off(database, steps_of(database)) for _ in range(2)))

    asyncio.run(two())
    assert len(jobs(database, "scan")) == 2
    assert [job["state"] for job in jobs(database, "upkeep") if job["key"] == _SCAN.key] == ["ready", "done"]


def test_the_places_scanned_before_are_asked_again_unless_states_are_named(database: Database) -> None:
    before = [("pra", "VT"), ("listing", "a.csv"), ("pra", "VT"), ("gone source", "x")]
    for source, place in before:
        put(database, scan_job(source, place, refresh=False))
        run(database)
    make_due(database, _SCAN)
    run(database)
    asked = {(job["args"]["source"], job["args"]["place"]) for job in jobs(database, "scan") if job["args"]["refresh"]}
    assert asked == {("pra", "VT"), ("listing", "a.csv")}
    make_due(database, _SCAN)
    run(database, load(scan_states="New Hampshire, me"))
    assert {job["args"]["place"] for job in jobs(database, "scan")[:2]} == {"NH", "ME"}


def test_a_prune_job_removes_old_jobs_and_comes_again(database: Database) -> None:
    ids = put(database, *(NewJob(step="scan", args={"n": n, "source": "pra", "place": "VT"}) for n in range(3)))
    put(database, NewJob(step="toy"))
    steps = steps_of(database)
    asyncio.run(work_off(database, {**steps, "toy": Toy()}))
    make_due(database, _PRUNE)
    settings = load(keep_jobs_seconds=0.001)
    run(database, settings)
    assert [job["step"] for job in database.read(ledger.listing)] == ["upkeep", "upkeep", *["scan"] * len(ids)]
    (_, pruned) = jobs(database, "upkeep")
    assert pruned["message"] == "1 ended jobs removed, bytes of 0 snapshots deleted"
    assert due(database, _PRUNE) == next_time("30 2 * * *", datetime.now(UTC))


def test_who_does_not_keep_schedules_neither_runs_nor_awaits_them(database: Database) -> None:
    when = make_due(database, _PRUNE)
    put(database, NewJob(step="scan"))
    run(database, slots={"scan": 1})
    assert due(database, _PRUNE) == when
    assert [job["state"] for job in jobs(database, "scan")] == ["done"]


def test_a_cancelled_time_is_lost_and_the_next_one_comes(database: Database) -> None:
    keep(database)
    first = due(database, _PRUNE)
    assert first is not None
    cancel(database, steps_of(database), Which(step="upkeep", state="ready"))
    assert due(database, _PRUNE) == first + timedelta(days=1)


def test_a_schedule_can_be_told_to_run_now(database: Database) -> None:
    make_due(database, _PRUNE)
    run(database)
    (_, ended) = jobs(database, "upkeep")
    assert not again(database, steps_of(database), Which(step="upkeep")).hastened
    assert again(database, steps_of(database), Which(ids=(jobs(database, "upkeep")[0]["id"],))).hastened
    run(database)
    assert [job["state"] for job in jobs(database, "upkeep")] == ["ready", "done", "done"]
    assert ended["state"] == "done"


@pytest.mark.parametrize(
    ("name", "value"),
    [("scan_schedule", "weekly"), ("prune_schedule", "0 25 * * *"), ("scan_states", "VT, Vermnt")],
)
def test_a_schedule_nobody_understands_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=r"GLIMMR_|did you mean VT"):
        check_schedules(load(**{name: value}))
    check_schedules(load(scan_schedule="off", prune_schedule="", scan_states="all"))


# SQLite's clock is this process's, so that it can be set.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_clock_that_jumps_doubles_no_scan_and_misses_none(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sunday, settings = datetime(2027, 1, 3, 3, 0, tzinfo=UTC), load(prune_schedule="off")
    shift = timedelta()

    class Wall(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + shift

    def set_clock(to: datetime) -> None:
        nonlocal shift
        shift = to - datetime.now(UTC)

    def start_and_work() -> int:
        database.write(lambda c: ledger.heed_the_clock(c, but=("upkeep",)))
        keep(database, settings)
        run(database, settings)
        return sum(job["args"]["refresh"] for job in jobs(database, "scan"))

    monkeypatch.setattr(clock, "datetime", Wall)
    set_clock(sunday - timedelta(hours=2))
    put(database, scan_job("pra", "VT", refresh=False))
    assert start_and_work() == 0
    set_clock(sunday + timedelta(seconds=1))
    assert start_and_work() == 1
    set_clock(sunday - timedelta(hours=1))
    assert start_and_work() == 1, "an hour back, over the time that came"
    set_clock(sunday + timedelta(minutes=1))
    assert start_and_work() == 1, "the same time once more"
    set_clock(sunday + timedelta(days=7, hours=1))
    assert start_and_work() == 2, "an hour forward, over the next time"
    set_clock(sunday + timedelta(days=13, hours=23))
    assert start_and_work() == 2
    set_clock(sunday + timedelta(days=36))
    assert start_and_work() == 3, "three times were missed: one run"
