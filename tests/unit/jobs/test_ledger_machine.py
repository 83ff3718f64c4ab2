"""The ledger against a model of it: any order of enqueue, claim, beat, end, kill, pause, cancel, rescue and clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from glimmr.errors import LeaseLost
from glimmr.jobs import ledger
from glimmr.jobs.job import Ending, Job, NewJob, Terms
from glimmr.jobs.rescuer import Rescuer
from glimmr.jobs.rescues import rescues
from glimmr.jobs.steady import Steady
from glimmr.jobs.tables import attempts, jobs
from glimmr.outcomes import Outcome
from glimmr.stores import clock
from glimmr.stores.database import Connection, Database, migrate
from tests.support.servers import PostgreSql
from tests.unit.jobs.ledger_model import FRESH_SECONDS, LEASE_SECONDS, MAX_STALLS, PER_HOST, Model, Row
from tests.unit.jobs.toys import Toy, put, take

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
STEPS = ("download", "parse")
TERMS = Terms(lease_seconds=LEASE_SECONDS, max_stalls=MAX_STALLS)
HANDED_BACK = Ending(state="ready", ended_as="handed_back")
ENDINGS = (
    Ending(state="done", ended_as="ok", outcome=Outcome.OK),
    Ending(state="ready", ended_as="retry", outcome=Outcome.UNREACHABLE, charged=True, delay_seconds=60.0),
    HANDED_BACK,
    Ending(state="dead", ended_as="unreachable", outcome=Outcome.UNREACHABLE),
)
COLUMNS = (jobs.c.key, jobs.c.state, jobs.c.attempt, jobs.c.stalls, jobs.c.epoch, jobs.c.owner, jobs.c.cancel_requested)
# PostgreSQL's own clock, shadowed by one that the test sets (its leases and its moments are read from the same).
SHADOW = """
CREATE TABLE shadow_clock (seconds DOUBLE PRECISION);
INSERT INTO shadow_clock VALUES (0);
CREATE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
'SELECT to_timestamp(seconds) FROM shadow_clock';
"""


class AlwaysSteady(Steady):
    def is_long_enough(self) -> bool:
        return True


class LedgerMachine(RuleBasedStateMachine):
    """Every rule does one thing to the ledger and to the model, and what it answers must be what the model says."""

    database: Database
    shown: list[Model]  # the model whose clocks the database reads

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(wall=NOON, lease=1000.0 if self.database.is_sqlite else NOON)
        self.shown[:] = [self.model]
        self.runs: list[Job] = []  # all there ever were: a zombie may come back at any time
        self.lives = dict.fromkeys(("w1", "w2"), 0)
        steps = {step: Toy() for step in STEPS}
        looked_after = rescues(self.database, steps, owner="rescuer", terms=TERMS)
        self.rescuer = Rescuer(self.database, looked_after, AlwaysSteady(TERMS))
        self.database.write(self._clear)

    @rule(step=st.sampled_from(STEPS), n=st.integers(0, 1), delay_seconds=st.sampled_from((0.0, 0.0, 30.0)))
    def enqueue(self, step: str, n: int, delay_seconds: float) -> None:
        host = "h.test" if step == "download" else None
        new = NewJob(step=step, args={"n": n}, host=host, delay_seconds=delay_seconds)
        written = put(self.database, new)
        assert len(written) == (not self.model.is_live(new.key))
        for job_id in written:
            self.model.rows[job_id] = Row(new, run_at=self.model.wall + delay_seconds, created_at=self.model.wall)

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data(), worker=st.sampled_from(("w1", "w2")))
    def claim(self, data: st.DataObject, worker: str) -> None:
        startable = [job_id for job_id, row in self.model.rows.items() if self.model.may_start(row)]
        job_id = data.draw(st.sampled_from(3 * startable + sorted(self.model.rows)))
        row, owner = self.model.rows[job_id], self._named(worker)
        expected = self.model.may_start(row)
        job = take(self.database, job_id, owner, LEASE_SECONDS, PER_HOST)
        assert (job is not None) == expected
        if job is not None:
            self.model.start(row, owner)
            assert (job.epoch, job.attempt, job.stalls) == (row.epoch, row.attempt, row.stalls)
            self.runs.append(job)

    @rule(worker=st.sampled_from(("w1", "w2")))
    def beat(self, worker: str) -> None:
        owner = self._named(worker)
        expected = self.model.beat(owner)
        held = self.database.write(lambda c: ledger.beat(c, owner, LEASE_SECONDS, fresh_seconds=FRESH_SECONDS))
        assert {(one.id, one.epoch) for one in held} == expected

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        job = self._some_run(data)
        self.database.write(lambda c: ledger.write_progress(c, [(job, {"bytes": 1})], LEASE_SECONDS))
        if self.model.holds(job):
            self.model.rows[job.id].lease_until = self.model.lease + LEASE_SECONDS

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data(), worker=st.sampled_from(("w1", "w2")))
    def hand_back_and_claim_again(self, data: st.DataObject, worker: str) -> None:
        """What makes zombies: two runs of one job by one worker. Left to chance it is rare."""
        self.claim(data, worker)
        if held := [run for run in self.runs if self.model.holds(run)]:
            self.database.write(lambda c: ledger.end(c, held[-1], HANDED_BACK))
            self.model.end(self.model.rows[held[-1].id], HANDED_BACK)
            self.claim(data, worker)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), ending=st.sampled_from(ENDINGS))
    def end(self, data: st.DataObject, ending: Ending) -> None:
        job = self._some_run(data)
        row = self.model.rows[job.id]
        if self.model.holds(job):
            assert self.database.write(lambda c: ledger.end(c, job, ending))
            self.model.end(row, ending)
        elif (job.epoch, job.owner, ending.ended_as) in row.history:  # the answer to its commit was lost
            assert not self.database.write(lambda c: ledger.end(c, job, ending))
        else:
            with pytest.raises(LeaseLost):
                self.database.write(lambda c: ledger.end(c, job, ending))

    @rule(worker=st.sampled_from(("w1", "w2")))
    def kill(self, worker: str) -> None:
        """The worker is gone without a word; another one starts in its place. Its runs may wake up as zombies."""
        self.lives[worker] += 1

    @rule(step=st.sampled_from(STEPS), paused=st.sampled_from((True, False, False)))
    def pause(self, step: str, paused: bool) -> None:
        self.database.write(lambda c: ledger.pause(c, step, paused=paused))
        (self.model.paused.add if paused else self.model.paused.discard)(step)

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.model.rows)[-4:]))
        row = self.model.rows[job_id]
        assert self.database.write(lambda c: ledger.cancel(c, [job_id])) == [job_id] * row.is_live
        row.cancel_requested = row.cancel_requested or row.is_live

    @rule(after_seconds=st.sampled_from((0.0, 44.0, 46.0)))
    def tick(self, after_seconds: float) -> None:
        self.time_passes(after_seconds)
        self.rescuer.look()
        self.model.tick("rescuer")

    @rule(seconds=st.sampled_from((1.0, 6.0, 20.0, 60.0)))
    def time_passes(self, seconds: float) -> None:
        self.model.wall += seconds
        self.model.lease += seconds

    @rule(seconds=st.sampled_from((-3600.0, 3600.0)))
    def somebody_sets_the_clock(self, seconds: float) -> None:
        self.model.wall += seconds
        if not self.database.is_sqlite:  # a server has no other clock
            self.model.lease += seconds

    @rule()
    def heed_the_clock(self) -> None:
        self.database.write(ledger.heed_the_clock)
        self.model.heed_the_clock()

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        rows, ended, due = self.database.read(self._all)
        assert rows.keys() == self.model.rows.keys(), "no job is lost, and none is there that nobody put"
        for job_id, row in self.model.rows.items():
            lease_until, *found = rows[job_id]
            expected = [row.new.key, row.state, row.attempt, row.stalls, row.epoch, row.owner, row.cancel_requested]
            assert found == expected
            assert lease_until == pytest.approx(row.lease_until, abs=0.01)
            assert ended.get(job_id, []) == row.history
            assert len(row.history) == row.epoch - (row.state == "running"), "every ended run has its history row"
        assert due == {job_id for job_id, row in self.model.rows.items() if self.model.may_start(row)}
        live = [found[1] for found in rows.values() if found[2] in {"ready", "running"}]
        assert len(live) == len(set(live)), "two live jobs with one key"

    def _all(self, connection: Connection) -> tuple[dict[int, list[Any]], dict[int, list[Any]], set[int]]:
        found = connection.execute(select(jobs.c.id, jobs.c.lease_until, *COLUMNS))
        rows = {job_id: list(values) for job_id, *values in found}
        ended: dict[int, list[Any]] = {}
        runs = select(attempts.c.job_id, attempts.c.number, attempts.c.worker, attempts.c.ended_as)
        for job_id, *run in connection.execute(runs.order_by(attempts.c.job_id, attempts.c.number)):
            ended.setdefault(job_id, []).append(tuple(run))
        due = [ledger.due(connection, step, most=100, connections_per_host=PER_HOST) for step in STEPS]
        return rows, ended, {one.id for some in due for one in some}

    def _some_run(self, data: st.DataObject) -> Job:
        """One that holds its job, a zombie whose job runs again, or one of the latest."""
        running = [job for job in self.runs if self.model.rows[job.id].state == "running"]
        return data.draw(st.sampled_from(running + self.runs[-3:]))

    def _named(self, worker: str) -> str:
        return f"{worker}-{self.lives[worker]}"

    @staticmethod
    def _clear(connection: Connection) -> None:
        for table in ("attempts", "jobs", "steps"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[LedgerMachine]]:
    """The machine on a database whose clocks are the model's."""
    shown: list[Model] = []
    if request.param == "sqlite":
        database = Database(request.getfixturevalue("sqlite_database_url"))
        monkeypatch.setattr(clock, "boot_seconds", lambda: shown[0].lease)
        monkeypatch.setattr(clock, "datetime", _clock_of(shown))
    else:
        server: PostgreSql = request.getfixturevalue("postgresql")
        database = _shadowed(server.url(), shown, monkeypatch)
    yield type("Machine", (LedgerMachine,), {"database": database, "shown": shown})
    database.close()


def _clock_of(shown: list[Model]) -> type[datetime]:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromtimestamp(shown[0].wall, tz)

    return Clock


def _shadowed(url: str, shown: list[Model], monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database(url + "?options=-c%20search_path%3Dpublic%2Cpg_catalog")
    migrate(database)
    database.write(lambda c: c.exec_driver_sql(SHADOW))
    write = database.write

    def at_the_models_time(work: Any) -> Any:
        def timed(connection: Connection) -> Any:
            connection.exec_driver_sql(f"UPDATE shadow_clock SET seconds = {shown[0].wall}")
            return work(connection)

        return write(timed)

    for door in ("write", "read"):
        monkeypatch.setattr(database, door, at_the_models_time)
    return database


def test_no_order_of_events_breaks_the_ledger(machine: type[LedgerMachine], request: pytest.FixtureRequest) -> None:
    most = (300 if machine.database.is_sqlite else 100) if request.config.getoption("--long") else 60
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=most,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
