"""What has not changed costs nothing, or next to it: on the real line, visited again and again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glimmr import app
from glimmr.settings import Settings, load
from tests.support import line
from tests.support.flipping import Flipping
from tests.support.http_server import HttpServer
from tests.support.shop import table

MB = 2**20
ROWS = 120
LARGE = table(ROWS).replace(b"Item ", b"Item " + b"of a long name " * 4000)  # few rows, so that it is soon read


@pytest.fixture
def server() -> Iterator[HttpServer]:
    scripts: dict[str, Any] = {}
    with HttpServer(scripts) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(data=tmp_path / "data", allow_addresses=("127.0.0.1",), min_free_bytes=1, retry_scale=0.001)


def visit(settings: Settings, server: HttpServer, *paths: str) -> dict[str, Any]:
    rows = [(f"Hospital {n}", "VT", f"4700{n:02}", server.url(path)) for n, path in enumerate(paths)]
    listed = line.write_list(settings.data.parent / "list.csv", rows)
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=True, stop=asyncio.Event()))
    return app.status(settings)


def ended(status: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(row["outcome"], row["reason"]): row["files"] for row in status["outcomes"]}


def test_a_file_whose_etag_flips_is_compared_by_ranges_until_it_is_time_for_the_whole(
    settings: Settings, server: HttpServer
) -> None:
    script = server.scripts["/f"] = Flipping(LARGE)  # type: ignore[index]
    assert ended(visit(settings, server, "/f")) == {("ok", ""): 1}
    script.sent = 0
    assert ended(visit(settings, server, "/f")) == {("unchanged", "same_ranges"): 1}
    assert script.sent == 5 * MB
    weekly = settings.model_copy(update={"whole_fetch_seconds": 0.0})  # the week is over
    script.sent, script.asked = 0, []
    assert ended(visit(weekly, server, "/f")) == {("unchanged", "same_bytes"): 1}
    assert (script.sent, script.asked) == (len(LARGE), [""])
    script.sent = 0
    assert ended(visit(settings, server, "/f")) == {("unchanged", "same_ranges"): 1}, "the week begins anew"


def test_a_change_between_the_ranges_is_found_when_the_whole_is_due(settings: Settings, server: HttpServer) -> None:
    script = server.scripts["/f"] = Flipping(LARGE)  # type: ignore[index]
    visit(settings, server, "/f")
    place = LARGE.index(b"Item", MB)
    assert place + 4 < (len(LARGE) - MB) // 4, "between the first range and the second"
    script.body = LARGE[:place] + b"Atem" + LARGE[place + 4 :]
    assert ended(visit(settings, server, "/f")) == {("unchanged", "same_ranges"): 1}
    weekly = settings.model_copy(update={"whole_fetch_seconds": 0.0})
    assert ended(visit(weekly, server, "/f")) == {("ok", ""): 1}
    found = line.bare(settings.data).execute("SELECT count(*) FROM charges WHERE description LIKE 'Atem%'").fetchone()
    assert found == (1,)


def test_bytes_that_vanished_from_the_shelf_are_not_compared_but_brought(
    settings: Settings, server: HttpServer
) -> None:
    script = server.scripts["/f"] = Flipping(LARGE)  # type: ignore[index]
    visit(settings, server, "/f")
    (bytes_,) = [path for path in (settings.data / "blobs" / "sha256").rglob("*") if path.is_file()]
    bytes_.unlink()
    script.asked = []
    assert ended(visit(settings, server, "/f")) == {("unchanged", "same_bytes"): 1}
    assert script.asked == [""]
    assert bytes_.is_file()
