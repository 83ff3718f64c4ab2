"""What an operator's retry does to a file, step by step, on the real line."""

import asyncio
from collections import Counter

import pytest

from glimmr import app, looking
from glimmr.jobs import ledger
from glimmr.settings import Settings
from tests.support import line
from tests.support.shop import HEADER, Shop, table


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """What fails is given up at once."""
    return settings.model_copy(update={"max_attempts": 1, "patience_seconds": 0.0})


def run(settings: Settings, shop: Shop, *paths: str) -> dict[tuple[str, str], int]:
    """Scan these paths (none: only work off what there is). How the files stand then."""
    asked = []
    if paths:
        rows = [(f"Hospital {n}", "VT", f"47000{n}", shop.base + path) for n, path in enumerate(paths)]
        asked = [("listing", str(line.write_list(settings.data.parent / "list.csv", rows)))]
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, asked, refresh=False, stop=asyncio.Event()))
    return stand(settings)


def stand(settings: Settings) -> dict[tuple[str, str], int]:
    return {(row["state"], row["outcome"]): row["files"] for row in looking.status(settings)["outcomes"]}


def test_a_download_that_failed_is_done_again_and_its_file_is_working_meanwhile(shop: Shop, settings: Settings) -> None:
    assert run(settings, shop, "/a", "/b") == {("done", "gone"): 2}
    shop.files |= {"/a": table(20), "/b": table(21)}
    assert run(settings, shop) == {("done", "gone"): 2}, "nobody asked for it"
    told = app.again(settings, outcome="gone")
    assert (told.put, told.hastened, told.moot) == (Counter(download=2), Counter(), Counter())
    assert stand(settings) == {("working", "gone"): 2}
    told = app.again(settings, outcome="gone")
    assert told.put == Counter(), "they are live already"
    assert run(settings, shop) == {("done", "ok"): 2}
    assert not app.again(settings, step="download").put


def test_a_reading_that_gave_no_prices_is_done_again_for_its_address(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = (HEADER + "\n").encode()
    assert run(settings, shop, "/a") == {("done", "no_price_table"): 1}
    assert app.again(settings, outcome="no_price_table", reason="no_charges").put == Counter(parse=1)
    assert stand(settings) == {("working", "no_price_table"): 1}
    assert run(settings, shop) == {("done", "no_price_table"): 1}
    assert shop.asked == ["/a"]


def test_a_publishing_that_was_cancelled_is_done_again(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    make_with_paused(settings, "publish")
    assert run(settings, shop, "/a") == {("working", None): 1}
    assert app.cancel(settings, step="publish").ended == Counter(publish=1)
    assert stand(settings) == {("done", "cancelled"): 1}
    assert app.again(settings, step="publish", state="cancelled").put == Counter(publish=1)
    assert stand(settings) == {("working", "cancelled"): 1}
    looking.pause(settings, "publish", paused=False)
    assert run(settings, shop) == {("done", "ok"): 1}
    assert shop.asked == ["/a"]


def make_with_paused(settings: Settings, step: str) -> None:
    with app.working(settings) as parts:
        parts.database.write(lambda connection: ledger.pause(connection, step))
