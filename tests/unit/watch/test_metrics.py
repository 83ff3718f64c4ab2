"""Every metric there is: what makes it move, that it is documented, and that its labels stay few."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from glimmr import __version__, events
from glimmr.jobs import ledger
from glimmr.jobs.job import NewJob, Terms
from glimmr.settings import Settings, load
from glimmr.stores.database import Database
from glimmr.watch.health import Checkup, Seen, Status
from glimmr.watch.metric_list import METRICS, OF_THE_PROCESS
from glimmr.watch.scrape import Scrape
from tests.support.ops import labelled
from tests.unit.jobs.toys import put, take

ROOT = Path(__file__).resolve().parents[3]
RUN = {"job": 1, "epoch": 1, "step": "download", "args": {}, "host": "h.test", "attempt": 1, "stalls": 0, "worker": "w"}
ENDED = RUN | {"state": "done", "ended_as": "ok", "outcome": "ok", "reason": "", "bytes": 5, "rows": 7, "message": ""}
ENDED |= {"seconds": 1.5}
Told = Callable[..., dict[tuple[str, ...], float]]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(data=tmp_path)


@pytest.fixture
def checkup() -> Checkup:
    checkup = Checkup({"disk": Seen, "blobs": lambda: Seen(Status.FAIL, "no"), "lake": lambda: Seen(Status.WARN, "hm")})
    checkup.look()
    return checkup


@pytest.fixture
def told(database: Database, checkup: Checkup, settings: Settings) -> Iterator[Told]:
    """The samples of a metric, scraped now, by the values of its labels in the order of the labels' names."""
    scrape = Scrape(database, checkup, settings, Terms(lease_seconds=30.0))

    def ask(name: str) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(scrape.text().decode())
        samples = [one for family in families for one in family.samples]
        return labelled({(one.name, tuple(sorted(one.labels.items()))): one.value for one in samples}, name)

    yield ask
    scrape.close()


def sql(database: Database, *statements: str) -> None:
    for statement in statements:
        database.write(lambda c, text=statement: c.exec_driver_sql(text))


def test_jobs_are_counted_in_the_ledger(database: Database, told: Told) -> None:
    first, *_ = put(database, *(NewJob(step="download", args={"n": n}) for n in range(3)))
    put(database, NewJob(step="parse", delay_seconds=60.0))
    take(database, first)
    assert told("glimmr_jobs") == {("ready", "download"): 2, ("running", "download"): 1, ("ready", "parse"): 1}
    assert told("glimmr_jobs_due") == {("download",): 2, ("parse",): 0}
    assert 0 <= told("glimmr_jobs_oldest_seconds")["download",] < 60
    assert told("glimmr_jobs_oldest_seconds")["parse",] == 0
    assert 0 <= told("glimmr_jobs_still_seconds")[()] < 60
    database.write(lambda c: ledger.pause(c, "parse"))
    assert told("glimmr_step_paused") == {("parse",): 1}


def test_a_running_job_that_does_not_get_on_is_told(database: Database, told: Told) -> None:
    assert told("glimmr_jobs_still_seconds") == {(): 0.0}
    (job,) = put(database, NewJob(step="download"))
    take(database, job)
    long_ago = (datetime.now(UTC) - timedelta(seconds=4000)).strftime("%Y-%m-%d %H:%M:%S.%f")
    sql(database, f"UPDATE jobs SET started_at = '{long_ago}', progressed_at = NULL")
    assert 3900 < told("glimmr_jobs_still_seconds")[()] < 4600


