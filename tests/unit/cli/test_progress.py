import threading
from typing import Any, cast

from rich.console import Console

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
