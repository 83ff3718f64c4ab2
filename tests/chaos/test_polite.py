"""What hosts see of several processes that download for one ledger: how often, and by how many connections at once."""

import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from glimmr.jobs import ledger
from glimmr.jobs.job import NewJob
from glimmr.model import Found, Hospital
from glimmr.pipeline.download_step import download_job
from glimmr.stores import catalog
from glimmr.stores.database import Connection, Database
from glimmr.world import Server, World, serve_in_thread, world
from tests.support import line
from tests.support.fleet import until
from tests.support.http_server import HttpServer, redirect
from tests.support.known import remember

ILL, VENDOR = "files.vendor1.test", "files.vendor2.test"
HOSPITAL = Hospital(hospital_id="470001", ccn="470001", name="St. Mary", state="VT")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def files_at(world_: World, hosts: dict[str, int]) -> World:
    """That world with so many files at each of these hosts."""
    contents = itertools.cycle(world_.files)
    files = [
        replace(next(contents), url=f"http://{host}/f{n}.csv", script="ok")
        for host, count in hosts.items()
        for n in range(count)
    ]
    return replace(world_, files=tuple(files))


@contextlib.contextmanager
def workers(count: int, url: str, folder: Path, server: Server, **settings: str) -> Iterator[None]:
    """So many processes at work; they end when nothing is left to do, which is waited for."""
    command = [sys.executable, "-m", "tests.chaos.download_worker", url, str(folder)]
    env = line.environment(server, **settings)
    processes = [subprocess.Popen(command, env=env, cwd=Path(__file__).parents[2]) for _ in range(count)]
    try:
        yield
        assert [process.wait(60) for process in processes] == [0] * count
    finally:
        for process in processes:
            process.kill()
            process.wait()


def put(database: Database, urls: Sequence[str]) -> None:
    found = [Found(hospital=HOSPITAL, url=url, source="listing") for url in urls]
    keys = database.write(lambda c: remember(c, found, datetime.now(UTC)))
    for key in keys:
        database.write(lambda c, key=key: ledger.enqueue(c, [_job(c, key)]))


def _job(connection: Connection, key: str) -> NewJob:
    address = catalog.address(connection, key)
    assert address is not None
    return download_job(address)


def jobs(database: Database) -> list[dict[str, Any]]:
    return database.read(lambda c: ledger.listing(c, step="download", most=1000))


def downloaded(database: Database, host: str) -> int:
    query = f"SELECT count(*) FROM jobs WHERE step = 'download' AND host = '{host}' AND state = 'done'"
    return database.read(lambda c: c.exec_driver_sql(query).scalar_one())


def failures(server: Server) -> list[float]:
    """When the ill host was asked in vain."""
    return [entry["t"] for entry in server.log if entry["host"] == ILL and entry["status"] == 0]


# `scale` is that of the minute a host is down, and of its rests alike.
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("count", "scale"), [(50, 0.02), pytest.param(200, 0.05, marks=pytest.mark.long)])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_host_that_is_down_is_probed_once_a_rest_while_all_others_go_on(
    database: Database, database_url: str, tmp_path: Path, count: int, scale: float
) -> None:
    others = {f"h{n}.hospital.test": count // 20 for n in range(6)}
    built = files_at(world(seed=5, n=4, mix="load"), {ILL: count} | others)
    with (
        serve_in_thread(built) as server,
        workers(2, database_url, tmp_path, server, GLIMMR_RETRY_SCALE=str(scale), GLIMMR_MAX_ATTEMPTS="14"),
    ):
        put(database, [file.url for file in built.files if file.host == ILL])
        until(lambda: downloaded(database, ILL) >= count // 10)
        server.set_down(ILL, down=True)
        went_down = time.monotonic()
        put(database, [file.url for file in built.files if file.host != ILL])
        until(lambda: all(downloaded(database, host) == most for host, most in others.items()), 30)
        until(lambda: time.monotonic() - went_down > 60 * scale and len(failures(server)) >= 6)  # five, and a probe
        assert downloaded(database, ILL) < count
        server.set_down(ILL, down=False)
        until(lambda: downloaded(database, ILL) == count, 60)

    failed = failures(server)
    close = [later - earlier for earlier, later in itertools.pairwise(failed) if later - earlier < 0.9 * 30 * scale]
    assert len(close) <= 7  # five failures send it to rest, and libcurl repeats what an idle connection swallowed
    assert all(entry["status"] == 200 for entry in server.log if entry["host"] != ILL)
    rows = jobs(database)
    assert {(row["state"], row["attempt"]) for row in rows if row["host"] != ILL} == {("done", 1)}
    assert {row["state"] for row in rows} == {"done"}
    assert server.peak_connections[ILL] <= 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_url", [pytest.param("sqlite", marks=pytest.mark.long), "postgresql"], indirect=True)
def test_three_processes_are_never_more_connections_to_a_host_than_the_setting_vendors_behind_redirects_included(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    hosts = {VENDOR: 30} | {f"h{n}.hospital.test": 2 for n in range(5)}
    built = files_at(world(seed=6, n=4, mix="load"), hosts)
    fronts = {f"/f{n}": redirect(f"http://{VENDOR}/f{n}.csv") for n in range(15)}
    with HttpServer(fronts) as front, serve_in_thread(built) as server:
        to = f"*.front.test=127.0.0.1:{front.port},*=127.0.0.1:{server.port}"
        put(database, [f"http://h{n}.front.test/f{n}" for n in range(15)])
        put(database, [file.url for file in built.files])
        with workers(3, database_url, tmp_path, server, GLIMMR_CONNECT_TO=to, GLIMMR_DOWNLOADS="4"):
            pass
        assert len(front.requests) == 15
    rows = jobs(database)
    assert {(row["state"], row["attempt"]) for row in rows} == {("done", 1)}
    assert len(rows) == 55
    owners = database.read(lambda c: c.exec_driver_sql("SELECT DISTINCT worker FROM attempts").all())
    assert len(owners) > 1  # how the three share the work is theirs
    assert server.peak_connections[VENDOR] == 2
    assert max(server.peak_connections.values()) == 2
