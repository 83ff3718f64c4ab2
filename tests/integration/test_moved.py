"""A world some time later: what has changed is fetched, and nothing else; what has moved is found where it is now."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from glimmr import app, fleet
from glimmr.pipeline import line as the_line
from glimmr.pipeline.download_step import download_job
from glimmr.stores import catalog
from glimmr.stores.catalog import price_file_id
from glimmr.stores.database import Database
from glimmr.world import PraRules, Server, World, serve_in_thread, world
from glimmr.world.change import Change, changed
from glimmr.world.known import findable
from tests.support import line, scanning
from tests.support.audit import rows

STATES = ("VT", "NH", "ME", "RI")
ASKED = (
    "SELECT id, url FROM jobs JOIN price_files ON json_extract(args, '$.price_file_id') = price_file_id"
    " WHERE step = 'download'"
)
WORDS = [word for state in STATES for word in ("--state", state)]


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(world(seed=4, n=177, mix="scan"), pra=PraRules(requests=10_000)) as running:
        yield running


def environment(server: Server) -> dict[str, str]:
    return line.environment(
        server, GLIMMR_SITES_AGAIN_SECONDS="0", GLIMMR_PRA_REQUESTS="10000", GLIMMR_RETRY_SCALE="0.0001"
    )


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
def test_a_second_scan_asks_for_exactly_what_has_changed(server: Server, tmp_path: Path) -> None:
    env, before = environment(server), server.world
    line.summary("run", *WORDS, "--data", tmp_path, env=env)
    with closing(fleet.database(scanning.settings_of(server, tmp_path))) as database:
        last = rows(database, "SELECT max(id) AS id FROM jobs")[0]["id"]
        change = changed(before, every=4)
        server.become(change.world)
        line.summary("run", *WORDS, "--data", tmp_path, env=env)
        new = here(change.world) - here(before)
        assert {row["url"] for row in rows(database, ASKED) if row["id"] > last} == new
        moved = moves(change, before)
        assert moved
        assert new - set(moved.values())
        must_have_moved(database, tmp_path, moved)


@pytest.mark.timeout(180)
def test_a_file_that_is_gone_is_fetched_from_where_the_sources_name_it_now(server: Server, tmp_path: Path) -> None:
    env, before = environment(server), server.world
    line.summary("run", *WORDS, "--data", tmp_path, env=env)
    change = changed(before, every=4)
    moved = moves(change, before)
    server.become(change.world)
    settings = scanning.settings_of(server, tmp_path, retry_scale=0.0001, pra_requests=10_000)
    with app.working(settings) as parts:
        former = next(iter(moved))
        address = parts.database.read(lambda connection: catalog.address(connection, price_file_id(former)))
        assert address is not None
        asyncio.run(the_line.walk(parts, [download_job(address)], asyncio.Event()))
        must_have_moved(parts.database, tmp_path, {former: moved[former]})