def test_addresses_hosts_and_the_last_scan_are_counted_in_the_catalog(database: Database, told: Told) -> None:
    assert told("glimmr_last_scan_seconds") == {}
    when = (datetime.now(UTC) - timedelta(seconds=100)).strftime("%Y-%m-%d %H:%M:%S.%f")
    row = "INSERT INTO price_files (price_file_id, url, source, first_seen, last_seen, state, outcome) VALUES"
    zone = "" if database.is_sqlite else "+00"
    for name, state, outcome in (("a", "done", "'ok'"), ("b", "done", "'blocked'"), ("c", "waiting", "NULL")):
        sql(database, f"{row} ('{name}', '{name}', 'pra', '{when}{zone}', '{when}{zone}', '{state}', {outcome})")
    later = (datetime.now(UTC) + timedelta(seconds=100)).strftime("%Y-%m-%d %H:%M:%S.%f")
    host = "INSERT INTO hosts (host, slots_in_use, breaker, failures, opened, crawl_seconds, slower_seconds, until)"
    for name, until in (("rests", later), ("rested", when)):
        sql(database, f"{host} VALUES ('{name}', 0, 'open', 5, 1, 0, 0, '{until}{zone}')")
    assert told("glimmr_price_files") == {("ok", "done"): 1, ("publisher", "done"): 1, ("", "waiting"): 1}
    assert told("glimmr_hosts_resting") == {(): 1}
    assert told("glimmr_last_scan_seconds")[()] == pytest.approx(100, abs=30)


def test_workers_that_beat_are_counted(database: Database, told: Told) -> None:
    def sign_in(worker: str) -> None:
        database.write(lambda c: ledger.sign_in(c, worker, host="h", pid=1, version="0", slots={}))

    for worker in ("alive", "silent"):
        sign_in(worker)
    sql(database, "UPDATE workers SET beat_at = '2020-01-01' WHERE id = 'silent'")
    assert told("glimmr_workers") == {(): 1}


def test_components_disk_children_and_the_build_are_told(told: Told) -> None:
    assert told("glimmr_component_up") == {("disk",): 1, ("blobs",): 0, ("lake",): 1}
    assert told("glimmr_component_latency_seconds").keys() == {("disk",), ("blobs",), ("lake",)}
    assert 0 < told("glimmr_disk_free_ratio")[()] <= 1
    assert told("glimmr_children_resident_memory_bytes")[()] >= 0
    assert told("glimmr_children_cpu_seconds_total")[()] >= 0
    assert told("glimmr_build_info") == {(__version__,): 1}


def test_runs_are_counted_as_they_end(told: Told) -> None:
    events.tell(events.JOB_FINISHED, **ENDED)
    events.tell(events.JOB_GAVE_UP, **(ENDED | {"outcome": "poison", "ended_as": "poison", "seconds": None}))
    assert told("glimmr_jobs_ended_total") == {("ok", "ok", "download"): 1, ("ours", "poison", "download"): 1}
    assert told("glimmr_job_seconds_count") == {("ok", "download"): 1}  # a run of another process is not timed
    assert told("glimmr_job_seconds_sum") == {("ok", "download"): 1.5}
    assert told("glimmr_bytes_total") == {("download",): 10}
    assert told("glimmr_rows_total") == {("download",): 14}


def test_runs_that_come_again_are_counted_by_why(told: Told) -> None:
    again = ENDED | {"state": "ready", "outcome": None}
    events.tell(events.JOB_RETRIED, **(again | {"ended_as": "retry", "reason": "stalled"}))
    events.tell(events.JOB_HANDED_BACK, **(again | {"ended_as": "handed_back"}))
    events.tell(events.JOB_RESCUED, **(again | {"ended_as": "rescued"}))
    assert told("glimmr_retries_total") == {("stalled",): 1}
    assert told("glimmr_handed_back_total") == {("download",): 1}
    assert told("glimmr_rescues_total") == {("download",): 1}
    assert told("glimmr_job_seconds_count") == {("retry", "download"): 1, ("handed_back", "download"): 1}


def test_repairs_and_requests_are_counted(told: Told) -> None:
    events.tell(events.INVARIANT_REPAIRED, invariant="live_lease", subject="1", message="")
    events.tell(events.REQUEST_SENT, url="http://h.test", method="GET")
    events.tell(events.REQUEST_ANSWERED, url="http://h.test", http_status=206, bytes=9)
    assert told("glimmr_repairs_total") == {("live_lease",): 1}
    assert told("glimmr_http_requests_total") == {(): 1}
    assert told("glimmr_http_responses_total") == {("2xx",): 1}
    assert told("glimmr_http_bytes_total") == {(): 9}


