"""Finds jobs that may run and hands them to the engine, only for free slots; the same query recovers what was lost."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping

from glimmr.jobs import ledger
from glimmr.jobs.engines.local import LocalEngine
from glimmr.jobs.job import Due, Terms
from glimmr.jobs.runner import InThread
from glimmr.stores.database import Connection, Database

_TICK_SECONDS = 0.25


class Dispatcher:
    """Sends due jobs of unpaused steps, by priority then age, while this worker has slots for them.

    `slots` says how many jobs of each step may be under way here at a time; steps it does not name are left alone.
    """

    def __init__(
        self, database: Database, engine: LocalEngine, slots: Mapping[str, int], terms: Terms, in_thread: InThread
    ) -> None:
        self._database, self._engine, self._slots, self._terms = database, engine, slots, terms
        self._in_thread = in_thread
        self._under_way: dict[int, Due] = {}
        self._woken = asyncio.Event()
        self._look_at: set[str] = set(slots)

    def wake(self, steps: Iterable[str] = ()) -> None:
        """Look at once for jobs of these steps."""
        self._look_at.update(steps)
        self._woken.set()

    def ended(self, due: Due, steps: Iterable[str]) -> None:
        """A job that was sent is under way no more; jobs of `steps` may be due because of it."""
        self._under_way.pop(due.id, None)
        self.wake({due.step, *steps})

    async def pause(self) -> None:
        """Until the next tick is due, or somebody wakes us."""
        try:
            async with asyncio.timeout(_TICK_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            self._look_at = set(self._slots)
        self._woken.clear()

    async def tick(self) -> None:
        """Send what is due for the free slots. Raises LocalFault when the database does not answer."""
        look_at, self._look_at = self._look_at & set(self._slots), set()
        chosen = await self._in_thread(
            lambda: self._database.read(lambda connection: self._choose(connection, look_at))
        )
        for due in chosen:
            self._under_way[due.id] = due
            await self._engine.send(due)

    async def is_idle(self) -> bool:
        """Whether nothing runs anywhere and nothing is due within the patience."""
        if self._under_way:
            return False
        patience, steps = self._terms.patience_seconds, set(self._slots)
        return not await self._in_thread(
            lambda: self._database.read(lambda connection: ledger.awaited(connection, steps, patience))
        )

    def _choose(self, connection: Connection, steps: set[str]) -> list[Due]:
        """Due jobs for the free slots; a host that has its share is passed over, so that it holds up no other."""
        chosen: list[Due] = []
        hosts = Counter(due.host for due in self._under_way.values() if due.host is not None)
        under_way = Counter(due.step for due in self._under_way.values())
        if not ledger.any_due(connection):
            return []
        for step in sorted(steps):
            free = self._slots[step] - under_way[step]
            while free > 0:
                picked = self._pick(self._offers(connection, step, free, hosts, chosen), hosts)
                chosen += picked
                free -= len(picked)
                if not picked:
                    break
        return chosen

    def _offers(
        self, connection: Connection, step: str, most: int, hosts: Counter[str], chosen: list[Due]
    ) -> list[Due]:
        full = [host for host, count in hosts.items() if count >= self._terms.connections_per_host]
        sent = [*self._under_way, *(due.id for due in chosen)]
        return ledger.due(
            connection,
            step,
            most=most,
            connections_per_host=self._terms.connections_per_host,
            full_hosts=full,
            sent=sent,
        )

    def _pick(self, offers: list[Due], hosts: Counter[str]) -> list[Due]:
        picked: list[Due] = []
        for due in offers:
            if due.host is not None:
                if hosts[due.host] >= self._terms.connections_per_host:
                    continue
                hosts[due.host] += 1
            picked.append(due)
        return picked
