"""Which bytes stay on the shelf, by GLIMMR_KEEP_BYTES; on a line without web and workers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glimmr import events
from glimmr.pipeline.download_step import DownloadStep, parse_job, publish_job
from glimmr.pipeline.invariants import leftovers
from glimmr.pipeline.keeping import Freed, free
from glimmr.pipeline.parts import Parts
from glimmr.stores import catalog, snapshots
from glimmr.stores.blobs import Blobs, blob_key
from glimmr.stores.database import Database
from tests.unit.pipeline import stage
from tests.unit.pipeline.plants import DAY, aged, sql

VERSIONS = (b"first", b"second", b"third", b"fourth!")


@pytest.fixture
def parts(database_url: str, tmp_path: Path) -> Iterator[Parts]:
    database = Database(database_url, patience_seconds=10.0)
    yield stage.parts_of(database, tmp_path / "data")
    database.close()


def published(parts: Parts, key: str, content: bytes) -> str:
    """The address gave these bytes, which were read and became its current ones."""
    file_id = brought(parts, key, content)
    parts.database.write(lambda c: snapshots.point(c, key, file_id, stage.NOW))
    sql(parts.database, "UPDATE price_files SET state = 'done', outcome = 'ok'")
    return file_id


def brought(parts: Parts, key: str, content: bytes) -> str:
    """The address gave these bytes, which were read."""
    file_id = stage.downloaded(parts, key, content)
    parts.database.write(lambda c: snapshots.record_report(c, stage.report(file_id), stage.NOW))
    sql(parts.database, "DELETE FROM jobs")
    sql(parts.database, "UPDATE price_files SET state = 'done', outcome = 'incomplete'")
    return file_id


def keeping(parts: Parts, keep: str) -> Parts:
    aged(parts.settings.data / "blobs", DAY)
    return replace(parts, settings=parts.settings.model_copy(update={"keep_bytes": keep}))


def kept(parts: Parts, ids: list[str]) -> list[bool]:
    return [(parts.settings.data / "blobs" / blob_key(file_id)).exists() for file_id in ids]


@pytest.mark.parametrize(
    ("keep", "stay"),
    [
        ("all", [True, True, True, True]),
        ("previous", [False, True, True, True]),
        ("current", [False, False, True, True]),
        ("none", [False, False, False, True]),
    ],
)
def test_the_current_bytes_and_those_before_them_stay_as_the_setting_says(
    parts: Parts, keep: str, stay: list[bool]
) -> None:
    (key,) = stage.remember(parts.database, "a")
    ids = [published(parts, key, content) for content in VERSIONS[:3]]
    ids.append(brought(parts, key, VERSIONS[3]))  # doubted: it was read, and not published
    heard: list[dict[str, Any]] = []
    unlisten = events.listen(lambda event, facts: heard.append(facts) if event is events.OBJECT_SWEPT else None)
    gone = [file_id for file_id, stays in zip(ids, stay, strict=True) if not stays]
    size_bytes = sum(len(content) for content, stays in zip(VERSIONS, stay, strict=True) if not stays)
    assert free(keeping(parts, keep), _silent) == Freed(len(gone), size_bytes)
    assert kept(parts, ids) == stay
    assert sorted(facts["key"] for facts in heard) == sorted(map(blob_key, gone))
    assert free(keeping(parts, keep), _silent) == Freed()
    unlisten()


def test_bytes_that_another_address_keeps_stay(parts: Parts) -> None:
    first, second = stage.remember(parts.database, "a", "b")
    shared = published(parts, first, VERSIONS[0])
    assert published(parts, second, VERSIONS[0]) == shared
    published(parts, first, VERSIONS[1])
    assert free(keeping(parts, "current"), _silent) == Freed()
    published(parts, second, VERSIONS[2])
    assert free(keeping(parts, "current"), _silent).snapshots == 1
    assert kept(parts, [shared]) == [False]


def test_bytes_that_a_job_wants_or_that_just_came_stay(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a")
    ids = [published(parts, key, content) for content in VERSIONS[:2]]
    for job in (parse_job(ids[0]), publish_job(ids[0], key)):
        stage.put(parts.database, job)
        assert free(keeping(parts, "current"), _silent) == Freed()
        sql(parts.database, "DELETE FROM jobs")
    sql(parts.database, "UPDATE price_files SET state = 'working'")
    assert free(keeping(parts, "none"), _silent) == Freed(1, len(VERSIONS[0])), "its address is being worked on"
    young = keeping(parts, "none")
    sql(parts.database, "UPDATE price_files SET state = 'done'")
    stage.bytes_of(parts, VERSIONS[1])
    assert free(young, _silent) == Freed()
    assert kept(parts, ids) == [False, True]


def test_bytes_that_come_back_are_kept_again(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a")
    first = published(parts, key, VERSIONS[0])
    assert free(keeping(parts, "none"), _silent).snapshots == 1
    brought(parts, key, VERSIONS[0])
    row = parts.database.read(lambda c: snapshots.snapshot(c, first))
    assert row is not None
    assert row["bytes_removed_at"] is None
    assert kept(parts, [first]) == [True]


def test_what_was_deleted_is_asked_about_as_long_as_nothing_is_left_to_do_with_it(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a")
    first = published(parts, key, VERSIONS[0])

    def needs_no_bytes() -> bool:
        row = parts.database.read(lambda c: snapshots.snapshot(c, first))
        address = parts.database.read(lambda c: catalog.address(c, key))
        assert row is not None
        assert address is not None
        return DownloadStep(parts)._has(row, address.current_file_id)

    free(keeping(parts, "none"), _silent)
    assert needs_no_bytes()
    sql(parts.database, "UPDATE snapshots SET parser_version = '0'")
    assert not needs_no_bytes(), "a newer parser has to read them"
    sql(parts.database, "UPDATE snapshots SET parser_version = :now", now=stage.PARSER_VERSION)
    sql(parts.database, "UPDATE price_files SET current_file_id = NULL")
    assert not needs_no_bytes(), "its prices are lost"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_bucket_is_swept_as_a_folder_is(parts: Parts, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimmr.pipeline.keeping._YOUNG_SECONDS", -1.0)  # a bucket's objects cannot be made older
    at_once = parts.settings.model_copy(update={"keep_bytes": "current", "keep_unreferenced_seconds": 0.0})
    parts = replace(parts, settings=at_once, blobs=Blobs(f"{bucket}/blobs"))
    (key,) = stage.remember(parts.database, "a")
    ids = [published(parts, key, content) for content in VERSIONS[:2]]
    stage.bytes_of(parts, b"of nobody")
    assert free(parts, _silent) == Freed(1, len(VERSIONS[0]))
    (swept,) = [one for one in leftovers.of(parts) if one.name == "bytes_have_snapshot"]
    (lost,) = swept.find("", 10)
    assert swept.repair(lost, lambda _: None)
    assert [found.key for found in parts.blobs.stored()] == [blob_key(ids[1])]


def _silent(**_: Any) -> None:
    """Nobody wants to know."""
