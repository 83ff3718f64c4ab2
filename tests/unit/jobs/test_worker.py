"""A worker on a real database: its steps are toys, everything else is the real thing."""

import asyncio
import itertools
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from glimmr import events, retry
from glimmr.errors import HostRests, JobCancelled, LeaseLost, ServerError, ShuttingDown, StorageFault
from glimmr.events import Event
from glimmr.jobs import ledger
from glimmr.jobs.child import run_in_child
from glimmr.jobs.endings import finish
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.jobs.rescuer import Rescuer
from glimmr.jobs.rescues import rescues
from glimmr.jobs.steady import Steady
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database, migrate, sqlite_url
from tests.unit.jobs.toys import QUICK, Toy, history, put, retry_after, row, take, work_off

OK = Result(outcome=Outcome.OK)
# Of the process, not of its database: once is enough.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


@pytest.fixture
def told() -> Iterator[list[str]]:
    names: list[str] = []
    unlisten = events.listen(lambda event, facts: names.append(event.name))
    yield names
    unlisten()


def toys_of(count: int, **options: Any) -> list[NewJob]:
    return [NewJob(step="toy", args={"n": n}, **options) for n in range(count)]


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


async def listen_until_stopped(job: Job, tell: Tell) -> Result:
    while True:
        tell()
        await asyncio.sleep(0.02)


def test_every_job_runs_once_and_its_end_is_told(database: Database, told: list[str]) -> None:
    toy = Toy()
    ids = put(database, *toys_of(30))
    asyncio.run(work_off(database, {"toy": toy}))
    assert sorted(job.id for job in toy.ran) == sorted(ids)
    assert database.read(ledger.counts) == [{"step": "toy", "state": "done", "outcome": "ok", "jobs": 30}]
    assert told.count("job.claimed") == told.count("job.finished") == 30
    assert database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM workers").scalar()) == 0


@on_sqlite
def test_the_end_of_a_run_is_told_with_the_seconds_it_took(database: Database) -> None:
    async def last(job: Job, tell: Tell) -> Result:
        await asyncio.sleep(0.2)
        if job.args["n"] == 1:
            raise ServerError("it failed")
        return OK

    took: dict[str, float] = {}
    stop = events.listen(lambda event, facts: took.update({event.name: facts["seconds"]} if "seconds" in facts else {}))
    put(database, *toys_of(2))
    asyncio.run(work_off(database, {"toy": Toy(last)}))
    stop()
    assert took.keys() == {"job.finished", "job.gave_up"}
    assert all(0.2 <= seconds < 20 for seconds in took.values())


def test_two_workers_run_each_job_once(database: Database) -> None:
    first, second = Toy(), Toy()
    ids = put(database, *toys_of(60))

    async def both() -> None:
        await asyncio.gather(work_off(database, {"toy": first}), work_off(database, {"toy": second}))

    asyncio.run(both())
    assert sorted(job.id for job in first.ran + second.ran) == sorted(ids)
    assert first.ran
    assert second.ran


def test_a_result_changes_the_domain_and_puts_the_following_jobs_in_one_transaction(
    database: Database, told: list[str]
) -> None:
    database.write(lambda c: c.exec_driver_sql("CREATE TABLE IF NOT EXISTS toy_effects (n INTEGER)"))

    def apply(connection: Connection) -> Sequence[NewJob]:
        connection.exec_driver_sql("INSERT INTO toy_effects VALUES (1)")
        return [NewJob(step="third")]

    async def do(job: Job, tell: Tell) -> Result:
        return Result(outcome=Outcome.OK, apply=apply, next=[NewJob(step="second"), NewJob(step="second")])

    steps = {"toy": Toy(do), "second": Toy(), "third": Toy()}
    put(database, *toys_of(1))
    asyncio.run(work_off(database, steps))
    assert [len(toy.ran) for toy in steps.values()] == [1, 1, 1]
    assert told.count("job.enqueued") == 2
    assert database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM toy_effects").scalar()) == 1
    database.write(lambda c: c.exec_driver_sql("DROP TABLE toy_effects"))


