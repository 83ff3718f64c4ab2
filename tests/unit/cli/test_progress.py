import re
import threading
from typing import Any, cast

import pytest
from rich.console import Console

from glimmr import events
from glimmr.cli import look, progress
from glimmr.errors import DatabaseFault
from glimmr.pipeline import line
from glimmr.watch.board import Board


def test_a_database_that_is_away_for_a_moment_does_not_end_the_progress() -> None:
    asked, again = 0, threading.Event()

    def work() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise DatabaseFault("locked")
        again.set()

    with progress._every(0.001, work):
        assert again.wait(10), "it was not asked again after the fault"


def test_a_drawing_begins_although_the_database_is_away() -> None:
    def counts() -> progress.Counts:
        raise DatabaseFault("locked")

    board = Board()
    with progress._drawn(Console(stderr=True, force_terminal=True), board, counts):
        pass
    board.close()


def test_the_jobs_that_can_be_asked_for_are_those_of_the_line() -> None:
    assert list(look.STEPS) == list(line.steps(cast("Any", None)))


def test_a_scan_alone_is_told_by_what_is_asked_and_what_was_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.001)
    board, asked = Board(), threading.Event()
    events.tell(events.SCAN_FOUND, source="pra", place="ME", found=12, skipped={})
    events.tell(events.JOB_CLAIMED, job=1, step="scan", host=None, args={"source": "pra", "place": "V\x1bT"})
    told = iter([{"scan": {"done": 1, "running": 1}}])

    def counts() -> progress.Counts:
        if one := next(told, None):
            return one
        asked.set()
        raise DatabaseFault("the second line is not wanted")

    with progress._printed(board, counts):
        assert asked.wait(10)
    board.close()
    assert capsys.readouterr().err.strip().endswith("scan 1/2  12 named  pra V\\x1bT")


def test_jobs_that_had_ended_before_are_no_part_of_the_work_that_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.001)
    board, asked = Board(), threading.Event()
    told = iter([{"scan": {"done": 300, "dead": 20, "ready": 2}}, {"scan": {"done": 310, "dead": 1, "running": 4}}])

    def counts() -> progress.Counts:
        if one := next(told, None):
            return one
        asked.set()
        raise DatabaseFault("the second line is not wanted")

    with progress.line(board, counts, shown=True):
        assert asked.wait(10)
    board.close()
    assert capsys.readouterr().err.strip().endswith("scan 10/14  0 named")


def test_a_long_name_leaves_room_for_its_bar_in_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COLUMNS": "80", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    with progress.one_file(f"http://h.test/{'x' * 90}.csv", shown=True) as tell:
        tell(bytes=123_456_789_012, total=987_654_321_098)
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert "x.csv" in drawn
    assert drawn.strip().count("\n") == 0, "it is drawn in one line"
