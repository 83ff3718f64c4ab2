"""`glimmr doctor` and a worker at work, on a data folder that somebody damaged: the real programs."""

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from glimmr import app
from glimmr.jobs import ledger
from glimmr.jobs.job import NewJob
from glimmr.settings import load
from glimmr.stores.database import Database
from glimmr.stores.folder_lock import holder
from tests.support import http_server, line
from tests.support.http_server import HttpServer
from tests.support.servers import PostgreSql

_HEADER = (
    "description,code|1,code|1|type,setting,standard_charge|gross,payer_name,plan_name,"
    "standard_charge|negotiated_dollar,standard_charge|methodology"
)
ENV = line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1")


def price_file(items: int) -> bytes:
    lines = (f"Item {n},9{n:04},CDM,outpatient,{100 + n},Payer,Plan,{n}.50,fee schedule" for n in range(1, items))
    return "\n".join((_HEADER, *lines, "")).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer({f"/{n}": http_server.answer(price_file(10 + n)) for n in range(2)}) as running:
        yield running


@pytest.fixture(scope="module")
def before(server: HttpServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two published files."""
    folder = tmp_path_factory.mktemp("before")
    rows = [(f"Hospital {n}", "VT", f"47000{n}", server.url(f"/{n}")) for n in range(2)]
    line.summary("run", "--from", line.write_list(folder / "list.csv", rows), "--data", folder / "data", env=ENV)
    return folder / "data"


@pytest.fixture
def data(before: Path, tmp_path: Path) -> Path:
    """A copy in which an object of charges is gone, one file has lost its job, and nobody noticed yet."""
    data = tmp_path / "data"
    shutil.copytree(before, data)
    min((data / "lake" / "charges").glob("??/*.parquet")).unlink()
    with closing(sqlite3.connect(data / "glimmr.sqlite")) as connection, connection:
        connection.execute("UPDATE price_files SET state = 'working' WHERE url LIKE '%/1'")
    return data


def doctor(data: Path, *words: str, exit_code: int) -> dict[str, list[dict[str, Any]]]:
    """What is wrong, by invariant."""
    said = line.glimmr("doctor", *words, "--json", "--data", data, env=ENV, exit_code=exit_code).stdout
    return {told["invariant"]: told["violations"] for told in json.loads(said) if told["violations"]}


def jobs(data: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(data / "glimmr.sqlite")) as connection:
        return connection.execute("SELECT step, state FROM jobs ORDER BY id").fetchall()


def test_nothing_is_wrong_after_a_run(before: Path) -> None:
    said = line.glimmr("doctor", "--data", before, env=ENV).stdout
    assert said.startswith("nothing is wrong: ")


def test_the_doctor_says_what_is_wrong_and_changes_nothing(data: Path) -> None:
    put = jobs(data)
    found = doctor(data, exit_code=1)
    assert {name: len(wrong) for name, wrong in found.items()} == {"file_on_its_way": 1, "table_as_catalog": 1}
    said = line.glimmr("doctor", "--data", data, env=ENV, exit_code=1).stdout
    assert "file_on_its_way: a file that is `working` has a live job that leads to its end" in said
    assert "  cure: the job is put" in said
    assert "2 wrong: " in said
    assert jobs(data) == put


def test_the_doctor_repairs_what_is_wrong_and_says_so(before: Path, data: Path) -> None:
    said = line.glimmr("doctor", "--fix", "--data", data, env=ENV).stdout
    assert "2 repaired; the next run or worker does the jobs that were put" in said
    line.glimmr("worker", "--drain", "--data", data, env=ENV)
    assert doctor(data, exit_code=0) == {}
    assert line.whole_digest(data) == line.whole_digest(before)
    status = line.summary("status", "--data", data, env=ENV)
    assert {one["name"]: one["repaired"] for one in status["repairs"]} == {"file_on_its_way": 1, "table_as_catalog": 1}
    said = line.glimmr("status", "--data", data, env=ENV).stdout
    assert "repaired so far: 1 file_on_its_way, 1 table_as_catalog" in said


def test_a_folder_with_nothing_in_it_is_said(tmp_path: Path) -> None:
    assert "there is nothing in" in line.glimmr("doctor", "--data", tmp_path, env=ENV, exit_code=2).stderr
    assert list(tmp_path.iterdir()) == []


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_at_work_repairs_by_itself_and_nobody_else_may(before: Path, data: Path) -> None:
    worker = subprocess.Popen(line.command("worker", "--data", data), env=ENV)
    try:
        until(lambda: holder(data) == worker.pid)
        refused = line.glimmr("doctor", "--fix", "--data", data, env=ENV, exit_code=2).stderr
        assert f"process {worker.pid} works in" in refused
        assert "repairs by itself" in refused
        until(lambda: not under_way(data) and not lost(data))
        until(lambda: line.whole_digest(data) == line.whole_digest(before))
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0


def test_the_doctor_of_a_fleet_calls_nobody_dead_before_it_is_sure(postgresql: PostgreSql, tmp_path: Path) -> None:
    settings = load(
        data=tmp_path / "data",
        database_url=postgresql.emptied_url(),
        store_url=str(tmp_path / "store"),
        lease_seconds=3.0,
        min_free_bytes=1,
    )
    database = Database(settings.database_url)
    scan = NewJob(step="scan", args={"source": "pra", "place": "VT", "refresh": False})
    (job_id,) = database.write(lambda c: ledger.enqueue(c, [scan])).values()
    job = database.write(lambda c: ledger.claim(c, job_id, owner="w", lease_seconds=-1, connections_per_host=2))
    assert job is not None
    examined, remaining = app.doctor(settings, fix=False)
    assert [told["invariant"] for told in examined if told["violations"]] == ["live_lease"]
    assert remaining == 1
    began = time.monotonic()
    _, remaining = app.doctor(settings, fix=True)
    assert (remaining, time.monotonic() - began > 3.0) == (0, True)
    assert [attempt.ended_as for attempt in database.read(lambda c: ledger.history(c, job_id))] == ["rescued"]
    database.close()


@pytest.mark.long
def test_what_breaks_while_a_worker_is_at_work_is_repaired_within_a_minute(data: Path) -> None:
    worker = subprocess.Popen(line.command("worker", "--data", data), env=ENV)
    try:
        until(lambda: not under_way(data))
        with closing(sqlite3.connect(data / "glimmr.sqlite")) as connection, connection:
            connection.execute("UPDATE price_files SET state = 'working'")
        until(lambda: not under_way(data))
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0


def lost(data: Path) -> list[str]:
    """Objects that the table names and that are not there."""
    named = (uri.removeprefix("file://") for table in line.TABLES for uri in line.uris(data, table))
    return [path for path in named if not Path(path).exists()]


def under_way(data: Path) -> list[str]:
    with closing(sqlite3.connect(data / "glimmr.sqlite")) as connection:
        return [url for (url,) in connection.execute("SELECT url FROM price_files WHERE state = 'working'")]
