"""The rescuer with invariants of toys, and its rounds: bad rows, shelves that are away, several at once."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from glimmr.errors import StorageFault
from glimmr.jobs import ledger, recovery
from glimmr.jobs.invariant import Count, Invariant, Violation, reading, writing
from glimmr.jobs.job import Ending, NewJob, Terms
from glimmr.jobs.rescuer import Rescuer
from glimmr.jobs.rescues import rescues
from glimmr.jobs.rounds import Rounds, rest_seconds
from glimmr.jobs.steady import Steady
from glimmr.jobs.tables import jobs
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database
from tests.unit.jobs.toys import Toy, history, put, row, take, work_off

TERMS = Terms(lease_seconds=3.0, patience_seconds=0.0)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


class Rows:
    """Rows that are wrong until they are repaired; of some the repair itself fails."""

    def __init__(self, database: Database, count: int, hopeless: Sequence[int] = ()) -> None:
        self.wrong, self.hopeless = {f"{n:04}" for n in range(count)}, {f"{n:04}" for n in hopeless}
        self.lock = threading.Lock()
        self.invariant = Invariant(
            name="toy",
            text="no row is wrong",
            cure="it is made right",
            find=reading(database, self.find),
            repair=writing(database, self.restore),
            every_seconds=30.0,
        )

    def find(self, connection: Connection, after: str, most: int) -> list[Violation]:
        return [Violation(name, "is wrong") for name in sorted(self.wrong) if name > after][:most]

    def restore(self, connection: Connection, subject: str) -> bool:
        if subject in self.hopeless:
            raise ValueError(subject)
        with self.lock:
            was_wrong = subject in self.wrong
            self.wrong.discard(subject)
            return was_wrong


def counted(database: Database) -> dict[str, int]:
    return {row["name"]: row["repaired"] for row in database.read(recovery.repairs)}


def test_rows_that_cannot_be_repaired_block_no_others_and_are_said_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The original took the first ten of them again and again (RELIABILITY O6)."""
    rows = Rows(database, 350, hopeless=range(100))
    rescuer = Rescuer(database, [rows.invariant])
    assert rescuer.look() == 250
    assert rows.wrong == rows.hopeless
    assert counted(database) == {"toy": 250}
    assert len(caplog.records) == 100
    assert rescuer.look() == 0
    assert len(caplog.records) == 100


def away(after: str, most: int) -> list[Violation]:
    raise StorageFault("the shelf does not answer")


def bug(after: str, most: int) -> list[Violation]:
    raise KeyError("a bug")


@pytest.mark.parametrize("find", [away, bug])
def test_what_cannot_be_looked_at_now_holds_up_no_other(
    database: Database, find: Callable[[str, int], list[Violation]]
) -> None:
    rows = Rows(database, 3)
    broken = Invariant(name="other", text="", cure="", find=find, repair=lambda *_: False, every_seconds=30.0)
    assert Rescuer(database, [broken, rows.invariant]).look() == 3


def test_a_shelf_that_goes_away_during_the_repairs_is_left_for_the_next_look(database: Database) -> None:
    tried: list[str] = []

    def repair(violation: Violation, count: Count) -> bool:
        tried.append(violation.subject)
        raise StorageFault("the shelf does not answer")

    rows = Rows(database, 50)
    invariant = Invariant(name="s", text="", cure="", find=rows.invariant.find, repair=repair, every_seconds=30.0)
    assert Rescuer(database, [invariant]).look() == 0
    assert tried == ["0000"]


def test_two_rescuers_at_once_make_one_repair_each(database: Database) -> None:
    ids = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(30)))
    for job_id in ids:
        assert take(database, job_id, "a dead worker", lease_seconds=-1.0)
    rescuers = [Rescuer(database, rescues(database, {"toy": Toy()}, owner=f"w{n}", terms=TERMS)) for n in range(2)]
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(Rescuer.look, rescuers))
    assert sum(made) == 30
    assert [history(database, job_id) for job_id in ids] == [["rescued"]] * 30
    assert counted(database) == {"live_lease": 30}


def test_a_hundred_jobs_that_failed_for_ever_keep_no_older_retry_from_its_time(database: Database) -> None:
    (transient,) = put(database, NewJob(step="toy", args={"n": "transient"}))
    job = take(database, transient)
    assert job is not None
    retry = Ending(
        state="ready", ended_as="retry", outcome=Outcome.UNREACHABLE, reason="stalled", charged=True, delay_seconds=0.5
    )
    database.write(lambda c: ledger.end(c, job, retry))
    gone = Ending(state="dead", ended_as="gone", outcome=Outcome.GONE, reason="not_found")
    for job_id in put(database, *(NewJob(step="toy", args={"n": n}) for n in range(100))):
        failed = take(database, job_id)
        assert failed is not None
        database.write(lambda c, failed=failed: ledger.end(c, failed, gone))
    toy = Toy()
    asyncio.run(work_off(database, {"toy": toy}, terms=Terms(lease_seconds=3.0, patience_seconds=5.0)))
    assert [ran.id for ran in toy.ran] == [transient]
    assert history(database, transient) == ["retry", "ok"]


