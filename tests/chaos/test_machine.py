"""What a machine does to a run: its database file is locked by another program, its clock is set."""

import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glimmr.stores.database import Database, sqlite_url
from glimmr.world import File, Server, serve_in_thread, world
from tests.support import line
from tests.support.audit import audit, rows
from tests.support.fleet import until

LEASE_SECONDS = 3.0
RECOVERS_WITHIN_SECONDS = 30.0
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
# With the true monotonic clock under it libfaketime breaks `time.sleep`, on which nothing here depends.
WITHOUT_SLEEP = """
import threading, time
time.sleep = lambda seconds: threading.Event().wait(seconds)
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(world(seed=5, n=24, mix="clean")) as running:
        yield running


class Run:
    """`glimmr run` over a file that takes `seconds` to come home, and over others."""

    def __init__(self, server: Server, folder: Path, seconds: float, **settings: str) -> None:
        plain = [f for f in server.world.files if f.content.container == "plain" and f.expect.rates]
        self.files: list[File] = plain[:4]
        slow, *_ = self.files
        server.set_script(slow.url, f"drip(rate={int((slow.expect.size_bytes or 0) / seconds)})")
        listed = line.write_list(folder / "list.csv", [("H", "VT", "470001", file.url) for file in self.files])
        self.data = folder / "data"
        self.stalled: list[dict[str, object]] = []
        env = line.environment(server, GLIMMR_LEASE_SECONDS=str(LEASE_SECONDS), GLIMMR_MIN_RATE_BYTES="1", **settings)
        self.process = subprocess.Popen(
            line.command("run", "--from", listed, "--data", self.data),
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def is_downloading(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[0]
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.data}/glimmr.sqlite?mode=ro", uri=True)) as connection:
                query = "SELECT count(*) FROM jobs WHERE step = 'download' AND state = 'running'"
                return bool(connection.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return False

    @staticmethod
    def done(connection: sqlite3.Connection) -> int:
        return connection.execute("SELECT count(*) FROM jobs WHERE state = 'done'").fetchone()[0]

    def ended_as(self) -> set[str]:
        """How its runs ended, after it came to its end."""
        output, _ = self.process.communicate(timeout=200)
        assert self.process.returncode == 0, output
        database = Database(sqlite_url(self.data / "glimmr.sqlite"))
        found = {row["ended_as"] for row in rows(database, "SELECT ended_as FROM attempts")}
        self.stalled = rows(database, "SELECT id FROM jobs WHERE stalls > 0")
        database.close()
        assert audit(self.data, urls={file.url for file in self.files}) == []
        assert line.digests(self.data) == {file.expect.sha256: file.expect.digest for file in self.files}
        return found


@pytest.mark.timeout(200)
@pytest.mark.parametrize("seconds", [3 * LEASE_SECONDS, pytest.param(40.0, marks=pytest.mark.long)])
def test_a_database_file_locked_by_another_program_costs_a_run_only_time(
    server: Server, tmp_path: Path, seconds: float, record_property: Callable[[str, object], None]
) -> None:
    run = Run(server, tmp_path, 4.0)
    until(run.is_downloading)
    with contextlib.closing(sqlite3.connect(run.data / "glimmr.sqlite", isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = run.done(other)
        time.sleep(seconds)
        other.execute("ROLLBACK")
        recovery_seconds = until(lambda: run.done(other) > done)
    assert run.ended_as() == {"ok"}
    assert run.stalled == []
    record_property("locked, s", seconds)
    record_property("next job finished after, s", recovery_seconds)
    assert recovery_seconds <= RECOVERS_WITHIN_SECONDS


@pytest.mark.long
@pytest.mark.timeout(200)
@pytest.mark.skipif(not FAKETIME.exists(), reason="libfaketime is not installed (Debian: apt-get install faketime)")
@pytest.mark.parametrize("jump", ["+3600", "-3600", "+86400"])
def test_a_clock_that_is_set_costs_no_honest_run_its_lease(server: Server, tmp_path: Path, jump: str) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(WITHOUT_SLEEP)
    fake = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(tmp_path / "python"),
    }
    run = Run(server, tmp_path, 4 * LEASE_SECONDS, GLIMMR_DOWNLOADS="1", **fake)
    until(run.is_downloading)  # and others wait
    clock.write_text(f"{jump}\n")
    assert run.ended_as() == {"ok"}
