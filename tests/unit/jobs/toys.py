"""Toy steps, databases and child functions for the engine room's tests."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glimmr import errors
from glimmr.jobs import ledger
from glimmr.jobs.engines import Engine
from glimmr.jobs.invariant import Invariant
from glimmr.jobs.job import Ending, Job, NewJob, Result, Step, Tell, Terms
from glimmr.jobs.rounds import Beside
from glimmr.jobs.worker import work
from glimmr.outcomes import Outcome
from glimmr.retry import Class, Verdict
from glimmr.stores.database import Connection, Database

QUICK = Terms(lease_seconds=3.0, patience_seconds=0.0, stop_seconds=2.0)
Do = Callable[[Job, Tell], Awaitable[Result]]


def retry_after(delay_seconds: float, *, times: int = 100) -> Callable[[BaseException, Sequence[Any]], Verdict]:
    """A retry table of one row: so many times, after so long."""

    def decide(error: BaseException, past: Sequence[Any]) -> Verdict:
        failures = sum(attempt.ended_as == "retry" for attempt in past)
        delay = delay_seconds if failures < times else None
        klass = Class.LOCAL if isinstance(error, errors.LocalFault) else Class.TRANSIENT
        return Verdict(outcome=Outcome.UNREACHABLE, reason="server_error", klass=klass, delay_seconds=delay)

    return decide


give_up = retry_after(0.0, times=0)


async def succeed(job: Job, tell: Tell) -> Result:
    return Result(outcome=Outcome.OK)


@dataclass
class Toy:
    """A step that does what it is told and remembers what was said to it."""

    do: Do = succeed
    ran: list[Job] = field(default_factory=list)
    said: list[tuple[Any, ...]] = field(default_factory=list)

    async def run(self, job: Job, tell: Tell) -> Result:
        self.ran.append(job)
        return await self.do(job, tell)

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        self.said.append(("gave_up", job.id, outcome, ending.reason))

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        self.said.append(("waits", job.id, outcome, ending.delay_seconds))

    def again(self, connection: Connection, args: Mapping[str, Any]) -> Sequence[NewJob]:
        return [] if args.get("moot") else [NewJob(step="toy", args=dict(args))]


def put(database: Database, *new: NewJob) -> list[int]:
    return list(database.write(lambda connection: ledger.enqueue(connection, new)).values())


def take(
    database: Database, job_id: int, owner: str = "w1", lease_seconds: float = 30.0, per_host: int = 2
) -> Job | None:
    return database.write(
        lambda connection: ledger.claim(
            connection, job_id, owner=owner, lease_seconds=lease_seconds, connections_per_host=per_host
        )
    )


def row(database: Database, job_id: int) -> dict[str, Any]:
    (found,) = [job for job in database.read(lambda c: ledger.listing(c, most=10_000)) if job["id"] == job_id]
    return found


def history(database: Database, job_id: int) -> list[str]:
    return [attempt.ended_as for attempt in database.read(lambda c: ledger.history(c, job_id))]


async def work_off(
    database: Database,
    steps: Mapping[str, Step],
    slots: Mapping[str, int] | None = None,
    *,
    decide: Callable[..., Any] = give_up,
    terms: Terms = QUICK,
    stop: asyncio.Event | None = None,
    until_idle: bool = True,
    engine: Engine | None = None,
    alone: bool = False,
    invariants: Sequence[Invariant] = (),
    beside: Beside | None = None,
) -> None:
    await work(
        database,
        steps,
        slots or dict.fromkeys(steps, 2),
        decide=decide,
        until_idle=until_idle,
        stop=stop or asyncio.Event(),
        terms=terms,
        engine=engine,
        alone=alone,
        invariants=invariants,
        beside=beside,
    )


# What children are told to do. Each is called as `function(tell, **kwargs)`.


def add(tell: Callable[..., None], *, a: int, b: int) -> dict[str, int]:
    tell(bytes=1)
    return {"sum": a + b}


def who(tell: Callable[..., None]) -> int:
    return os.getpid()


def chatter(tell: Callable[..., None], *, text: str) -> str:
    print("noise on standard output")
    os.write(1, b"\x00\x00\x00\x02{}")
    sys.stdout.flush()
    return text * 1000


def fail(tell: Callable[..., None], *, kind: str, reason: str) -> None:
    raise getattr(errors, kind)("the child says so", reason=reason)


def stumble(tell: Callable[..., None]) -> None:
    raise KeyError("price")


def abort(tell: Callable[..., None]) -> None:
    print("the last words", file=sys.stderr, flush=True)
    os.abort()


def die(tell: Callable[..., None], *, signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)
    time.sleep(60)


def leave(tell: Callable[..., None]) -> None:
    os._exit(7)


def eat(tell: Callable[..., None], *, size_bytes: int) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1024)) * 16384)
        if sum(map(len, hoard)) >= size_bytes:
            time.sleep(60)


def eat_at_once(tell: Callable[..., None], *, size_bytes: int) -> None:
    bytearray(size_bytes)


def hang(tell: Callable[..., None], *, pid_file: str) -> None:
    Path(pid_file).write_text(str(os.getpid()))
    tell(pid=os.getpid())
    while True:
        time.sleep(60)


def work_a_little(tell: Callable[..., None]) -> str:
    tell(pid=os.getpid())
    for n in range(20):
        time.sleep(0.05)
        tell(n=n)
    return "done"
