"""A fleet of three whose workers are killed again and again, and then all at once: everything is done, and soon."""

import random
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from glimmr.world import serve_in_thread, world
from tests.support import line
from tests.support.fleet import Fleet, has_ended, thaw, until
from tests.support.servers import PostgreSql, RedisServer

FILES, WORKERS = 300, 3
AGAIN_SECONDS = 60.0

Killed = list[tuple[int, int, datetime]]  # job, its last epoch, when


def kill_one(fleet: Fleet, victim: int) -> Killed:
    """Kill a worker, and start another in its place, as whatever watches over processes does."""
    moment = datetime.now(UTC)
    lost = fleet.kill(fleet.processes[victim])
    fleet.processes[victim] = fleet.start("worker")
    fleet.processes.pop()
    if not lost:
        return []
    ids = ",".join(map(str, lost))
    return [(row["id"], row["epoch"], moment) for row in fleet.rows(f"SELECT id, epoch FROM jobs WHERE id IN ({ids})")]


def kill_all(fleet: Fleet) -> Killed:
    """Kill every process at one moment, one in which jobs run: what they run is known before anything moves again."""

    def were_at_work() -> bool:
        for process in fleet.processes:
            process.send_signal(signal.SIGSTOP)
        if fleet.count("SELECT count(*) FROM jobs WHERE state = 'running'"):
            return True
        for process in fleet.processes:
            thaw(process)
        return False

    until(were_at_work)
    moment = datetime.now(UTC)
    lost = [job for process in fleet.processes for job in fleet.kill(process)]
    running = fleet.rows("SELECT id, epoch FROM jobs WHERE state = 'running'")
    fleet.processes.clear()
    return [(row["id"], row["epoch"], moment) for row in running if row["id"] in lost]


def waits_of(fleet: Fleet, killed: Killed) -> tuple[list[float], list[float]]:
    """How long after its kill each job was rescued, and how long after its kill it began to run again."""
    runs = {(run["job_id"], run["number"]): run for run in fleet.rows("SELECT * FROM attempts")}
    rescued = [(runs[job, epoch]["ended_at"] - moment).total_seconds() for job, epoch, moment in killed]
    again = [(runs[job, epoch + 1]["started_at"] - moment).total_seconds() for job, epoch, moment in killed]
    return rescued, again


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_job_of_a_killed_worker_runs_again_within_a_minute(
    postgresql: PostgreSql, redis_server: RedisServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    built, dice = world(seed=3, n=310, mix="load"), random.Random(7)
    assert len(built.files) >= FILES
    rows = [("H", "VT", ccn, file.url) for file in built.files for ccn in file.hospitals]
    listed = line.write_list(tmp_path / "list.csv", rows)
    killed: Killed = []
    with (
        serve_in_thread(built) as server,
        Fleet(tmp_path, server, postgresql, redis_server, GLIMMR_PARSES="1") as fleet,
    ):
        for _ in range(WORKERS):
            fleet.start("worker")
        until(lambda: fleet.count("SELECT count(*) FROM workers") == WORKERS)
        began = time.monotonic()
        put = fleet.start("run", "--from", listed, GLIMMR_PATIENCE_SECONDS="0")
        until(lambda: fleet.count("SELECT count(*) FROM jobs WHERE state = 'done'") > 20, 120)
        fleet.processes.remove(put)
        put.terminate()  # it has put the jobs; the workers do the rest
        put.wait()
        while fleet.count("SELECT count(*) FROM price_files WHERE state = 'done'") < 0.6 * len(built.files):
            time.sleep(dice.uniform(3, 8))
            killed += kill_one(fleet, dice.randrange(WORKERS))
        kills_of_one = len(killed)

        at_once = kill_all(fleet)
        killed += at_once
        done = fleet.count("SELECT count(*) FROM jobs WHERE state = 'done'")
        for _ in range(WORKERS):
            fleet.start("worker")
        goes_on = until(lambda: fleet.count("SELECT count(*) FROM jobs WHERE state = 'done'") > done)
        until(fleet.is_idle, 600)
        seconds = time.monotonic() - began
        fleet.end(*fleet.processes)
        assert not any(process.poll() for process in fleet.processes)

        rescues, waits = waits_of(fleet, killed)
        for name, value in (
            ("files", len(built.files)),
            ("jobs of killed workers", len(killed)),
            ("of single kills", kills_of_one),
            ("of the kill of the whole", len(at_once)),
            ("longest wait for the rescue, s", max(rescues, default=0.0)),
            ("longest wait for the next run, s", max(waits, default=0.0)),
            ("goes on after the whole was killed, s", goes_on),
            ("whole run, s", seconds),
        ):
            record_property(name, value)
        assert kills_of_one >= 5
        assert at_once
        assert max(waits) <= AGAIN_SECONDS, sorted(zip(rescues, waits, killed, strict=True), key=str)
        assert goes_on <= AGAIN_SECONDS
        ended = {row["ended_as"] for row in fleet.rows("SELECT DISTINCT ended_as FROM attempts")}
        assert ended <= {"ok", "rescued", "handed_back", "unchanged", "cancelled"}
        assert fleet.audit(urls={file.url for file in built.files}) == []
        assert line.digests(fleet.store) == {file.expect.sha256: file.expect.digest for file in built.files}


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_file_whose_workers_die_of_it_is_poison_and_no_other_is(
    postgresql: PostgreSql, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    built = world(seed=5, n=4, mix="load")
    with (
        serve_in_thread(built) as server,
        Fleet(tmp_path, server, postgresql, None, GLIMMR_LEASE_SECONDS="2", GLIMMR_PARSES="1") as fleet,
    ):
        evil, *fine = {f.expect.sha256: f for f in built.files}.values()
        listed = line.write_list(tmp_path / "evil.csv", [("H", "VT", "470001", evil.url)])
        deaths = 0
        while not fleet.count("SELECT count(*) FROM jobs WHERE outcome = 'poison'"):
            dying = fleet.start("run", "--from", listed, GLIMMR_CRASH_AT="parse.started:1")
            until(lambda dying=dying: has_ended(dying))
            deaths += dying.returncode == -9
        record_property("deaths", deaths)
        assert deaths == 4
        rest = line.write_list(tmp_path / "rest.csv", [("H", "VT", "470001", file.url) for file in fine])
        assert fleet.start("run", "--from", rest).wait(100) == 1  # a fault of ours remains: the poison
        ended = {row["url"]: (row["outcome"], row["reason"]) for row in fleet.rows("SELECT * FROM price_files")}
        assert ended == {evil.url: ("poison", "stalled")} | {file.url: ("ok", "") for file in fine}
        assert fleet.audit() == []
