"""Each alert fires once, within two minutes, says what to do, and clears: on real SQL, with an injected clock."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from glimmr.errors import DatabaseFault, StorageFault
from glimmr.jobs import ledger, vitals
from glimmr.jobs.appointments import now
from glimmr.jobs.job import NewJob
from glimmr.jobs.run import Run
from glimmr.jobs.tables import jobs, workers
from glimmr.outcomes import Outcome
from glimmr.stores import alerts as book
from glimmr.stores.database import Database
from glimmr.stores.tables import fetches, price_files, snapshots
from glimmr.watch.alerts import ALERTS, rule_name
from glimmr.watch.health import COMPONENTS, Seen
from glimmr.watch.metric_list import METRICS
from tests.unit.jobs.toys import take
from tests.unit.watch.alarmed import Kept, Watched

ROOT = Path(__file__).resolve().parents[3]
FIRED_BY: set[str] = set()


@pytest.fixture
def watched(database_url: str, tmp_path: Path) -> Iterator[Watched]:
    database = Database(database_url, patience_seconds=10.0)
    yield Watched(database, tmp_path / "data")
    database.close()


def fires(watched: Watched, alert: str) -> dict[str, Any]:
    """It fires within two minutes of looks 30 s apart, and then says no more. The notice."""
    said = [told for _ in range(4) for told in watched.look(30)]
    assert said == [(alert, "fired")]
    assert [told for _ in range(3) for told in watched.look(30)] == []
    told = dict(watched.kept.notices[-1])
    assert told["act"] in told["text"]
    assert told["docs"].endswith(f"#{alert}")
    return told


def clears(watched: Watched, alert: str, after_seconds: float = 30) -> None:
    assert watched.look(after_seconds) == [(alert, "cleared")]
    assert watched.look(30) == []
    assert watched.database.read(book.opened) == []


def beats(watched: Watched, *steps: str) -> None:
    """A worker of these steps that beats for ever."""
    watched.database.write(
        lambda c: ledger.sign_in(c, "w", host="h", pid=1, version="1", slots=dict.fromkeys(steps, 1))
    )
    for_ever = {"beat_at": watched.now + timedelta(days=1)}
    watched.database.write(lambda c: c.execute(workers.update().values(for_ever)))


def test_a_job_that_does_not_get_on(watched: Watched) -> None:
    began = watched.now - timedelta(minutes=29)
    (job_id,) = watched.put("parse", state="running", started_at=began, progressed_at=began, epoch=1, owner="w")
    assert watched.look() == []
    assert f"parse job {job_id} has not got on for 3" in fires(watched, "job_stuck")["seen"]
    watched.database.write(lambda c: c.execute(jobs.update().values(progressed_at=watched.now)))
    clears(watched, "job_stuck")


def test_too_many_failures_in_a_quarter_of_an_hour(watched: Watched) -> None:
    watched.ended(Outcome.OK, 17)
    watched.ended(Outcome.GONE)  # the publisher's fault: a success of ours
    watched.ended(Outcome.INTERNAL_ERROR)
    assert watched.look() == []  # 19 jobs are too few to judge by
    watched.ended(Outcome.CANCELLED, 9)  # counts for nothing
    watched.ended(Outcome.OK)
    assert watched.look() == []  # 1 of 20 is 5 %, and not more
    watched.ended(Outcome.INTERNAL_ERROR)
    told = fires(watched, "failure_rate")
    assert "2 of 21 jobs (9.52%) failed in 15 minutes: 2 internal_error" in told["seen"]
    clears(watched, "failure_rate", 15 * 60)


def test_less_than_999_of_1000_in_a_day(watched: Watched) -> None:
    watched.ended(Outcome.OK, 1998, ago=3600)
    watched.ended(Outcome.RESOURCES, 2, ago=3600)
    assert watched.look() == []
    watched.ended(Outcome.RESOURCES, ago=3600)
    assert "3 of 2,001 jobs" in fires(watched, "success_low")["seen"]
    clears(watched, "success_low", 86_400)


def read(watched: Watched, outcome: Outcome, count: int, charges: int, ago: float = 3600.0) -> None:
    """So many files that were read."""
    when = watched.now - timedelta(seconds=ago)
    with_prices = {"outcome": outcome, "charges": charges, "parsed_at": when}
    ids = [f"{outcome}-{charges}-{n}" for n in range(count)]
    rows = [{"file_id": one, "bytes": 1, "blob_key": one} | with_prices for one in ids]
    watched.database.write(lambda c: c.execute(snapshots.insert(), rows))


def test_most_files_of_a_day_without_prices(watched: Watched) -> None:
    read(watched, Outcome.NO_PRICE_TABLE, 10, charges=0)
    assert watched.look() == []  # ten are too few to judge by
    read(watched, Outcome.OK, 10, charges=9)
    assert watched.look() == []  # 10 of 20 is half, and not more
    read(watched, Outcome.UNPARSEABLE, 1, charges=0)
    assert fires(watched, "no_prices")["seen"] == "11 of the 21 files read in a day gave no price"
    clears(watched, "no_prices", 86_400)


def test_a_single_file_that_is_called_ok_and_has_no_price(watched: Watched) -> None:
    read(watched, Outcome.OK, 1, charges=0)
    assert "1 of the 1 files" in fires(watched, "no_prices")["seen"]


def test_the_days_rate_is_not_judged_by_failures_whose_successes_are_no_longer_kept(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMMR_KEEP_JOBS", "1200")
    watched = Watched(watched.database, watched.settings.data)
    watched.ended(Outcome.RESOURCES, 3, ago=20_000)  # their 20,000 successes were pruned
    watched.ended(Outcome.OK, 1200, ago=10_000)
    assert watched.look() == []


def away() -> Seen:
    raise StorageFault("nobody is there")


def test_a_part_that_is_down(watched: Watched) -> None:
    watched.asked["blobs"] = away
    watched.lookout = watched.another()
    told = fires(watched, "component_down")
    assert (told["subject"], told["severity"]) == ("blobs", "critical")
    assert told["seen"] == "blobs is down: nobody is there"
    watched.asked["blobs"] = Seen
    watched.lookout = watched.another()
    clears(watched, "component_down")


def test_every_part_that_health_calls_broken_is_told_and_what_only_counts_the_work_is_not(watched: Watched) -> None:
    watched.asked |= {part.name: away for part in COMPONENTS if part.name != "database"}
    watched.lookout = watched.another()
    assert watched.look() == []
    watched.look(60)
    told = {one["subject"] for one in watched.kept.notices if one["alert"] == "component_down"}
    assert told == {"redis", "blobs", "lake", "engine", "disk", "clock"}


def test_a_database_that_answers_and_takes_no_writes_is_told(watched: Watched) -> None:
    watched.asked["database"] = away
    watched.lookout = watched.another()
    clock = [0.0]
    watched.lookout._outage._elapsed = lambda: clock[0]
    for clock[0] in (0.0, 60.0):
        with pytest.raises(DatabaseFault):
            watched.look()
    assert [(one["alert"], one["subject"]) for one in watched.kept.notices] == [("component_down", "database")]


def test_a_part_that_was_only_restarted_is_no_alert(watched: Watched) -> None:
    watched.asked["blobs"] = away
    watched.lookout = watched.another()
    assert watched.look() == watched.look(30) == []
    watched.asked["blobs"] = Seen
    watched.lookout = watched.another()
    assert watched.look(30) == []
    assert watched.database.read(book.opened) == []


def test_more_jobs_than_workers_get_done(watched: Watched) -> None:
    beats(watched, "download", "parse")
    watched.put("download", 1000)
    watched.put("parse", 5, run_at=watched.now + timedelta(hours=1))  # not due
    assert watched.look() == watched.look(60) == []
    watched.put("parse", 1)
    assert "1,001 jobs" in fires(watched, "backlog")["seen"]
    watched.database.write(lambda c: ledger.pause(c, "download", paused=True))
    clears(watched, "backlog")


def test_no_worker_for_what_is_ready(watched: Watched) -> None:
    beats(watched, "download")
    watched.put("download")
    assert watched.look() == watched.look(60) == []
    watched.put("parse", 2)
    assert fires(watched, "no_worker")["seen"].endswith("would do them: 2 parse")
    beats_now = {"slots": {"download": 1, "parse": 1}}
    watched.database.write(lambda c: c.execute(workers.update().values(beats_now)))
    clears(watched, "no_worker")


def test_files_that_take_too_long(watched: Watched) -> None:
    def file(n: int, minutes: float) -> None:
        home = watched.now - timedelta(minutes=minutes)
        file_id = f"{n:064}"
        row = {"file_id": file_id, "bytes": 1, "blob_key": file_id, "published_at": watched.now}
        address = {"price_file_id": str(n), "url": f"http://h/{n}", "source": "pra", "state": "idle"}
        fetched = {"price_file_id": str(n), "seq": 1, "file_id": file_id, "outcome": "ok", "reason": "", "bytes": 1}
        for table, values in (
            (snapshots, row),
            (price_files, address | {"first_seen": home, "last_seen": home}),
            (fetches, fetched | {"fetched_at": home}),
        ):
            watched.database.write(lambda c, table=table, values=values: c.execute(table.insert().values(values)))

    for n in range(19):
        file(n, 1)
    file(19, 31)
    assert watched.look() == []  # one of twenty may
    file(20, 31)
    assert "95 % took up to 31.0 minutes" in fires(watched, "file_slow")["seen"]
    clears(watched, "file_slow", 3600)


def test_jobs_of_dead_workers_that_do_not_run_again(watched: Watched) -> None:
    watched.rescued(again_after_seconds=100)
    assert watched.look() == []
    watched.rescued(again_after_seconds=300)
    assert "until they ran again" in fires(watched, "recovery_slow")["seen"]
    watched.database.write(lambda c: c.execute(jobs.update().values(state="done", finished_at=watched.now)))
    clears(watched, "recovery_slow", 3600)


def test_no_scan_in_two_periods(watched: Watched) -> None:
    watched.ended(Outcome.OK, step="scan", ago=13 * 86_400)  # a Thursday; Sundays at three, so two have come and gone
    assert "no scan has ended well since 2026-11-12" in fires(watched, "scan_overdue")["seen"]
    watched.ended(Outcome.OK, step="scan")
    clears(watched, "scan_overdue")


def test_a_disk_that_is_nearly_full(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(watched.settings.data)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(total=1000, free=99))
    told = fires(watched, "disk_low")
    assert told["seen"] == f"9.9% of the disk of {told['subject']} is free"
    assert told["subject"].endswith(f":{watched.settings.data}")
    other = Watched(watched.database, watched.settings.data / "other")  # a worker of this host, and another disk
    other.now = watched.now
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(total=1000, free=100))
    assert other.look() == []
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(total=1000, free=100))
    clears(watched, "disk_low")


def test_the_disk_of_a_machine_that_says_nothing_any_more_is_forgotten(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(watched.settings.data)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(total=1000, free=0))
    monkeypatch.setattr("socket.gethostname", lambda: "other")
    follower = watched.lookout
    follower.look(everything=False)
    watched.now += timedelta(seconds=60)
    follower.look(everything=False)
    assert [told["subject"] for told in watched.kept.notices] == [f"other:{watched.settings.data}"]
    monkeypatch.undo()
    assert watched.look(60) == []  # the leader leaves it to the other machine
    assert watched.look(601) == [("disk_low", "cleared")]


def test_a_job_that_takes_its_workers_along(watched: Watched) -> None:
    (job_id,) = watched.ended(Outcome.POISON, reason="stalled")
    assert f"(job {job_id})" in fires(watched, "poison")["seen"]
    (row,) = [one for one in watched.database.read(lambda c: ledger.listing(c, most=9)) if one["id"] == job_id]
    watched.database.write(lambda c: ledger.enqueue(c, [NewJob(step="parse", args=row["args"])]))  # as `retry` does
    beats(watched, "parse")
    clears(watched, "poison")


def test_a_newer_file_that_is_not_trusted(watched: Watched) -> None:
    watched.ended(Outcome.INCOMPLETE, step="publish", reason="suspect_truncated")
    fires(watched, "shrink_suspect")
    clears(watched, "shrink_suspect", 86_400)


def test_a_fleet_tells_once(watched: Watched) -> None:
    watched.ended(Outcome.POISON, reason="stalled")
    several = [watched.another() for _ in range(4)]
    for lookout in several:
        lookout.look()
    assert [told["state"] for told in watched.kept.notices] == ["fired"]


def test_a_channel_that_fails_is_tried_again_and_the_other_one_is_not_told_twice(watched: Watched) -> None:
    broken = Kept(name="broken", fault="no route")
    watched.lookout = watched.another(watched.kept, broken)
    watched.ended(Outcome.POISON, reason="stalled")
    assert watched.look() == [("poison", "fired")]
    (left,) = watched.database.read(book.undelivered)
    assert (left["channel"], left["tries"], left["fault"]) == ("broken", 1, "no route")
    assert watched.look(31) == []
    broken.fault = None
    assert watched.look(61) == []
    assert [told["alert"] for told in broken.notices] == ["poison"]
    assert watched.database.read(book.undelivered) == []


def test_a_notice_that_nobody_takes_is_given_up_after_a_day(watched: Watched) -> None:
    watched.kept.fault = "no route"
    watched.ended(Outcome.POISON, reason="stalled")
    watched.look()
    watched.look(23 * 3600)
    (left,) = watched.database.read(book.undelivered)
    assert left["try_at"] is not None
    watched.look(2 * 3600)
    (left,) = watched.database.read(book.undelivered)
    assert left["try_at"] is None


def test_a_run_gets_on_when_it_says_something_new(watched: Watched) -> None:
    (job_id,) = watched.put("parse", progressed_at=watched.now - timedelta(hours=9))
    job = take(watched.database, job_id)
    assert job is not None
    began = watched.database.read(now)
    assert watched.database.read(lambda c: vitals.still(c, began - timedelta(seconds=9))) == []
    run = Run(job, write_seconds=0.0)
    run(rows=1)
    assert run.unwritten() == {"rows": 1}
    run(rows=1)
    assert run.unwritten() is None
    watched.database.write(lambda c: ledger.write_progress(c, [(job, {"rows": 1})], 30.0))
    (still,) = watched.database.read(lambda c: vitals.still(c, began + timedelta(hours=1)))
    assert (still.id, still.since > began) == (job_id, True)


@pytest.mark.long
def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: apt-get install prometheus")
    rules = ROOT / "deploy" / "prometheus" / "rules.yml"
    done = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_every_alert_has_a_page_a_test_and_a_rule() -> None:
    page = (ROOT / "docs" / "operate" / "alerts.md").read_text(encoding="utf-8")
    rules = (ROOT / "deploy" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    tests = Path(__file__).read_text(encoding="utf-8")
    sections = {part.splitlines()[0]: part for part in page.split("\n## ")[1:]}
    for alert in ALERTS:
        section = sections[alert.name]
        assert all(f"- **{what}**" in section for what in ("Means", "Look at", "Do")), alert.name
        assert f"alert: {rule_name(alert)}\n" in rules
        assert f'fires(watched, "{alert.name}")' in tests
        assert f'clears(watched, "{alert.name}"' in tests
    assert rules.count("- alert:") == len(ALERTS)
    asked_for = set(re.findall(r"\bglimmr_\w+", rules))
    known = {f"{name}{end}" for name in METRICS for end in ("", "_bucket", "_count", "_sum")}
    assert asked_for <= known, "a rule over a metric that there is not"
