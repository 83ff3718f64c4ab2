"""Finds jobs that may run and takes them, only for the free slots of this worker; so is found again what was lost."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from glimmr.jobs import ledger
from glimmr.jobs.engines import Engine
from glimmr.jobs.job import Due, Terms
from glimmr.jobs.offers import choose
from glimmr.jobs.runner import InThread
from glimmr.stores.database import Database

_LOG = logging.getLogger(__name__)
_TICK_SECONDS = 0.25
LOST_SECONDS = 5.0
"""A job that is due for so long, while a slot is free for so long, had a message that was lost."""
_DOUBT_SECONDS = 10.0
_UNRUNG_SECONDS = 1.0
_SAID_SECONDS, _WORTH_SAYING_SECONDS = 30.0, 2.0


class Dispatcher:
    """Keeps count of this worker's slots, and fills them by priority, then fresh before retried, then age.

    `slots` says how many jobs of each step may be under way here at a time; steps it does not name are left alone.
    While the engine carries (a leader rings for what is due, see `doorbells`), only what was lost is looked for; when
    something was, the ledger is drawn from directly for a while, as it is while the engine does not carry. For jobs of
    `unrung` steps nobody rings: they are looked for every second.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        slots: Mapping[str, int],
        terms: Terms,
        in_thread: InThread,
        *,
        unrung: Collection[str] = (),
    ) -> None:
        self._database, self._engine, self._slots, self._terms = database, engine, slots, terms
        self._in_thread = in_thread
        self._under_way: dict[int, Due] = {}
        self._kept: set[int] = set()
        self._woken = asyncio.Event()
        self._look_at: set[str] = set(slots)
        self._quiet_since = dict.fromkeys(slots, time.monotonic())
        self._draw_until = float("-inf")
        self._unrung = set(slots) & set(unrung)
        self._looked_at = self._said_at = float("-inf")

    def wake(self, steps: Iterable[str] = ()) -> None:
        """Look at once for jobs of these steps."""
        self._look_at.update(steps)
        self._woken.set()

    def takes(self, due: Due) -> bool:
        """Whether this worker should run the job it heard of; from then on it is under way.

        Not when it is under way already, or its step has no free slot: whoever has one finds it in the ledger.
        """
        if due.id in self._kept:
            self._kept.discard(due.id)
            return True
        self._quiet_since[due.step] = time.monotonic()
        if due.id in self._under_way or self._free(due.step) <= 0:
            self._engine.make_room(due.step, self._free(due.step))  # hearing of it took a slot there
            return False
        self._begin(due)
        return True

    def ended(self, due: Due, steps: Iterable[str]) -> None:
        """A job that was under way is so no more; jobs of `steps` may be due because of it."""
        self._under_way.pop(due.id, None)
        self._quiet_since[due.step] = time.monotonic()
        self._engine.make_room(due.step, self._free(due.step))
        self.wake({due.step, *steps})

    def close(self) -> None:
        """There is no free slot any more, also when jobs end."""
        steps, self._slots = self._slots, {}
        for step in steps:
            self._engine.make_room(step, 0)

    async def pause(self, seconds: float = _TICK_SECONDS) -> None:
        """Until the next tick is due, or somebody wakes us."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            self._look_at = set(self._slots)
        self._woken.clear()

    async def tick(self) -> None:
        """Take what is due for the free slots. Raises LocalFault when the database does not answer."""
        look_at, self._look_at = self._look_at & set(self._slots), set()
        now = time.monotonic()
        if not self._engine.carries or now < self._draw_until:
            await self._draw(look_at, 0.0)
            return
        if self._unrung and now - self._looked_at >= _UNRUNG_SECONDS:
            self._looked_at = now
            await self._draw(self._unrung, 0.0)
        quiet = {
            step
            for step, since in self._quiet_since.items()
            if step not in self._unrung and now - since >= LOST_SECONDS and self._free(step)
        }
        for step in quiet:
            self._quiet_since[step] = now - LOST_SECONDS * random.uniform(0, 0.4)  # noqa: S311 - spreads the fleet
        if quiet and await self._draw(quiet, LOST_SECONDS):
            _LOG.warning("jobs are due and nobody rang for them: they are taken from the ledger for a while")
            self._draw_until = now + _DOUBT_SECONDS

    async def is_idle(self) -> bool:
        """Whether nothing runs anywhere and nothing is due within the patience."""
        if self._under_way:
            return False
        patience, steps = self._terms.patience_seconds, set(self._slots)
        awaited = await self._in_thread(
            lambda: self._database.read(lambda connection: ledger.awaited(connection, steps, patience))
        )
        if awaited:
            await self._say_what_for(steps, patience)
        return not awaited

    async def _say_what_for(self, steps: Collection[str], patience: float) -> None:
        """Whoever waits for this worker's end wants to know for how long it does nothing."""
        now = time.monotonic()
        if now - self._said_at < _SAID_SECONDS:
            return
        coming = await self._in_thread(
            lambda: self._database.read(lambda connection: ledger.next_to_come(connection, steps, patience))
        )
        if coming is None or coming[2] < _WORTH_SAYING_SECONDS:
            return
        self._said_at = now
        count, first, seconds = coming
        _LOG.warning(
            "nothing to do for %.0f s: the first of %d jobs that wait for their time is due at %s UTC"
            " (those that are due later than in %.0f s, GLIMMR_PATIENCE_SECONDS, are left)",
            seconds, count, f"{first:%H:%M:%S}", patience,
        )  # fmt: skip

    async def _draw(self, steps: set[str], overdue_seconds: float) -> bool:
        """Take jobs for the free slots; whether there were any."""
        free, sent = Counter({step: self._free(step) for step in steps}), dict(self._under_way)
        chosen = await self._in_thread(
            lambda: self._database.read(
                lambda connection: choose(
                    connection,
                    free,
                    sent=sent,
                    connections_per_host=self._terms.connections_per_host,
                    overdue_seconds=overdue_seconds,
                )
            )
        )
        for due in chosen:
            # While we looked it may have been rung for, or others that took the slots.
            if due.id not in self._under_way and self._free(due.step) > 0:
                self._begin(due)
                self._kept.add(due.id)
                self._engine.keep(due)
        return bool(chosen)

    def _begin(self, due: Due) -> None:
        self._under_way[due.id] = due
        self._engine.make_room(due.step, self._free(due.step))

    def _free(self, step: str) -> int:
        return self._slots.get(step, 0) - sum(due.step == step for due in self._under_way.values())
