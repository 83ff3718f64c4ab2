"""What carries a ready job to a worker: the one shape of all engines. What an engine loses, the ledger still has."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from glimmr.jobs.job import Due


class Engine(Protocol):
    """A message is a doorbell: who hears it must still claim the job, and may find that somebody else has it."""

    @property
    def carries(self) -> bool:
        """Whether the leader's messages reach this process just now; when not, it looks into the ledger itself."""
        ...

    async def start(self, slots: Mapping[str, int]) -> None:
        """Begin to listen, with so many free slots of each step."""
        ...

    def make_room(self, step: str, free: int) -> None:
        """From now on this process has so many free slots of that step."""
        ...

    async def send(self, bell: Sequence[Due]) -> bool:
        """Ring once for jobs of one step, where every process with a free slot of it listens.

        Who hears it and has too few slots passes the rest on. False when the message could not be sent.
        """
        ...

    def keep(self, due: Due) -> None:
        """Ring for a job in this process only."""
        ...

    async def receive(self) -> Due:
        """The next job somebody rang for."""
        ...

    async def stop(self) -> None:
        """Listen no more, and close every connection."""
        ...