def test_an_end_that_is_written_again_is_applied_once(database: Database) -> None:
    """The answer to the first commit was lost; the transaction is repeated."""
    applied: list[int] = []
    (job_id,) = put(database, *toys_of(1))
    job = take(database, job_id)
    assert job is not None
    result = Result(outcome=Outcome.OK, apply=lambda _: applied.append(1), next=[NewJob(step="next")])
    first = database.write(lambda c: finish(c, job, result))
    assert [new.step for new in first.values()] == ["next"]
    following = take(database, next(iter(first)))
    assert following is not None
    database.write(lambda c: finish(c, following, Result(outcome=Outcome.OK)))
    assert database.write(lambda c: finish(c, job, result)) == {}
    assert applied == [1]
    assert len(database.read(ledger.listing)) == 2


def test_a_result_that_cannot_be_applied_changes_nothing_and_is_a_failed_attempt(database: Database) -> None:
    def apply(connection: Connection) -> None:
        ledger.pause(connection, "somebody")
        raise KeyError("no such address")

    async def do(job: Job, tell: Tell) -> Result:
        return Result(outcome=Outcome.OK, apply=apply, next=[NewJob(step="toy", args={"n": "next"})])

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1))
    asyncio.run(work_off(database, {"toy": toy}, decide=retry_after(0.0, times=2)))
    assert history(database, job_id) == ["retry", "retry", "unreachable"]
    assert len(database.read(ledger.listing)) == 1
    assert database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM steps").scalar()) == 0
    assert toy.said[-1] == ("gave_up", job_id, Outcome.UNREACHABLE, "server_error")
    (first, *_) = database.read(lambda c: ledger.history(c, job_id))
    assert "KeyError: 'no such address'" in first.traceback


def test_a_failure_is_retried_at_its_time_and_the_step_is_told_when(database: Database, told: list[str]) -> None:
    ran_at: list[float] = []

    async def do(job: Job, tell: Tell) -> Result:
        ran_at.append(time.monotonic())
        if job.attempt < 3:
            raise ServerError("500", url="https://a.test")
        return OK

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1))
    terms = Terms(lease_seconds=3.0, patience_seconds=5.0)
    asyncio.run(work_off(database, {"toy": toy}, decide=retry_after(0.4), terms=terms))
    assert history(database, job_id) == ["retry", "retry", "ok"]
    assert all(later - earlier >= 0.4 for earlier, later in itertools.pairwise(ran_at))
    assert toy.said == [("waits", job_id, Outcome.UNREACHABLE, 0.4)] * 2
    assert told.count("job.retried") == 2
    assert row(database, job_id)["attempt"] == 3


def test_a_job_due_after_the_patience_is_left_in_the_ledger(database: Database) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        raise ServerError("503")

    (job_id,) = put(database, *toys_of(1))
    started = time.monotonic()
    asyncio.run(work_off(database, {"toy": Toy(do)}, decide=retry_after(600)))
    assert time.monotonic() - started < 10
    assert row(database, job_id)["state"] == "ready"


def test_a_worker_that_is_to_end_when_idle_says_for_how_long_it_has_nothing_to_do(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    put(database, *(NewJob(step="toy", args={"n": n}, delay_seconds=n * 60.0) for n in (0, 1, 1.5, 10)))

    async def until_told() -> None:
        stop = asyncio.Event()
        terms = replace(QUICK, patience_seconds=120.0)
        working = asyncio.create_task(work_off(database, {"toy": Toy()}, terms=terms, stop=stop))
        await until(lambda: "nothing to do" in caplog.text)
        stop.set()
        await working

    asyncio.run(until_told())
    told = r"nothing to do for (5\d|60) s: the first of 2 jobs .* is due at \d\d:\d\d:\d\d UTC .* later than in 120 s"
    assert re.search(told, caplog.text)


def test_the_last_attempt_gives_up_whatever_the_schedule_says(database: Database, told: list[str]) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        raise ServerError("503")

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1))
    terms = Terms(lease_seconds=3.0, max_attempts=4, patience_seconds=1.0)
    asyncio.run(work_off(database, {"toy": toy}, decide=retry_after(0.0), terms=terms))
    assert history(database, job_id) == ["retry", "retry", "retry", "unreachable"]
    job = row(database, job_id)
    assert (job["state"], job["outcome"], job["reason"], job["message"]) == (
        "dead",
        "unreachable",
        "server_error",
        "503",
    )
    assert told.count("job.gave_up") == 1


