"""A fleet's process dies at every event it tells, also while it takes over from a dead one: nothing is lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from glimmr.world import File, Server, serve_in_thread, world
from tests.support.audit import let_days_pass
from tests.support.prefork import Prefork
from tests.support.servers import PostgreSql, RedisServer
from tests.support.sweep import (
    LARGE,
    LINE,
    REPLACED,
    RESCUED,
    FleetSweep,
    Left,
    Point,
    chunk_of,
    file_of,
    large_file,
    names,
    newer_files,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]
SweepOf = Callable[..., FleetSweep]
Swept = Callable[..., list[str]]
CHUNKS = 6


@pytest.fixture
def sweep_of(program: Prefork, postgresql: PostgreSql, redis_server: RedisServer, tmp_path: Path) -> SweepOf:
    """A fleet's process over some files of a server, begun in what another left."""

    def made(server: Server, *files: File, name: str = "sweep", before: Left | None = None) -> FleetSweep:
        return FleetSweep(program, server, tmp_path / name, files, servers=(postgresql, redis_server), before=before)

    return made


def of(points: list[Point], wanted: set[str]) -> list[Point]:
    """Those of these events, each of which is told."""
    assert wanted <= names(points)
    return [point for point in points if point[0] in wanted]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_death_at_every_point_of_a_fleets_process_loses_nothing(
    server: Server, sweep_of: SweepOf, swept: Swept, chunk: int
) -> None:
    sweep = sweep_of(server, file_of(server, "tall"))
    points = sweep.points(all_of_them=True)
    assert names(points) == LINE
    assert sum(len(chunk_of(points, one, CHUNKS)) for one in range(CHUNKS)) == len(points)
    assert swept(sweep, chunk_of(points, chunk, CHUNKS)) == []


def test_a_death_while_a_fleet_brings_a_large_file_home_loses_nothing(sweep_of: SweepOf, swept: Swept) -> None:
    built = world(seed=5, n=24, mix="demo")
    with serve_in_thread(built) as server:
        sweep = sweep_of(server, large_file(built))
        assert swept(sweep, of(sweep.points(all_of_them=True), LARGE)) == []


def test_a_death_while_a_newer_file_takes_the_place_of_an_older_one_in_a_fleet_loses_nothing(
    server: Server, sweep_of: SweepOf, swept: Swept
) -> None:
    old, files, later = newer_files(server)
    before = sweep_of(server, old, name="first").leave()
    with serve_in_thread(later) as changed:
        sweep = sweep_of(changed, *files, before=before)
        points = sweep.points(all_of_them=True)
        assert names(points) == (LINE - {"table.made"}) | REPLACED
        assert swept(sweep, of(points, REPLACED)) == []


@pytest.mark.parametrize("stop_at", ["parse.started:1", "publish.started:1", "change.decided:2"])
def test_a_death_while_a_fleets_process_hands_its_work_back_loses_nothing(
    server: Server, sweep_of: SweepOf, swept: Swept, stop_at: str
) -> None:
    sweep = sweep_of(server, file_of(server, "tall"))
    points = sweep.points(all_of_them=True, stop_at=stop_at)
    assert swept(sweep, of(points, {"job.handed_back", "worker.left"}), stop_at) == []


@pytest.mark.parametrize("first_death", ["fetch.begun:1", "parse.started:1", "change.decided:3", "job.written:2"])
def test_a_death_of_who_rescues_the_job_of_a_dead_process_loses_nothing(
    server: Server, sweep_of: SweepOf, swept: Swept, first_death: str
) -> None:
    file = file_of(server, "tall")
    before = sweep_of(server, file, name="first").leave(first_death)
    sweep = sweep_of(server, file, before=before)
    assert swept(sweep, of(sweep.points(all_of_them=True), RESCUED)) == []


def test_a_death_while_a_dead_processes_leftovers_are_swept_from_the_shared_table_loses_nothing(
    server: Server, sweep_of: SweepOf, swept: Swept
) -> None:
    file = file_of(server, "tall")
    first = sweep_of(server, file, name="first")
    before = first.leave("change.decided:3")
    first.run(before.data)
    let_days_pass(before.data)
    sweep = sweep_of(server, file, before=before)
    assert swept(sweep, of(sweep.points(all_of_them=True), {"object.swept", "invariant.repaired"})) == []
