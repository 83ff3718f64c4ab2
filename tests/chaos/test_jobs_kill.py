"""A process at work is killed again and again; what it was doing is done exactly once all the same."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from glimmr.jobs import ledger
from glimmr.jobs.job import NewJob
from glimmr.stores.database import Database, migrate, sqlite_url

ROOT = Path(__file__).parents[2]
JOBS = 50


def _start(folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    command = [sys.executable, "-m", "tests.chaos.toy_worker", str(folder)]
    return subprocess.Popen(command, env=environment, start_new_session=True)


def _effects(database: Database) -> int:
    return database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM effects").scalar()) or 0


@pytest.mark.timeout(120)
def test_every_job_of_a_process_killed_again_and_again_has_its_effect_exactly_once(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "glimmr.sqlite"))
    migrate(database)
    database.write(lambda c: c.exec_driver_sql("CREATE TABLE effects (step TEXT, n INTEGER)"))
    database.write(lambda c: ledger.enqueue(c, [NewJob(step="first", args={"n": n}) for n in range(JOBS)]))
    dice, killed = random.Random(7), 0
    for _ in range(5):
        done = _effects(database)
        with _start(tmp_path) as worker:
            while _effects(database) < min(done + 8, 2 * JOBS - 10) and worker.poll() is None:
                time.sleep(0.01)
            time.sleep(dice.uniform(0, 0.1))
            killed += worker.poll() is None
            worker.kill()
    assert killed == 5
    with _start(tmp_path) as worker:
        assert worker.wait(60) == 0
    rows = database.read(lambda c: [tuple(row) for row in c.exec_driver_sql("SELECT step, n FROM effects")])
    assert sorted(rows) == sorted((step, n) for step in ("first", "second") for n in range(JOBS))
    counts = {(c["step"], c["state"]): c["jobs"] for c in database.read(ledger.counts)}
    assert counts == {("first", "done"): JOBS, ("second", "done"): JOBS}
    ended = database.read(lambda c: c.exec_driver_sql("SELECT DISTINCT ended_as FROM attempts").scalars().all())
    assert set(ended) == {"ok", "handed_back"}
    database.close()