def test_a_fault_of_this_machine_charges_no_attempt(database: Database, told: list[str]) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        if job.epoch < 3:
            raise StorageFault("the shelf is away")
        return OK

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1))
    terms = Terms(lease_seconds=3.0, patience_seconds=5.0, max_attempts=1)
    asyncio.run(work_off(database, {"toy": toy}, decide=retry_after(0.1), terms=terms))
    assert history(database, job_id) == ["handed_back", "handed_back", "ok"]
    assert [job.attempt for job in toy.ran] == [1, 1, 1]
    assert toy.said == []
    assert told.count("job.handed_back") == 2


def test_a_host_that_is_left_alone_snoozes_its_job_and_charges_nothing(database: Database, told: list[str]) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        if job.epoch < 4:
            raise HostRests("a.test is left alone", seconds=0.05)
        return OK

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1, host="a.test"))
    terms = Terms(lease_seconds=3.0, patience_seconds=5.0, max_attempts=1)
    hurried = retry.Policy(scale=0.001)
    asyncio.run(
        work_off(database, {"toy": toy}, decide=lambda error, _: retry.decide(error, policy=hurried), terms=terms)
    )
    assert history(database, job_id) == ["handed_back", "handed_back", "handed_back", "ok"]
    assert [job.attempt for job in toy.ran] == [1, 1, 1, 1]
    assert toy.said == []
    assert told.count("job.handed_back") == 3


def test_a_step_that_cannot_write_its_own_ending_still_ends(database: Database) -> None:
    class Broken(Toy):
        def gave_up(self, *_: Any) -> None:
            raise ZeroDivisionError("a bug in the step")

    async def do(job: Job, tell: Tell) -> Result:
        raise ServerError("503")

    ids = put(database, *toys_of(2))
    asyncio.run(work_off(database, {"toy": Broken(do)}))
    for job_id in ids:
        job = row(database, job_id)
        assert (job["state"], job["outcome"]) == ("dead", "internal_error")
        assert "a bug in the step" in job["message"]


def test_a_step_that_says_cancelled_ends_cancelled(database: Database) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        return Result(outcome=Outcome.CANCELLED, reason="file_removed")

    (job_id,) = put(database, *toys_of(1))
    asyncio.run(work_off(database, {"toy": Toy(do)}))
    job = row(database, job_id)
    assert (job["state"], job["outcome"], job["reason"]) == ("cancelled", "cancelled", "file_removed")


def test_no_step_has_more_jobs_under_way_than_slots_and_none_waits_for_another_step(database: Database) -> None:
    now: dict[str, int] = {"slow": 0, "quick": 0}
    most = dict(now)

    async def do(job: Job, tell: Tell) -> Result:
        now[job.step] += 1
        most[job.step] = max(most[job.step], now[job.step])
        await asyncio.sleep(0.05)
        now[job.step] -= 1
        return OK

    put(database, *(NewJob(step=step, args={"n": n}) for step in now for n in range(8)))
    steps = {"slow": Toy(do), "quick": Toy(do)}
    asyncio.run(work_off(database, steps, {"slow": 1, "quick": 3}))
    assert most == {"slow": 1, "quick": 3}
    assert len(steps["slow"].ran) == len(steps["quick"].ran) == 8


def test_no_host_has_more_jobs_running_than_it_may_and_no_other_waits_for_it(database: Database) -> None:
    running: list[str] = []
    order: list[str] = []
    most = 0
    other_runs = asyncio.Event()

    async def do(job: Job, tell: Tell) -> Result:
        nonlocal most
        running.append(str(job.host))
        order.append(str(job.host))
        most = max(most, running.count("busy.test"))
        if job.host == "other.test":
            other_runs.set()
        await asyncio.wait_for(other_runs.wait(), 20)  # however long its start takes on a busy machine
        await asyncio.sleep(0.05)
        running.remove(str(job.host))
        return OK

    put(database, *toys_of(8, host="busy.test"))
    put(database, NewJob(step="toy", args={"n": "other"}, host="other.test"))
    terms = Terms(lease_seconds=3.0, patience_seconds=0.0, connections_per_host=2)
    asyncio.run(work_off(database, {"toy": Toy(do)}, {"toy": 6}, terms=terms))
    assert most == 2
    assert order.index("other.test") <= 2
    assert len(order) == 9


