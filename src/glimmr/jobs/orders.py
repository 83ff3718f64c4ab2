"""What an operator orders of jobs: to be stopped, to be done again. It holds whether anybody is at work or not."""

import os
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from glimmr.jobs import ledger, selection
from glimmr.jobs.endings import end_apart
from glimmr.jobs.job import CANCELLED, Ending, Job, Step
from glimmr.jobs.selection import Picked, Which
from glimmr.stores.database import Connection, Database

_BATCH = 200
_LEASE_SECONDS = 30.0  # a waiting job is taken and ended in one transaction: nobody ever sees this lease


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Jobs by step: those that ended at once, and those whose workers were told to stop them."""

    ended: Counter[str] = field(default_factory=Counter[str])
    stopping: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Again:
    """Jobs by step: those that were put, those that waited and run now, and those there was nothing to put for."""

    put: Counter[str] = field(default_factory=Counter[str])
    hastened: Counter[str] = field(default_factory=Counter[str])
    moot: Counter[str] = field(default_factory=Counter[str])


def cancel(database: Database, steps: Mapping[str, Step], which: Which) -> Cancelled:
    """Stop the jobs that are meant: waiting ones end now, running ones when their worker reads it (a second)."""
    told = Cancelled()
    for picked in database.write(lambda connection: _request(connection, which)):
        # A worker may be faster than we are: then it has the job, or its rescuer has ended it already.
        ended = picked.state == "ready" and picked.step in steps and _end(database, steps, picked.id)
        (told.ended if ended else told.stopping)[picked.step] += 1
    return told


def again(database: Database, steps: Mapping[str, Step], which: Which) -> Again:
    """Put again what the jobs that are meant failed to do; let those that wait for a later try run now.

    A job whose key is live already is not put a second time, but hastened.
    """
    told, after_id = Again(), 0
    while batch := database.read(
        lambda connection, after=after_id: selection.worth_again(connection, which, after_id=after, most=_BATCH)
    ):
        after_id = batch[-1].id
        for step, what in database.write(lambda connection, jobs=batch: _again(connection, steps, jobs)):
            getattr(told, what)[step] += 1
    return told


def _request(connection: Connection, which: Which) -> list[Picked]:
    meant = selection.live(connection, which)
    asked = {
        job_id
        for start in range(0, len(meant), _BATCH)
        for job_id in ledger.cancel(connection, [picked.id for picked in meant[start : start + _BATCH]])
    }
    return [picked for picked in meant if picked.id in asked]


def _end(database: Database, steps: Mapping[str, Step], job_id: int) -> bool:
    owner = f"operator-{socket.gethostname()}-{os.getpid()}"

    def cancel_it(connection: Connection) -> tuple[Job, Ending] | None:
        job = ledger.seize(connection, job_id, owner=owner, lease_seconds=_LEASE_SECONDS)
        return None if job is None else (job, CANCELLED)

    return end_apart(database, steps, cancel_it)


def _again(connection: Connection, steps: Mapping[str, Step], batch: list[Picked]) -> list[tuple[str, str]]:
    return [(picked.step, _one_again(connection, steps, picked)) for picked in batch if picked.step in steps]


def _one_again(connection: Connection, steps: Mapping[str, Step], picked: Picked) -> str:
    if picked.state == "ready":
        return "hastened" if ledger.hasten_one(connection, picked.key) else "moot"
    following = steps[picked.step].again(connection, picked.args)
    if ledger.enqueue(connection, following):
        return "put"
    return "hastened" if sum(ledger.hasten_one(connection, new.key) for new in following) else "moot"
