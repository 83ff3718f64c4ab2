"""The log: one shape for everybody's lines, with the run they are about, and nothing in it that may not be."""

import errno
import json
import logging
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from glimmr import events
from glimmr.cli import log
from glimmr.cli.narrate import narrate
from glimmr.errors import UsageError
from glimmr.settings import load
from tests.unit.cli.logged import unlogged

__all__ = ["unlogged"]
pytestmark = pytest.mark.usefixtures("unlogged")
_RUN: dict[str, Any] = {
    "job": 7,
    "step": "parse",
    "host": None,
    "attempt": 2,
    "epoch": 2,
    "worker": "w1",
    "args": {"file_id": "ab"},
}
Said = pytest.CaptureFixture[str]


def lines(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.readouterr().err.splitlines()]


def test_where_no_person_reads_each_line_is_an_object_with_the_run_it_is_about(capsys: Said) -> None:
    log.configure(load())
    with bound_contextvars(**_RUN):
        logging.getLogger("alembic.runtime").warning("gone: %s", "redis")
    logging.getLogger("glimmr.jobs").info("too quiet")
    (line,) = lines(capsys)
    assert list(line)[:4] == ["at", "level", "logger", "event"]
    assert (line["level"], line["logger"], line["event"]) == ("warning", "alembic.runtime", "gone: redis")
    assert {name: line[name] for name in ("job", "step", "attempt", "worker", "file")} == {
        "job": 7, "step": "parse", "attempt": 2, "worker": "w1", "file": "ab",
    }  # fmt: skip


def test_on_a_terminal_it_is_text_that_cannot_steer_it(capsys: Said) -> None:
    log.configure(load(log_format="text"))
    with bound_contextvars(job=7):
        logging.getLogger("glimmr.jobs").warning("a name\x1b[2J\nand a forged line\u202e")
    assert capsys.readouterr().err == ("WARNING glimmr.jobs: a name\\x1b[2J\n  and a forged line\\u202e (job=7)\n")


def test_nothing_steers_a_terminal_that_shows_json_either(capsys: Said) -> None:
    log.configure(load())
    logging.getLogger("glimmr.jobs").warning("\x1b[2J\n\x9b\u202e")
    said = capsys.readouterr().err
    assert said.isascii()
    assert len(said.splitlines()) == 1


def test_a_traceback_is_structured_and_has_no_values_of_variables(capsys: Said) -> None:
    log.configure(load())
    try:
        hidden = "a local value"
        _ = [][len(hidden)]
    except IndexError:
        logging.getLogger("glimmr.jobs").exception("it failed")
    (line,) = lines(capsys)
    (raised,) = line["exception"]
    assert (raised["exc_type"], raised["frames"][-1]["name"]) == (
        "IndexError",
        "test_a_traceback_is_structured_and_has_no_values_of_variables",
    )
    assert "a local value" not in json.dumps(line)


@pytest.mark.parametrize("how", ["text", "json"])
def test_no_secret_of_settings_or_environment_or_of_an_address_is_shown(
    capsys: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "HIDDEN-aws")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:HIDDEN-proxy@proxy:3128")
    given = {
        "database_url": "postgresql://glimmr:HIDDEN%2Fdb@db.example/glimmr",
        "redis_url": "rediss://:HIDDEN-redis@redis.example/0",
        "smtp_url": "smtp://me:HIDDEN-mail@mail.example",
        "alert_webhook": "https://chat.example/hooks/HIDDEN-hook",
    }
    log.configure(load(log_format=how, log_file=tmp_path / "log", **given))
    logger = logging.getLogger("glimmr.jobs")
    for text in (
        *given.values(),
        "HIDDEN-aws", "HIDDEN/db", "HIDDEN%2Fdb", "hooks/HIDDEN-hook", "HIDDEN-proxy",
        "GET https://h.example/f.csv?X-Amz-Signature=HIDDEN&a=b",
        "connection failed: host=db password=HIDDEN user=glimmr",
        "{'Authorization': 'Bearer HIDDEN'}",
    ):  # fmt: skip
        logger.warning("said %s", text)
        logger.warning("said", exc_info=ValueError(text))
    with bound_contextvars(args={"url": given["database_url"], "api_key": "HIDDEN"}):
        logger.warning("in the context")
    said = capsys.readouterr().err + (tmp_path / "log").read_text()
    assert said.count("said") >= 20
    assert [line for line in said.splitlines() if "HIDDEN" in line] == []


def test_events_are_lines_in_words_and_in_a_file_data(capsys: Said, tmp_path: Path) -> None:
    log.configure(load(log_format="text", log_file=tmp_path / "logs" / "log"))
    stop = narrate(shown=False)
    events.tell(events.JOB_FINISHED, **_RUN, outcome="ok", reason="", rows=3)
    stop()
    assert capsys.readouterr().err == ""
    (line,) = [log.parsed(one) for one in (tmp_path / "logs" / "log").read_text().splitlines()]
    assert (line["event"], line["text"], line["rows"], line["file"]) == (
        "job.finished", "parse 7 finished: ok, 3 rows", 3, "ab",
    )  # fmt: skip


def _write_many(path: Path) -> None:
    log.configure(load(log_level="error", log_file=path, log_file_bytes=2**16))
    for number in range(900):
        logging.getLogger("glimmr.jobs").info("line %d of %s", number, "x" * 60)


def test_several_processes_fill_and_move_one_file_and_no_line_is_torn_or_lost(tmp_path: Path) -> None:
    path = tmp_path / "log"
    several = [multiprocessing.get_context("spawn").Process(target=_write_many, args=(path,)) for _ in range(2)]
    for one in several:
        one.start()
    for one in several:
        one.join(60)
        assert one.exitcode == 0
    kept = log.files(path)
    assert len(kept) >= 4
    assert all(one.stat().st_size < 2**16 + 2000 for one in kept)
    written = [line for one in kept for line in one.read_text().splitlines()]
    said = [log.parsed(line)["event"].split()[1] for line in written]
    assert sorted(map(int, said)) == sorted([*range(900), *range(900)])


def test_a_log_that_cannot_be_written_is_said_at_the_start_and_later_stops_no_work(
    tmp_path: Path, capsys: Said
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="GLIMMR_LOG_FILE"):
        log.configure(load(log_file=tmp_path / "file" / "log"))
    log.configure(load(log_file="/dev/full", log_format="text"))
    logging.getLogger("glimmr.jobs").warning("still said")
    assert capsys.readouterr().err == "WARNING glimmr.jobs: still said\n"


def test_a_line_whose_words_do_not_fit_stops_nobody_and_is_told_all_the_same(capsys: Said) -> None:
    log.configure(load())
    words = "%d of %s"
    logging.getLogger("some.library").warning(words, "one")
    (line,) = lines(capsys)
    assert words in line["event"]


@pytest.mark.parametrize("fault", [BrokenPipeError(), OSError(errno.ENOSPC, "full"), ValueError("closed file")])
def test_a_standard_error_that_takes_nothing_stops_no_work(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    log.configure(load())

    def write(_: str) -> int:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(sys.stderr, "write", write)
        logging.getLogger("glimmr.jobs").warning("nobody hears it")