def test_jobs_start_by_priority_then_age(database: Database) -> None:
    toy = Toy()
    for n, priority in enumerate((0, 5, 0, 9)):
        put(database, NewJob(step="toy", args={"n": n}, priority=priority))
    asyncio.run(work_off(database, {"toy": toy}, {"toy": 1}))
    assert [job.args["n"] for job in toy.ran] == [3, 1, 0, 2]


def test_jobs_of_a_paused_or_unknown_step_are_left_alone(database: Database) -> None:
    database.write(lambda c: ledger.pause(c, "toy"))
    toy, other = Toy(), Toy()
    put(database, *toys_of(2), NewJob(step="other"), NewJob(step="of another version"))
    asyncio.run(work_off(database, {"toy": toy, "other": other}))
    assert toy.ran == []
    assert len(other.ran) == 1
    assert {job["state"] for job in database.read(lambda c: ledger.listing(c, step="toy"))} == {"ready"}


@on_sqlite
def test_a_job_much_longer_than_its_lease_runs_once(database: Database) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        await asyncio.to_thread(time.sleep, 4.0)
        return OK

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1))
    asyncio.run(work_off(database, {"toy": toy}, terms=Terms(lease_seconds=0.9, patience_seconds=0.0)))
    assert len(toy.ran) == 1
    assert history(database, job_id) == ["ok"]


def test_a_run_that_lost_its_lease_learns_it_and_writes_nothing(database: Database, told: list[str]) -> None:
    learned: list[BaseException] = []

    async def do(job: Job, tell: Tell) -> Result:
        if job.epoch > 1:
            return OK
        heir = Result(outcome=Outcome.OK)
        taken_over = ledger.Ending(state="ready", ended_as="rescued", stalled=True)
        await asyncio.to_thread(database.write, lambda c: ledger.end(c, job, taken_over))
        try:
            return await listen_until_stopped(job, tell)
        except LeaseLost as lost:
            learned.append(lost)
            return heir

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1))
    asyncio.run(work_off(database, {"toy": toy}))
    assert len(learned) == 1
    assert history(database, job_id) == ["rescued", "ok"]
    assert told.count("lease.lost") == 1


def test_an_expired_lease_is_rescued_and_counts_as_a_stall(database: Database, told: list[str]) -> None:
    (job_id,) = put(database, *toys_of(1))
    assert take(database, job_id, "a dead worker", lease_seconds=0.1)
    toy = Toy()
    asyncio.run(work_off(database, {"toy": toy}, terms=Terms(lease_seconds=1.0, patience_seconds=0.0)))
    assert history(database, job_id) == ["rescued", "ok"]
    assert (row(database, job_id)["stalls"], row(database, job_id)["attempt"]) == (1, 1)
    assert told.count("job.rescued") == 1


@on_sqlite
def test_a_job_whose_workers_keep_dying_is_poison(database: Database) -> None:
    poison, healthy = put(database, *toys_of(2))
    rescued = ledger.Ending(state="ready", ended_as="rescued", stalled=True)
    for _ in range(3):
        job = take(database, poison)
        assert job is not None
        database.write(lambda c, job=job: ledger.end(c, job, rescued))
    assert take(database, poison, "a dead worker", lease_seconds=0.1)
    toy = Toy()
    asyncio.run(work_off(database, {"toy": toy}, terms=Terms(lease_seconds=1.0, patience_seconds=0.0)))
    job = row(database, poison)
    assert (job["state"], job["outcome"], job["reason"]) == ("dead", "poison", "stalled")
    assert history(database, poison) == ["rescued"] * 3 + ["poison"]
    assert toy.said == [("gave_up", poison, Outcome.POISON, "stalled")]
    assert [ran.id for ran in toy.ran] == [healthy]


