"""The line as a fleet: processes on PostgreSQL, Redis and S3 or a shared folder; the same prices as on one machine."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr.stores.database import Connection, Database
from glimmr.world import Server, World, serve_in_thread, world
from tests.support import line
from tests.support.fleet import until
from tests.support.servers import PostgreSql, RedisServer


@pytest.fixture(scope="module")
def built() -> World:
    return world(seed=11, n=8, mix="demo")


@pytest.fixture
def server(built: World) -> Iterator[Server]:
    with serve_in_thread(built) as running:
        yield running


def urls(postgresql: PostgreSql, store: Path | str, redis_server: RedisServer | None) -> dict[str, str]:
    given = {"GLIMMR_DATABASE_URL": postgresql.url(), "GLIMMR_STORE_URL": str(store)}
    if redis_server is not None:
        redis_server.run("FLUSHALL")
        given["GLIMMR_REDIS_URL"] = redis_server.url
    return given


def workers_known(database: Database) -> int:
    def count(connection: Connection) -> int:
        has_schema = connection.exec_driver_sql("SELECT to_regclass('workers') IS NOT NULL").scalar_one()
        return connection.exec_driver_sql("SELECT count(*) FROM workers").scalar_one() if has_schema else 0

    return database.read(count)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("with_redis", "in_bucket"),
    [
        (True, True),
        pytest.param(True, False, marks=pytest.mark.long),
        pytest.param(False, False, marks=pytest.mark.long),
    ],
    ids=["redis and bucket", "redis and folder", "folder alone"],
)
def test_a_fleet_ends_as_the_world_knows_it_must(
    request: pytest.FixtureRequest,
    built: World,
    server: Server,
    postgresql: PostgreSql,
    redis_server: RedisServer,
    *,
    tmp_path: Path,
    with_redis: bool,
    in_bucket: bool,
) -> None:
    store = f"{request.getfixturevalue('bucket')}/glimmr" if in_bucket else tmp_path / "store"
    env = line.environment(server, **urls(postgresql, store, redis_server if with_redis else None))
    words = [word for state in sorted({h.state for h in built.hospitals}) for word in ("--state", state)]
    database = Database(env["GLIMMR_DATABASE_URL"])
    worker = subprocess.Popen(line.command("worker", "--data", tmp_path / "b"), env=env)
    try:
        until(lambda: workers_known(database) == 1)  # a run that begins before may do all by itself
        told = line.summary("run", *words, "--data", tmp_path / "a", env=env)
        assert worker.poll() is None
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0

    rows = database.read(lambda c: c.exec_driver_sql("SELECT url, outcome, reason FROM price_files").fetchall())
    assert {row[0]: (row[1], row[2]) for row in rows} == {
        file.url: (file.expect.outcome, file.expect.reason) for file in built.files
    }
    truth = {f.expect.sha256: f.expect.digest for f in built.files if f.expect.outcome == "ok"}
    published = line.digests(store)
    assert {file_id: published[file_id] for file_id in truth} == truth
    assert told["ours"] is False
    hands = database.read(lambda c: c.exec_driver_sql("SELECT DISTINCT worker FROM attempts").scalars().all())
    assert len(hands) == 2
    ended = database.read(lambda c: c.exec_driver_sql("SELECT DISTINCT ended_as FROM attempts").scalars().all())
    assert "rescued" not in ended
    assert workers_known(database) == 0
    database.close()
    assert (line.leftovers(store) if isinstance(store, Path) else line.strays(store, tmp_path / "copies")) == []
    assert line.summary("sql", "SELECT count(*) AS charges FROM charges", env=env)
    assert [path for path in (tmp_path / "a" / "scratch").rglob("*") if path.is_file()] == []


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_killed_worker_of_a_fleet_costs_nothing(
    built: World, server: Server, postgresql: PostgreSql, redis_server: RedisServer, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    env = line.environment(server, GLIMMR_LEASE_SECONDS="6", **urls(postgresql, store, redis_server))
    words = [word for state in sorted({h.state for h in built.hospitals}) for word in ("--state", state)]
    database = Database(env["GLIMMR_DATABASE_URL"])
    workers = [subprocess.Popen(line.command("worker", "--data", tmp_path / f"w{n}"), env=env) for n in range(2)]
    runner = subprocess.Popen(line.command("run", *words, "--data", tmp_path / "a"), env=env, stdout=subprocess.DEVNULL)
    try:
        for _ in range(4):
            time.sleep(4)
            workers[0].kill()
            workers[0].wait()
            workers.append(subprocess.Popen(line.command("worker", "--data", tmp_path / "again"), env=env))
            workers.pop(0)
        assert runner.wait(150) == 0
    finally:
        for process in [*workers, runner]:
            process.kill()
            process.wait()
    rows = database.read(lambda c: c.exec_driver_sql("SELECT url, outcome, reason FROM price_files").fetchall())
    assert {row[0]: (row[1], row[2]) for row in rows} == {
        file.url: (file.expect.outcome, file.expect.reason) for file in built.files
    }
    truth = {f.expect.sha256: f.expect.digest for f in built.files if f.expect.outcome == "ok"}
    published = line.digests(store)
    assert {file_id: published[file_id] for file_id in truth} == truth
    database.close()
