"""Orders given by one process while `glimmr serve` works in another, and how that one stops."""

import gzip
import json
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from glimmr import app, looking
from glimmr.jobs import ledger
from glimmr.pipeline.scan_job import scan_job
from glimmr.settings import Settings
from tests.support import http_server, line
from tests.support.http_server import HttpServer

_HEAD = (
    "hospital_name,last_updated_on,version,hospital_location,hospital_address,license_number|VT\n"
    "General,2025-07-01,2.2.0,Burlington,1 Main St,123\n"
    "description,code|1,code|1|type,setting,standard_charge|gross,standard_charge|discounted_cash\n"
)
_ROW = "MRI of the brain,70551,CPT,outpatient,1000.00,500.00\n"
_LONG_BYTES = 800_000_000  # read for longer than any test here lasts


@pytest.fixture(scope="module")
def long_file() -> bytes:
    """A price file that is brought home in no time and read for a long one."""
    block = gzip.compress(_ROW.encode() * 20_000, 6)
    return gzip.compress(_HEAD.encode()) + block * (_LONG_BYTES // (20_000 * len(_ROW)))


@pytest.fixture
def server(long_file: bytes) -> Iterator[HttpServer]:
    scripts = {
        "/good.csv": http_server.answer((_HEAD + _ROW).encode()),
        "/long.csv.gz": http_server.answer(long_file),
        "/endless.csv": http_server.drip(http_server.head("200 OK", "Content-Length: 100000000"), b"x" * 4096, 0.02),
    }
    with HttpServer(scripts) as running:
        yield running


class Serving:
    """`glimmr serve` on a data folder whose ledger has a scan of a list with these paths."""

    def __init__(self, server: HttpServer, folder: Path, *paths: str, **more: str) -> None:
        self.data, self.env = folder / "data", line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1", **more)
        rows = [(f"H{n}", "VT", f"47000{n}", server.url(path)) for n, path in enumerate(paths)]
        listed = line.write_list(folder / "list.csv", rows)
        with app.working(Settings(data=self.data, min_free_bytes=0)) as parts:
            job = scan_job("listing", str(listed), refresh=False)
            parts.database.write(lambda connection: ledger.enqueue(connection, [job]))

    @contextmanager
    def at_work(self) -> Generator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            line.command("serve", "--data", self.data), env=self.env, stderr=subprocess.PIPE, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stderr
            process.stderr.close()

    def tell(self, *words: str, exit_code: int = 0) -> str:
        return line.glimmr(*words, "--data", self.data, env=self.env, exit_code=exit_code).stdout

    def jobs(self, **equal: str) -> list[dict[str, Any]]:
        return looking.jobs(Settings(data=self.data), 100, **equal)

    def job(self, step: str) -> dict[str, Any]:
        return looking.job(Settings(data=self.data), self.jobs(step=step)[0]["id"])

    def is_running(self, step: str) -> bool:
        return any(job["state"] == "running" for job in self.jobs(step=step))


def until(true: Callable[[], Any], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def readers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The children that read files, once they have begun."""
    children = psutil.Process(process.pid).children()
    return [child for child in children if "glimmr.jobs.child_main" in child.cmdline()]


def test_a_parsing_is_cancelled_and_put_again_while_its_worker_goes_on(server: HttpServer, tmp_path: Path) -> None:
    serving = Serving(server, tmp_path, "/long.csv.gz", "/good.csv")
    with serving.at_work() as process:
        until(lambda: any(job["state"] == "done" for job in serving.jobs(step="publish")))
        until(lambda: serving.is_running("parse") and len(readers(process)) == 1)
        (reader,) = readers(process)
        running = next(job for job in serving.jobs(step="parse") if job["state"] == "running")
        assert "being stopped by their workers: 1 (1 parse)" in serving.tell("cancel", str(running["id"]))
        psutil.wait_procs([reader], timeout=2.0)
        assert not reader.is_running()
        until(lambda: not serving.is_running("parse"))
        told = serving.tell("job", str(running["id"]))
        assert "cancelled operator" in told
        assert "cancelled by an operator" in told
        files = {file["outcome"] for file in looking.status(Settings(data=serving.data))["outcomes"]}
        assert files == {"cancelled", "ok"}

        serving.tell("pause", "parse")
        assert "parse is paused" in serving.tell("status")
        assert serving.tell("retry", "--outcome", "cancelled") == "put again: 1 (1 parse); waiting no longer: 0\n"
        assert {file["state"] for file in looking.status(Settings(data=serving.data))["outcomes"]} == {
            "working",
            "done",
        }
        assert serving.job("parse")["paused"]
        serving.tell("resume", "parse")
        until(lambda: serving.is_running("parse"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_told_to_stop_it_hands_back_what_it_was_at_and_charges_nothing(server: HttpServer, tmp_path: Path) -> None:
    serving = Serving(server, tmp_path, "/long.csv.gz", "/endless.csv")
    with serving.at_work() as process:
        until(lambda: serving.is_running("parse") and serving.is_running("download") and readers(process))
        left = readers(process)
        told_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert time.monotonic() - told_at < 30
        assert process.stderr
        said = process.stderr.read()
        assert not psutil.wait_procs(left, timeout=1)[1]
    for step in ("parse", "download"):
        job = serving.job(step)
        assert (job["state"], job["attempt"], [one["ended_as"] for one in job["attempts"]]) == (
            "ready",
            1,
            ["handed_back"],
        )
        assert f"{step} {job['id']} handed back" in said
    assert "Traceback" not in said


def test_a_server_that_outgrows_its_memory_says_that_it_should_be_started_again(
    server: HttpServer, tmp_path: Path
) -> None:
    serving = Serving(server, tmp_path, "/good.csv", GLIMMR_WORKER_MEMORY_BYTES="1")
    with serving.at_work() as process:
        assert process.wait(60) == 75


def test_a_scan_beside_who_works_is_put_for_it_to_ask(server: HttpServer, tmp_path: Path) -> None:
    serving = Serving(server, tmp_path, "/endless.csv")
    more = line.write_list(tmp_path / "more.csv", [("More", "VT", "470009", server.url("/good.csv"))])
    with serving.at_work() as process:
        until(lambda: serving.is_running("download"))
        serving.tell("pause", "scan")
        told = f"process {process.pid} is at work in {serving.data}: "
        how = "; `glimmr jobs --step scan` says how it goes\n"
        assert serving.tell("scan", "--from", str(more)) == f"{told}1 question put for it to ask{how}"
        again = serving.tell("scan", "--from", str(more))
        assert again == f"{told}0 questions put for it to ask, 1 waited already{how}"
        assert json.loads(serving.tell("scan", "--from", str(more), "--json")) == {"put": 0, "working_pid": process.pid}
        serving.tell("resume", "scan")
        until(lambda: any(job["state"] == "done" for job in serving.jobs(step="publish")))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_schedule_told_to_run_now_asks_the_known_addresses_again(server: HttpServer, tmp_path: Path) -> None:
    serving = Serving(server, tmp_path, "/good.csv")
    with serving.at_work() as process:
        until(lambda: any(job["state"] == "done" for job in serving.jobs(step="publish")))
        (scan,) = (job for job in serving.jobs(step="upkeep") if job["args"]["task"] == "scan")
        assert "waiting no longer: 1 (1 upkeep)" in serving.tell("retry", str(scan["id"]))
        until(lambda: server.paths().count("/good.csv") == 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_schedule_that_cannot_be_understood_is_wrong_usage(tmp_path: Path) -> None:
    env = line.environment(GLIMMR_SCAN_SCHEDULE="sundays", GLIMMR_OPS_ADDRESS="auto")
    done = line.glimmr("serve", "--data", tmp_path / "d", env=env, exit_code=2)
    assert done.stderr.startswith("glimmr: setting GLIMMR_SCAN_SCHEDULE: 'sundays' is no schedule")
    assert len(done.stderr.splitlines()) == 1


def test_orders_are_told_as_json_too(server: HttpServer, tmp_path: Path) -> None:
    serving = Serving(server, tmp_path, "/good.csv")
    assert json.loads(serving.tell("cancel", "--all", "--json")) == {"cancelled": {"scan": 1}, "stopping": {}}
    assert json.loads(serving.tell("retry", "--all", "--json")) == {"put": {"scan": 1}, "hastened": {}, "moot": {}}
    told = json.loads(serving.tell("job", "1", "--json"))
    assert (told["state"], told["reason"], len(told["attempts"])) == ("cancelled", "operator", 1)
    missing = line.glimmr("job", "7", "--data", serving.data, env=serving.env, exit_code=2)
    assert "there is no job 7" in missing.stderr
