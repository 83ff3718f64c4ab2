"""A worker: engine, dispatcher, runs, heartbeat and rescuer joined, from its first job to an orderly stop."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from glimmr.errors import LocalFault, ShuttingDown
from glimmr.jobs import ledger
from glimmr.jobs.dispatcher import Dispatcher
from glimmr.jobs.doorbells import Doorbells
from glimmr.jobs.engines import Engine
from glimmr.jobs.engines.local import LocalEngine
from glimmr.jobs.heartbeat import Heartbeat
from glimmr.jobs.job import Due, Step, Terms
from glimmr.jobs.rescuer import Rescuer
from glimmr.jobs.run import Runs
from glimmr.jobs.runner import Runner
from glimmr.jobs.steady import Steady
from glimmr.jobs.verdict import Decide
from glimmr.stores.database import Database
from glimmr.stores.leadership import Leadership

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_DEFAULT_TERMS = Terms()
_TICK_SECONDS, _BUSY_TICK_SECONDS = 0.25, 0.05


async def work(
    database: Database,
    steps: Mapping[str, Step],
    slots: Mapping[str, int],
    *,
    decide: Decide,
    until_idle: bool,
    stop: asyncio.Event,
    terms: Terms = _DEFAULT_TERMS,
    engine: Engine | None = None,
    alone: bool = False,
    version: str = "",
) -> None:
    """Run jobs of `steps`, at most `slots[step]` of each at a time, until `stop` is set or (`until_idle`) none is left.

    `engine` brings it the jobs (default: it looks into the ledger itself). `alone` says that no other worker of this
    database can be alive (its folder lock is held): running jobs are then those of a dead one, and are handed back at
    once. When `stop` is set nothing new starts, running steps learn it through their `tell`, and unfinished jobs are
    handed back uncharged; cancelling this call stops at once, writing nothing. Idle means: nothing runs anywhere, and
    nothing is due within `terms.patience_seconds`. `decide(error, attempts)` is `retry.decide`. Each step may keep its
    slots' number of threads busy (`to_thread`).
    """
    worker = _Worker(database, steps, slots, decide, terms=terms, engine=engine or LocalEngine())
    try:
        await worker.start(alone=alone, version=version)
        await worker.live(until_idle=until_idle, stop=stop)
        await worker.leave()
    finally:
        await worker.throw_away()


class _Worker:
    def __init__(
        self,
        database: Database,
        steps: Mapping[str, Step],
        slots: Mapping[str, int],
        decide: Decide,
        *,
        terms: Terms,
        engine: Engine,
    ) -> None:
        self._database, self._terms, self._engine = database, terms, engine
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        # One thread writes to SQLite; PostgreSQL takes several. Steps have the loop's own threads.
        self._threads = ThreadPoolExecutor(1 if database.is_sqlite else 4, "ledger")
        self._step_threads = ThreadPoolExecutor(2 * sum(slots.values()) + 4, "step")
        self._runs = Runs()
        self._slots = {step: count for step, count in slots.items() if step in steps}
        self._dispatcher = Dispatcher(database, engine, self._slots, terms, self._in_thread)
        self._doorbells = Doorbells(database, engine, self._slots, terms, self._in_thread)
        self._leadership = Leadership(database)
        steady = Steady(terms)
        self._rescuer = Rescuer(database, steps, owner=self._owner, terms=terms, steady=steady)
        self._heartbeat = Heartbeat(database, self._owner, terms=terms, runs=self._runs, steady=steady)
        self._runner = Runner(
            database,
            steps,
            owner=self._owner,
            terms=terms,
            runs=self._runs,
            decide=decide,
            in_thread=self._in_thread,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._tick_seconds = _TICK_SECONDS
        self._bug: BaseException | None = None

    async def start(self, *, alone: bool, version: str) -> None:
        asyncio.get_running_loop().set_default_executor(self._step_threads)
        host, pid = socket.gethostname(), os.getpid()
        if alone:
            await self._in_thread(self._rescuer.hand_back_of_the_dead)
        await self._in_thread(
            lambda: self._database.write(
                lambda connection: ledger.sign_in(
                    connection, self._owner, host=host, pid=pid, version=version, slots=self._slots
                )
            )
        )
        await self._engine.start(self._slots)
        self._heartbeat.start()

    async def live(self, *, until_idle: bool, stop: asyncio.Event) -> None:
        carrier = asyncio.create_task(self._carry())
        watcher = asyncio.create_task(self._notice(stop))
        try:
            while not stop.is_set():
                idle = await self._tick(ask_idle=until_idle)
                if idle:
                    break
                await self._dispatcher.pause(self._tick_seconds)
        finally:
            carrier.cancel()
            watcher.cancel()
            await asyncio.gather(carrier, watcher, return_exceptions=True)

    async def leave(self) -> None:
        """Orderly: nothing new is heard; every run learns it, has a while to end, then is cancelled.

        What is unfinished is handed back.
        """
        self._runner.leave()
        self._stop_runs()
        await self._engine.stop()
        await self._in_thread(self._leadership.let_go)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._terms.stop_seconds)
            ending = {run.job.id for run in self._runs.all().values() if run.ending}
            for task in self._tasks:
                if task.get_name() not in map(str, ending):
                    task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._in_thread(self._heartbeat.stop)
        try:
            await self._in_thread(
                lambda: self._database.write(lambda connection: ledger.sign_out(connection, self._owner))
            )
        except LocalFault as fault:
            _LOG.warning("could not sign out: %s", fault)
        if self._bug is not None:
            raise self._bug

    async def throw_away(self) -> None:
        """At once: running children are killed with their tasks; the ledger is left as it is."""
        self._runner.leave(at_once=True)
        self._stop_runs()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.stop()
        self._heartbeat.stop_soon()
        self._threads.submit(self._leadership.let_go)
        self._threads.shutdown(wait=False)

    def _stop_runs(self) -> None:
        for run in self._runs.all().values():
            run.stop(ShuttingDown("this process is stopping; the job is handed back"))

    async def _tick(self, *, ask_idle: bool) -> bool:
        """Lead, take, rescue; whether this worker is idle. A database that does not answer is waited for."""
        self._tick_seconds = _TICK_SECONDS
        for bug in (self._bug, self._heartbeat.failure):
            if bug is not None:
                raise bug
        try:
            known = self._leadership.known()
            if known if known is not None else await self._in_thread(self._leadership.is_mine):
                await self._lead()
            else:
                self._doorbells.forget()
            await self._dispatcher.tick()
            return ask_idle and await self._dispatcher.is_idle()
        except LocalFault as fault:
            _LOG.warning("dispatcher: %s", fault)
            return False

    async def _lead(self) -> None:
        """What one worker of a fleet does for all."""
        if self._rescuer.is_due() and await self._in_thread(self._rescuer.look):
            self._dispatcher.wake()
        if self._engine.carries and await self._doorbells.tick():
            self._tick_seconds = _BUSY_TICK_SECONDS

    async def _carry(self) -> None:
        """Every message from the engine becomes a run of its own."""
        while True:
            due = await self._engine.receive()
            if not self._dispatcher.takes(due):
                continue
            task = asyncio.create_task(self._run(due), name=str(due.id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, due: Due) -> None:
        steps: frozenset[str] = frozenset()
        try:
            steps = await self._runner.run(due)
        except Exception as bug:  # noqa: BLE001 - kept, and raised by the next tick
            self._bug = bug
        finally:
            self._dispatcher.ended(due, steps)

    async def _notice(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._dispatcher.wake()

    def _in_thread(self, call: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, call)
