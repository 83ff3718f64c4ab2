"""The process dies at every event it tells; after an undisturbed run nothing is lost, doubled or left behind."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from glimmr import events
from glimmr.world import Server, serve_in_thread, world
from tests.support.prefork import Prefork
from tests.support.sweep import (
    AGAIN,
    LARGE,
    LINE,
    REPLACED,
    RESCUED,
    ZOMBIE,
    Point,
    Sweep,
    chunk_of,
    file_of,
    large_file,
    names,
    newer_files,
)

Swept = Callable[[Sweep, list[Point]], list[str]]
CHUNKS = 2


def test_every_event_is_a_point_of_some_sweep() -> None:
    assert {event.name for event in events.CATALOGUE} == LINE | LARGE | REPLACED | AGAIN | RESCUED | ZOMBIE


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_death_at_any_point_of_the_line_loses_nothing(
    server: Server, program: Prefork, tmp_path: Path, chunk: int, swept: Swept
) -> None:
    sweep = Sweep(program, server, tmp_path, [file_of(server, "tall")])
    points = sweep.points(all_of_them=False)
    assert names(points) == LINE
    assert swept(sweep, chunk_of(points, chunk, CHUNKS)) == []


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("made_as", ["tall plain", "json plain", "wide zip"])
def test_a_death_at_every_point_of_any_kind_of_file_loses_nothing(
    server: Server,
    program: Prefork,
    tmp_path: Path,
    made_as: str,
    swept: Swept,
) -> None:
    sweep = Sweep(program, server, tmp_path, [file_of(server, *made_as.split())])
    points = sweep.points(all_of_them=True)
    assert names(points) == LINE
    assert swept(sweep, points) == []


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_death_while_a_large_file_is_brought_home_loses_nothing(
    program: Prefork, tmp_path: Path, swept: Swept
) -> None:
    built = world(seed=5, n=24, mix="demo")
    with serve_in_thread(built) as server:
        sweep = Sweep(program, server, tmp_path, [large_file(built)])
        points = [point for point in sweep.points(all_of_them=True) if point[0] in LARGE]
        assert names(points) == LARGE
        assert swept(sweep, points) == []


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_death_while_a_newer_file_takes_the_place_of_an_older_one_loses_nothing(
    server: Server, program: Prefork, tmp_path: Path, swept: Swept
) -> None:
    old, files, later = newer_files(server)
    before = tmp_path / "before"
    Sweep(program, server, tmp_path / "first", [old]).run(before)
    with serve_in_thread(later) as changed:
        sweep = Sweep(program, changed, tmp_path / "second", files, before)
        points = sweep.points(all_of_them=True)
        assert names(points) == (LINE - {"table.made"}) | REPLACED
        assert swept(sweep, points) == []


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", ["change.decided:3", "object.named:2", "parse.read:1"])
def test_a_second_death_while_the_first_is_mended_loses_nothing(
    server: Server,
    program: Prefork,
    tmp_path: Path,
    first: str,
    swept: Swept,
) -> None:
    files = [file_of(server, "tall")]
    before = tmp_path / "before"
    Sweep(program, server, tmp_path / "first", files).run(before, first, exit_code=-signal.SIGKILL)
    sweep = Sweep(program, server, tmp_path / "second", files, before)
    points = sweep.points(all_of_them=True)
    assert "job.handed_back" in names(points)
    assert first != "change.decided:3" or "object.swept" in names(points)
    assert swept(sweep, points) == []
