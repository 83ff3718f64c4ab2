"""The door to SQL on a real PostgreSQL: every fault of its server is waited out, every mistake is said at once."""

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import exc, literal, select, text

from glimmr.errors import DatabaseFault
from glimmr.jobs import tables as job_tables
from glimmr.stores import leadership, tables
from glimmr.stores.clock import lease_clock, lease_era, moment
from glimmr.stores.database import Connection, Database, migrate
from glimmr.stores.leadership import Leadership
from tests.support.servers import PostgreSql


@pytest.fixture
def database(postgresql: PostgreSql) -> Iterator[Database]:
    made = Database(postgresql.url(), patience_seconds=20.0)
    made.write(lambda c: c.execute(text("CREATE TABLE numbers (n INTEGER)")))
    yield made
    made.close()


def put(connection: Connection, n: int) -> None:
    connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": n})


def numbers(database: Database) -> list[int]:
    return database.read(lambda c: list(c.execute(text("SELECT n FROM numbers ORDER BY n")).scalars()))


def columns_and_indexes(url: str) -> set[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, is_identity FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
        ).fetchall()
        keys = connection.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype IN ('p', 'f', 'u') AND conname NOT LIKE 'alembic%'"
        ).fetchall()
        indexes = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename <> 'alembic_version'").fetchall()
    return {row for row in (*columns, *keys, *indexes) if "pg_" not in str(row[0])}


def test_the_migrations_make_exactly_the_tables_of_the_code(postgresql: PostgreSql) -> None:
    migrated, made = Database(postgresql.url()), Database(postgresql.url())
    migrate(migrated)
    migrate(migrated)
    for metadata in (tables.metadata, job_tables.metadata):
        made.write(metadata.create_all)
    both = [
        columns_and_indexes(one.url.set(drivername="postgresql").render_as_string(hide_password=False))
        for one in (migrated, made)
    ]
    migrated.close()
    made.close()
    assert both[0] == both[1]


def test_two_processes_may_migrate_at_once(postgresql: PostgreSql) -> None:
    url = postgresql.url()
    code = f"from glimmr.stores.database import *; migrate(Database({url!r}))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    database = Database(url)
    assert database.read(lambda c: c.execute(text("SELECT count(*) FROM alembic_version")).scalar()) == 1
    database.close()


def test_a_reader_cannot_write_and_sees_one_moment(database: Database) -> None:
    with pytest.raises(exc.DBAPIError, match="read-only"):
        database.read(lambda c: put(c, 1))

    def look(connection: Connection) -> tuple[int, int]:
        before = connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()
        database.write(lambda c: put(c, 1))
        return before, connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()

    assert database.read(look) == (0, 0)
    assert numbers(database) == [1]


@pytest.mark.parametrize(
    "hurt",
    [PostgreSql.restart, PostgreSql.terminate_backends, lambda server: (server.kill(), server.start())],
    ids=["restarted", "terminated", "killed"],
)
def test_a_server_that_went_away_meanwhile_costs_a_moment(
    database: Database, postgresql: PostgreSql, hurt: Callable[[PostgreSql], object]
) -> None:
    database.write(lambda c: put(c, 1))
    tries = list[int]()

    def work(connection: Connection) -> None:
        put(connection, 2)
        tries.append(1)
        if len(tries) == 1:
            hurt(postgresql)  # in the middle of the transaction
        put(connection, 3)

    started = time.monotonic()
    database.write(work)
    assert time.monotonic() - started < 10
    assert len(tries) == 2
    assert numbers(database) == [1, 2, 3]


def test_a_frozen_server_is_waited_for(database: Database, postgresql: PostgreSql) -> None:
    with postgresql.frozen():
        threading.Timer(1.0, postgresql.thaw).start()
        database.write(lambda c: put(c, 1))
    assert numbers(database) == [1]


def test_a_server_that_is_read_only_for_a_while_is_waited_for(database: Database, postgresql: PostgreSql) -> None:
    with postgresql.read_only():
        while True:
            try:
                Database(database.url.render_as_string(hide_password=False), patience_seconds=0).write(
                    lambda c: put(c, 6)
                )
            except DatabaseFault:
                break
        heal = threading.Timer(0.7, postgresql._set_read_only, ["off"])
        heal.start()
        database.write(lambda c: put(c, 7))
        heal.join()
    assert numbers(database)[-1] == 7


