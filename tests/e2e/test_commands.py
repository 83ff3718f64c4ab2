"""The commands as a shell sees them: exit codes, what they print, what they leave behind."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import psutil
import pyarrow.parquet as pq
import pytest

from glimmr import app
from glimmr.jobs import ledger
from glimmr.jobs.job import NewJob
from glimmr.settings import Settings
from glimmr.stores.database import Database, sqlite_url
from tests.support import http_server, line
from tests.support.http_server import HttpServer
from tests.support.terminal import on_terminal

_HEAD = (
    "hospital_name,last_updated_on,version,hospital_location,hospital_address,license_number|VT\n"
    "General,2025-07-01,2.2.0,Burlington,1 Main St,123\n"
    "description,code|1,code|1|type,setting,standard_charge|gross,standard_charge|discounted_cash\n"
)
_GOOD = _HEAD + "MRI of the brain,70551,CPT,outpatient,1000.00,500.00\n"
_ALL_REJECTED = (
    '{"hospital_name": "General", "last_updated_on": "2025-07-01", "version": "2.2.0",'
    ' "standard_charge_information": ["no object", "nor this"]}'
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(_GOOD)
    return path


@pytest.fixture
def empty_table(tmp_path: Path) -> Path:
    with app.working(Settings(data=tmp_path / "data", min_free_bytes=0)):
        pass
    return tmp_path / "data"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    scripts = {
        "/good.csv": http_server.answer(_GOOD.encode()),
        "/endless.csv": http_server.drip(http_server.head("200 OK", "Content-Length: 100000000"), b"x" * 4096, 0.02),
    }
    with HttpServer(scripts) as running:
        yield running


def _allowed(**more: str) -> dict[str, str]:
    return line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1", **more)


def _reported(*words: str | Path, env: dict[str, str], exit_code: int) -> tuple[dict[str, Any], str]:
    """The report, as printed and as written; and what stood on standard error."""
    done = line.glimmr("parse", *words, "--json", "--report", "report.json", env=env, exit_code=exit_code)
    printed = json.loads(done.stdout)
    assert json.loads(Path("report.json").read_text(encoding="utf-8")) == printed
    assert "Traceback" not in done.stderr
    return printed, done.stderr


# ── parse: every end has its exit code and its report ────────────────────────────────────────────────────────────────


def test_a_good_file_is_read(good: Path) -> None:
    told, _ = _reported(good, env=line.environment(), exit_code=0)
    assert (told["outcome"], told["charges"]) == ("ok", 1)


def test_an_address_that_may_not_be_asked_ends_unsafe(server: HttpServer) -> None:
    told, _ = _reported(server.url("/good.csv"), env=line.environment(), exit_code=3)
    assert (told["outcome"], told["reason"], told["file_id"]) == ("unsafe", "forbidden_address", "")
    assert "GLIMMR_ALLOW_ADDRESSES" in told["message"]


def test_a_file_over_the_size_setting_ends_too_large(server: HttpServer) -> None:
    told, _ = _reported(server.url("/good.csv"), env=_allowed(GLIMMR_MAX_FILE_BYTES="10"), exit_code=3)
    assert (told["outcome"], told["reason"]) == ("too_large", "file_size")


def test_an_address_with_nothing_at_it_ends_gone(server: HttpServer) -> None:
    told, _ = _reported(server.url("/nothing.csv"), env=_allowed(), exit_code=1)
    assert (told["outcome"], told["reason"], told["charges"]) == ("gone", "not_found", 0)


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [("GLIMMR_CHILD_MEMORY_BYTES", str(64 * 2**20), "memory"), ("GLIMMR_PARSE_DEADLINE_SECONDS", "0.001", "time")],
)
def test_a_child_over_its_limits_ends_in_resources(good: Path, setting: str, value: str, reason: str) -> None:
    told, _ = _reported(good, env=line.environment(**{setting: value}), exit_code=4)
    assert (told["outcome"], told["reason"], told["bytes"]) == ("resources", reason, len(_GOOD))


def test_a_missing_file_is_wrong_usage() -> None:
    done = line.glimmr("parse", "nothing.csv", "--report", "report.json", env=line.environment(), exit_code=2)
    assert "there is no such file" in done.stderr
    assert not Path("report.json").exists()


def test_a_closed_stdin_is_wrong_usage() -> None:
    words = " ".join(line.command("parse", "-"))
    done = subprocess.run(
        ["sh", "-c", f"{words} <&-"], env=line.environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "standard input is closed" in done.stderr) == (2, True), done.stderr


def test_stdin_is_read_to_its_end() -> None:
    done = subprocess.run(
        line.command("parse", "-", "--json"),
        env=line.environment(),
        input=_GOOD.encode(),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["charges"] == 1


# ── parse: what it leaves ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_holds_what_the_last_file_gave_and_nothing_else(good: Path, tmp_path: Path) -> None:
    out, bad = tmp_path / "out", tmp_path / "bad"
    line.glimmr("parse", good, "--to", f"{out}/", env=line.environment())
    assert [path.name for path in out.iterdir()] == ["charges.parquet"]
    bad.write_text(_ALL_REJECTED)
    done = line.glimmr("parse", bad, "--to", f"{out}/", env=line.environment(), exit_code=1)
    assert [path.name for path in out.iterdir()] == ["rejects.parquet"]
    assert pq.read_table(out / "rejects.parquet").num_rows >= 1
    assert f"written to {out}" in done.stdout
    bad.write_text("<html><body>gone</body></html>")
    line.glimmr("parse", bad, "--to", f"{out}/", env=line.environment(), exit_code=3)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["out.csv", "out_x.json", "deep/out.parquet"])
def test_a_path_that_ends_in_a_slash_is_a_folder_whatever_its_name(good: Path, tmp_path: Path, name: str) -> None:
    line.glimmr("parse", good, "--to", f"{tmp_path}/{name}/", env=line.environment())
    assert [path.name for path in (tmp_path / name).iterdir()] == ["charges.parquet"]
    done = line.glimmr("parse", good, "--to", f"{good}/", env=line.environment(), exit_code=2)
    assert "the folder cannot be made" in done.stderr


@pytest.mark.parametrize("name", ["new.csv/", "new/", "deep/new.csv"])
def test_nothing_is_made_where_nothing_is_written(tmp_path: Path, name: str) -> None:
    page = tmp_path / "page"
    page.write_text("<html><body>gone</body></html>")
    for source, exit_code in ((tmp_path / "nothing.csv", 2), (page, 3)):
        line.glimmr("parse", source, "--to", f"{tmp_path}/{name}", env=line.environment(), exit_code=exit_code)
        assert list(tmp_path.iterdir()) == [page]


def test_a_name_that_looks_like_markup_is_drawn_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out[").mkdir()
    path = tmp_path / "out[" / "v2].csv"
    path.write_text(_GOOD)
    code, written = on_terminal(line.command("parse", "out[/v2].csv"), line.environment())
    assert code == 0, written


# ── parse: interrupted ───────────────────────────────────────────────────────────────────────────────────────────────


def _started(*words: str, **more: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(line.command(*words), env=_allowed(), stderr=subprocess.DEVNULL, **more)


def _until(true: Any, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 30
    while not true():
        assert process.poll() is None, "it ended before it was interrupted"
        assert time.monotonic() < until
        time.sleep(0.005)


def _ends_interrupted(process: "subprocess.Popen[bytes]", number: signal.Signals, out: Path) -> None:
    process.send_signal(number)
    try:
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.wait()
    assert not out.exists()
    assert not list(out.parent.glob(".glimmr-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_a_download(server: HttpServer, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    process = _started("parse", server.url("/endless.csv"), "--to", f"{out}/")
    _until(lambda: server.requests, process)
    _ends_interrupted(process, number, out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_waiting_for_standard_input(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    process = _started("parse", "-", "--to", f"{out}/", stdin=subprocess.PIPE)
    _until(lambda: list(tmp_path.glob(".glimmr-*/bytes")), process)
    _ends_interrupted(process, number, out)
    assert process.stdin
    process.stdin.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_child_that_reads(tmp_path: Path, number: signal.Signals) -> None:
    out, large = tmp_path / "out", tmp_path / "large.csv"
    large.write_text(_HEAD + "MRI of the brain,70551,CPT,outpatient,1000.00,500.00\n" * 200_000)
    process = _started("parse", str(large), "--to", f"{out}/")
    children: list[psutil.Process] = []
    _until(lambda: children.extend(psutil.Process(process.pid).children()) or children, process)
    _ends_interrupted(process, number, out)
    assert not children[0].is_running()


# ── what is printed cannot steer a terminal ──────────────────────────────────────────────────────────────────────────


def test_an_error_cannot_steer_a_terminal() -> None:
    done = line.glimmr("parse", "nothing\x1b[2J\u202e.csv", env=line.environment(), exit_code=2)
    assert "nothing\\x1b[2J\\u202e.csv" in done.stderr


def test_csv_escapes_on_a_terminal_and_marks_formulas_everywhere(empty_table: Path) -> None:
    query = "SELECT 'a' || chr(27) || '[2J' AS a, '=1+1' AS b, -1 AS c"
    words = ("sql", query, "--csv", "--data", empty_table)
    assert line.glimmr(*words, env=line.environment()).stdout == "a,b,c\na\x1b[2J,'=1+1,-1\n"
    code, written = on_terminal(line.command(*words), line.environment())
    assert (code, written.replace("\r", "")) == (0, "a,b,c\na\\x1b[2J,'=1+1,-1\n")


@pytest.mark.parametrize("query", ["SELECT * FROM range(1000000)", "SELECT * FROM range(1500)"])
def test_a_reader_that_has_seen_enough_is_no_failure(empty_table: Path, query: str) -> None:
    is_quiet_when_nobody_reads(line.command("sql", query, "--csv", "--data", empty_table))


def is_quiet_when_nobody_reads(command: list[str]) -> None:
    with subprocess.Popen(
        command, env=line.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        out: IO[bytes] | None = process.stdout
        assert out
        assert process.stderr
        out.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("words", [("status",), ("jobs",)])
def test_a_reader_that_has_seen_enough_of_a_table_is_no_failure(empty_table: Path, words: tuple[str, ...]) -> None:
    with closing(Database(sqlite_url(empty_table / "glimmr.sqlite"))) as database:
        several = [NewJob(step="scan", args={"source": "pra", "place": f"{n}"}) for n in range(50)]
        database.write(lambda c: ledger.enqueue(c, several))
    is_quiet_when_nobody_reads(line.command(*words, "--data", empty_table))


@pytest.mark.parametrize("word", ["validate", "parse", "download"])
def test_an_address_without_end_does_not_fill_the_screen(tmp_path: Path, word: str) -> None:
    address = f"http://127.0.0.1/{'a' * 100_000}"
    done = line.glimmr(word, address, env=line.environment(GLIMMR_DATA=str(tmp_path)), exit_code=None)
    assert done.returncode
    assert "(100,0" in done.stdout + done.stderr
    assert len(done.stdout + done.stderr) < 3000


# ── ordinary mistakes ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_given_as_data_folder_is_wrong_usage(tmp_path: Path) -> None:
    listed = line.write_list(tmp_path / "l.csv", [("A", "VT", "470001", "https://a.example/x")])
    done = line.glimmr("run", "--from", listed, "--data", listed, env=line.environment(), exit_code=2)
    assert "cannot be the data folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_list_with_an_endless_cell_is_wrong_usage(tmp_path: Path) -> None:
    listed = line.write_list(tmp_path / "l.csv", [("A" * 200_000, "VT", "470001", "https://a.example/x")])
    done = line.glimmr("run", "--from", listed, "--data", tmp_path / "d", env=line.environment(), exit_code=2)
    assert "line 2" in done.stderr
    assert not (tmp_path / "d").exists()


def test_jobs_are_given_a_priority_below_everybodys_too(empty_table: Path) -> None:
    with closing(Database(sqlite_url(empty_table / "glimmr.sqlite"))) as database:
        database.write(lambda c: ledger.enqueue(c, [NewJob(step="scan", args={"source": "pra", "place": "VT"})]))
        words, env = ("prioritize", "--step", "scan", "--data", empty_table), line.environment()
        assert line.glimmr(*words, env=env).stdout == "of priority 10 now: 1 (1 scan)\n"
        assert line.glimmr(*words, "--to", "-10", env=env).stdout == "of priority -10 now: 1 (1 scan)\n"
        assert [job["priority"] for job in database.read(ledger.listing)] == [-10]
        line.glimmr(*words, "--to", "3000000000", env=env, exit_code=2)


@pytest.mark.parametrize(
    ("option", "value", "near"),
    [
        ("--state", "ded", "dead"),
        ("--outcome", "gon", "gone"),
        ("--step", "Pars", "parse"),
        ("--step", "x", "publish"),
        ("--reason", "stall", "did you mean stalled?"),
        ("--reason", "x", "docs/reference/outcomes.md"),
    ],
)
def test_jobs_that_cannot_be_are_wrong_usage(empty_table: Path, option: str, value: str, near: str) -> None:
    done = line.glimmr("jobs", option, value, "--data", empty_table, env=line.environment(), exit_code=2)
    assert near in done.stderr


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_status_names_the_files_that_did_not_end_well(server: HttpServer, tmp_path: Path) -> None:
    rows = [
        ("General\x1b[2J", "VT", "470001", server.url("/nothing.csv")),
        ("Good", "VT", "470002", server.url("/good.csv")),
    ]
    listed = line.write_list(tmp_path / "l.csv", rows)
    words = ("--from", listed, "--data", tmp_path / "d")
    ran = line.glimmr("run", *words, env=_allowed())
    looked = line.glimmr("status", "--data", tmp_path / "d", env=line.environment())
    for told in (ran.stdout, looked.stdout):
        assert "gone: General [2J, VT (asked again " in told
        assert "ok: " not in told


def test_jobs_say_which_address_they_are_about(server: HttpServer, tmp_path: Path) -> None:
    listed = line.write_list(tmp_path / "l.csv", [("Good", "VT", "470002", server.url("/good.csv?token=secret"))])
    line.glimmr("run", "--from", listed, "--data", tmp_path / "d", env=_allowed())

    def told(*words: str) -> str:
        return line.glimmr(*words, "--data", tmp_path / "d", env=line.environment()).stdout

    url = server.url("/good.csv?token=***")
    jobs = json.loads(told("jobs", "--json"))
    assert {job["step"]: job["url"] for job in jobs} == {"scan": None, "download": url, "parse": url, "publish": url}
    assert told("jobs").count(url) == 3
    assert f"url        {url}" in told("job", str(jobs[0]["id"]))
    assert told("jobs", "--state", "dead") == "there is no such job\n"


def test_a_dry_run_promises_only_what_it_knows(server: HttpServer, tmp_path: Path) -> None:
    listed = line.write_list(tmp_path / "l.csv", [("Good", "VT", "470002", server.url("/good.csv"))])
    words = ("run", "--from", listed, "--data", tmp_path / "d", "--dry-run")
    told = line.glimmr(*words, env=_allowed()).stdout
    assert "the sources name 1 address; known ones that are not due are not asked again (see --refresh)" in told
    assert "known ones are asked again, too" in line.glimmr(*words, "--refresh", env=_allowed()).stdout


def test_a_dry_run_counts_an_address_once_and_says_what_it_skipped(tmp_path: Path) -> None:
    rows = [
        ("Good", "VT", "470002", "http://h.example/a.csv"),
        ("Twin", "VT", "470003", "http://h.example/a.csv"),
        ("Good", "VT", "470002", "http://h.example/a.csv"),
        ("Lost", "Vermnt", "470004", "http://h.example/b.csv"),
        ("Mute", "VT", "470005", ""),
    ]
    words = ("run", "--from", line.write_list(tmp_path / "l.csv", rows), "--data", tmp_path / "d", "--dry-run")
    told = line.glimmr(*words, env=line.environment()).stdout
    assert "the sources name 1 address; " in told
    assert "skipped 1: no address\n" in told
    assert "skipped 1: no state or territory is called 'Vermnt'; did you mean VT?" in told
    done = line.glimmr(*words, "--json", env=line.environment())
    assert [row["name"] for row in json.loads(done.stdout)] == ["Good", "Twin"]
    assert "skipped 1: no address" in done.stderr