def test_the_jobs_of_a_dead_worker_are_handed_back_at_once_when_it_is_known_to_be_dead(database: Database) -> None:
    ids = put(database, *toys_of(3))
    for job_id in ids:
        assert take(database, job_id, "a dead worker", lease_seconds=3600)
    toy = Toy()
    started = time.monotonic()
    asyncio.run(work_off(database, {"toy": toy}, alone=True))
    assert time.monotonic() - started < 5
    assert [history(database, job_id) for job_id in ids] == [["handed_back", "ok"]] * 3
    assert {job.attempt for job in toy.ran} == {1}


def test_stopping_hands_unfinished_jobs_back_uncharged_and_takes_nothing_new(
    database: Database, told: list[str]
) -> None:
    learned: list[str] = []

    async def do(job: Job, tell: Tell) -> Result:
        try:
            return await listen_until_stopped(job, tell)
        except ShuttingDown:
            learned.append("told")
            raise

    toy = Toy(do)
    ids = put(database, *toys_of(4))

    async def stopped() -> float:
        stop = asyncio.Event()
        working = asyncio.create_task(work_off(database, {"toy": toy}, {"toy": 2}, stop=stop))
        await until(lambda: len(toy.ran) == 2)
        stop.set()
        started = time.monotonic()
        await working
        return time.monotonic() - started

    assert asyncio.run(stopped()) < 2
    assert learned == ["told"] * 2
    assert {row(database, job_id)["state"] for job_id in ids} == {"ready"}
    assert {row(database, job_id)["attempt"] for job_id in ids} == {1}
    assert told.count("job.handed_back") == 2


@on_sqlite
def test_what_a_step_makes_of_being_stopped_is_not_held_against_its_job(database: Database) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        try:
            return await listen_until_stopped(job, tell)
        except ShuttingDown:
            raise ServerError("the connection was closed") from None

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1))

    async def stopped() -> None:
        stop = asyncio.Event()
        working = asyncio.create_task(work_off(database, {"toy": toy}, stop=stop))
        await until(lambda: toy.ran)
        stop.set()
        await working

    asyncio.run(stopped())
    assert history(database, job_id) == ["handed_back"]
    assert row(database, job_id)["attempt"] == 1


@on_sqlite
def test_a_step_that_does_not_listen_is_left_behind_after_a_while(database: Database) -> None:
    async def deaf(job: Job, tell: Tell) -> Result:
        await asyncio.sleep(3600)
        return OK

    toy = Toy(deaf)
    (job_id,) = put(database, *toys_of(1))

    async def stopped() -> None:
        stop = asyncio.Event()
        terms = Terms(lease_seconds=3.0, stop_seconds=0.2)
        working = asyncio.create_task(work_off(database, {"toy": toy}, stop=stop, terms=terms))
        await until(lambda: toy.ran)
        stop.set()
        await asyncio.wait_for(working, 5)

    asyncio.run(stopped())
    assert history(database, job_id) == ["handed_back"]