def test_a_file_is_timed_from_its_download_and_a_recovery_from_the_last_sign_of_life(
    database: Database, told: Told
) -> None:
    (job,) = put(database, NewJob(step="download", args={"price_file_id": "p"}))
    take(database, job)
    began, ended = "2026-01-01 00:00:00.000000", "2026-01-01 00:01:40.000000"
    sql(
        database,
        f"UPDATE jobs SET started_at = '{began}'",
        f"INSERT INTO snapshots (file_id, bytes, blob_key, published_at) VALUES ('f', 1, 'k', '{ended}')",
        "INSERT INTO attempts (job_id, number, worker, ended_at, ended_as, reason, message, traceback, bytes, rows)"
        f" VALUES ({job}, 1, 'w', CURRENT_TIMESTAMP, 'rescued', '', '', '', 0, 0)",
    )
    published = ENDED | {"step": "publish", "args": {"file_id": "f", "price_file_id": "p"}}
    events.tell(events.JOB_FINISHED, **published)
    events.tell(events.JOB_CLAIMED, **(RUN | {"job": job, "epoch": 2, "stalls": 1}))
    assert told("glimmr_file_seconds_sum") == {(): 100}
    assert told("glimmr_recovery_seconds_count") == {(): 1}
    assert told("glimmr_recovery_seconds_sum")[()] == pytest.approx(30, abs=5)  # one lease, and no time since


def test_a_database_that_is_away_leaves_its_gauges_out_and_holds_up_no_scrape(
    checkup: Checkup, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none", patience_seconds=0.0)
    scrape = Scrape(database, checkup, settings, Terms())
    began = time.monotonic()
    text = scrape.text().decode()
    assert time.monotonic() - began < 5
    assert "glimmr_jobs{" not in text
    assert "glimmr_component_up" in text
    scrape.close()
    database.close()


PROOFS = {
    test_a_running_job_that_does_not_get_on_is_told: ("jobs_still_seconds",),
    test_jobs_are_counted_in_the_ledger: ("jobs", "jobs_due", "jobs_oldest_seconds", "step_paused"),
    test_addresses_hosts_and_the_last_scan_are_counted_in_the_catalog: (
        "price_files", "hosts_resting", "last_scan_seconds",
    ),
    test_workers_that_beat_are_counted: ("workers",),
    test_components_disk_children_and_the_build_are_told: (
        "component_up", "component_latency_seconds", "disk_free_ratio", "children_resident_memory_bytes",
        "children_cpu_seconds_total", "build_info",
    ),
    test_runs_are_counted_as_they_end: ("jobs_ended_total", "job_seconds", "bytes_total", "rows_total"),
    test_runs_that_come_again_are_counted_by_why: ("retries_total", "handed_back_total", "rescues_total"),
    test_repairs_and_requests_are_counted: (
        "repairs_total", "http_requests_total", "http_responses_total", "http_bytes_total",
    ),
    test_a_file_is_timed_from_its_download_and_a_recovery_from_the_last_sign_of_life: (
        "file_seconds", "recovery_seconds",
    ),
}  # fmt: skip


def test_every_metric_is_documented_and_proved_by_a_test() -> None:
    proved = {f"glimmr_{name}" for names in PROOFS.values() for name in names}
    assert proved == METRICS.keys()
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    for name in (*METRICS, *OF_THE_PROCESS):
        assert f"`{name}`" in page


def test_names_and_labels_are_as_prometheus_wants_them_and_few() -> None:
    few = {"step", "state", "class", "outcome", "reason", "invariant", "component", "version"}
    for metric in METRICS.values():
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert set(metric.labels) <= few, metric.name
        assert not metric.text.endswith(".")
