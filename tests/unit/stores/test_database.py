"""The door to SQL, its migrations, and the lock on its folder."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import exc, func, literal, select, text

from glimmr.errors import DatabaseFault, DiskFull, UsageError
from glimmr.jobs import tables as job_tables
from glimmr.stores import clock, tables
from glimmr.stores.clock import lease_clock, lease_era, moment
from glimmr.stores.database import Connection, Database, classify, migrate, sqlite_url
from glimmr.stores.folder_lock import FolderLock, holder


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(sqlite_url(tmp_path / "glimmr.sqlite"), patience_seconds=5.0)
    made.write(lambda c: c.execute(text("CREATE TABLE numbers (n INTEGER)")))
    yield made
    made.close()


def put(connection: Connection, n: int) -> None:
    connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": n})


def numbers(database: Database) -> list[int]:
    return database.read(lambda c: list(c.execute(text("SELECT n FROM numbers ORDER BY n")).scalars()))


def test_what_is_written_is_read(database: Database) -> None:
    assert database.write(lambda c: put(c, 1) or "said") == "said"
    assert numbers(database) == [1]


def test_work_that_raises_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        put(connection, 1)
        raise KeyError("no")

    with pytest.raises(KeyError):
        database.write(work)
    assert numbers(database) == []


def test_a_schema_change_that_raises_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (n INTEGER)"))
        raise KeyError("no")

    with pytest.raises(KeyError):
        database.write(work)
    tables_there = database.read(lambda c: c.execute(text("SELECT name FROM sqlite_master")).scalars().all())
    assert "half" not in tables_there


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(exc.OperationalError, match="readonly"):
        database.read(lambda c: put(c, 1))
    assert numbers(database) == []


def test_a_reader_sees_one_moment_while_others_write(database: Database) -> None:
    def look(connection: Connection) -> tuple[int, int]:
        before = connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()
        database.write(lambda c: put(c, 1))
        return before, connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()

    assert database.read(look) == (0, 0)
    assert numbers(database) == [1]


def test_many_threads_write_without_losing_anything(database: Database) -> None:
    other = Database(database.url.render_as_string())
    threads = [
        threading.Thread(target=lambda n=n: [(database, other)[n % 2].write(lambda c: put(c, n)) for _ in range(25)])
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert len(numbers(database)) == 150


def test_a_write_that_reads_first_has_its_turn_from_the_start(database: Database) -> None:
    """Two deferred transactions that both read and then write cannot both go on: one would be thrown away."""
    both = [Database(database.url.render_as_string(), patience_seconds=0) for _ in range(2)]
    entered, go_on = [threading.Event(), threading.Event()], threading.Event()

    def slow(connection: Connection, n: int) -> None:
        numbers_now = connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()
        entered[n].set()
        go_on.wait(10)
        put(connection, numbers_now)

    threads = [threading.Thread(target=lambda n=n: both[n].write(lambda c: slow(c, n))) for n in range(2)]
    threads[0].start()
    assert entered[0].wait(10)
    threads[1].start()
    assert not entered[1].wait(0.3)
    go_on.set()
    for thread, one in zip(threads, both, strict=True):
        thread.join()
        one.close()
    assert numbers(database) == [0, 1]


def _locked_by(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    raw.execute("BEGIN IMMEDIATE")
    return raw


def test_a_locked_database_is_waited_for(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimmr.stores.database._BUSY_TIMEOUT_SECONDS", 0.05)
    tried = Database(database.url.render_as_string(), patience_seconds=20.0)
    lock = _locked_by(tmp_path / "glimmr.sqlite")
    threading.Timer(0.5, lock.rollback).start()
    tried.write(lambda c: put(c, 7))
    lock.close()
    tried.close()
    assert numbers(database) == [7]


def test_a_database_that_stays_locked_is_a_fault_of_this_machine(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glimmr.stores.database._BUSY_TIMEOUT_SECONDS", 0.05)
    tried = Database(database.url.render_as_string(), patience_seconds=0.3)
    lock = _locked_by(tmp_path / "glimmr.sqlite")
    started = time.monotonic()
    with pytest.raises(DatabaseFault, match="locked"):
        tried.write(lambda c: put(c, 7))
    assert 0.3 <= time.monotonic() - started < 5
    lock.close()
    tried.close()


def test_closing_ends_the_waiting(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimmr.stores.database._BUSY_TIMEOUT_SECONDS", 0.05)
    tried = Database(database.url.render_as_string(), patience_seconds=None)
    lock = _locked_by(tmp_path / "glimmr.sqlite")
    threading.Timer(0.3, tried.close).start()
    with pytest.raises(DatabaseFault):
        tried.write(lambda c: put(c, 7))
    lock.close()


def test_a_full_disk_is_named_and_what_is_there_stays_readable(database: Database) -> None:
    database.write(lambda c: put(c, 1))
    tried = Database(database.url.render_as_string(), patience_seconds=0.2)

    def fill(connection: Connection) -> None:
        connection.execute(text("PRAGMA max_page_count = 3"))
        for _ in range(1000):
            connection.execute(text("INSERT INTO numbers SELECT n FROM numbers LIMIT 1000"))

    with pytest.raises(DiskFull, match="free some space"):
        tried.write(fill)
    tried.close()
    assert numbers(database) == [1]


def test_a_file_that_is_no_database_is_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "bad.sqlite").write_bytes(b"no database at all " * 100)
    broken = Database(sqlite_url(tmp_path / "bad.sqlite"), patience_seconds=60)
    started = time.monotonic()
    with pytest.raises(DatabaseFault, match="not a database"):
        broken.write(lambda c: put(c, 1))
    broken.close()
    assert time.monotonic() - started < 5


def test_a_mistake_of_ours_is_not_called_the_databases_fault(database: Database) -> None:
    with pytest.raises(exc.OperationalError):
        database.write(lambda c: c.execute(text("SELECT * FROM nowhere")))


@pytest.mark.parametrize("url", ["mysql://a/b", "://", "oracle://x"])
def test_a_url_of_no_known_database_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        Database(url)


class _PostgresError(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("from the server")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (exc.OperationalError("", None, _PostgresError("57P01")), DatabaseFault),  # restarted by its operator
        (exc.OperationalError("", None, _PostgresError("08006")), DatabaseFault),
        (exc.OperationalError("", None, _PostgresError("53300")), DatabaseFault),  # too many connections
        (exc.OperationalError("", None, _PostgresError("53100")), DiskFull),
        (exc.InternalError("", None, _PostgresError("25006")), DatabaseFault),  # read-only
        (exc.OperationalError("", None, _PostgresError("40P01")), DatabaseFault),  # deadlock
        (exc.DBAPIError("", None, _PostgresError("40001")), DatabaseFault),
        (exc.OperationalError("", None, _PostgresError(None)), DatabaseFault),  # an outage leaves no SQLSTATE
        (exc.DBAPIError("", None, _PostgresError(None), connection_invalidated=True), DatabaseFault),
        (exc.TimeoutError(), DatabaseFault),
        (exc.IntegrityError("", None, _PostgresError("23505")), None),
        (exc.ProgrammingError("", None, _PostgresError("42P01")), None),
        (exc.DataError("", None, _PostgresError("22001")), None),
        (exc.ArgumentError(), None),
    ],
)
def test_the_servers_faults_are_told_from_ours(error: exc.SQLAlchemyError, expected: type[Exception] | None) -> None:
    fault, passing = classify(error)
    assert type(fault) is expected if expected else fault is None
    assert passing is (expected is not None)


def test_the_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "100% new.sqlite"))
    migrate(database)
    migrate(database)
    difference = database.read(
        lambda c: compare_metadata(MigrationContext.configure(c), [tables.metadata, job_tables.metadata])
    )
    database.close()
    assert difference == []


def test_two_processes_may_migrate_at_once(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "new.sqlite")
    code = f"from glimmr.stores.database import *; migrate(Database({url!r}))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    database = Database(url)
    assert database.read(lambda c: c.execute(text("SELECT count(*) FROM alembic_version")).scalar()) == 1
    database.close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "new.sqlite"))
    migrate(database)
    database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(UsageError, match="another version"):
        migrate(database)
    database.close()


def test_moments_are_compared_with_stored_ones(database: Database) -> None:
    now = datetime.now(UTC)
    database.write(tables.hosts.create)
    row = {"host": "a.test", "slots_in_use": 0, "breaker": "open", "until": now + timedelta(seconds=60)}
    database.write(lambda c: c.execute(tables.hosts.insert(), row))

    def open_at(seconds: float) -> bool:
        later = select(func.count()).where(tables.hosts.c.until > moment(literal(seconds)))
        return bool(database.read(lambda c: c.execute(later).scalar()))

    assert open_at(0)
    assert open_at(50)
    assert not open_at(61)


def test_leases_are_measured_on_a_clock_nobody_sets(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = select(lease_clock(literal(10.0)), lease_era())
    before = database.read(lambda c: c.execute(asked).one())
    monkeypatch.setattr(time, "time", lambda: 0.0)
    after = database.read(lambda c: c.execute(asked).one())
    assert 0 <= after[0] - before[0] < 5
    assert abs(before[0] - 10 - clock.boot_seconds()) < 5
    assert before[1] == after[1] == clock.boot_id()


HOLD = """
import sys, time
from pathlib import Path
from glimmr.stores.folder_lock import FolderLock
lock = FolderLock.take(Path(sys.argv[1]))
print("held" if lock else "refused", flush=True)
time.sleep(60)
"""


def test_one_process_works_in_a_folder_and_a_second_learns_which(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert holder(tmp_path) is None
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        assert FolderLock.take(tmp_path) is None
        assert holder(tmp_path) == first.pid
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert holder(tmp_path) is None
        with FolderLock.take(tmp_path) or pytest.fail("the lock of a dead process holds") as lock:
            assert holder(tmp_path) == os.getpid()
            lock.release()
            assert holder(tmp_path) is None


def test_a_lock_makes_its_folder(tmp_path: Path) -> None:
    lock = FolderLock.take(tmp_path / "a" / "b")
    assert lock is not None
    lock.release()
    lock.release()
    assert (tmp_path / "a" / "b").is_dir()


def test_a_database_that_does_not_answer_is_told_without_a_link_to_a_librarys_pages(tmp_path: Path) -> None:
    (tmp_path / "glimmr.sqlite").write_bytes(b"no database at all" * 999)
    with pytest.raises(DatabaseFault, match=r"glimmr\.sqlite does not answer: file is not a database$"):
        Database(sqlite_url(tmp_path / "glimmr.sqlite")).check()


def test_a_file_that_is_taken_away_is_missed_and_so_is_another_in_its_place(database: Database, tmp_path: Path) -> None:
    database.write(lambda c: put(c, 1))
    file, away = tmp_path / "glimmr.sqlite", tmp_path / "away"
    looks = Database(sqlite_url(file), patience_seconds=0.0)
    looks.check()
    file.rename(away)
    with pytest.raises(DatabaseFault, match=r"its file .*glimmr\.sqlite is gone"):
        looks.check()
    with pytest.raises(DatabaseFault, match="unable to open"):
        looks.read(lambda _: numbers(looks))  # which needs a second connection
    assert not file.exists(), "an empty one was made"
    file.touch()
    with pytest.raises(DatabaseFault, match="is not the one that was opened"):
        looks.check()
    away.rename(file)
    looks.check()
    assert numbers(looks) == [1]
    looks.close()