@on_sqlite
def test_a_second_stop_ends_at_once_and_writes_nothing(database: Database, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def do(job: Job, tell: Tell) -> Result:
        await run_in_child(
            "tests.unit.jobs.toys:hang", {"pid_file": str(pid_file)}, tell=tell, memory_bytes=2**30, seconds=60
        )
        return OK

    (job_id,) = put(database, *toys_of(1))

    async def stopped() -> None:
        working = asyncio.create_task(work_off(database, {"toy": Toy(do)}))
        await until(lambda: pid_file.exists() and pid_file.read_text())
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    asyncio.run(stopped())
    assert row(database, job_id)["state"] == "running"
    assert not psutil.pid_exists(int(pid_file.read_text()))


@on_sqlite
def test_cancelling_a_running_job_kills_its_child_within_two_seconds(database: Database, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def do(job: Job, tell: Tell) -> Result:
        await run_in_child(
            "tests.unit.jobs.toys:hang", {"pid_file": str(pid_file)}, tell=tell, memory_bytes=2**30, seconds=60
        )
        return OK

    toy = Toy(do)
    (job_id,) = put(database, *toys_of(1))

    async def cancelled() -> float:
        working = asyncio.create_task(work_off(database, {"toy": toy}, terms=Terms(patience_seconds=0.0)))
        await until(lambda: pid_file.exists() and pid_file.read_text())
        await asyncio.to_thread(database.write, lambda c: ledger.cancel(c, [job_id]))
        started = time.monotonic()
        pid = int(pid_file.read_text())
        await until(lambda: not psutil.pid_exists(pid), seconds=10)
        took = time.monotonic() - started
        await working
        return took

    assert asyncio.run(cancelled()) < 2
    assert (row(database, job_id)["state"], row(database, job_id)["outcome"]) == ("cancelled", "cancelled")
    assert toy.said == [("gave_up", job_id, Outcome.CANCELLED, "operator")]


def test_cancelling_a_waiting_job_ends_it_without_a_run(database: Database) -> None:
    first, second = put(database, *toys_of(2, delay_seconds=3600))
    database.write(lambda c: ledger.cancel(c, [first]))
    toy = Toy()

    async def cancelled() -> None:
        stop = asyncio.Event()
        working = asyncio.create_task(work_off(database, {"toy": toy}, until_idle=False, stop=stop))
        await until(lambda: row(database, first)["state"] == "cancelled")
        stop.set()
        await working

    asyncio.run(cancelled())
    assert toy.ran == []
    assert toy.said == [("gave_up", first, Outcome.CANCELLED, "operator")]
    assert row(database, second)["state"] == "ready"


@on_sqlite
def test_progress_is_told_often_and_written_seldom(database: Database) -> None:
    told: list[dict[str, Any]] = []
    written: list[Any] = []

    def listener(event: Event, facts: dict[str, Any]) -> None:
        if event is events.JOB_PROGRESSED:
            told.append(facts)

    async def do(job: Job, tell: Tell) -> Result:
        for n in range(300):
            tell(bytes=n, total=300)
            await asyncio.sleep(0.01)
            progress = await asyncio.to_thread(lambda: row(database, job.id)["progress"])
            if progress and progress not in written:
                written.append(progress)
        return OK

    put(database, *toys_of(1))
    unlisten = events.listen(listener)
    asyncio.run(work_off(database, {"toy": Toy(do)}, terms=Terms(lease_seconds=12.0, patience_seconds=0.0)))
    unlisten()
    assert 3 <= len(told) <= 40
    assert 1 <= len(written) <= 3
    assert written[0]["total"] == 300


@on_sqlite
def test_tell_may_be_called_from_any_thread(database: Database) -> None:
    raised: list[BaseException] = []

    def blocking(tell: Tell) -> Result:
        try:
            while True:
                tell(bytes=1)
                time.sleep(0.01)
        except JobCancelled as cancelled:
            raised.append(cancelled)
            raise

    async def do(job: Job, tell: Tell) -> Result:
        await asyncio.to_thread(lambda: database.write(lambda c: ledger.cancel(c, [job.id])))
        return await asyncio.to_thread(blocking, tell)

    (job_id,) = put(database, *toys_of(1))
    asyncio.run(work_off(database, {"toy": Toy(do)}))
    assert len(raised) == 1
    assert history(database, job_id) == ["cancelled"]


@on_sqlite
def test_as_many_blocking_steps_as_slots_run_at_the_same_time(database: Database) -> None:
    meeting = threading.Barrier(12)

    async def do(job: Job, tell: Tell) -> Result:
        await asyncio.to_thread(meeting.wait, 20)
        return OK

    put(database, *toys_of(12))
    asyncio.run(work_off(database, {"toy": Toy(do)}, {"toy": 12}))
    assert {job["state"] for job in database.read(ledger.listing)} == {"done"}


def test_a_job_the_ledger_gave_this_worker_unseen_is_handed_back(database: Database) -> None:
    toy = Toy()
    (lost,) = put(database, *toys_of(1))
    database.write(lambda c: ledger.pause(c, "toy"))
    put(database, NewJob(step="loser"))

    async def do(job: Job, tell: Tell) -> Result:
        await asyncio.to_thread(database.write, lambda c: ledger.resume(c, "toy"))
        claimed = await asyncio.to_thread(take, database, lost, job.owner, 3600)
        await until(lambda: history(database, lost) == ["handed_back"] if claimed else True)
        return OK

    asyncio.run(work_off(database, {"loser": Toy(do)}, {"loser": 1}))
    asyncio.run(work_off(database, {"toy": toy}))
    assert history(database, lost) == ["handed_back", "ok"]


def test_an_idle_worker_starts_a_new_job_at_once(database: Database) -> None:
    ran = threading.Event()

    async def do(job: Job, tell: Tell) -> Result:
        ran.set()
        return OK

    async def idle_then_busy() -> float:
        stop = asyncio.Event()
        working = asyncio.create_task(work_off(database, {"toy": Toy(do)}, until_idle=False, stop=stop))
        await until(lambda: database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM workers").scalar()))
        await asyncio.to_thread(put, database, NewJob(step="toy"))
        started = time.monotonic()
        await asyncio.to_thread(ran.wait, 10)
        took = time.monotonic() - started
        stop.set()
        await working
        return took

    assert asyncio.run(idle_then_busy()) < 1.5


def test_the_worker_signs_in_while_it_lives(database: Database) -> None:
    seen: list[Any] = []

    async def do(job: Job, tell: Tell) -> Result:
        seen.append(database.read(lambda c: tuple(c.exec_driver_sql("SELECT id, pid FROM workers").one())))
        assert seen[0] == (job.owner, os.getpid())
        return OK

    (job_id,) = put(database, *toys_of(1))
    asyncio.run(work_off(database, {"toy": Toy(do)}))
    assert history(database, job_id) == ["ok"]


def test_a_frozen_database_costs_no_honest_worker_its_lease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rescue waits until beats have been written for 6 s without a gap: whose beat is overdue tries every second."""
    now = 1000.0
    monkeypatch.setattr("glimmr.jobs.steady.boot_seconds", lambda: now)
    monkeypatch.setattr("glimmr.jobs.rescuer.ahead_seconds", lambda connection: 0.0)
    terms = Terms(lease_seconds=45.0)
    steady = Steady(terms)
    rescuer = Rescuer(database, rescues(database, {"toy": Toy()}, owner="w1", terms=terms), steady)
    (job_id,) = put(database, *toys_of(1))
    assert take(database, job_id, "another", lease_seconds=-1.0)

    def answers_for(seconds: float) -> int:
        nonlocal now
        rescued = 0
        for _ in range(int(seconds)):
            now += 1
            rescued += rescuer.look()
            steady.beat(0.0)
        return rescued

    assert answers_for(5) == 0
    now += 30  # frozen
    assert answers_for(6) == 0
    assert answers_for(2) == 1
    assert history(database, job_id) == ["rescued"]


def test_a_database_that_is_away_for_a_while_fails_no_job_and_charges_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glimmr.stores.database._BUSY_TIMEOUT_SECONDS", 0.05)
    database = Database(sqlite_url(tmp_path / "glimmr.sqlite"), patience_seconds=0.1)
    migrate(database)
    ids = put(database, *toys_of(20))
    running = threading.Event()

    async def do(job: Job, tell: Tell) -> Result:
        running.set()
        await asyncio.sleep(0.2)
        return OK

    def freeze() -> None:
        running.wait(10)
        lock = sqlite3.connect(tmp_path / "glimmr.sqlite", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        time.sleep(2.5)
        lock.rollback()
        lock.close()

    freezer = threading.Thread(target=freeze)
    freezer.start()
    asyncio.run(work_off(database, {"toy": Toy(do)}, {"toy": 4}, terms=Terms(lease_seconds=1.0, patience_seconds=5.0)))
    freezer.join()
    assert [history(database, job_id) for job_id in ids] == [["ok"]] * 20
    database.close()


@on_sqlite
def test_a_heartbeat_that_breaks_ends_the_worker_instead_of_its_leases(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug in the heartbeat")

    monkeypatch.setattr("glimmr.jobs.ledger.beat", broken)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(work_off(database, {"toy": Toy()}, until_idle=False))
