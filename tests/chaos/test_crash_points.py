"""The process dies at every event it tells; after an undisturbed run nothing is lost, doubled or left behind."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glimmr import events
from glimmr.world import File, Server, serve_in_thread, world
from tests.support.prefork import Prefork
from tests.support.servers import PostgreSql, RedisServer
from tests.support.sweep import FleetSweep, Point, Sweep

CHUNKS = 4
# What an undisturbed run over one good file tells, and what only other runs do.
LINE = {
    "database.migrated", "table.made", "worker.started", "worker.left", "request.sent", "request.answered",
    "scan.found", "fetch.started", "fetch.begun", "fetch.ended", "object.synced", "object.named", "object.placed",
    "parse.started", "parse.read", "parse.ended", "publish.started", "change.decided", "change.logged",
    "publish.committed", "publish.ended", "job.enqueued", "job.offered", "job.claimed", "job.progressed",
    "job.written", "job.finished",
}  # fmt: skip
LARGE = {"fetch.advanced"}
REPLACED = {"publish.retracted", "job.retried", "job.gave_up"}
AGAIN = {"job.handed_back", "object.swept"}
ELSEWHERE = {
    "invariant.repaired": "tests/integration/test_doctor.py: breaches are made while a worker works",
    "job.rescued": "tests/chaos/test_fleet_kill.py: workers die while others rescue",
    "lease.lost": "tests/chaos/test_zombie.py: nothing is written after it",
}

Swept = Callable[[Sweep, list[Point]], list[str]]


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(world(seed=5, n=24, mix="clean")) as running:
        yield running


@pytest.fixture
def program() -> Iterator[Prefork]:
    with Prefork() as running:
        yield running


@pytest.fixture
def servers(postgresql: PostgreSql, redis_server: RedisServer) -> tuple[PostgreSql, RedisServer]:
    return postgresql, redis_server


def file_of(server: Server, kind: str, container: str = "plain", place: int = 0) -> File:
    found = (f for f in server.world.files if f.kind == kind and f.content.container == container and f.expect.rates)
    return list(found)[place]


@pytest.fixture
def swept(record_property: Callable[[str, object], None]) -> Swept:
    """What is wrong after a death at each of these points."""

    def sweep_them(sweep: Sweep, points: list[Point]) -> list[str]:
        record_property("kills", len(points))
        return [found for name, n in points for found in sweep.die_and_go_on(name, n)]

    return sweep_them


def names(points: list[Point]) -> set[str]:
    return {name for name, _ in points}


def test_every_event_is_a_point_of_some_sweep() -> None:
    assert {event.name for event in events.CATALOGUE} == LINE | LARGE | REPLACED | AGAIN | set(ELSEWHERE)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_death_at_any_point_of_the_line_loses_nothing(
    server: Server, program: Prefork, tmp_path: Path, chunk: int, swept: Swept
) -> None:
    sweep = Sweep(program, server, tmp_path, [file_of(server, "tall")])
    points = sweep.points(all_of_them=False)
    assert names(points) == LINE
    assert swept(sweep, points[chunk::CHUNKS]) == []


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
    large = max((f for f in built.files if f.script == "ok"), key=lambda f: f.expect.size_bytes or 0)
    with serve_in_thread(built) as server:
        sweep = Sweep(program, server, tmp_path, [large])
        points = [point for point in sweep.points(all_of_them=True) if point[0] in LARGE]
        assert names(points) == LARGE
        assert swept(sweep, points) == []


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_death_while_a_newer_file_takes_the_place_of_an_older_one_loses_nothing(
    server: Server, program: Prefork, tmp_path: Path, swept: Swept
) -> None:
    old, other, ill = file_of(server, "tall"), file_of(server, "json"), file_of(server, "wide")
    new = replace(old, content=file_of(server, "tall", place=1).content)
    files = [new, replace(other, script="503, ok"), replace(ill, script="410")]
    before = tmp_path / "before"
    Sweep(program, server, tmp_path / "first", [old]).run(before)
    later = replace(server.world, files=tuple({f.url: f for f in (*server.world.files, *files)}.values()))
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


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_a_death_at_any_point_of_a_fleets_process_loses_nothing(
    server: Server,
    program: Prefork,
    servers: tuple[PostgreSql, RedisServer],
    tmp_path: Path,
    swept: Swept,
) -> None:
    sweep = FleetSweep(program, server, tmp_path, [file_of(server, "tall")], servers)
    points = sweep.points(all_of_them=False)
    assert names(points) == LINE
    assert swept(sweep, points) == []
