"""What has not changed costs nothing, or next to it: on the real line, visited again and again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glimmr import app, looking
from glimmr.jobs.endings import finish
from glimmr.pipeline.upkeep_step import UpkeepStep, upkeep_job
from glimmr.settings import Settings, load
from glimmr.stores.blobs import Blobs
from tests.support import line
from tests.support.flipping import Flipping
from tests.support.http_server import HttpServer, answer
from tests.support.servers import PostgreSql
from tests.support.shop import table
from tests.unit.pipeline import stage
from tests.unit.pipeline.plants import aged, sql

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
    given: dict[str, Any] = {"allow_addresses": ("127.0.0.1",), "min_free_bytes": 1, "retry_scale": 0.001}
    return load(data=tmp_path / "data", crawl_delay_seconds=0.0, **given)  # no robots.txt among the requests


def visit(settings: Settings, server: HttpServer, *paths: str) -> dict[str, Any]:
    rows = [(f"Hospital {n}", "VT", f"4700{n:02}", server.url(path)) for n, path in enumerate(paths)]
    listed = line.write_list(settings.data.parent / "list.csv", rows)
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=True, stop=asyncio.Event()))
    return looking.status(settings)


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


@pytest.fixture(params=["folder", "bucket"])
def shelves(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """The settings with their shelves in a folder, or those of a fleet with theirs in a bucket."""
    if request.param == "folder":
        return settings
    postgresql: PostgreSql = request.getfixturevalue("postgresql")
    fleet = {"database_url": postgresql.url(), "store_url": request.getfixturevalue("bucket")}
    return settings.model_copy(update=fleet)


def objects(settings: Settings) -> int:
    return sum(1 for _ in Blobs(f"{settings.store_url or settings.data}/blobs").stored())


def asked(server: HttpServer) -> list[str]:
    """What was asked for, but for the pace that the host wants."""
    return [path for path in server.paths() if path != "/robots.txt"]


def ran(status: dict[str, Any]) -> dict[str, int]:
    return {job["step"]: job["jobs"] for job in status["jobs"]}


def test_a_file_of_24_hospitals_is_fetched_once(shelves: Settings, server: HttpServer) -> None:
    server.scripts["/f"] = answer(table(20))  # type: ignore[index]
    told = visit(shelves, server, *["/f"] * 24)
    assert ran(told) == {"scan": 1, "download": 1, "parse": 1, "publish": 1}
    assert asked(server) == ["/f"]
    assert objects(shelves) == 1


def test_equal_bytes_of_many_addresses_are_stored_and_parsed_once(shelves: Settings, server: HttpServer) -> None:
    paths = [f"/{n}" for n in range(4 if shelves.store_url else 24)]  # each publishing takes a second there
    server.scripts |= {path: answer(table(20)) for path in paths}  # type: ignore[operator]
    told = visit(shelves, server, *paths)
    assert ended(told) == {("ok", ""): len(paths)}
    assert ran(told) == {"scan": 1, "download": len(paths), "parse": 1, "publish": len(paths)}
    assert sorted(asked(server)) == sorted(paths)
    assert objects(shelves) == 1


def test_bytes_that_are_not_kept_are_brought_again_only_for_a_newer_parser(
    settings: Settings, server: HttpServer
) -> None:
    script = server.scripts["/f"] = Flipping(LARGE)  # type: ignore[index]
    visit(settings, server, "/f")
    aged(settings.data / "blobs", 2 * 3600)
    with app.working(settings.model_copy(update={"keep_bytes": "none"})) as parts:
        upkeep = stage.running(parts.database, upkeep_job("prune"))
        done = asyncio.run(UpkeepStep(parts).run(upkeep, lambda **_: None))
        parts.database.write(lambda connection: finish(connection, upkeep, done))
    assert (done.message, done.bytes) == ("0 ended jobs removed, bytes of 1 snapshots deleted", len(LARGE))
    assert objects(settings) == 0
    script.sent = 0
    assert ended(visit(settings, server, "/f")) == {("unchanged", "same_ranges"): 1}
    assert (script.sent, objects(settings)) == (5 * MB, 0)
    with app.working(settings) as parts:
        sql(parts.database, "UPDATE snapshots SET parser_version = '0'")
    told = visit(settings, server, "/f")
    assert (ran(told)["parse"], objects(settings)) == (2, 1)
