"""Publishing: four commits in their order, invisible until the last, repeated without harm."""

from pathlib import Path
from typing import Any

import pytest

from glimmr import events
from glimmr.errors import JobCancelled, LeaseLost, NotReconciled, StorageFault
from glimmr.events import Event
from glimmr.publish import publish, retract
from glimmr.stores.lake import Lake
from tests.support.price_lists import charge, file_id, file_row, hospital_row, rate, write_price_list

A = file_id("a")
CHARGES = [charge(rates=[rate(), rate("Cigna")]), charge("470", "MS-DRG")]


def free() -> None:
    """A fence that lets everything through."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_price_list(tmp_path / "scratch", A, CHARGES)


def test_a_published_price_list_is_in_all_four_tables(lake: Lake, folder: Path) -> None:
    done = publish(lake, file_row(A, CHARGES), [hospital_row()], fence=free, folder=folder)
    assert (done.charges, done.rates, done.hospitals) == (2, 2, 1)
    assert done.changed == ("rates", "charges", "file_hospitals", "files")
    assert list(lake.published().charges) == list(lake.published().rates) == [A]
    assert lake.rows("file_hospitals")["hospital_id"].to_pylist() == ["470001"]


def test_publishing_again_changes_nothing(lake: Lake, folder: Path) -> None:
    publish(lake, file_row(A, CHARGES), [hospital_row()], fence=free, folder=folder)
    assert publish(lake, file_row(A, CHARGES), [hospital_row()], fence=free, folder=folder).changed == ()
    assert publish(lake, file_row(A, CHARGES), [hospital_row()], fence=free).changed == ()


@pytest.mark.parametrize("commits", [0, 1, 2, 3])
def test_one_broken_off_is_invisible_and_the_next_run_completes_it(lake: Lake, folder: Path, commits: int) -> None:
    questions: list[int] = []

    def fence() -> None:
        questions.append(1)
        if len(questions) > commits:
            raise LeaseLost("somebody else has it")

    with pytest.raises(LeaseLost):
        publish(lake, file_row(A, CHARGES), [hospital_row()], fence=fence, folder=folder)
    assert lake.published().charges == {}
    done = publish(lake, file_row(A, CHARGES), [hospital_row()], fence=free, folder=folder)
    assert len(done.changed) == 4 - commits
    assert list(lake.published().charges) == [A]


def test_counts_that_do_not_fit_the_price_list_are_refused(lake: Lake, folder: Path) -> None:
    with pytest.raises(NotReconciled, match="3 charges"):
        publish(lake, {**file_row(A, CHARGES), "charges": 3}, [], fence=free, folder=folder)
    assert lake.published().files == []


def test_a_price_list_that_was_never_placed_cannot_be_published(lake: Lake) -> None:
    with pytest.raises(StorageFault, match="not on the shelf"):
        publish(lake, file_row(A, CHARGES), [], fence=free)


def test_progress_is_told_and_may_stop_the_work(lake: Lake, folder: Path) -> None:
    stages: list[str] = []

    def tell(*, stage: str) -> None:
        stages.append(stage)
        if stage == "charges":
            raise JobCancelled

    with pytest.raises(JobCancelled):
        publish(lake, file_row(A, CHARGES), [], fence=free, tell=tell, folder=folder)
    assert stages == ["placing", "rates", "charges"]
    assert lake.published().charges == {}


def test_every_commit_is_an_event(lake: Lake, folder: Path) -> None:
    told: list[tuple[str, Any]] = []

    def hear(event: Event, facts: dict[str, Any]) -> None:
        if event.name.startswith("publish."):
            told.append((event.name, facts.get("table")))

    stop = events.listen(hear)
    try:
        publish(lake, file_row(A, CHARGES), [hospital_row()], fence=free, folder=folder)
    finally:
        stop()
    assert told == [
        ("publish.started", None),
        ("publish.committed", "rates"),
        ("publish.committed", "charges"),
        ("publish.committed", "file_hospitals"),
        ("publish.committed", "files"),
        ("publish.ended", None),
    ]


def test_a_retracted_price_list_is_in_no_table(lake: Lake, folder: Path) -> None:
    publish(lake, file_row(A, CHARGES), [hospital_row()], fence=free, folder=folder)
    assert retract(lake, A, fence=free)
    assert not retract(lake, A, fence=free)
    assert [lake.file_uris(table) for table in ("charges", "rates", "files", "file_hospitals")] == [[], [], [], []]


def test_retracting_half_way_leaves_it_unpublished(lake: Lake, folder: Path) -> None:
    publish(lake, file_row(A, CHARGES), [hospital_row()], fence=free, folder=folder)
    questions: list[int] = []

    def fence() -> None:
        questions.append(1)
        if len(questions) == 2:
            raise LeaseLost("somebody else has it")

    with pytest.raises(LeaseLost):
        retract(lake, A, fence=fence)
    assert lake.published().charges == {}
    assert lake.named() == {A}
    assert retract(lake, A, fence=free)
    assert lake.named() == set()
