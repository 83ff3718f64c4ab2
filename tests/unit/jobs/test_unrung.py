"""Steps too rare for an engine to carry: every worker looks for their jobs itself."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence

import pytest

from glimmr.jobs.engines.local import LocalEngine
from glimmr.jobs.job import Due, Job, NewJob, Result, Tell
from glimmr.jobs.worker import work
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database
from tests.unit.jobs.toys import QUICK, Toy, give_up, put


class _Carrier(LocalEngine):
    """Says that it carries, and remembers for what it was to ring."""

    carries = True

    def __init__(self) -> None:
        super().__init__()
        self.rung: set[str] = set()

    async def send(self, dues: Sequence[Due]) -> bool:
        self.rung.update(due.step for due in dues)
        return await super().send(dues)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


def test_a_job_nobody_rings_for_starts_soon_and_alarms_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    stop, engine, started = asyncio.Event(), _Carrier(), dict[str, float]()

    async def do(job: Job, tell: Tell) -> Result:
        started[job.step] = time.monotonic()
        if len(started) == 2:
            stop.set()
        return Result(outcome=Outcome.OK)

    steps = {"often": Toy(do), "rare": Toy(do)}
    put(database, NewJob(step="often"), NewJob(step="rare"))
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        asyncio.run(
            work(
                database,
                steps,
                {"often": 1, "rare": 1},
                decide=give_up,
                until_idle=False,
                stop=stop,
                terms=QUICK,
                engine=engine,
                unrung=("rare",),
            )
        )
    assert started["rare"] - begun < 5
    assert engine.rung == {"often"}
    assert "nobody rang" not in caplog.text
