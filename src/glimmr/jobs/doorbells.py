"""The leader's work in a fleet: it alone looks into the ledger, and rings for what is due where workers have slots."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from glimmr.jobs import ledger
from glimmr.jobs.dispatcher import LOST_SECONDS
from glimmr.jobs.engines import Engine
from glimmr.jobs.job import Due, Terms
from glimmr.jobs.offers import choose
from glimmr.jobs.runner import InThread
from glimmr.stores.database import Connection, Database

_LEAST_SECONDS = 0.02  # between two looks: jobs that end together are followed by one message, not by one each


class Doorbells:
    """Rings for as many jobs as the fleet has free slots, and again for those nobody has claimed after a while.

    What it remembers is only what it has rung for: a new leader knows nothing, rings twice, and nothing is harmed.
    """

    def __init__(
        self, database: Database, engine: Engine, steps: Collection[str], terms: Terms, in_thread: InThread
    ) -> None:
        self._database, self._engine, self._steps, self._terms = database, engine, frozenset(steps), terms
        self._in_thread = in_thread
        self._rung: dict[int, tuple[Due, float]] = {}
        self._looked_at = float("-inf")

    async def tick(self) -> bool:
        """Ring for what is due. Whether every free slot got a job, so that more may be waiting.

        Raises LocalFault when the database does not answer.
        """
        await asyncio.sleep(self._looked_at + _LEAST_SECONDS - time.monotonic())
        self._looked_at = now = time.monotonic()
        self._rung = {job: rung for job, rung in self._rung.items() if now - rung[1] < LOST_SECONDS}
        bells, filled, unclaimed = await self._in_thread(lambda: self._database.read(self._look))
        self._rung = {job: rung for job, rung in self._rung.items() if job in unclaimed}
        heard = await asyncio.gather(*map(self._engine.send, bells))
        for bell in (bell for bell, sent in zip(bells, heard, strict=True) if sent):
            self._rung |= {due.id: (due, time.monotonic()) for due in bell}
        return filled and all(heard)

    def forget(self) -> None:
        """Somebody else leads."""
        self._rung.clear()

    def _look(self, connection: Connection) -> tuple[list[list[Due]], bool, set[int]]:
        if not self._rung and not ledger.any_due(connection):
            return [], False, set()
        unclaimed = ledger.still_ready(connection, list(self._rung))
        sent = {job: due for job, (due, _) in self._rung.items() if job in unclaimed}
        slots, workers = ledger.free_slots(connection, self._terms.lease_seconds)
        free = Counter({step: count for step, count in slots.items() if step in self._steps})
        free.subtract(Counter(due.step for due in sent.values()))
        chosen = choose(connection, free, sent=sent, connections_per_host=self._terms.connections_per_host)
        filled = bool(chosen) and len(chosen) >= sum(count for count in free.values() if count > 0)
        return _bells(chosen, workers), filled, unclaimed


def _bells(chosen: Sequence[Due], workers: Mapping[str, int]) -> list[list[Due]]:
    """One message for as many jobs of a step as are one worker's fair share: a message costs more than a job."""
    bells: list[list[Due]] = []
    for step, jobs in groupby(chosen, key=lambda due: due.step):
        waiting = list(jobs)
        share = math.ceil(len(waiting) / max(1, workers[step]))
        bells += [waiting[start : start + share] for start in range(0, len(waiting), share)]
    return bells
