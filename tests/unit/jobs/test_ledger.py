"""The ledger's functions on a real database."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Executable, Insert, event, update
from sqlalchemy.dialects import postgresql, sqlite

from glimmr.errors import LeaseLost
from glimmr.jobs import ledger, statements
from glimmr.jobs.job import Ending, Job, NewJob
from glimmr.jobs.tables import jobs
from glimmr.model import Pace, Standing
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database, migrate, sqlite_url
from glimmr.stores.hosts import HostBook
from tests.unit.jobs.toys import history, put, row, take

DONE = Ending(state="done", ended_as="ok", outcome=Outcome.OK, bytes=2**33, rows=7)
RESCUED = Ending(state="ready", ended_as="rescued", stalled=True)
RETRY = Ending(state="ready", ended_as="retry", outcome=Outcome.UNREACHABLE, reason="stalled", charged=True)
HANDED_BACK = Ending(state="ready", ended_as="handed_back")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


def end(database: Database, job: Job, ending: Ending) -> bool:
    return database.write(lambda connection: ledger.end(connection, job, ending))


def taken(database: Database, job_id: int, owner: str = "w1", lease_seconds: float = 30.0) -> Job:
    job = take(database, job_id, owner, lease_seconds)
    assert job is not None
    return job


def due(database: Database, most: int = 10, per_host: int = 2, **options: list[str] | list[int]) -> list[int]:
    found = database.read(
        lambda c: ledger.due(c, "toy", most=most, connections_per_host=per_host, **options)  # type: ignore[arg-type]
    )
    return [one.id for one in found]


def test_a_job_written_under_a_clock_that_was_ahead_does_not_wait_for_that_time_to_come(database: Database) -> None:
    ahead, patient = put(database, NewJob(step="toy", args={"n": 1}), NewJob(step="toy", args={"n": 2}))
    later = datetime.now(UTC) + timedelta(days=400)
    database.write(lambda c: c.execute(update(jobs).where(jobs.c.id == ahead).values(created_at=later, run_at=later)))
    database.write(lambda c: c.execute(update(jobs).where(jobs.c.id == patient).values(run_at=later)))
    assert due(database) == []
    database.write(ledger.heed_the_clock)
    assert due(database) == [ahead]


def test_a_live_job_of_the_same_key_is_not_written_twice(database: Database) -> None:
    new = NewJob(step="toy", args={"n": 1})
    first = put(database, new, new)
    assert len(first) == 1
    assert put(database, NewJob(step="toy", args={"n": 1}, priority=5)) == []
    job = taken(database, first[0])
    assert put(database, new) == []  # it runs, and is still live
    end(database, job, DONE)
    assert len(put(database, new)) == 1


def test_thousands_of_jobs_are_written_at_once_and_each_is_named(database: Database) -> None:
    new = [NewJob(step="toy", args={"n": n}, host=f"h{n}") for n in range(3000)]
    written = database.write(lambda c: ledger.enqueue(c, new))
    assert set(written) == {job.key for job in new}
    assert len(set(written.values())) == 3000


def test_a_job_is_claimed_exactly_once_by_workers_at_the_same_time(database: Database) -> None:
    ids = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(40)))
    claims: list[tuple[str, int]] = []
    start = threading.Barrier(4)

    def worker(owner: str) -> None:
        start.wait()
        claims.extend((owner, job_id) for job_id in ids if take(database, job_id, owner) is not None)

    threads = [threading.Thread(target=worker, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job_id for _, job_id in claims) == sorted(ids)


def test_a_job_is_not_claimed_before_its_time(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy", delay_seconds=60))
    assert take(database, job_id) is None
    assert due(database) == []


def test_every_run_has_its_own_epoch_and_only_failures_count_as_attempts(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    epochs = []
    for ending in (HANDED_BACK, RETRY, RESCUED):
        job = taken(database, job_id)
        epochs.append((job.epoch, job.attempt, job.stalls))
        end(database, job, ending)
    job = taken(database, job_id)
    assert [*epochs, (job.epoch, job.attempt, job.stalls)] == [(1, 1, 0), (2, 1, 0), (3, 2, 0), (4, 2, 1)]
    assert history(database, job_id) == ["handed_back", "retry", "rescued"]


def test_a_run_whose_job_was_taken_over_writes_nothing(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    zombie = taken(database, job_id, "w1")
    end(database, zombie, RESCUED)
    heir = taken(database, job_id, "w2")
    before = row(database, job_id)
    for ending in (DONE, RETRY, HANDED_BACK):
        with pytest.raises(LeaseLost):
            end(database, zombie, ending)
    with pytest.raises(LeaseLost):
        database.read(lambda c: ledger.must_hold(c, zombie))
    database.write(lambda c: ledger.write_progress(c, [(zombie, {"bytes": 666})], 30.0))
    assert row(database, job_id) == before
    assert history(database, job_id) == ["rescued"]
    database.read(lambda c: ledger.must_hold(c, heir))
    assert end(database, heir, DONE)


def test_the_same_owner_is_fenced_by_the_epoch(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    first = taken(database, job_id, "w1")
    end(database, first, HANDED_BACK)
    second = taken(database, job_id, "w1")
    with pytest.raises(LeaseLost):
        end(database, first, DONE)
    assert row(database, job_id)["epoch"] == second.epoch
    assert row(database, job_id)["state"] == "running"


def test_an_end_whose_commit_went_through_unseen_is_not_written_again(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    job = taken(database, job_id)
    assert end(database, job, DONE) is True
    assert end(database, job, DONE) is False
    assert history(database, job_id) == ["ok"]


def test_an_end_keeps_what_is_told_of_the_run(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy", args={"n": 1}, host="a.test", priority=3))
    end(database, taken(database, job_id, "w9"), DONE)
    (attempt,) = database.read(lambda c: ledger.history(c, job_id))
    assert (attempt.worker, attempt.bytes, attempt.rows, attempt.ended_as) == ("w9", 2**33, 7, "ok")
    assert attempt.started_at is not None
    assert attempt.started_at <= attempt.ended_at
    job = row(database, job_id)
    assert (job["state"], job["outcome"], job["owner"], job["lease_until"]) == ("done", "ok", None, None)
    assert job["args"] == {"n": 1}
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]


def test_a_retry_waits_for_its_time(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    later = Ending(state="ready", ended_as="retry", reason="stalled", charged=True, delay_seconds=90)
    end(database, taken(database, job_id), later)
    job = row(database, job_id)
    assert 85 < (job["run_at"] - job["started_at"]).total_seconds() < 120
    assert due(database) == []
    assert database.read(lambda c: ledger.awaited(c, ["toy"], 200))
    assert not database.read(lambda c: ledger.awaited(c, ["toy"], 60))
    assert not database.read(lambda c: ledger.awaited(c, ["other"], 200))


def test_due_jobs_come_by_priority_then_age(database: Database) -> None:
    ids = [put(database, NewJob(step="toy", args={"n": n}, priority=p))[0] for n, p in enumerate((0, 5, 0, 9, 5))]
    assert due(database) == [ids[3], ids[1], ids[4], ids[0], ids[2]]
    assert due(database, most=2) == [ids[3], ids[1]]
    assert due(database, sent=[ids[3], ids[1]], most=1) == [ids[4]]


def test_a_retry_waits_behind_fresh_work_of_its_priority(database: Database) -> None:
    twice, once, important = put(
        database, *(NewJob(step="toy", args={"n": n}, priority=5 * (n == 2)) for n in range(3))
    )
    for job_id in (twice, twice, once, important):
        end(database, taken(database, job_id), RETRY)
    fresh = put(database, *(NewJob(step="toy", args={"n": f"fresh {n}"}) for n in range(2)))
    assert due(database) == [important, *fresh, once, twice]


def test_a_rescued_job_keeps_its_place_and_one_that_was_handed_back_goes_to_the_end(database: Database) -> None:
    rescued, handed_back, *others = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(5)))
    end(database, taken(database, rescued), RESCUED)
    end(database, taken(database, handed_back), HANDED_BACK)
    assert due(database) == [rescued, *others, handed_back]


def test_a_job_rescued_after_the_clock_was_set_back_runs_now(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    run = taken(database, job_id)
    ahead = datetime.now(UTC) + timedelta(hours=1)  # as the clock was when it was put and taken
    database.write(lambda c: c.execute(update(jobs).values(created_at=ahead, run_at=ahead, started_at=ahead)))
    end(database, run, RESCUED)
    assert due(database) == [job_id]


def test_a_hundred_failures_before_it_do_not_hold_up_a_job_that_is_due(database: Database) -> None:
    put(database, *(NewJob(step="toy", args={"n": n}, delay_seconds=3600) for n in range(100)))
    (transient,) = put(database, NewJob(step="toy", args={"n": "transient"}))
    assert due(database, most=1) == [transient]


def test_a_host_that_is_busy_holds_up_no_other(database: Database) -> None:
    ids = put(database, *(NewJob(step="toy", args={"n": n}, host="a.test") for n in range(3)))
    (other,) = put(database, NewJob(step="toy", args={"n": "b"}, host="b.test"))
    (no_host,) = put(database, NewJob(step="toy", args={"n": "c"}))
    for job_id in ids[:2]:
        taken(database, job_id)
    assert due(database) == [other, no_host]
    assert take(database, ids[2]) is None
    assert due(database, full_hosts=["b.test"]) == [no_host]


def test_a_host_that_rests_holds_up_its_own_jobs_and_no_other(database: Database) -> None:
    ill, well = put(database, *(NewJob(step="toy", args={"n": host}, host=host) for host in ("ill.test", "well.test")))
    for resting in (
        Standing(until=time.time() + 3600, opened=1),
        Standing(pace=Pace(crawl_seconds=10.0, next_at=time.time() + 10)),
    ):
        HostBook(database).change("ill.test", lambda _, after=resting: after)
        assert due(database) == [well]
        assert take(database, ill) is None
    assert database.read(lambda c: ledger.awaited(c, ["toy"], 7200))
    end(database, taken(database, well), HANDED_BACK)
    HostBook(database).change("ill.test", lambda _: Standing())
    assert due(database) == [ill, well]


def test_a_paused_step_starts_nothing_until_it_is_resumed(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    for _ in range(2):
        database.write(lambda c: ledger.pause(c, "toy"))
    assert due(database) == []
    assert take(database, job_id) is None
    assert not database.read(lambda c: ledger.awaited(c, ["toy"], 60))
    database.write(lambda c: ledger.resume(c, "toy"))
    assert due(database) == [job_id]
    assert take(database, job_id) is not None


def test_a_beat_keeps_all_leases_of_its_worker_and_of_no_other(database: Database) -> None:
    ids = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(3)))
    mine = [taken(database, ids[0], "w1", -1.0), taken(database, ids[1], "w1", -1.0)]
    other = taken(database, ids[2], "w2", -1.0)
    assert {job.id for job in database.read(lambda c: ledger.expired(c, 30.0))} == set(ids)
    held = database.write(lambda c: ledger.beat(c, "w1", 30.0))
    assert {(row.id, row.epoch) for row in held} == {(job.id, job.epoch) for job in mine}
    assert database.read(lambda c: ledger.expired(c, 30.0)) == [other]
    assert database.write(lambda c: ledger.lost_run(c, mine[0].id, 30.0)) is None
    assert database.write(lambda c: ledger.lost_run(c, other.id, 30.0)) == other


def test_a_lease_of_an_earlier_boot_has_run_out(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    job = taken(database, job_id)
    assert database.read(lambda c: ledger.expired(c, 30.0)) == []
    database.write(lambda c: c.exec_driver_sql("UPDATE jobs SET lease_era = 'an earlier boot'"))
    assert database.read(lambda c: ledger.expired(c, 30.0)) == [job]


def test_cancelling_asks_live_jobs_only(database: Database) -> None:
    waiting, running, done = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(3)))
    end(database, taken(database, done), DONE)
    taken(database, running)
    assert database.write(lambda c: ledger.cancel(c, [waiting, running, done, 12345])) == [waiting, running]
    assert due(database) == []
    assert take(database, waiting) is None
    assert [one.id for one in database.read(lambda c: ledger.to_cancel(c, ["toy"]))] == [waiting]
    (held,) = database.read(lambda c: ledger.held(c, "w1"))
    assert held.cancel_requested


def test_what_a_failed_transaction_wrote_is_undone_whole(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    job = taken(database, job_id)
    before = row(database, job_id)

    def broken(connection: Connection) -> None:
        ledger.end(connection, job, DONE)
        ledger.enqueue(connection, [NewJob(step="next")])
        raise KeyError("apply")

    with pytest.raises(KeyError):
        database.write(broken)
    assert row(database, job_id) == before
    assert history(database, job_id) == []
    assert len(database.read(ledger.listing)) == 1


def test_counts_and_listings_say_what_is_there(database: Database) -> None:
    ids = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(3)), NewJob(step="other"))
    end(database, taken(database, ids[0]), DONE)
    counts = database.read(ledger.counts)
    assert {(c["step"], c["state"], c["outcome"], c["jobs"]) for c in counts} == {
        ("toy", "ready", None, 2),
        ("toy", "done", "ok", 1),
        ("other", "ready", None, 1),
    }
    assert [j["id"] for j in database.read(lambda c: ledger.listing(c, step="toy", state="ready"))] == [ids[2], ids[1]]
    assert len(database.read(lambda c: ledger.listing(c, most=2))) == 2


CONDITIONS = {"LIVE", "READY", "RUNNING"}
STATEMENTS: dict[str, Executable] = {
    name: value
    for name, value in vars(statements).items()
    if name.isupper() and name not in CONDITIONS and isinstance(value, Executable)
}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_statement_compiles_for_both_databases(name: str) -> None:
    statement = STATEMENTS[name]
    keys = list(statement.table.c.keys()) if isinstance(statement, Insert) else None
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        assert str(statement.compile(dialect=dialect, column_keys=keys))


def test_statements_that_differ_compile_for_their_database() -> None:
    for statement in (statements.ENQUEUE, statements.PAUSE, statements.COUNT_REPAIR):
        assert str(statement["sqlite"].compile(dialect=sqlite.dialect()))
        assert str(statement["postgresql"].compile(dialect=postgresql.dialect()))


SOON = {"delay_seconds": 1.0}


@pytest.mark.parametrize(
    ("statement", "index", "values"),
    [
        ("DUE", "ix_jobs_ready", {"step": "toy", "most": 1, "per_host": 1, "full_hosts": [], "sent": []} | SOON),
        ("ANY_DUE", "ix_jobs_due", {}),
        ("AWAITED", "ix_jobs_due", {"steps": ["toy"]} | SOON),
        ("RUNNING_OF", "ix_jobs_running", {}),
        ("HELD", "ix_jobs_running", {"holder": "w1"}),
        ("EXPIRED", "ix_jobs_running", {"longest_seconds": 345.0}),
        ("LIVE_KEYS", "uq_jobs_live_key", {"keys": ["a", "b"]}),
        ("LIVE_PAGE", "uq_jobs_live_key", {"after": "a", "most": 100}),
        ("TO_CANCEL", "ix_jobs_to_cancel", {"steps": ["toy"], "after": 0, "most": 100}),
    ],
)
def test_the_questions_of_every_tick_are_answered_by_an_index(
    tmp_path: Path, statement: str, index: str, values: dict[str, object]
) -> None:
    database = Database(sqlite_url(tmp_path / "plan.sqlite"))
    migrate(database)

    def plan(connection: Connection) -> list[str]:
        @event.listens_for(connection, "before_cursor_execute", retval=True)
        def explain(_c: object, _u: object, text: str, parameters: object, *_: object) -> tuple[str, object]:
            return "EXPLAIN QUERY PLAN " + text, parameters

        return [str(line) for line in connection.execute(STATEMENTS[statement], values).cursor.fetchall()]

    lines = database.read(plan)
    database.close()
    assert any(f"INDEX {index}" in line for line in lines), lines
