"""What still works while a part is down, for who asks and orders (docs/operate/degraded.md)."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from glimmr import app, looking
from glimmr.errors import DatabaseFault, StorageFault
from glimmr.prices import price_table
from glimmr.settings import Settings, load
from tests.support import line
from tests.support.servers import PostgreSql
from tests.support.shop import Shop, table


def of_a_fleet(tmp_path: Path, server: PostgreSql, shop: Shop) -> Settings:
    hurry: dict[str, Any] = {"min_free_bytes": 1, "retry_scale": 0.001, "patience_seconds": 5.0}
    urls = {"database_url": server.url(), "store_url": str(tmp_path / "store")}
    shop.files = {"/a": table(20), "/b": table(30)}
    return load(data=tmp_path / "data", allow_addresses=("127.0.0.1",), **hurry, **urls)


def work(settings: Settings, shop: Shop, *paths: str) -> None:
    rows = [(f"Hospital {n}", "VT", f"47000{n}", shop.base + path) for n, path in enumerate(paths)]
    listed = line.write_list(settings.data.parent / "list.csv", rows)
    asked = [("listing", str(listed))] if paths else []
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, asked, refresh=False, stop=asyncio.Event()))


def charges(settings: Settings) -> int:
    with price_table(settings) as prices:
        return prices.sql("SELECT count(*) FROM charges").rows[0][0]


def outcomes(settings: Settings) -> dict[str, int]:
    return {row["outcome"]: row["files"] for row in looking.status(settings)["outcomes"]}


def test_prices_are_answered_while_the_database_is_away(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgreSql() as server:
        settings = of_a_fleet(tmp_path, server, shop)
        work(settings, shop, "/a")
        server.stop()
        assert charges(settings) == 20
        with price_table(settings) as prices:
            assert prices.sql("SELECT count(*) FROM files").rows == [(1,)]
        with pytest.raises(DatabaseFault), looking.top(settings) as look:
            look()
        server.start()
        assert outcomes(settings) == {"ok": 1}


def test_orders_are_taken_while_the_store_is_away_and_what_was_ordered_is_done_when_it_is_back(
    shop: Shop, tmp_path: Path, postgresql: PostgreSql
) -> None:
    settings = of_a_fleet(tmp_path, postgresql, shop)
    work(settings, shop, "/a", "/none")
    store = tmp_path / "store"
    store.rename(tmp_path / "away")
    assert outcomes(settings) == {"ok": 1, "gone": 1}
    assert looking.jobs(settings, 100, state="dead")
    looking.pause(settings, "publish", paused=True)
    assert looking.status(settings)["paused"] == ["publish"]
    looking.pause(settings, "publish", paused=False)
    assert app.again(settings, outcome="gone").put == Counter(download=1)
    with pytest.raises(StorageFault, match=r"the store .* is not there: mount it"):
        charges(settings)
    (tmp_path / "away").rename(store)
    shop.files["/none"] = table(5)
    work(settings, shop)
    assert outcomes(settings) == {"ok": 2}
    assert charges(settings) == 25


def test_without_any_worker_orders_are_taken_and_prices_answered_and_the_next_one_does_the_rest(
    shop: Shop, tmp_path: Path, postgresql: PostgreSql
) -> None:
    settings = of_a_fleet(tmp_path, postgresql, shop)
    work(settings, shop, "/a", "/none")
    with looking.top(settings) as look:
        assert look()["workers"] == []
    assert app.again(settings, outcome="gone").put == Counter(download=1)
    assert looking.prioritize(settings, 10, step="download") == Counter(download=1)
    assert charges(settings) == 20
    (waiting,) = looking.jobs(settings, 100, state="ready")
    assert (waiting["step"], waiting["priority"]) == ("download", 10)
    shop.files["/none"] = table(5)
    work(settings, shop)
    assert charges(settings) == 25