def test_a_withdrawn_job_is_cancelled_and_its_run_finds_that_it_lost_its_lease(database: Database) -> None:
    waiting, running, done = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(3)))
    held = take(database, running)
    ended = take(database, done)
    assert held is not None
    assert ended is not None
    database.write(lambda c: ledger.end(c, ended, Ending(state="done", ended_as="ok", outcome=Outcome.OK)))

    def withdraw(job_id: int) -> bool:
        return database.write(lambda c: ledger.withdraw(c, job_id, reason="file_removed", message="gone"))

    assert [withdraw(job_id) for job_id in (waiting, running, done, 12345)] == [True, True, False, False]
    for job_id in (waiting, running):
        job = row(database, job_id)
        assert (job["state"], job["outcome"], job["reason"]) == ("cancelled", "cancelled", "file_removed")
        assert job["finished_at"] is not None
    assert history(database, running) == ["cancelled"]
    with pytest.raises(ledger.LeaseLost):
        database.write(lambda c: ledger.must_hold(c, held))


def test_a_worker_that_was_thought_dead_signs_in_again_with_its_next_beat(database: Database) -> None:
    def sign_in(connection: Connection) -> None:
        ledger.sign_in(connection, "w1", host="h", pid=1, version="1", slots={"toy": 2})

    database.write(sign_in)
    long_ago = "UPDATE workers SET beat_at = '2026-01-01 00:00:00.000000'"
    database.write(lambda c: c.exec_driver_sql(long_ago))
    assert Rescuer(database, rescues(database, {}, owner="w2", terms=TERMS)).look() == 1
    database.write(lambda c: ledger.beat(c, "w1", 3.0))
    assert database.read(lambda c: ledger.free_slots(c, 60.0)[0]) == {}
    database.write(lambda c: ledger.beat(c, "w1", 3.0, sign_in))
    assert database.read(lambda c: ledger.free_slots(c, 60.0)[0]) == {"toy": 2}


# -- rounds ------------------------------------------------------------------------------------------------------


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def watched(name: str, every_seconds: float, find: Callable[[], None]) -> Invariant:
    def look(after: str, most: int) -> list[Violation]:
        find()
        return []

    return Invariant(name=name, text="", cure="", find=look, repair=lambda *_: False, every_seconds=every_seconds)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_who_leads_looks_and_whoever_leads_again_looks_at_once(database: Database) -> None:
    looked: list[float] = []
    seldom = watched("seldom", 3600.0, lambda: looked.append(time.monotonic()))
    rounds = Rounds(database, [seldom], Steady(TERMS), lambda: None)
    rounds.start()
    try:
        rounds.lead(False)
        assert rounds.have_looked
        rounds.lead(True)
        until(lambda: rounds.have_looked)
        assert len(looked) == 1
        rounds.lead(False)
        rounds.lead(True)
        until(lambda: len(looked) == 2)
    finally:
        rounds.stop()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_shelf_that_hangs_delays_no_rescue(database: Database) -> None:
    hangs, looked = threading.Event(), []
    slow = watched("slow", 600.0, lambda: bool(hangs.wait(20)) and None)
    quick = watched("quick", 0.01, lambda: looked.append(1))
    rounds = Rounds(database, [slow, quick], Steady(TERMS), lambda: None)
    rounds.start()
    rounds.lead(True)
    try:
        until(lambda: len(looked) > 3)
        assert not rounds.have_looked
    finally:
        hangs.set()
        rounds.stop()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_worker_is_not_idle_before_everything_was_looked_at(database: Database) -> None:
    put_late: list[int] = []

    def find() -> None:
        time.sleep(0.5)
        put_late.extend(put(database, NewJob(step="toy")))

    toy = Toy()
    late = watched("late", 600.0, find)
    asyncio.run(work_off(database, {"toy": toy}, invariants=[late]))
    assert [ran.id for ran in toy.ran] == put_late
    assert len(put_late) == 1


def test_a_backlog_of_hours_is_left_alone(database: Database) -> None:
    """The original put every job that had waited for two hours again (RELIABILITY O8)."""
    put(database, *(NewJob(step="toy", args={"n": n}) for n in range(200)))
    then = datetime.now(UTC) - timedelta(hours=3)
    database.write(lambda c: c.execute(update(jobs).values(created_at=then, run_at=then)))
    assert Rescuer(database, rescues(database, {"toy": Toy()}, owner="w1", terms=TERMS)).look() == 0
    assert len(database.read(lambda c: ledger.listing(c, most=1000))) == 200


@pytest.mark.parametrize(("look_seconds", "rest"), [(0.01, 30.0), (0.6, 30.0), (2.0, 100.0), (60.0, 600.0)])
def test_what_lists_a_shelf_rests_longer_where_it_takes_longer(look_seconds: float, rest: float) -> None:
    assert rest_seconds(30.0, look_seconds) == rest


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_invariants_of_one_pace_that_list_a_shelf_have_a_thread_of_their_own(database: Database) -> None:
    looks: list[str] = []
    rows = watched("rows", 30.0, lambda: looks.append(threading.current_thread().name))
    shelf = replace(watched("shelf", 30.0, lambda: looks.append(threading.current_thread().name)), lists_a_shelf=True)
    rounds = Rounds(database, [rows, shelf], Steady(TERMS), lambda: None)
    rounds.start()
    rounds.lead(True)
    try:
        until(lambda: rounds.have_looked)
    finally:
        rounds.stop()
    assert sorted(looks) == ["rescuer 30 s", "rescuer 30 s shelf"]
