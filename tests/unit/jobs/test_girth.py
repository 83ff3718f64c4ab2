"""A worker that has grown too big: takes nothing new, lets its jobs end, and says that it should be begun anew."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from glimmr.jobs.engines.local import LocalEngine
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.jobs.worker import work
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database
from tests.unit.jobs.toys import QUICK, Toy, give_up, history, put, row


@pytest.fixture
def database(sqlite_database_url: str) -> Iterator[Database]:
    made = Database(sqlite_database_url, patience_seconds=10.0)
    yield made
    made.close()


def run(database: Database, toy: Toy, *, memory_bytes: int | None, terms: Terms = QUICK, **more: Any) -> bool:
    stop = more.pop("stop", asyncio.Event())
    return asyncio.run(
        work(
            database,
            {"toy": toy},
            {"toy": 1},
            decide=give_up,
            until_idle=more.pop("until_idle", True),
            stop=stop,
            terms=terms,
            memory_bytes=memory_bytes,
            **more,
        )
    )


def test_a_worker_with_a_sane_size_works_until_idle(database: Database) -> None:
    put(database, NewJob(step="toy"))
    assert run(database, Toy(), memory_bytes=2**40) is False
    assert run(database, Toy(), memory_bytes=None) is False


def test_a_worker_that_grows_too_big_lets_its_job_end_and_takes_no_other(database: Database) -> None:
    hoard: list[bytearray] = []

    async def do(job: Job, tell: Tell) -> Result:
        hoard.append(bytearray(b"x" * 300 * 2**20))
        await asyncio.sleep(2.5)  # longer than it takes to be looked at
        return Result(outcome=Outcome.OK)

    first, second = put(database, NewJob(step="toy"), NewJob(step="toy", args={"n": 2}))
    from_now = _resident_bytes() + 150 * 2**20
    assert run(database, Toy(do), memory_bytes=from_now, until_idle=False) is True
    hoard.clear()
    assert history(database, first) == ["ok"]
    assert row(database, second)["epoch"] == 0


def test_a_job_that_does_not_end_in_a_while_is_handed_back(database: Database) -> None:
    hoard: list[bytearray] = []

    async def do(job: Job, tell: Tell) -> Result:
        hoard.append(bytearray(b"x" * 300 * 2**20))
        while True:
            tell()
            await asyncio.sleep(0.02)

    (job_id,) = put(database, NewJob(step="toy"))
    terms = Terms(lease_seconds=3.0, stop_seconds=2.0, last_seconds=0.3)
    limit = _resident_bytes() + 150 * 2**20
    assert run(database, Toy(do), memory_bytes=limit, terms=terms, until_idle=False) is True
    hoard.clear()
    assert history(database, job_id) == ["handed_back"]
    assert row(database, job_id)["attempt"] == 1


class _Carrier(LocalEngine):
    """Remembers for how many jobs of a step there was room at last."""

    carries = True

    def __init__(self) -> None:
        super().__init__()
        self.room: dict[str, int] = {}

    def make_room(self, step: str, free: int) -> None:
        self.room[step] = free


def test_a_worker_that_ends_asks_its_engine_for_nothing_more(database: Database) -> None:
    hoard: list[bytearray] = []
    engine = _Carrier()

    async def do(job: Job, tell: Tell) -> Result:
        hoard.append(bytearray(b"x" * 300 * 2**20))
        await asyncio.sleep(2.5)
        return Result(outcome=Outcome.OK)

    put(database, NewJob(step="toy"), NewJob(step="toy", args={"n": 2}))
    limit = _resident_bytes() + 150 * 2**20
    assert run(database, Toy(do), memory_bytes=limit, until_idle=False, engine=engine) is True
    assert engine.room["toy"] <= 0


def _resident_bytes() -> int:
    return psutil.Process().memory_info().rss
