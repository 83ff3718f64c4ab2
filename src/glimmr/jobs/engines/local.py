"""Carries ready jobs to the free slots of this process: a queue in memory. What it loses, the ledger still has."""

import asyncio

from glimmr.jobs.job import Due


class LocalEngine:
    """The engine of one machine."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Due] = asyncio.Queue()

    async def send(self, due: Due) -> None:
        """Hand a job over. A message is a doorbell: who hears it must still claim the job."""
        await self._queue.put(due)

    async def receive(self) -> Due:
        """The next job."""
        return await self._queue.get()
