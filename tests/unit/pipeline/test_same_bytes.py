"""Two addresses that give the same new bytes at the same moment, as two transactions of PostgreSQL see it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from glimmr.jobs import ledger
from glimmr.jobs.endings import finish, good_end
from glimmr.pipeline.download_step import download_job, parse_job, publish_job
from glimmr.pipeline.parts import Parts
from glimmr.stores.database import Connection, Database
from tests.unit.pipeline import stage
from tests.unit.pipeline.stage import FILE_ID


@pytest.fixture
def parts(postgresql_database_url: str, tmp_path: Path) -> Iterator[Parts]:
    database = Database(postgresql_database_url, patience_seconds=10.0)
    yield stage.parts_of(database, tmp_path / "data")
    database.close()


class Meeting:
    """Two transactions that say how far they are; where `awaits` says so, one waits a moment for the other's word."""

    def __init__(self, awaits: dict[str, str]) -> None:
        self._said = {name: threading.Event() for pair in awaits.items() for name in pair}
        self._awaits = awaits

    def __call__(self, where: str) -> None:
        if where in self._said:
            self._said[where].set()
        if where in self._awaits:  # the other may be held up by a lock of ours: then it cannot come
            self._said[self._awaits[where]].wait(1.0)


@pytest.mark.parametrize(
    "awaits",
    [
        {"download before commit": "parse committed"},
        {"parse before commit": "download committed"},
        {"parse ended": "download before commit", "download before commit": "parse committed"},
    ],
    ids=["the reading ends before the download commits", "the other way round", "in the middle of each other"],
)
def test_an_address_whose_bytes_are_being_read_for_another_is_not_forgotten(
    parts: Parts, awaits: dict[str, str]
) -> None:
    database, meeting = parts.database, Meeting(awaits)
    first, second = stage.remember(database, "a", "b", state="working")
    stage.downloaded(parts, first)
    fetched = stage.bytes_of(parts)
    parsing = stage.running_one(database, "parse")
    downloading = stage.running(database, download_job(stage.address(database, second)))

    def download(connection: Connection) -> None:
        finish(connection, downloading, stage.arrived(second, fetched))
        meeting("download before commit")

    def parse(connection: Connection) -> None:
        result = stage.read(parts, stage.report(FILE_ID))
        assert ledger.end(connection, parsing, good_end(result))
        meeting("parse ended")
        assert result.apply is not None
        ledger.enqueue(connection, result.apply(connection) or ())
        meeting("parse before commit")

    def do(work: Callable[[Connection], None], name: str) -> None:
        database.write(work)
        meeting(name)

    with ThreadPoolExecutor(2) as threads:
        both = [
            threads.submit(do, download, "download committed"),
            threads.submit(do, parse, "parse committed"),
        ]
        for one in both:
            one.result(30)
    left = stage.live(database)
    published = {job[1]["price_file_id"] for job in left if job[0] == "publish"}
    assert published == {first, second} or ("parse", parse_job(FILE_ID).args) in left, left
    assert ("publish", publish_job(FILE_ID, first).args) in left
