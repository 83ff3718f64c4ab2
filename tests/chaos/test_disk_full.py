"""A full disk is this machine's fault: no file fails for it, `status` says so, and work goes on when there is space."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from glimmr.stores.database import Database, sqlite_url
from glimmr.world import serve_in_thread, world
from tests.support import line
from tests.support.audit import rows

SMALL, LARGE = "size=12m", "size=400m"
ALMOST_NOTHING_BYTES = 300_000
FULL_SECONDS, RECOVERS_WITHIN_SECONDS = 15.0, 30.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", SMALL, "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _free_bytes(folder: Path) -> int:
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


def _handed_back(data: Path) -> int:
    """Runs that ended because of this machine, so far; the ledger itself may not take a row meanwhile."""
    if not (data / "glimmr.sqlite").exists():
        return 0
    with closing(sqlite3.connect(f"file:{data}/glimmr.sqlite?mode=ro", uri=True)) as connection:
        try:
            query = "SELECT count(*) FROM attempts WHERE ended_as = 'handed_back'"
            return connection.execute(query).fetchone()[0]
        except sqlite3.OperationalError:
            return 0


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_run_waits_for_space_and_then_goes_on(
    small_disk: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    built = world(seed=5, n=40, mix="demo")
    fine = [file for file in built.files if file.script == "ok"]
    with serve_in_thread(built) as server:
        listed = line.write_list(tmp_path / "list.csv", [("H", "VT", f.hospitals[0], f.url) for f in fine])
        data = small_disk / "data"
        env = line.environment(server)
        process = subprocess.Popen(
            line.command("run", "--from", listed, "--data", data),
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 90
        while not (_handed_back(data) or _free_bytes(small_disk) < ALMOST_NOTHING_BYTES):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "the small disk never filled"
            time.sleep(0.05)
        time.sleep(FULL_SECONDS)
        assert process.poll() is None, process.communicate()[0]
        held_up = json.loads(line.glimmr("status", "--data", data, "--json", env=env, exit_code=None).stdout)
        subprocess.run(["mount", "-o", f"remount,{LARGE}", small_disk], check=True)
        healed = datetime.now(UTC)
        output, _ = process.communicate(timeout=200)
        assert process.returncode == 0, output
        told = line.summary("run", "--from", listed, "--data", data, env=env)
    assert {outcome["outcome"] for outcome in told["outcomes"]} == {"ok"}
    assert told["ours"] is False
    why = [held["message"] for held in held_up["held_up"]] + [held_up["scratch"]["fault"] or ""]
    assert any("free" in text or "space" in text for text in why), why
    assert line.leftovers(data) == []
    database = Database(sqlite_url(data / "glimmr.sqlite"))
    ended_as = {row["ended_as"] for row in rows(database, "SELECT DISTINCT ended_as FROM attempts")}
    finished = [
        _moment(row["finished_at"]) for row in rows(database, "SELECT finished_at FROM jobs WHERE outcome = 'ok'")
    ]
    stalled = rows(database, "SELECT id FROM jobs WHERE stalls > 0")
    database.close()
    recovery_seconds = min(moment - healed for moment in finished if moment > healed).total_seconds()
    record_property("full, s", FULL_SECONDS)
    record_property("first job finished after, s", recovery_seconds)
    assert ended_as <= {"ok", "handed_back", "unchanged"}
    assert stalled == []
    assert recovery_seconds <= RECOVERS_WITHIN_SECONDS
