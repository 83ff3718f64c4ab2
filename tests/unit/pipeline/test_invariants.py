"""Each breach is found, repaired in one look, told and counted; then nothing is wrong any more."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from glimmr import events
from glimmr.download.partial import partial
from glimmr.errors import ShuttingDown
from glimmr.jobs import ledger, recovery
from glimmr.jobs.job import NewJob
from glimmr.jobs.rescuer import Rescuer
from glimmr.pipeline import line
from glimmr.pipeline.download_step import download_job, parse_job
from glimmr.pipeline.parts import Parts
from glimmr.stores import catalog
from glimmr.stores.database import Database
from glimmr.stores.folder_lock import FolderLock
from tests.unit.pipeline import plants, stage
from tests.unit.pipeline.plants import PLANTS

GROWING: Any = {"tell": dict, "min_free_bytes": 0, "worth": lambda _: True}


@pytest.fixture
def parts(database_url: str, tmp_path: Path) -> Iterator[Parts]:
    database = Database(database_url, patience_seconds=10.0)
    yield stage.parts_of(database, tmp_path / "data")
    database.close()


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []
    unlisten = events.listen(lambda event, facts: heard.append(facts) if event is events.INVARIANT_REPAIRED else None)
    yield heard
    unlisten()


def look(parts: Parts) -> int:
    return Rescuer(parts.database, line.everything(parts)).look()


def counted(parts: Parts) -> dict[str, int]:
    return {row["name"]: row["repaired"] for row in parts.database.read(recovery.repairs)}


def test_every_invariant_has_a_plant(parts: Parts) -> None:
    names = [invariant.name for invariant in line.everything(parts)]
    assert len(set(names)) == len(names)
    planted = {name for broken in PLANTS.values() for name in broken}
    assert set(names) - planted == {"scratch_takes_bytes"}  # only a person repairs that (test_scratch.py)
    assert planted <= set(names)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_breach_is_repaired_by_one_look_which_is_told_and_counted(
    parts: Parts, told: list[dict[str, Any]], plant: Callable[[Parts], None]
) -> None:
    plant(parts)
    broken = Counter(PLANTS[plant])
    assert look(parts) == broken.total()
    assert Counter(facts["invariant"] for facts in told) == broken
    assert counted(parts) == broken
    assert look(parts) == 0
    assert counted(parts) == broken
    assert look(parts) == 0


def test_nothing_is_wrong_with_what_is_well(parts: Parts) -> None:
    plants.published(parts)
    keys = stage.remember(parts.database, *"bcd")
    assert len(keys) == 3
    assert look(parts) == 0


# -- what the repairs come to ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plant", "step"),
    [
        (plants.a_file_nobody_downloads, "download"),
        (plants.a_file_nobody_reads, "parse"),
        (plants.a_file_nobody_publishes, "publish"),
        (plants.bytes_that_vanished, "download"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_file_gets_the_job_that_leads_to_its_end(parts: Parts, plant: Callable[[Parts], None], step: str) -> None:
    plant(parts)
    before = [name for name, _ in stage.live(parts.database)]
    look(parts)
    assert sorted(name for name, _ in stage.live(parts.database)) == sorted([*before, step])


def test_a_lost_retry_is_made_when_it_was_promised(parts: Parts) -> None:
    plants.a_retry_nobody_makes(parts)
    look(parts)
    (job,) = parts.database.read(lambda c: ledger.listing(c, step="download"))
    assert timedelta(minutes=118) < job["run_at"] - datetime.now(UTC) < timedelta(minutes=121)


def test_a_file_that_was_never_tried_waits_for_a_scan(parts: Parts) -> None:
    stage.remember(parts.database, "a")
    assert look(parts) == 0


def test_a_backlog_of_hours_gets_no_second_job(parts: Parts) -> None:
    """The original put what had waited for two hours again (RELIABILITY O8)."""
    keys = stage.remember(parts.database, *(f"f{n}" for n in range(1200)), state="working")
    stage.put(parts.database, *(download_job(stage.address(parts.database, key)) for key in keys))
    plants.sql(parts.database, "UPDATE jobs SET created_at = run_at, run_at = '2026-01-01 00:00:00.000000'")
    assert look(parts) == 0
    assert len(stage.live(parts.database)) == 1200


def test_a_hundred_files_that_failed_for_ever_keep_no_other_from_its_repair(parts: Parts) -> None:
    """The original looked at the first ten failed rows only (RELIABILITY O6)."""
    stage.remember(parts.database, *(f"f{n}" for n in range(100)))
    plants.sql(parts.database, "UPDATE price_files SET state = 'done', outcome = 'gone', reason = 'not_found'")
    (key,) = stage.remember(parts.database, "transient")
    plants.sql(
        parts.database,
        "UPDATE price_files SET state = 'waiting', outcome = 'unreachable' WHERE price_file_id = :key",
        key=key,
    )
    assert look(parts) == 1
    assert stage.live(parts.database) == [("download", {"price_file_id": key})]


def test_bytes_that_an_older_version_put_for_reading_are_on_their_way(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a", state="working")
    file_id = stage.downloaded(parts, key)
    plants.sql(parts.database, "DELETE FROM jobs WHERE step = 'parse'")
    stage.put(parts.database, NewJob(step="parse", args={"file_id": file_id, "parser_version": "0"}))
    assert look(parts) == 0


def test_a_file_without_a_good_current_snapshot_gets_the_newest_it_had(parts: Parts) -> None:
    plants.a_current_snapshot_that_was_never_published(parts)
    look(parts)
    (key,) = [catalog.price_file_id("http://h.test/a.csv")]
    assert stage.address(parts.database, key).current_file_id == stage.FILE_ID


def test_a_file_with_no_good_snapshot_at_all_is_downloaded(parts: Parts) -> None:
    (key,) = stage.remember(parts.database, "a", state="done")
    plants.sql(parts.database, "UPDATE price_files SET current_file_id = :gone, outcome = 'ok'", gone="0" * 64)
    look(parts)
    assert stage.address(parts.database, key).current_file_id is None
    assert ("download", {"price_file_id": key}) in stage.live(parts.database)


def test_prices_that_a_newer_parser_cannot_find_again_are_not_asked_for_for_ever(parts: Parts) -> None:
    plants.prices_that_vanished(parts)
    plants.sql(parts.database, "UPDATE snapshots SET charges = 0, outcome = 'unparseable'")
    assert look(parts) == 1
    assert stage.address(parts.database, catalog.price_file_id("http://h.test/a.csv")).current_file_id is None


def test_prices_that_the_catalog_never_heard_of_stay(parts: Parts) -> None:
    """The database was lost, or put back from an old copy: nobody gave these files up."""
    plants.enter(parts, "f" * 64)
    assert look(parts) == 0
    assert parts.lake.is_published("f" * 64)


def test_what_is_young_or_belongs_to_the_living_stays(parts: Parts) -> None:
    for plant in (plants.old_scratch, plants.bytes_of_nobody):
        plant(parts)
    look(parts)
    assert [path.name for path in parts.scratch.iterdir()] == ["1-young.download"]
    assert len([path for path in (parts.settings.data / "blobs").rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_scratch_of_a_running_parse_stays_however_old(parts: Parts) -> None:
    job = stage.running(parts.database, parse_job("0" * 64))
    (folder := parts.scratch / f"parse-{job.id}-{job.epoch}").mkdir()
    plants.aged(folder, 7200)
    stage.bytes_of(parts)
    scratch = [one for one in line.everything(parts) if one.name == "scratch_has_owner"]
    assert Rescuer(parts.database, scratch).look() == 0
    assert folder.is_dir()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_beginning_of_a_file_stays_as_long_as_somebody_will_go_on_with_it(parts: Parts) -> None:
    stage.remember(parts.database, "a", state="waiting")
    parts.partials.mkdir()
    for url in ("http://h.test/a.csv", "http://h.test/gone.csv"):
        with pytest.raises(ShuttingDown), partial(parts.partials, url, **GROWING) as growing:
            growing.begin(100, validator='"v1"')
            growing.write(b"half")
            raise ShuttingDown
    plants.aged(parts.partials, 7200)
    scratch = [one for one in line.everything(parts) if one.name == "scratch_has_owner"]
    assert Rescuer(parts.database, scratch).look() == 2
    assert len(list(parts.partials.glob("*.part"))) == 1
    assert len(list(parts.partials.iterdir())) == 2  # the file of the address that waits, and its note


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_scratch_of_another_process_goes_when_that_is_dead(parts: Parts) -> None:
    mine = dataclasses.replace(parts, scratch=parts.scratch / "host-1", alone=False)
    for name in ("host-1", "host-2", "host-3"):
        (parts.scratch / name).mkdir()
    with FolderLock.take(parts.scratch / "host-2") or pytest.fail("nobody has it"):
        for name in ("host-1", "host-2", "host-3"):
            plants.aged(parts.scratch / name, 7200)
        assert look(mine) == 1
    assert sorted(path.name for path in parts.scratch.iterdir()) == ["host-1", "host-2"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_of_the_manual_tells_every_invariant_and_its_cure(parts: Parts) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operate" / "doctor.md").read_text(encoding="utf-8")
    said = [line_ for line_ in page.splitlines() if line_.startswith("| `")]
    told = [f"| `{one.name}` | {one.text} | {one.cure} | {one.every_seconds:g} s |" for one in line.everything(parts)]
    assert said == told
