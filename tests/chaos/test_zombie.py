"""A worker that is frozen while it publishes, loses its lease, and wakes up: it learns that, and writes nothing."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from glimmr.jobs.job import NewJob, Terms
from glimmr.stores.database import Database
from glimmr.world import File, serve_in_thread, world
from tests.support import line
from tests.support.fleet import Fleet, is_stopped, thaw, told, until
from tests.support.servers import PostgreSql, RedisServer
from tests.unit.jobs.toys import Toy, history, put, take, work_off

LEASE_SECONDS = 4.0
ATTEMPTS = "SELECT * FROM attempts ORDER BY job_id, number"


@dataclass(frozen=True)
class Asleep:
    """A worker that sleeps, and what the others did meanwhile."""

    fleet: Fleet
    file: File
    log: Path
    zombie: "subprocess.Popen[bytes]"
    heir: "subprocess.Popen[bytes]"
    rescued_after_seconds: float
    attempts: list[dict[str, Any]]
    digest: str

    def must_stand_unchanged(self) -> None:
        """Nothing was written since, and the price table is the one of an undisturbed run."""
        assert self.fleet.rows(ATTEMPTS) == self.attempts
        assert line.digests(self.fleet.store) == {self.file.expect.sha256: self.file.expect.digest}
        assert self.fleet.audit(urls={self.file.url}, digest=self.digest) == []


@contextmanager
def asleep(folder: Path, postgresql: PostgreSql, redis_server: RedisServer | None, crash_at: str) -> Generator[Asleep]:
    """A worker stopped where `crash_at` says, for twice its lease: another one has done its job."""
    built = world(seed=5, n=24, mix="clean")
    file = next(f for f in built.files if f.kind == "tall" and f.expect.rates)
    log = folder / "told"
    with (
        serve_in_thread(built) as server,
        Fleet(folder, server, postgresql, redis_server, GLIMMR_LEASE_SECONDS=str(LEASE_SECONDS)) as fleet,
    ):
        listed = line.write_list(folder / "list.csv", [("H", "VT", "470001", file.url)])
        zombie = fleet.start("run", "--from", listed, GLIMMR_CRASH_AT=f"log:{log},{crash_at}")
        until(lambda: is_stopped(zombie))
        asleep_since = time.monotonic()
        heir = fleet.start("worker")
        seconds = until(lambda: fleet.count("SELECT count(*) FROM attempts WHERE ended_as = 'rescued'"))
        until(lambda: fleet.is_idle() and time.monotonic() - asleep_since > 2 * LEASE_SECONDS)
        digest = line.whole_digest(fleet.store)
        yield Asleep(fleet, file, log, zombie, heir, seconds, fleet.rows(ATTEMPTS), digest)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    "asleep_at",
    [
        "publish.committed:1",
        pytest.param("change.decided:4", marks=pytest.mark.long),
        pytest.param("change.logged:2", marks=pytest.mark.long),
        pytest.param("parse.read:1", marks=pytest.mark.long),
        pytest.param("object.synced:1", marks=pytest.mark.long),
    ],
)
def test_a_worker_frozen_for_twice_its_lease_writes_nothing_when_it_wakes(
    postgresql: PostgreSql, tmp_path: Path, asleep_at: str, record_property: Any
) -> None:
    with asleep(tmp_path, postgresql, None, f"{asleep_at}:STOP") as it:
        thaw(it.zombie)
        until(lambda: "lease.lost" in told(it.log))
        assert it.zombie.wait(30) == 0
        it.fleet.end(it.heir)
        assert [attempt["ended_as"] for attempt in it.attempts].count("rescued") == 1
        record_property("rescued after seconds", it.rescued_after_seconds)
        it.must_stand_unchanged()


@pytest.mark.long
@pytest.mark.timeout(200)
@pytest.mark.parametrize("asleep_at", ["parse.read:1", "change.decided:4", "publish.committed:1"])
def test_a_worker_that_dies_as_it_learns_that_its_lease_is_lost_leaves_nothing_behind(
    postgresql: PostgreSql, redis_server: RedisServer, tmp_path: Path, asleep_at: str
) -> None:
    with asleep(tmp_path, postgresql, redis_server, f"{asleep_at}:STOP,lease.lost:1") as it:
        thaw(it.zombie)
        assert it.zombie.wait(30) == -signal.SIGKILL
        assert told(it.log).count("lease.lost") == 1
        it.fleet.end(it.heir)
        drained = it.fleet.start("worker", "--drain")  # what a dead process had in scratch goes with the next
        assert drained.wait(60) == 0
        it.must_stand_unchanged()


def test_a_worker_frozen_in_its_last_transaction_holds_up_nobody_elses_jobs(postgresql: PostgreSql) -> None:
    url = postgresql.emptied_url()
    database = Database(url)
    frozen, lost, *fresh = put(database, *(NewJob(step="toy", args={"n": n}) for n in range(10)))
    for job_id in (frozen, lost):
        assert take(database, job_id, "a zombie", lease_seconds=0.1)
    toy = Toy()

    async def without_the_frozen_one() -> None:
        stop = asyncio.Event()
        working = asyncio.create_task(work_off(database, {"toy": toy}, terms=Terms(lease_seconds=2.0), stop=stop))
        began = time.monotonic()
        while {job.id for job in toy.ran} != {lost, *fresh}:
            assert time.monotonic() - began < 15, [job.id for job in toy.ran]
            await asyncio.sleep(0.02)
        assert history(database, frozen) == []
        (late,) = await asyncio.to_thread(put, database, NewJob(step="toy", args={"n": "late"}))
        while late not in {job.id for job in toy.ran}:
            assert time.monotonic() - began < 20
            await asyncio.sleep(0.02)
        holder.rollback()  # the server does that to a session that is idle in a transaction for a minute
        while frozen not in {job.id for job in toy.ran}:
            assert time.monotonic() - began < 30
            await asyncio.sleep(0.02)
        stop.set()
        await working

    with psycopg.connect(url) as holder:
        holder.execute("UPDATE jobs SET message = 'about to end' WHERE id = %s", (frozen,))
        asyncio.run(without_the_frozen_one())
    assert history(database, frozen) == ["rescued", "ok"]
    database.close()
