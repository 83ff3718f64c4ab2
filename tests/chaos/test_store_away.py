"""The object store goes away while a fleet works: nothing fails for good, nothing is charged, nobody hangs."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr.stores.database import Database
from glimmr.world import Server, World, serve_in_thread, world
from tests.support import line
from tests.support.servers import PostgreSql, S3Server

FREEZES = 2
FROZEN_SECONDS = 3.0


@pytest.fixture(scope="module")
def built() -> World:
    return world(seed=5, n=8, mix="clean")


@pytest.fixture
def server(built: World) -> Iterator[Server]:
    with serve_in_thread(built) as running:
        yield running


def published(database: Database) -> int:
    count = "SELECT count(*) FROM price_files WHERE current_file_id IS NOT NULL"
    return database.read(lambda c: c.exec_driver_sql(count).scalar()) or 0


def attempts(database: Database, where: str) -> list[str]:
    text = f"SELECT message FROM attempts WHERE {where}"
    return list(database.read(lambda c: c.exec_driver_sql(text).scalars().all()))


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_store_that_freezes_again_and_again_costs_no_file_an_attempt(
    built: World, server: Server, postgresql: PostgreSql, s3_server: S3Server, tmp_path: Path, *, bucket: str
) -> None:
    rows = [("H", "VT", ccn, file.url) for file in built.files for ccn in file.hospitals]
    listed = line.write_list(tmp_path / "list.csv", rows)
    store = f"{bucket}/glimmr"
    env = line.environment(
        server,
        GLIMMR_DATABASE_URL=postgresql.url(),
        GLIMMR_STORE_URL=store,
        GLIMMR_STORE_TIMEOUT_SECONDS="2",
        GLIMMR_PATIENCE_SECONDS="120",
    )
    run = subprocess.Popen(
        line.command("run", "--from", listed, "--data", tmp_path / "data"), env=env, stdout=subprocess.DEVNULL
    )
    database = Database(env["GLIMMR_DATABASE_URL"])
    try:
        for freeze in range(FREEZES):
            deadline = time.monotonic() + 60
            while not _began(database) or published(database) < freeze * 3:
                assert run.poll() is None or freeze > 0
                assert time.monotonic() < deadline, "the run does not go on"
                time.sleep(0.02)
            with s3_server.frozen():
                time.sleep(FROZEN_SECONDS)
        assert run.wait(150) == 0
    finally:
        run.kill()
        run.wait()
    outcomes = database.read(lambda c: c.exec_driver_sql("SELECT url, outcome, reason FROM price_files").fetchall())
    assert {row[0]: (row[1], row[2]) for row in outcomes} == {
        file.url: (file.expect.outcome, file.expect.reason) for file in built.files
    }
    assert line.digests(store) == {f.expect.sha256: f.expect.digest for f in built.files}
    assert line.strays(store, tmp_path / "copies") == []
    assert [said for said in attempts(database, "ended_as = 'handed_back'") if "answer in time" in said]
    assert attempts(database, "ended_as IN ('retry', 'rescued')") == []
    database.close()


def _began(database: Database) -> bool:
    tables = "SELECT to_regclass('attempts') IS NOT NULL"
    if not database.read(lambda c: c.exec_driver_sql(tables).scalar()):
        return False
    return bool(attempts(database, "ended_as = 'ok'"))
