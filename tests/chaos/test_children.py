"""Files that break the process that reads them: each ends in its own outcome, and no other notices."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glimmr import app
from glimmr.jobs.child import run_in_child
from glimmr.jobs.job import Tell
from glimmr.pipeline import parse_step
from glimmr.settings import load
from glimmr.stores.database import Database, sqlite_url
from glimmr.world import Server, serve_in_thread, world
from tests.support import line
from tests.support.audit import audit, rows

TOYS = "tests.unit.jobs.toys"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve_in_thread(world(seed=5, n=12, mix="load")) as running:
        yield running


def test_a_file_that_breaks_its_reader_ends_in_its_own_outcome_and_costs_no_other_file_anything(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aborts, eats, hangs, *fine = {f.expect.sha256: f for f in server.world.files}.values()
    evil: dict[str | None, tuple[str, dict[str, Any]]] = {
        aborts.expect.sha256: (f"{TOYS}:abort", {}),
        eats.expect.sha256: (f"{TOYS}:eat", {"size_bytes": 10**12}),
        hangs.expect.sha256: (f"{TOYS}:hang", {"pid_file": str(tmp_path / "pid")}),
    }

    async def read(function: str, kwargs: dict[str, Any], *, tell: Tell, memory_bytes: int, seconds: float) -> Any:
        if kwargs["file_id"] in evil:
            function, kwargs = evil[kwargs["file_id"]]
            memory_bytes, seconds = 200 * 2**20, 2.0 if function.endswith("hang") else 60.0
        return await run_in_child(function, kwargs, tell=tell, memory_bytes=memory_bytes, seconds=seconds)

    monkeypatch.setattr(parse_step, "run_in_child", read)
    listed = line.write_list(
        tmp_path / "list.csv", [("H", "VT", "470001", file.url) for file in (aborts, eats, hangs, *fine)]
    )
    for name, value in {**line.HURRY, **server.settings}.items():
        monkeypatch.setenv(name, value)
    settings = load(data=tmp_path / "data")
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))

    database = Database(sqlite_url(settings.data / "glimmr.sqlite"))
    ended = {row["url"]: (row["outcome"], row["reason"]) for row in rows(database, "SELECT * FROM price_files")}
    workers = {row["worker"] for row in rows(database, "SELECT DISTINCT worker FROM attempts")}
    database.close()
    assert ended == {
        aborts.url: ("internal_error", "crashed"),
        eats.url: ("resources", "memory"),
        hangs.url: ("resources", "time"),
    } | {file.url: ("ok", "") for file in fine}
    assert len(workers) == 1
    assert line.digests(settings.data) == {file.expect.sha256: file.expect.digest for file in fine}
    assert audit(settings.data, urls=ended.keys()) == []
