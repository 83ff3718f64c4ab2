"""What becomes of addresses as their answers change: one server whose file can be exchanged, the real line."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from glimmr import app, looking
from glimmr.errors import UsageError
from glimmr.model import Found, Hospital
from glimmr.parse import parse
from glimmr.pipeline.line import walk
from glimmr.pipeline.parts import utcnow
from glimmr.pipeline.scan_job import scan_job
from glimmr.settings import Settings, load
from glimmr.stores import snapshots
from glimmr.watch.board import Board
from tests.support import line
from tests.support.known import remember
from tests.support.shop import HEADER, Shop, table


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(
        data=tmp_path / "data",
        allow_addresses=("127.0.0.1",),
        min_free_bytes=1,
        retry_scale=0.001,
        max_attempts=2,
        patience_seconds=5.0,
    )


def run(settings: Settings, shop: Shop, *paths: str, refresh: bool = False) -> dict[str, Any]:
    rows = [(f"Hospital {n}", "VT", f"47000{n}", shop.base + path) for n, path in enumerate(paths)]
    listed = line.write_list(settings.data.parent / "list.csv", rows)
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=refresh, stop=asyncio.Event()))
    return looking.status(settings)


def summary_of(settings: Settings, asked: list[tuple[str, str]]) -> dict[str, Any]:
    board, began = Board(), utcnow()
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, asked, refresh=False, stop=asyncio.Event()))
        told = app.summary(parts, board, began)
    board.close()
    return told


def ended(status: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(row["outcome"], row["reason"]): row["files"] for row in status["outcomes"]}


def published(settings: Settings) -> list[tuple[int, str]]:
    query = "SELECT f.charges, h.hospital_id FROM files AS f JOIN file_hospitals AS h USING (file_id) ORDER BY ALL"
    return line.bare(settings.data).execute(query).fetchall()


def test_a_newer_file_takes_the_place_of_the_older_one(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    run(settings, shop, "/a")
    shop.files["/a"] = table(25, price=200)
    assert ended(run(settings, shop, "/a", refresh=True)) == {("ok", ""): 1}
    assert published(settings) == [(25, "470000")]
    charges = line.bare(settings.data).execute("SELECT count(*), min(gross_charge) FROM charges").fetchone()
    assert charges == (25, 200)


def test_a_file_that_shrinks_is_not_believed_before_it_is_seen_twice(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(200)
    run(settings, shop, "/a")
    shop.files["/a"] = table(3)
    assert ended(run(settings, shop, "/a", refresh=True)) == {("incomplete", "suspect_truncated"): 1}
    assert published(settings) == [(200, "470000")]
    assert ended(run(settings, shop, "/a", refresh=True)) == {("ok", ""): 1}
    assert published(settings) == [(3, "470000")]


def test_a_run_whose_questions_another_process_answered_had_an_answer(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    began = utcnow()
    run(settings, shop, "/a")
    idle = Board()  # of a process of a fleet that came too late for any job
    with app.working(settings) as parts:
        told = app.summary(parts, idle, began)
    idle.close()
    assert told["answered"]
    assert told["scan"] == {"found": 1, "skipped": {}}
    assert told["parsed"] == 0


def test_the_same_bytes_again_are_neither_parsed_nor_published_again(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    run(settings, shop, "/a")
    told = run(settings, shop, "/a", refresh=True)
    assert ended(told) == {("unchanged", "same_bytes"): 1}
    assert {job["step"]: job["jobs"] for job in told["jobs"]} == {"scan": 2, "download": 2, "parse": 1, "publish": 1}
    assert published(settings) == [(20, "470000")]


def test_a_file_that_is_gone_keeps_its_last_prices(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    run(settings, shop, "/a")
    del shop.files["/a"]
    assert ended(run(settings, shop, "/a", refresh=True)) == {("gone", "not_found"): 1}
    assert published(settings) == [(20, "470000")]


def test_a_file_that_becomes_a_web_page_keeps_its_last_prices(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    run(settings, shop, "/a")
    shop.files["/a"] = b"<!doctype html><html><body>We moved</body></html>"
    assert ended(run(settings, shop, "/a", refresh=True)) == {("not_a_price_file", "html"): 1}
    assert published(settings) == [(20, "470000")]


def test_one_content_at_two_addresses_is_in_the_table_once_for_both(shop: Shop, settings: Settings) -> None:
    shop.files |= {"/a": table(20), "/b": table(20)}
    assert ended(run(settings, shop, "/a", "/b")) == {("ok", ""): 2}
    assert published(settings) == [(20, "470000"), (20, "470001")]
    assert line.bare(settings.data).execute("SELECT count(*) FROM charges").fetchone() == (20,)
    shop.files["/b"] = table(21)
    run(settings, shop, "/a", "/b", refresh=True)
    assert published(settings) == [(20, "470000"), (21, "470001")]


def test_what_ended_is_not_asked_again(shop: Shop, settings: Settings) -> None:
    shop.files |= {"/a": table(20), "/b": b"<html></html>"}
    run(settings, shop, "/a", "/b", "/missing")
    asked = len(shop.asked)
    run(settings, shop, "/a", "/b", "/missing")
    assert len(shop.asked) == asked


def test_a_refresh_asks_an_address_once_however_many_name_it(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    folder, rows = settings.data.parent, [("Hospital", "VT", "470000", f"{shop.base}/a")]
    lists = [str(line.write_list(folder / name, rows)) for name in ("one.csv", "other.csv")]

    def refresh(began: datetime) -> None:
        for place in lists:  # one after the other: the file has ended when it is named again
            seeds = [scan_job("listing", place, refresh=True, since=began)]
            with app.working(settings) as parts:
                asyncio.run(walk(parts, seeds, asyncio.Event()))

    for times in (1, 2):
        refresh(utcnow())
        assert shop.asked.count("/a") == times


def test_a_price_list_that_vanished_from_the_shelf_is_made_again(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    with app.working(settings) as parts:
        listed = line.write_list(settings.data.parent / "l.csv", [("H", "VT", "470000", shop.base + "/a")])
        place = parts.lake.place

        def lose(*given: Any) -> Any:
            sizes = place(*given)
            for path in (settings.data / "lake" / "charges").rglob("*.parquet"):
                path.unlink()
            parts.lake.place = place  # pyright: ignore[reportAttributeAccessIssue]
            return sizes

        parts.lake.place = lose  # pyright: ignore[reportAttributeAccessIssue]
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
    assert published(settings) == [(20, "470000")]


def test_a_hospital_named_later_gets_the_prices_that_are_here_already(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    url = shop.base + "/a"
    for row in [("First", "VT", "470000", url), ("Second", "NH", "300001", url), ("Renamed", "VT", "470000", url)]:
        listed = line.write_list(settings.data.parent / "list.csv", [row])
        summary_of(settings, [("listing", str(listed))])
    query = "SELECT hospital_id, name FROM file_hospitals ORDER BY ALL"
    assert line.bare(settings.data).execute(query).fetchall() == [("300001", "Second"), ("470000", "Renamed")]
    assert shop.asked == ["/a"]


def test_a_source_that_does_not_answer_is_said_although_it_is_tried_again(settings: Settings) -> None:
    nobody = settings.model_copy(
        update={"pra_url": "http://127.0.0.1:1", "patience_seconds": 0.0, "max_attempts": 5, "retry_scale": 1.0}
    )
    told = summary_of(nobody, [("pra", "VT")])
    (failed,) = told["failed_scans"]
    assert (failed["place"], failed["reason"]) == ("VT", "connection_refused")
    assert failed["next_try_at"] is not None
    assert told["answered"] is False


def test_bytes_that_vanished_before_they_were_read_are_brought_home_again(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    listed = line.write_list(settings.data.parent / "l.csv", [("H", "VT", "470000", shop.base + "/a")])
    with app.working(settings) as parts:
        holds, asked = parts.blobs.holds, []

        def lose_once(key: str, size_bytes: int) -> bool:
            asked.append(key)
            if len(asked) == 1:
                (settings.data / "blobs" / key).unlink()
            return holds(key, size_bytes)

        parts.blobs.holds = lose_once  # pyright: ignore[reportAttributeAccessIssue]
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
    assert ended(looking.status(settings)) == {("ok", ""): 1}
    assert shop.asked == ["/a", "/a"]


def test_bytes_that_changed_on_the_shelf_are_not_read_but_brought_home_again(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    listed = line.write_list(settings.data.parent / "l.csv", [("H", "VT", "470000", shop.base + "/a")])
    with app.working(settings) as parts:
        holds, asked = parts.blobs.holds, []

        def change_once(key: str, size_bytes: int) -> bool:
            asked.append(key)
            if len(asked) == 1:
                path = settings.data / "blobs" / key
                path.write_bytes(path.read_bytes().replace(b"Item 7", b"Item 8"))
            return holds(key, size_bytes)

        parts.blobs.holds = change_once  # pyright: ignore[reportAttributeAccessIssue]
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
    assert ended(looking.status(settings)) == {("ok", ""): 1}
    assert shop.asked == ["/a", "/a"]
    assert (settings.data / "blobs" / asked[0]).read_bytes() == table(20)
    with closing(sqlite3.connect(settings.data / "glimmr.sqlite")) as database:
        assert database.execute("SELECT max(attempt) FROM jobs").fetchone() == (1,), "nobody is charged for it"


@pytest.mark.parametrize("damage", ["cut", "of another file"])
def test_a_price_list_that_is_not_whole_any_more_is_parsed_again_before_it_is_published(
    shop: Shop, settings: Settings, damage: str
) -> None:
    shop.files["/a"] = table(20)
    with app.working(settings) as parts:
        listed = line.write_list(settings.data.parent / "l.csv", [("H", "VT", "470000", shop.base + "/a")])
        place = parts.lake.place

        def spoil(*given: Any) -> Any:
            sizes = place(*given)
            (path,) = (settings.data / "lake" / "charges").rglob("*.parquet")
            whole = path.read_bytes()
            path.unlink()  # what is in scratch is the same file
            other = other_price_list(settings.data.parent) if damage == "of another file" else b""
            path.write_bytes({"cut": whole[: len(whole) // 2], "of another file": other}[damage])
            parts.lake.place = place  # pyright: ignore[reportAttributeAccessIssue]
            return sizes

        parts.lake.place = spoil  # pyright: ignore[reportAttributeAccessIssue]
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
    assert published(settings) == [(20, "470000")]
    assert line.bare(settings.data).execute("SELECT count(*) FROM charges").fetchone() == (20,)
    assert shop.asked == ["/a"]


def other_price_list(folder: Path) -> bytes:
    """The charges of a file with fewer rows."""
    (folder / "other.csv").write_bytes(table(3))
    parse(folder / "other.csv", folder / "other")
    return (folder / "other" / "charges.parquet").read_bytes()


def test_a_publishing_that_was_given_up_is_mended_at_the_next_start(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    run(settings, shop, "/a")
    shop.files["/a"] = table(25)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "point", _fail)
        assert ended(run(settings, shop, "/a", refresh=True)) == {("internal_error", "unclassified"): 1}
    assert sorted(published(settings)) == [(20, "470000"), (25, "470000")]
    run(settings, shop, "/a")
    assert published(settings) == [(20, "470000")]


def _fail(*_: Any) -> None:
    raise RuntimeError("a bug")


def test_a_refresh_asks_an_address_at_once_that_waits_for_a_later_try(shop: Shop, settings: Settings) -> None:
    patient = settings.model_copy(update={"retry_scale": 1.0, "patience_seconds": 0.0})
    assert ended(run(patient, shop, "/a")) == {("gone", "not_found"): 1}
    shop.files["/a"] = table(20)
    assert ended(run(patient, shop, "/a")) == {("gone", "not_found"): 1}
    assert ended(run(patient, shop, "/a", refresh=True)) == {("ok", ""): 1}


def test_a_newer_file_without_prices_leaves_a_finding_and_the_older_prices(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(20)
    run(settings, shop, "/a")
    shop.files["/a"] = (HEADER + "\n").encode()
    assert ended(run(settings, shop, "/a", refresh=True)) == {("no_price_table", "no_charges"): 1}
    assert published(settings) == [(20, "470000")]
    assert _findings(settings, "GL-SHRINK") == 1


def test_a_shrunk_file_has_one_finding_however_often_it_is_doubted(shop: Shop, settings: Settings) -> None:
    shop.files["/a"] = table(200)
    run(settings, shop, "/a")
    shop.files["/a"] = table(3)
    run(settings, shop, "/a", refresh=True)
    assert _findings(settings, "GL-SHRINK") == 1
    (troubled,) = looking.status(settings)["troubled"]
    assert "a second time" in troubled["message"]


def _findings(settings: Settings, code: str) -> int:
    with closing(sqlite3.connect(settings.data / "glimmr.sqlite")) as connection:
        return connection.execute("SELECT count(*) FROM findings WHERE code = ?", (code,)).fetchone()[0]


def test_a_token_in_an_address_is_shown_nowhere(shop: Shop, settings: Settings) -> None:
    shop.files["/a?sig=TOPSECRET"] = table(20)
    told = run(settings, shop, "/a?sig=TOPSECRET", "/b?sig=TOPSECRET")
    assert "TOPSECRET" not in json.dumps(told, default=str)
    assert "TOPSECRET" not in str(line.bare(settings.data).execute("SELECT url FROM files").fetchall())
    assert ended(told)["ok", ""] == 1


def test_too_little_disk_space_is_said_before_any_work(shop: Shop, settings: Settings) -> None:
    full = settings.model_copy(update={"min_free_bytes": 2**50})
    done = line.glimmr(
        "run", "--from", line.write_list(settings.data.parent / "l.csv", [("H", "VT", "470000", shop.base + "/a")]),
        env=line.environment(GLIMMR_MIN_FREE_BYTES=str(full.min_free_bytes)), exit_code=1,
    )  # fmt: skip
    assert "are free on the disk" in done.stderr
    assert shop.asked == []


def test_a_database_without_a_schema_is_nothing_yet(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / "glimmr.sqlite").touch()
    with pytest.raises(UsageError, match="there is nothing in"):
        looking.status(settings)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"database_url": "postgresql://h/d"}, "STORE_URL"),
        ({"store_url": "s3://b"}, "DATABASE_URL"),
        ({"redis_url": "redis://h"}, "DATABASE_URL"),
        ({"redis_url": "redis://h", "database_url": "postgresql://h/d"}, "STORE_URL"),
        ({"database_url": "sqlite:///x"}, "DATABASE_URL is not a fleet's"),
    ],
)
def test_what_a_fleet_lacks_is_named(settings: Settings, given: dict[str, str], missing: str) -> None:
    with pytest.raises(UsageError, match=f"GLIMMR_{missing}"), app.working(settings.model_copy(update=given)):
        pass


@pytest.mark.parametrize(("told", "warned"), [(2.1, 1), (1.9, 0), (0.1, 0)])
def test_a_file_half_as_large_as_its_source_says_is_published_with_a_warning(
    shop: Shop, settings: Settings, told: float, warned: int
) -> None:
    shop.files["/a"] = table(20)
    hospital = Hospital(hospital_id="470000", ccn="470000", name="H", state="VT")
    size_bytes = int(told * len(table(20)))
    with app.working(settings) as parts:
        found = Found(hospital=hospital, url=shop.base + "/a", source="pra", size_bytes=size_bytes)
        parts.database.write(lambda c: remember(c, [found], utcnow()))
    assert ended(run(settings, shop, "/a")) == {("ok", ""): 1}
    with closing(sqlite3.connect(settings.data / "glimmr.sqlite")) as database:
        (count,) = database.execute("SELECT count(*) FROM findings WHERE code = 'GL-SHRINK' AND severity = 'warning'")
    assert count == (warned,)
