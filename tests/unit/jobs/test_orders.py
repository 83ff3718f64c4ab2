"""Orders about jobs, given to the ledger while somebody works or nobody does."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from glimmr.errors import ServerError
from glimmr.jobs import ledger, selection
from glimmr.jobs.child import run_in_child
from glimmr.jobs.job import Job, NewJob, Result, Tell
from glimmr.jobs.orders import again, cancel
from glimmr.jobs.selection import Which
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database
from tests.unit.jobs.toys import Toy, history, put, retry_after, row, take, work_off


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, patience_seconds=10.0)
    yield made
    made.close()


def toys_of(count: int) -> list[NewJob]:
    return [NewJob(step="toy", args={"n": n}, host=f"h{n % 2}.test") for n in range(count)]


async def fail(job: Job, tell: Tell) -> Result:
    raise ServerError("503")


def states(database: Database) -> Counter[str]:
    return Counter(job["state"] for job in database.read(lambda c: ledger.listing(c, most=1000)))


def test_a_waiting_job_is_cancelled_at_once_although_nobody_works(database: Database) -> None:
    toy = Toy()
    ids = put(database, *toys_of(3))
    told = cancel(database, {"toy": toy}, Which(ids=(ids[1],)))
    assert (told.ended, told.stopping) == (Counter(toy=1), Counter())
    job = row(database, ids[1])
    assert (job["state"], job["outcome"], job["reason"]) == ("cancelled", "cancelled", "operator")
    assert toy.said == [("gave_up", ids[1], Outcome.CANCELLED, "operator")]
    assert history(database, ids[1]) == ["cancelled"]
    assert states(database) == {"ready": 2, "cancelled": 1}


def test_prioritized_jobs_start_first_and_so_do_those_that_follow_them(database: Database) -> None:
    put(database, *toys_of(3), NewJob(step="later", args={"n": "of another"}))
    assert database.write(lambda c: selection.prioritize(c, Which(step="toy", host="h1.test"), 10)) == Counter(toy=1)

    async def do(job: Job, tell: Tell) -> Result:
        return Result(outcome=Outcome.OK, next=[NewJob(step="later", args=job.args)])

    first, later = Toy(do), Toy()
    asyncio.run(work_off(database, {"toy": first}, {"toy": 1}, until_idle=True))
    assert [job.args["n"] for job in first.ran] == [1, 0, 2]
    asyncio.run(work_off(database, {"later": later}, {"later": 1}, until_idle=True))
    assert [job.args["n"] for job in later.ran] == [1, "of another", 0, 2]


@pytest.mark.parametrize("priority", [-10, 10])
def test_what_follows_a_running_job_has_the_priority_it_was_given_meanwhile(database: Database, priority: int) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        given = database.write(lambda c: selection.prioritize(c, Which(ids=(job.id,)), priority))
        assert given == Counter(toy=1)
        own = NewJob(step="later", args={"own": True}, priority=3)
        return Result(outcome=Outcome.OK, next=[NewJob(step="later"), own])

    put(database, NewJob(step="toy"))
    asyncio.run(work_off(database, {"toy": Toy(do)}))
    listed = database.read(lambda c: ledger.listing(c, step="later"))
    assert {bool(job["args"]): job["priority"] for job in listed} == {False: priority, True: 3}


def test_jobs_are_cancelled_by_what_their_columns_say(database: Database) -> None:
    put(database, *toys_of(5), NewJob(step="other", host="h1.test"))
    told = cancel(database, {"toy": Toy(), "other": Toy()}, Which(step="toy", host="h1.test"))
    assert told.ended == Counter(toy=2)
    assert states(database) == {"ready": 4, "cancelled": 2}
    assert cancel(database, {"toy": Toy()}, Which(state="cancelled")).ended == Counter()


def test_a_child_dies_within_two_seconds_of_its_cancelling(database: Database, tmp_path: Path) -> None:
    async def do(job: Job, tell: Tell) -> Result:
        kwargs = {"pid_file": str(tmp_path / "pid")}
        await run_in_child("tests.unit.jobs.toys:hang", kwargs, tell=tell, memory_bytes=2**30, seconds=60)
        raise AssertionError("it hangs until it is killed")

    (job_id,) = put(database, *toys_of(1))

    def order() -> float:
        deadline = time.monotonic() + 30
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        child = psutil.Process(int((tmp_path / "pid").read_text()))
        told = cancel(database, {"toy": Toy()}, Which(ids=(job_id,)))
        assert told.stopping == Counter(toy=1)
        asked = time.monotonic()
        psutil.wait_procs([child], timeout=10)
        assert not child.is_running()
        return time.monotonic() - asked

    async def both() -> float:
        took, _ = await asyncio.gather(asyncio.to_thread(order), work_off(database, {"toy": Toy(do)}))
        return took

    assert asyncio.run(both()) < 2.0
    assert row(database, job_id)["state"] == "cancelled"
    assert history(database, job_id) == ["cancelled"]


def test_what_failed_is_put_again_once_and_what_waits_runs_now(database: Database) -> None:
    dead, waiting, well = put(database, *toys_of(3))

    async def do(job: Job, tell: Tell) -> Result:
        if job.id == well:
            return Result(outcome=Outcome.OK)
        raise ServerError("503")

    asyncio.run(work_off(database, {"toy": Toy(do)}, decide=retry_after(600, times=100)))
    assert states(database) == {"ready": 2, "done": 1}
    cancel(database, {"toy": Toy()}, Which(ids=(dead,)))
    told = again(database, {"toy": Toy()}, Which(outcome="cancelled"))
    assert (told.put, told.hastened, told.moot) == (Counter(toy=1), Counter(), Counter())
    told = again(database, {"toy": Toy()}, Which())
    assert (told.put, told.hastened, told.moot) == (Counter(), Counter(toy=1), Counter())
    toy = Toy()
    asyncio.run(work_off(database, {"toy": toy}))
    assert len(toy.ran) == 2
    assert history(database, waiting) == ["retry", "ok"]
    assert states(database) == {"done": 3, "cancelled": 1}
    assert not any(again(database, {"toy": Toy()}, Which()).put.values())


def test_a_job_named_by_its_id_is_put_although_it_was_put_again_before(database: Database) -> None:
    (first,) = put(database, *toys_of(1))
    asyncio.run(work_off(database, {"toy": Toy(fail)}))
    assert row(database, first)["state"] == "dead"
    assert again(database, {"toy": Toy()}, Which(ids=(first,))).put == Counter(toy=1)
    told = again(database, {"toy": Toy()}, Which(ids=(first,)))
    assert (told.put, told.moot) == (Counter(), Counter(toy=1)), "its work is live already"
    asyncio.run(work_off(database, {"toy": Toy()}))
    assert again(database, {"toy": Toy()}, Which(state="dead")).put == Counter(), "it went well since"
    assert again(database, {"toy": Toy()}, Which(ids=(first,))).put == Counter(toy=1)


def test_what_nobody_wants_any_more_is_not_put_again(database: Database) -> None:
    put(database, NewJob(step="toy", args={"moot": True}))
    asyncio.run(work_off(database, {"toy": Toy(fail)}))
    told = again(database, {"toy": Toy()}, Which(reason="server_error"))
    assert (told.put, told.moot) == (Counter(), Counter(toy=1))


def test_more_jobs_than_one_batch_are_put_again(database: Database) -> None:
    put(database, *toys_of(450))
    cancel(database, {"toy": Toy()}, Which(step="toy"))
    assert again(database, {"toy": Toy()}, Which(state="cancelled")).put == Counter(toy=450)
    assert states(database) == {"cancelled": 450, "ready": 450}


def test_one_job_tells_its_lease_as_seconds_left(database: Database) -> None:
    (job_id,) = put(database, *toys_of(1))
    take(database, job_id, lease_seconds=30.0)
    facts = database.read(lambda c: selection.one(c, job_id))
    assert facts is not None
    assert 20 < facts["lease_left_seconds"] <= 30
    assert database.read(lambda c: selection.one(c, job_id + 1)) is None
