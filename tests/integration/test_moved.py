"""A world some time later: what has changed is fetched, and nothing else; what has moved is found where it is now."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from glimmr import app, fleet
from glimmr.jobs import ledger
from glimmr.pipeline import line as the_line
from glimmr.pipeline.download_step import download_job
from glimmr.settings import Settings, load
from glimmr.stores import catalog
from glimmr.stores.catalog import price_file_id
from glimmr.stores.database import Database
from glimmr.world import PraRules, Server, World, serve_in_thread, world
from glimmr.world.change import Change, changed
from glimmr.world.known import findable
from tests.support import line
from tests.support.audit import rows
from tests.support.servers import PostgreSql

STATES = ("VT", "NH", "ME", "RI")
WORDS = [word for state in STATES for word in ("--state", state)]


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(world(seed=4, n=177, mix="scan"), pra=PraRules(requests=10_000)) as running:
        yield running


@pytest.fixture(params=["one machine", pytest.param("fleet", marks=pytest.mark.long)])
def env(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> dict[str, str]:
    """The settings with which the line lives in the world, where its truth and its shelves are."""
    given = {"GLIMMR_SITES_AGAIN_SECONDS": "0", "GLIMMR_PRA_REQUESTS": "10000", "GLIMMR_RETRY_SCALE": "0.0001"}
    if request.param == "fleet":
        postgresql: PostgreSql = request.getfixturevalue("postgresql")
        given |= {"GLIMMR_DATABASE_URL": postgresql.url(), "GLIMMR_STORE_URL": str(tmp_path)}
    return line.environment(server, **given)


@pytest.fixture
def settings(env: dict[str, str], tmp_path: Path) -> Settings:
    given = {name.removeprefix("GLIMMR_").lower(): env[name] for name in env if name.startswith("GLIMMR_")}
    return load(**(given | {"data": tmp_path}))


def asked_after(database: Database, last: int) -> set[str]:
    """The addresses for which a download was put since that job."""
    put = database.read(lambda connection: ledger.listing(connection, most=10_000, step="download"))
    return {row["args"]["price_file_id"] for row in put if row["id"] > last}


def here(built: World) -> set[str]:
    """The addresses that can be found by asking about these states."""
    return {url for _, _, url in findable(built, STATES)}


def moves(change: Change, before: World) -> dict[str, str]:
    known, later = here(before), here(change.world)
    return {former: to for former, to in change.moved.items() if former in known and to in later}


def must_have_moved(database: Database, data: Path, moved: dict[str, str]) -> None:
    known = {row["url"]: row for row in rows(database, "SELECT * FROM price_files")}
    changes = {(row["price_file_id"], row["what"]) for row in rows(database, "SELECT * FROM address_changes")}
    said = line.bare(data).execute("SELECT url, file_id FROM files").fetchall()
    for former, to in moved.items():
        assert (known[former]["outcome"], known[former]["reason"]) == ("gone", "moved")
        assert known[former]["current_file_id"] is None
        assert (price_file_id(former), "moved") in changes
        assert known[to]["outcome"] == "ok"
        assert (to, known[to]["current_file_id"]) in said
        assert former not in {url for url, _ in said}


@pytest.mark.timeout(180)
def test_a_second_scan_asks_for_exactly_what_has_changed(
    server: Server, env: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    before = server.world
    line.summary("run", *WORDS, "--data", tmp_path, env=env)
    with closing(fleet.database(settings)) as database:
        last = rows(database, "SELECT max(id) AS id FROM jobs")[0]["id"]
        change = changed(before, every=4)
        server.become(change.world)
        line.summary("run", *WORDS, "--data", tmp_path, env=env)
        new = here(change.world) - here(before)
        assert asked_after(database, last) == {price_file_id(url) for url in new}
        moved = moves(change, before)
        assert moved
        assert new - set(moved.values())
        must_have_moved(database, tmp_path, moved)


@pytest.mark.timeout(180)
def test_a_file_that_is_gone_is_fetched_from_where_the_sources_name_it_now(
    server: Server, env: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    before = server.world
    line.summary("run", *WORDS, "--data", tmp_path, env=env)
    change = changed(before, every=4)
    moved = moves(change, before)
    server.become(change.world)
    with app.working(settings) as parts:
        former = next(iter(moved))
        address = parts.database.read(lambda connection: catalog.address(connection, price_file_id(former)))
        assert address is not None
        asyncio.run(the_line.walk(parts, [download_job(address)], asyncio.Event()))
        must_have_moved(parts.database, tmp_path, {former: moved[former]})
