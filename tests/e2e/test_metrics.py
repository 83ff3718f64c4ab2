"""After a run with faults `/metrics` says what SQL counts: gauges alike from all, counters each process its own."""

import contextlib
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr.jobs import ledger
from glimmr.outcomes import MEANINGS, Outcome
from glimmr.pipeline.scan_step import scan_job
from glimmr.stores.database import Database, migrate, sqlite_url
from glimmr.world import Server, World, serve_in_thread, world
from tests.support import line
from tests.support.audit import rows
from tests.support.fleet import Fleet, until
from tests.support.ops import OpsPort, Samples, labelled
from tests.support.servers import PostgreSql, RedisServer
from tests.unit.test_grafana import asked_for

LEASE_SECONDS = 3.0
QUICK = {"GLIMMR_LEASE_SECONDS": str(LEASE_SECONDS), "GLIMMR_SCAN_SCHEDULE": "off"}
_LIVE = "SELECT count(*) FROM jobs WHERE state IN ('ready', 'running') AND step <> 'upkeep'"


@pytest.fixture(scope="module")
def built() -> World:
    return world(seed=11, n=8, mix="demo")


@pytest.fixture
def server(built: World) -> Iterator[Server]:
    with serve_in_thread(built) as running:
        yield running


def put_scans(database: Database, built: World) -> None:
    scans = [scan_job("pra", state, refresh=False) for state in sorted({h.state for h in built.hospitals})]
    database.write(lambda connection: ledger.enqueue(connection, scans))


def counted(database: Database, text: str) -> dict[tuple[str, ...], float]:
    """A question whose last column is a number, as samples are told: by the values of their labels' names in order."""
    return {tuple(map(str, list(row.values())[:-1])): list(row.values())[-1] for row in rows(database, text)}


def class_of(outcome: str) -> str:
    fault = MEANINGS[Outcome(outcome)].fault.value
    return "nobody" if fault == "-" else fault


def gauges_agree(samples: Samples, database: Database, workers: int) -> None:
    by_state = counted(database, "SELECT state, step, count(*) FROM jobs GROUP BY state, step")
    assert labelled(samples, "glimmr_jobs") == by_state
    files = Counter[tuple[str, ...]]()
    for row in rows(database, "SELECT state, outcome, count(*) AS files FROM price_files GROUP BY state, outcome"):
        files[class_of(row["outcome"]) if row["outcome"] else "", row["state"]] += row["files"]
    assert labelled(samples, "glimmr_price_files") == files
    assert labelled(samples, "glimmr_workers") == {(): workers}
    assert labelled(samples, "glimmr_hosts_resting") == counted(
        database, "SELECT count(*) FROM hosts WHERE until > CURRENT_TIMESTAMP"
    )
    assert 0 <= labelled(samples, "glimmr_last_scan_seconds")[()] < 300
    assert set(labelled(samples, "glimmr_component_up").values()) == {1.0}


def counters_agree(samples: Samples, database: Database, pid: int) -> None:
    """What a process counted is what the history has of its runs."""
    (name,) = (row["id"] for row in rows(database, "SELECT id, pid FROM workers") if row["pid"] == pid)
    mine = f"FROM attempts AS a JOIN jobs AS j ON j.id = a.job_id WHERE a.worker = '{name}'"
    ends = "a.ended_as NOT IN ('retry', 'rescued', 'handed_back')"
    ended = {
        (class_of(outcome), outcome, step): count
        for (outcome, step), count in counted(
            database, f"SELECT a.ended_as, j.step, count(*) {mine} AND {ends} GROUP BY a.ended_as, j.step"
        ).items()
    }
    assert labelled(samples, "glimmr_jobs_ended_total") == ended
    for name in ("bytes", "rows"):
        sums = counted(database, f"SELECT j.step, sum(a.{name}) {mine} AND {ends} GROUP BY j.step")
        assert labelled(samples, f"glimmr_{name}_total") == sums
    retries = f"SELECT a.reason, count(*) {mine} AND a.ended_as = 'retry' GROUP BY a.reason"
    assert labelled(samples, "glimmr_retries_total") == counted(database, retries)
    runs = f"SELECT a.ended_as, j.step, count(*) {mine} AND a.ended_as <> 'rescued' GROUP BY a.ended_as, j.step"
    assert labelled(samples, "glimmr_job_seconds_count") == counted(database, runs)
    published = f"SELECT count(*) {mine} AND j.step = 'publish' AND a.ended_as = 'ok'"
    assert labelled(samples, "glimmr_file_seconds_count") == counted(database, published)


