"""What the sweeps over crash points share."""

from collections.abc import Callable, Iterator

import pytest

from glimmr.world import Server, serve_in_thread, world
from tests.support import prefork
from tests.support.prefork import Prefork
from tests.support.sweep import Point, Sweep


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(world(seed=5, n=24, mix="clean")) as running:
        yield running


@pytest.fixture
def program() -> Prefork:
    return prefork.program()


@pytest.fixture
def swept(record_property: Callable[[str, object], None]) -> Callable[..., list[str]]:
    """What is wrong after a death at each of these points; at each of them it really died."""

    def sweep_them(sweep: Sweep, points: list[Point], stop_at: str = "") -> list[str]:
        wrong = sweep.die_at_each(points, stop_at)
        record_property("points", len(points))
        record_property("died at", len(set(sweep.deaths)))
        return wrong

    return sweep_them
