"""Carries ready jobs to the free slots of this process: a queue in memory."""

import asyncio
from collections.abc import Mapping, Sequence

from glimmr.jobs.job import Due


class LocalEngine:
    """The engine of one machine: each process looks into the ledger for itself."""

    carries = False

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Due] = asyncio.Queue()

    async def start(self, slots: Mapping[str, int]) -> None:
        """Nothing to do: there is nobody else to listen to."""

    def make_room(self, step: str, free: int) -> None:
        """Nothing to do: who rings here has counted the slots."""

    async def send(self, bell: Sequence[Due]) -> bool:
        """Ring for jobs; there is no other process."""
        for due in bell:
            self.keep(due)
        return True

    def keep(self, due: Due) -> None:
        """Ring for a job."""
        self._queue.put_nowait(due)

    async def receive(self) -> Due:
        """The next job somebody rang for."""
        return await self._queue.get()

    async def stop(self) -> None:
        """Nothing to do: what was rung for and not heard is still in the ledger."""