def summed(all_samples: list[Samples], name: str) -> float:
    return sum(sum(labelled(samples, name).values()) for samples in all_samples)


@contextlib.contextmanager
def served(server: Server, data: Path) -> Iterator[tuple[OpsPort, subprocess.Popen[bytes]]]:
    ops = OpsPort()
    env = line.environment(server, GLIMMR_DATA=str(data), **QUICK, **ops.settings)
    process = subprocess.Popen(line.command("serve"), env=env, stderr=subprocess.DEVNULL)
    try:
        yield ops, process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.timeout(120)
def test_on_one_machine_metrics_are_what_sql_counts(built: World, server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    database = Database(sqlite_url(tmp_path / "data" / "glimmr.sqlite"))
    migrate(database)
    put_scans(database, built)
    with served(server, tmp_path / "data") as (ops, process):
        until(lambda: rows(database, _LIVE)[0]["count(*)"] == 0)
        until(lambda: set(ops.statuses().values()) <= {"pass", "warn"}, 30)
        samples = ops.samples()
        gauges_agree(samples, database, 1)
        counters_agree(samples, database, process.pid)
        answered = summed([samples], "glimmr_http_responses_total")
        assert len(built.files) < answered < summed([samples], "glimmr_http_requests_total")
        assert {(label,) for label in ("2xx", "4xx")} <= labelled(samples, "glimmr_http_responses_total").keys()
        assert labelled(samples, "glimmr_retries_total")
        assert labelled(samples, "glimmr_jobs_ended_total").keys() & {("publisher", "blocked", "download")}
        assert samples["glimmr_children_cpu_seconds_total", ()] > 0
        assert samples["process_resident_memory_bytes", ()] > 2**20
        assert samples["process_open_fds", ()] > 3
        assert asked_for() <= ops.metrics(), "a panel of the dashboard stays empty"
    database.close()


@pytest.mark.long
@pytest.mark.timeout(180)
def test_in_a_fleet_of_three_of_which_one_dies_metrics_are_what_sql_counts(
    built: World, server: Server, postgresql: PostgreSql, redis_server: RedisServer, tmp_path: Path
) -> None:
    with Fleet(tmp_path, server, postgresql, redis_server, **QUICK) as fleet:
        ports = [OpsPort() for _ in range(3)]
        workers = [
            fleet.start("worker", GLIMMR_CRASH_AT="fetch.begun:1" if n == 0 else "", **ports[n].settings)
            for n in range(3)
        ]
        until(lambda: fleet.count("SELECT count(*) FROM workers") == 3, 60)
        put_scans(fleet.database, built)
        assert workers[0].wait(60) == -signal.SIGKILL
        until(fleet.is_idle)
        until(lambda: fleet.count("SELECT count(*) FROM workers") == 2, 60)
        alive = [(port, worker) for port, worker in zip(ports, workers, strict=True) if worker.poll() is None]
        for port, _ in alive:
            until(lambda port=port: "fail" not in port.statuses().values(), 30)
        all_samples = [port.samples() for port, _ in alive]
        for (_, worker), samples in zip(alive, all_samples, strict=True):
            gauges_agree(samples, fleet.database, 2)
            counters_agree(samples, fleet.database, worker.pid)
        rescued = fleet.count("SELECT count(*) FROM attempts WHERE ended_as = 'rescued'")
        assert rescued > 0
        assert summed(all_samples, "glimmr_rescues_total") == rescued
        assert summed(all_samples, "glimmr_recovery_seconds_count") == rescued
        assert summed(all_samples, "glimmr_recovery_seconds_sum") >= rescued * LEASE_SECONDS
        repaired = counted(fleet.database, "SELECT name, repaired FROM repairs")
        told: Counter[tuple[str, ...]] = Counter()
        for samples in all_samples:
            told.update({key: int(value) for key, value in labelled(samples, "glimmr_repairs_total").items()})
        assert told == repaired
        fleet.end(*(worker for _, worker in alive))
