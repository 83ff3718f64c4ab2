"""`glimmr top` beside a process at work: on a terminal of any size, in a file, and how it leaves."""

import json
import signal
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.cells import cell_len

from glimmr import app
from glimmr.jobs import ledger
from glimmr.pipeline.scan_step import scan_job
from glimmr.settings import Settings
from tests.support import http_server, line
from tests.support.fleet import Fleet, until
from tests.support.http_server import HttpServer
from tests.support.servers import PostgreSql
from tests.support.terminal import Terminal, on_terminal

_ALTERNATE, _BACK, _HIDDEN, _SHOWN = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?25h"
_ENDLESS = http_server.drip(http_server.head("200 OK", "Content-Length: 100000000"), b"x" * 4096, 0.02)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer({"/endless.csv": _ENDLESS}) as running:
        yield running


@pytest.fixture
def env() -> dict[str, str]:
    return line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1", GLIMMR_LEASE_SECONDS="3", TERM="xterm")


@pytest.fixture
def data(server: HttpServer, tmp_path: Path) -> Path:
    """A folder with the scan of a list whose only file takes for ever."""
    listed = line.write_list(tmp_path / "list.csv", [("H", "VT", "470001", server.url("/endless.csv"))])
    with app.working(Settings(data=tmp_path / "data", min_free_bytes=0)) as parts:
        parts.database.write(lambda c: ledger.enqueue(c, [scan_job("listing", str(listed), refresh=False)]))
    return tmp_path / "data"


@contextmanager
def serving(data: Path, env: dict[str, str]) -> Generator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(line.command("serve", "--data", data), env=env, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def must_have_left_cleanly(terminal: Terminal) -> None:
    written = terminal.rest()
    assert terminal.process.wait(20) == 0, written
    assert written.count(_ALTERNATE) == written.count(_BACK) == 1
    assert written.rindex(_SHOWN) > written.rindex(_HIDDEN), "the cursor stays hidden"
    assert "Traceback" not in written
    assert written.rpartition(_BACK)[2].replace(_SHOWN, "").strip() == ""


def test_a_download_is_watched_on_a_terminal_that_changes_its_size(data: Path, env: dict[str, str]) -> None:
    with serving(data, env) as process, Terminal(line.command("top", "--data", data, "--interval", "0.2"), env) as seen:
        shown = seen.until(lambda drawn: any("endless.csv" in row and "%" in row for row in drawn))
        assert max(map(cell_len, shown)) <= 80
        assert "1 worker · 1 running" in shown[0]
        assert any("100.0 MB" in row and "/s" in row for row in shown), shown

        seen.resize(columns=40, rows=12)
        shown = seen.until(any)
        assert max(map(cell_len, shown)) <= 40
        assert any("127.0.0.1" in row for row in shown), shown

        seen.resize(columns=160, rows=40)
        shown = seen.until(lambda drawn: any(str(process.pid) in row.split() for row in drawn))
        assert any("upkeep 1" in row for row in shown), shown

        seen.press(b"\x03")
        must_have_left_cleanly(seen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_leaves_the_terminal_as_it_was(data: Path, env: dict[str, str], number: signal.Signals) -> None:
    with Terminal(line.command("top", "--data", data, "--interval", "60"), env) as seen:
        seen.until(lambda drawn: "nobody is at work" in drawn[0])
        seen.process.send_signal(number)
        must_have_left_cleanly(seen)


def test_a_new_size_is_drawn_at_once(data: Path, env: dict[str, str]) -> None:
    with Terminal(line.command("top", "--data", data, "--interval", "3600"), env, columns=70) as seen:
        seen.until(lambda drawn: any("failed" in row or "waiting" in row for row in drawn))
        seen.resize(columns=20, rows=6)
        assert max(map(cell_len, seen.until(any))) <= 20


def test_in_a_file_and_as_json_it_looks_once(data: Path, env: dict[str, str]) -> None:
    told = line.glimmr("top", "--data", data, env=env).stdout
    assert "\x1b" not in told
    assert "nobody is at work" in told
    assert any(row.split()[:2] == ["scan", "1"] for row in told.splitlines()), told
    facts = json.loads(line.glimmr("top", "--data", data, "--json", env=env).stdout)
    assert facts["steps"][0]["waiting"] == 1


def test_on_a_terminal_that_cannot_be_drawn_on_it_looks_once(data: Path, env: dict[str, str]) -> None:
    exit_code, written = on_terminal(line.command("top", "--data", data), env | {"TERM": "dumb"})
    assert exit_code == 0
    assert "nobody is at work · 0 running · 1 waiting" in written
    assert "\x1b" not in written


def test_where_nothing_is_yet_it_says_what_to_do(env: dict[str, str], tmp_path: Path) -> None:
    told = line.glimmr("top", "--data", tmp_path / "none", env=env, exit_code=2).stderr
    assert "there is nothing in" in told
    assert "glimmr run" in told


@pytest.mark.long
def test_a_fleet_is_watched_and_so_is_its_database_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    with PostgreSql() as postgresql, Fleet(tmp_path, None, postgresql, None, TERM="xterm") as fleet:
        workers = [fleet.start("worker"), fleet.start("worker")]
        until(lambda: fleet.count("SELECT count(*) FROM workers") == 2)
        command = line.command("top", "--interval", "0.2")
        with Terminal(command, fleet.env, columns=120, rows=40) as seen:
            shown = seen.until(lambda drawn: "2 workers" in drawn[0])
            pids = {word for row in shown for word in row.split()}
            assert {str(worker.pid) for worker in workers} <= pids
            postgresql.stop()
            shown = seen.until(lambda drawn: "no answer since" in drawn[1])
            assert "2 workers" in shown[0], "the last that is known is still shown"
            postgresql.start()
            seen.until(lambda drawn: "no answer since" not in drawn[1] and "2 workers" in drawn[0])
            seen.press(b"\x03")
            must_have_left_cleanly(seen)
