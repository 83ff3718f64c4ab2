"""A price file that is removed from the catalog while a step works on it: its job ends cancelled, nothing breaks."""

import asyncio
from typing import Any

import pytest

from glimmr import app, events
from glimmr.events import Event
from glimmr.jobs import ledger
from glimmr.settings import Settings
from glimmr.stores.database import Database
from tests.support import line
from tests.support.shop import Shop, table


def remove(database: Database, *, snapshots: bool) -> None:
    """What somebody does by hand: the address with all that hangs on it; the bytes' rows, too, or not."""
    names = ["fetches", "price_file_hospitals", "price_files", *(["findings", "snapshots"] if snapshots else [])]
    for name in names:
        database.write(lambda c, table=name: c.exec_driver_sql(f"DELETE FROM {table}"))


@pytest.mark.parametrize(
    ("moment", "step", "with_snapshots"),
    [
        (events.FETCH_STARTED, "download", False),
        (events.FETCH_ENDED, "download", False),
        (events.PARSE_ENDED, "parse", False),
        (events.PARSE_ENDED, "parse", True),
        (events.PUBLISH_STARTED, "publish", False),
        (events.PUBLISH_COMMITTED, "publish", True),
        (events.PUBLISH_ENDED, "publish", False),
    ],
    ids=lambda value: value.name if isinstance(value, Event) else {True: "with its bytes", False: ""}.get(value, ""),
)
def test_a_file_removed_while_its_job_runs_ends_it_cancelled(
    shop: Shop, settings: Settings, *, moment: Event, step: str, with_snapshots: bool
) -> None:
    shop.files["/a"] = table(20)
    listed = line.write_list(settings.data.parent / "l.csv", [("H", "VT", "470000", shop.base + "/a")])
    with app.working(settings) as parts:
        once = iter([None])

        def listener(event: Event, facts: dict[str, Any]) -> None:
            if event is moment and next(once, "no") is None:
                remove(parts.database, snapshots=with_snapshots)

        unlisten = events.listen(listener)
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
        unlisten()
        jobs = parts.database.read(ledger.listing)
        of_step = [job for job in jobs if job["step"] == step]
        assert [(job["state"], job["outcome"], job["reason"]) for job in of_step if job["args"].get("at") is None] == [
            ("cancelled", "cancelled", "file_removed")
        ]
        assert {job["outcome"] for job in jobs} <= {"ok", "cancelled"}
        for job in of_step:
            attempts = parts.database.read(lambda c, job_id=job["id"]: ledger.history(c, job_id))
            assert [attempt.traceback for attempt in attempts] == [""]
        assert parts.lake.named() == set()


def test_a_file_removed_and_found_again_by_the_next_scan_is_published(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    listed = line.write_list(settings.data.parent / "l.csv", [("H", "VT", "470000", shop.base + "/a")])
    for n in range(2):
        with app.working(settings) as parts:
            asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
            if n == 0:
                remove(parts.database, snapshots=False)
    assert line.bare(settings.data).execute("SELECT count(*) FROM files").fetchone() == (1,)