def test_connections_that_others_use_while_the_server_turns_read_only_are_closed_when_they_come_back(
    postgresql: PostgreSql,
) -> None:
    database = Database(postgresql.url(), patience_seconds=20.0)
    reading, go_on = threading.Event(), threading.Event()

    def read(connection: Connection) -> None:
        reading.set()
        go_on.wait(20)

    reader = threading.Thread(target=database.read, args=(read,))
    reader.start()
    assert reading.wait(20)
    with postgresql.read_only():
        heal = threading.Timer(0.7, postgresql._set_read_only, ["off"])
        heal.start()
        database.write(lambda c: c.exec_driver_sql("CREATE TABLE numbers (n INTEGER)"))
        heal.join()
    go_on.set()
    reader.join()
    database.close()
    gc.collect()  # an open connection that nobody has any more would complain, and fail this test


def test_too_many_connections_are_waited_for(postgresql: PostgreSql) -> None:
    database = Database(postgresql.url(), patience_seconds=20.0)
    taken: list[psycopg.Connection[tuple[object, ...]]] = []
    with pytest.raises(psycopg.OperationalError, match="too many clients"):
        while True:
            taken.append(psycopg.connect(postgresql.address()))

    def leave() -> None:
        for connection in taken:
            connection.close()

    threading.Timer(0.7, leave).start()
    assert database.write(lambda c: c.execute(text("SELECT 1")).scalar()) == 1
    database.close()


@pytest.mark.parametrize(("who", "what", "said"), [("nobody", "postgres", "role"), ("postgres", "nothing", "database")])
def test_a_connection_the_server_refuses_is_not_tried_again(
    postgresql: PostgreSql, who: str, what: str, said: str
) -> None:
    url = f"postgresql://{who}@127.0.0.1:{postgresql.port}/{what}"
    database, started = Database(url, patience_seconds=60.0), time.monotonic()
    with pytest.raises(DatabaseFault, match=f"{said} .* does not exist"):
        database.read(lambda c: None)
    assert time.monotonic() - started < 5
    database.close()


def test_the_urls_own_options_win_over_ours(postgresql: PostgreSql) -> None:
    database = Database(postgresql.address() + "?application_name=mine&options=-c%20lock_timeout%3D7s")
    names = ("application_name", "lock_timeout", "statement_timeout")
    said = database.read(lambda c: [c.execute(text(f"SHOW {name}")).scalar() for name in names])
    assert said == ["mine", "7s", "1min"]
    assert database.check() < 5
    database.close()
    with pytest.raises(DatabaseFault, match="does not answer"):
        Database("postgresql://nobody@127.0.0.1:1/x").check()


def test_leases_and_moments_are_the_servers(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = select(lease_clock(literal(10.0)), lease_era(), moment(literal(0.0)))
    before = database.read(lambda c: c.execute(asked).one())
    monkeypatch.setattr(time, "time", lambda: 0.0)
    after = database.read(lambda c: c.execute(asked).one())
    assert 0 <= after[0] - before[0] < 5
    assert before[1] == after[1] == "server"
    assert abs(before[2].timestamp() - (before[0] - 10)) < 5


def test_one_of_many_leads_and_another_when_it_falls_silent(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "_SILENCE_SECONDS", 1)
    monkeypatch.setattr(leadership, "_TRY_SECONDS", 0.0)
    monkeypatch.setattr(leadership, "_PING_SECONDS", 0.1)
    first, second = Leadership(database), Leadership(database)
    assert [first.is_mine(), second.is_mine()] == [True, False]
    until = time.monotonic() + 10
    while not second.is_mine():  # the first says nothing all the while, as a frozen process does
        assert time.monotonic() < until
        threading.Event().wait(0.05)
    assert not first.is_mine()
    second.let_go()
    assert first.is_mine()
    first.let_go()


def test_a_leader_whose_database_was_restarted_leads_again(
    database: Database, postgresql: PostgreSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "_TRY_SECONDS", 0.0)
    monkeypatch.setattr(leadership, "_PING_SECONDS", 0.0)
    leader = Leadership(database)
    assert leader.is_mine()
    postgresql.restart()
    assert [leader.is_mine() for _ in range(3)][-1]
    leader.let_go()
