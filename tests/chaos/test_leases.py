"""Honest work that takes long keeps its lease, whatever it does to the processor."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from glimmr.jobs.child import run_in_child
from glimmr.jobs.job import Job, NewJob, Result, Tell, Terms
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database
from tests.unit.jobs.toys import Toy, history, put, row, work_off

TERMS = Terms(lease_seconds=1.5, patience_seconds=0.0)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def spin(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(10_000))


async def work_hard(job: Job, tell: Tell) -> Result:
    """Many leases long: asleep, or 2 processes and a thread of the worker that never let go of a core."""
    seconds = job.args["seconds"]
    if job.args["how"] == "child":
        await run_in_child(
            "tests.unit.jobs.light:spin", {"seconds": seconds}, tell=tell, memory_bytes=2**30, seconds=60
        )
    else:
        await asyncio.to_thread(spin if job.args["how"] == "thread" else time.sleep, seconds)
    return Result(outcome=Outcome.OK)


@pytest.mark.parametrize("times", [4, pytest.param(10, marks=pytest.mark.long)])
@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True)
def test_work_many_times_as_long_as_its_lease_runs_once_however_busy_the_machine(
    database: Database, times: int
) -> None:
    work = [("child", 0), ("child", 1), ("sleep", 0), ("sleep", 1), ("thread", 0)]
    seconds = times * TERMS.lease_seconds
    ids = put(database, *(NewJob(step="toy", args={"how": how, "n": n, "seconds": seconds}) for how, n in work))
    asyncio.run(work_off(database, {"toy": Toy(work_hard)}, {"toy": 5}, terms=TERMS))
    assert [history(database, job_id) for job_id in ids] == [["ok"]] * 5
    assert [row(database, job_id)["stalls"] for job_id in ids] == [0] * 5
