"""What is told of a moment is what the database holds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from glimmr.jobs import ledger
from glimmr.jobs.job import CANCELLED, Ending, Job, NewJob
from glimmr.jobs.tables import attempts, jobs
from glimmr.model import Standing
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database
from glimmr.stores.hosts import HostBook
from glimmr.watch.top import Top
from tests.unit.jobs.toys import put, take

STEPS = ("scan", "download", "parse")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


def new(step: str, n: int, **more: Any) -> NewJob:
    return NewJob(step=step, args={"n": n}, **more)


def run(database: Database, step: str, n: int, **more: Any) -> Job:
    """A job that was put and claimed."""
    (job_id,) = put(database, new(step, n, **more))
    job = take(database, job_id)
    assert job is not None
    return job


def end(database: Database, job: Job, outcome: Outcome = Outcome.OK, *, state: str = "done", **more: Any) -> None:
    ending = Ending(state=state, ended_as=outcome, outcome=outcome, **more)
    assert database.write(lambda c: ledger.end(c, job, ending))


def shift(database: Database, job: Job, **columns: float) -> None:
    """Put moments of a job so many seconds into the past."""
    moments = {name: datetime.now(UTC) - timedelta(seconds=ago) for name, ago in columns.items()}
    database.write(lambda c: c.execute(jobs.update().where(jobs.c.id == job.id).values(moments)))


def progress(database: Database, job: Job, **told: Any) -> None:
    database.write(lambda c: ledger.write_progress(c, [(job, told)], 30.0))


def step_of(facts: dict[str, Any], name: str) -> dict[str, Any]:
    (step,) = [step for step in facts["steps"] if step["step"] == name]
    return step


def test_an_empty_ledger_has_every_step_with_nothing_in_it(database: Database) -> None:
    facts = Top(database, STEPS).look()
    assert [step["step"] for step in facts["steps"]] == list(STEPS)
    assert all(
        not step[name] for step in facts["steps"] for name in ("waiting", "later", "running", "rescued", "paused")
    )
    assert [facts[kind] for kind in ("running", "workers", "resting_hosts", "failures")] == [[], [], [], []]


def test_the_queue_of_each_step_is_counted(database: Database) -> None:
    put(database, new("download", 1), new("download", 2), new("download", 3, delay_seconds=600.0))
    running = run(database, "download", 4, host="h.test")
    lost = run(database, "parse", 1)
    database.write(
        lambda c: ledger.end(c, lost, Ending(state="ready", ended_as="rescued", stalled=True, delay_seconds=0.0))
    )
    shift(database, lost, run_at=90.0)
    database.write(lambda c: ledger.pause(c, "parse"))
    facts = Top(database, STEPS).look()
    download, parse, scan = (step_of(facts, name) for name in ("download", "parse", "scan"))
    assert [download[name] for name in ("waiting", "later", "running", "rescued")] == [2, 1, 1, 0]
    assert [parse[name] for name in ("waiting", "later", "running", "rescued")] == [1, 0, 0, 1]
    assert parse["paused"] and not download["paused"]
    assert 89.0 < parse["oldest_seconds"] < 120.0
    assert 0.0 <= download["oldest_seconds"] < 30.0
    assert scan["oldest_seconds"] is None
    assert [job["id"] for job in facts["running"]] == [running.id]


def test_a_step_nobody_knows_is_told_too(database: Database) -> None:
    put(database, new("upkeep", 1))
    assert [step["step"] for step in Top(database, STEPS).look()["steps"]] == [*STEPS, "upkeep"]


def test_a_running_jobs_pace_is_that_since_its_start_and_then_that_between_two_looks(database: Database) -> None:
    job = run(database, "download", 1, host="h.test")
    shift(database, job, started_at=10.0)
    progress(database, job, bytes=10_000_000, total=40_000_000)
    top = Top(database, STEPS)
    (first,) = top.look()["running"]
    assert (first["host"], first["attempt"], first["bytes"], first["total"]) == ("h.test", 1, 10_000_000, 40_000_000)
    assert first["bytes_per_second"] == pytest.approx(10_000_000 / first["seconds"])
    assert first["left_seconds"] == pytest.approx(30_000_000 / first["bytes_per_second"])

    (same,) = top.look()["running"]
    assert same["bytes_per_second"] == first["bytes_per_second"], "its row said nothing new"

    progress(database, job, bytes=10_000_500, total=40_000_000)
    (slower,) = top.look()["running"]
    passed = slower["seconds"] - first["seconds"]
    assert slower["bytes_per_second"] == pytest.approx(500 / passed)
    assert slower["left_seconds"] == pytest.approx((40_000_000 - 10_000_500) / slower["bytes_per_second"])


def test_a_run_that_said_nothing_has_no_pace_and_a_second_run_does_not_inherit_one(database: Database) -> None:
    job = run(database, "parse", 1)
    top = Top(database, STEPS)
    (silent,) = top.look()["running"]
    assert [silent[name] for name in ("bytes", "total", "rows", "bytes_per_second", "left_seconds")] == [None] * 5
    progress(database, job, bytes=900, total=1000, rows=5)
    assert top.look()["running"][0]["rows"] == 5
    database.write(lambda c: ledger.end(c, job, Ending(state="ready", ended_as="handed_back")))
    assert top.look()["running"] == []
    take(database, job.id)
    (again,) = top.look()["running"]
    assert (again["epoch"], again["bytes"], again["bytes_per_second"]) == (2, None, None)


def test_workers_are_told_with_their_slots_and_their_silence(database: Database) -> None:
    database.write(lambda c: ledger.sign_in(c, "h1-7-x", host="h1", pid=7, version="0.1.0", slots={"download": 2}))
    (worker,) = Top(database, STEPS).look()["workers"]
    assert (worker["host"], worker["pid"], worker["version"], worker["slots"]) == ("h1", 7, "0.1.0", {"download": 2})
    assert 0.0 <= worker["silent_seconds"] < 30.0


def test_only_hosts_that_rest_now_are_told_the_longest_rest_first(database: Database) -> None:
    now = datetime.now(UTC).timestamp()
    book = HostBook(database)
    for host, seconds in (("short.test", 60), ("long.test", 600), ("over.test", -5)):
        book.change(host, lambda _, until=now + seconds: Standing(until=until, opened=2))
    book.change("well.test", lambda standing: standing)
    resting = Top(database, STEPS).look()["resting_hosts"]
    assert [host["host"] for host in resting] == ["long.test", "short.test"]
    assert 590 < resting[0]["seconds"] <= 600
    assert resting[0]["opened"] == 2


def test_what_ended_of_late_is_counted_with_its_bytes_and_rows_and_nothing_older(database: Database) -> None:
    end(database, run(database, "download", 1), bytes=3000)
    end(database, run(database, "download", 2), Outcome.UNCHANGED, bytes=600)
    end(database, run(database, "download", 3), Outcome.GONE, state="dead", reason="not_found")
    old = run(database, "download", 4)
    end(database, old, bytes=10**9)
    shift(database, old, finished_at=301.0)
    cancelled = run(database, "parse", 1)
    database.write(lambda c: ledger.end(c, cancelled, CANCELLED))
    facts = Top(database, STEPS).look()
    download = step_of(facts, "download")["recent"]
    assert [download[name] for name in ("ended", "failed", "bytes", "rows")] == [3, 1, 3600, 0]
    assert download["bytes_per_second"] == 12.0
    parse = step_of(facts, "parse")["recent"]
    assert [parse[name] for name in ("ended", "failed")] == [1, 0]


def test_the_bytes_of_a_job_that_ran_twice_are_those_of_its_last_run(database: Database) -> None:
    job = run(database, "download", 1)
    retry = Ending(
        state="ready", ended_as="retry", outcome=Outcome.UNREACHABLE, reason="stalled", charged=True, bytes=7
    )
    database.write(lambda c: ledger.end(c, job, retry))
    second = take(database, job.id)
    assert second is not None
    end(database, second, bytes=100)
    assert step_of(Top(database, STEPS).look(), "download")["recent"]["bytes"] == 100
    assert database.read(lambda c: len(c.execute(attempts.select()).all())) == 2


def test_failures_of_the_last_hour_are_told_by_reason_the_latest_first(database: Database) -> None:
    for n in (1, 2):
        end(database, run(database, "download", n), Outcome.GONE, state="dead", reason="not_found", message=f"no {n}")
    again = run(database, "download", 3)
    retry = Ending(
        state="ready", ended_as="retry", outcome=Outcome.UNREACHABLE, reason="stalled", message="slow", charged=True
    )
    database.write(lambda c: ledger.end(c, again, retry))
    end(database, run(database, "parse", 1), Outcome.NOT_A_PRICE_FILE, reason="html", message="a web page")
    end(database, run(database, "parse", 2))
    old = run(database, "parse", 3)
    end(database, old, Outcome.UNPARSEABLE, reason="broken")
    shift(database, old, finished_at=3601.0)
    shift(database, again, started_at=100.0)
    found = Top(database, STEPS).look()["failures"]
    told = [(kind["step"], kind["reason"], kind["jobs"], kind["again"], kind["message"]) for kind in found]
    assert told == [
        ("parse", "html", 1, 0, "a web page"),
        ("download", "not_found", 2, 0, "no 2"),
        ("download", "stalled", 1, 1, "slow"),
    ]
    assert found[2]["job"] == again.id
