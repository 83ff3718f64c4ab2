"""The leader's work in a fleet: it alone looks into the ledger, and rings for what is due where workers have slots."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection

from glimmr.jobs import ledger
from glimmr.jobs.dispatcher import LOST_SECONDS
from glimmr.jobs.engines import Engine
from glimmr.jobs.job import Due, Terms
from glimmr.jobs.offers import choose
from glimmr.jobs.runner import InThread
from glimmr.stores.database import Connection, Database


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

    async def tick(self) -> bool:
        """Ring for what is due. Whether every free slot got a job, so that more may be waiting.

        Raises LocalFault when the database does not answer.
        """
        now = time.monotonic()
        self._rung = {job: rung for job, rung in self._rung.items() if now - rung[1] < LOST_SECONDS}
        chosen, filled, unclaimed = await self._in_thread(lambda: self._database.read(self._look))
        self._rung = {job: rung for job, rung in self._rung.items() if job in unclaimed}
        heard = await asyncio.gather(*map(self._engine.send, chosen))
        self._rung |= {due.id: (due, time.monotonic()) for due, sent in zip(chosen, heard, strict=True) if sent}
        return filled and all(heard)

    def forget(self) -> None:
        """Somebody else leads."""
        self._rung.clear()

    def _look(self, connection: Connection) -> tuple[list[Due], bool, set[int]]:
        unclaimed = ledger.still_ready(connection, list(self._rung))
        sent = {job: due for job, (due, _) in self._rung.items() if job in unclaimed}
        slots = ledger.free_slots(connection, self._terms.lease_seconds)
        free = Counter({step: count for step, count in slots.items() if step in self._steps})
        free.subtract(Counter(due.step for due in sent.values()))
        chosen = choose(connection, free, sent=sent, connections_per_host=self._terms.connections_per_host)
        filled = bool(chosen) and len(chosen) >= sum(count for count in free.values() if count > 0)
        return chosen, filled, unclaimed
