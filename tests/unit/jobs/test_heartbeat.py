"""How seldom a running job's row is written: counted by a trigger of the database, while jobs talk and are silent."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from glimmr.jobs import heartbeat, ledger
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database
from tests.unit.jobs.toys import Toy, history, put, row, take, work_off

TRIGGER = """
CREATE TRIGGER count_writes AFTER UPDATE ON jobs {each} WHEN (OLD.state = 'running' AND NEW.state = 'running') {do}
"""
SQLITE_DO = "BEGIN INSERT INTO writes VALUES (NEW.id); END"
POSTGRESQL_DO = "EXECUTE FUNCTION count_writes()"
POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION count_writes() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO writes VALUES (NEW.id); RETURN NULL; END $$
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


@pytest.fixture
def counted(database: Database) -> Iterator[Database]:
    database.write(count_writes)
    yield database
    on = "" if database.is_sqlite else " ON jobs"
    database.write(lambda c: c.exec_driver_sql(f"DROP TRIGGER count_writes{on}"))


def count_writes(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE writes (job BIGINT)")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(TRIGGER.format(each="", do=SQLITE_DO))
    else:
        connection.exec_driver_sql(POSTGRESQL_FUNCTION)
        connection.exec_driver_sql(TRIGGER.format(each="FOR EACH ROW", do=POSTGRESQL_DO))


def writes(database: Database) -> dict[int, int]:
    counted = "SELECT job, count(*) FROM writes GROUP BY job"
    return dict(database.read(lambda c: c.exec_driver_sql(counted).all()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "seconds"),
    [
        pytest.param(Terms(lease_seconds=6.0, patience_seconds=0.0), 6.0, id="short-lease"),
        pytest.param(Terms(patience_seconds=0.0), 41.0, id="real-lease", marks=pytest.mark.long),
    ],
)
def test_a_running_jobs_row_is_written_seldom_whether_it_talks_or_not(
    counted: Database, monkeypatch: pytest.MonkeyPatch, terms: Terms, seconds: float
) -> None:
    monkeypatch.setattr(heartbeat, "_CONTROL_SECONDS", terms.write_seconds / 5)

    async def do(job: Job, tell: Tell) -> Result:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if job.args["talks"]:
                tell(left=left)
            await asyncio.sleep(0.01)
        return Result(outcome=Outcome.OK)

    talker, silent = put(counted, *(NewJob(step="toy", args={"talks": talks}) for talks in (True, False)))
    asyncio.run(work_off(counted, {"toy": Toy(do)}, terms=terms))
    written = writes(counted)
    most = seconds / terms.write_seconds
    assert 0.3 * most <= written[talker] <= most
    assert 0.2 * most <= written[silent] <= 0.6 * most
    assert history(counted, talker) == history(counted, silent) == ["ok"]


def test_a_beat_leaves_out_leases_that_were_extended_a_moment_ago(database: Database) -> None:
    first, second = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(2)))
    stale, fresh = take(database, first, lease_seconds=20.0), take(database, second, lease_seconds=20.0)
    assert stale is not None
    assert fresh is not None
    database.write(lambda c: ledger.write_progress(c, [(fresh, {"bytes": 1})], 29.0))
    before = [row(database, job.id)["lease_until"] for job in (stale, fresh)]
    held = database.write(lambda c: ledger.beat(c, "w1", 30.0, fresh_seconds=5.0))
    after = [row(database, job.id)["lease_until"] for job in (stale, fresh)]
    assert {(one.id, one.epoch) for one in held} == {(first, 1), (second, 1)}
    assert after[0] - before[0] > 9.0
    assert after[1] == before[1]
    assert row(database, second)["progress"] == {"bytes": 1}


def test_a_beat_extends_a_lease_of_an_earlier_boot_however_late_it_ends(database: Database) -> None:
    (job_id,) = put(database, NewJob(step="toy"))
    take(database, job_id, lease_seconds=10_000.0)
    database.write(lambda c: c.exec_driver_sql("UPDATE jobs SET lease_era = 'an earlier boot'"))
    database.write(lambda c: ledger.beat(c, "w1", 30.0, fresh_seconds=5.0))
    assert database.read(lambda c: ledger.expired(c, 30.0)) == []
