"""A worker: engine, dispatcher, runs, heartbeat and rescuer joined, from its first job to an orderly stop."""

import asyncio
import contextlib
import contextvars
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from glimmr import events
from glimmr.errors import LocalFault, ShuttingDown
from glimmr.jobs import ledger
from glimmr.jobs.dispatcher import Dispatcher
from glimmr.jobs.doorbells import Doorbells
from glimmr.jobs.engines import Engine
from glimmr.jobs.engines.local import LocalEngine
from glimmr.jobs.girth import Girth
from glimmr.jobs.heartbeat import Heartbeat
from glimmr.jobs.invariant import Invariant
from glimmr.jobs.job import Due, Step, Terms
from glimmr.jobs.rescues import hand_back_of_the_dead, rescues
from glimmr.jobs.rounds import Beside, Rounds
from glimmr.jobs.run import Runs
from glimmr.jobs.runner import Runner
from glimmr.jobs.steady import Steady
from glimmr.jobs.verdict import Decide
from glimmr.jobs.wall_clock import WallClock
from glimmr.stores.database import Connection, Database
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
    invariants: Sequence[Invariant] = (),
    unrung: Collection[str] = (),
    memory_bytes: int | None = None,
    beside: Beside | None = None,
) -> bool:
    """Run jobs of `steps`, at most `slots[step]` of each at a time, until `stop` is set or (`until_idle`) none is left.

    `engine` brings it the jobs (default: it looks into the ledger itself). `alone` says that no other worker of this
    database can be alive (its folder lock is held): running jobs are then those of a dead one, and are handed back at
    once. When `stop` is set nothing new starts, running steps learn it through their `tell`, and unfinished jobs are
    handed back uncharged; cancelling this call stops at once, writing nothing. Idle means: nothing runs anywhere, and
    nothing is due within `terms.patience_seconds`. `decide(error, attempts)` is `retry.decide`. Each step may keep its
    slots' number of threads busy (`to_thread`). `invariants` are looked after beside those of jobs, by the leader. Jobs
    of `unrung` steps are too rare for an engine to carry: every worker looks for them itself. `beside` starts and stops
    with the worker, and is told who leads.

    Returns whether this process had more than `memory_bytes` and should be begun anew: then nothing new started, what
    ran had `terms.last_seconds` to end, and what was unfinished after that was handed back.
    """
    worker = _Worker(
        database,
        steps,
        slots,
        decide,
        terms=terms,
        engine=engine or LocalEngine(),
        version=version,
        more=invariants,
        unrung=unrung,
        beside=beside,
    )
    girth = Girth(memory_bytes)
    try:
        await worker.start(alone=alone)
        await worker.live(until_idle=until_idle, stop=stop, girth=girth)
        if girth.was_too_much:
            await worker.finish_up(stop)
        await worker.leave()
    finally:
        await worker.throw_away()
    return girth.was_too_much


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
        version: str,
        more: Sequence[Invariant],
        unrung: Collection[str],
        beside: Beside | None,
    ) -> None:
        self._database, self._terms, self._engine, self._beside = database, terms, engine, beside
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        # One thread writes to SQLite; PostgreSQL takes several. Steps have the loop's own threads.
        self._threads = ThreadPoolExecutor(1 if database.is_sqlite else 4, "ledger")
        self._step_threads = ThreadPoolExecutor(2 * sum(slots.values()) + 4, "step")
        self._runs = Runs()
        self._slots = {step: count for step, count in slots.items() if step in steps}
        self._unrung = unrung
        # Who leads rings for all: also for steps that only others have slots for.
        self._rung = {step: self._slots.get(step, 0) for step in steps if step not in unrung}
        self._dispatcher = Dispatcher(database, engine, self._slots, terms, self._in_thread, unrung=unrung)
        self._doorbells = Doorbells(database, engine, self._rung, terms, self._in_thread)
        self._leadership = Leadership(database)
        self._wall_clock = WallClock()
        steady = Steady(terms)
        own = rescues(database, steps, owner=self._owner, terms=terms)
        self._rounds = Rounds(database, [*own, *more], steady, self._wake)
        self._loop = asyncio.get_running_loop()
        self._version = version
        self._heartbeat = Heartbeat(
            database, self._owner, terms=terms, runs=self._runs, steady=steady, sign_in=self._sign_in
        )
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

    async def start(self, *, alone: bool) -> None:
        self._loop.set_default_executor(self._step_threads)
        if alone:
            await self._in_thread(lambda: hand_back_of_the_dead(self._database))
        await self._in_thread(lambda: self._database.write(self._sign_in))
        await self._engine.start(self._rung)
        self._heartbeat.start()
        self._rounds.start()
        if self._beside is not None:
            self._beside.start()
        events.tell(events.WORKER_STARTED, worker=self._owner, slots=self._slots)

    async def live(self, *, until_idle: bool, stop: asyncio.Event, girth: Girth) -> None:
        """Until told to stop, idle, or too big."""
        carrier = asyncio.create_task(self._carry())
        watcher = asyncio.create_task(self._notice(stop))
        try:
            while not stop.is_set() and not girth.is_too_much():
                idle = await self._tick(ask_idle=until_idle)
                if idle:
                    break
                await self._dispatcher.pause(self._tick_seconds)
        finally:
            carrier.cancel()
            watcher.cancel()
            await asyncio.gather(carrier, watcher, return_exceptions=True)

    async def finish_up(self, stop: asyncio.Event) -> None:
        """Nothing new is heard; what runs may end by itself for a while, unless told to stop."""
        _LOG.warning("this process has grown too big: it ends when its %d running jobs have ended", len(self._tasks))
        self._dispatcher.close()
        if not self._database.is_sqlite:  # others can lead
            self._rounds.lead(False)
            await self._in_thread(self._leadership.let_go)
        with contextlib.suppress(LocalFault):
            await self._in_thread(
                lambda: self._database.write(lambda connection: ledger.close_slots(connection, self._owner))
            )
        stopped = asyncio.create_task(stop.wait())
        until = time.monotonic() + self._terms.last_seconds
        while self._tasks and not stop.is_set() and self._heartbeat.failure is None and time.monotonic() < until:
            await asyncio.wait({stopped, *self._tasks}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    async def leave(self) -> None:
        """Orderly: nothing new is heard; every run learns it, has a while to end, then is cancelled.

        What is unfinished is handed back.
        """
        self._runner.leave()
        self._stop_rounds()
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
        await asyncio.to_thread(self._rounds.join, self._terms.stop_seconds)
        try:
            await self._in_thread(
                lambda: self._database.write(lambda connection: ledger.sign_out(connection, self._owner))
            )
            events.tell(events.WORKER_LEFT, worker=self._owner)
        except LocalFault as fault:
            _LOG.warning("could not sign out: %s", fault)
        if self._bug is not None:
            raise self._bug

    async def throw_away(self) -> None:
        """At once: running children are killed with their tasks; the ledger is left as it is."""
        self._runner.leave(at_once=True)
        self._stop_rounds()
        self._stop_runs()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.stop()
        self._heartbeat.stop_soon()
        self._threads.submit(self._leadership.let_go)
        self._threads.shutdown(wait=False)

    def _stop_rounds(self) -> None:
        self._rounds.stop()
        if self._beside is not None:
            self._beside.stop()

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
            leads = known if known is not None else await self._in_thread(self._leadership.is_mine)
            self._rounds.lead(leads)
            if self._beside is not None:
                self._beside.lead(leads)
            if leads:
                await self._lead()
            else:
                self._doorbells.forget()
            await self._dispatcher.tick()
            return ask_idle and self._rounds.have_looked and await self._dispatcher.is_idle()
        except LocalFault as fault:
            _LOG.warning("dispatcher: %s", fault)
            return False

    async def _lead(self) -> None:
        """What one worker of a fleet does for all, beside the rescuer's rounds."""
        if self._wall_clock.is_doubtful():
            await self._in_thread(
                lambda: self._database.write(lambda connection: ledger.heed_the_clock(connection, but=self._unrung))
            )
            self._dispatcher.wake(self._slots)
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

    def _sign_in(self, connection: Connection) -> None:
        host, pid = socket.gethostname(), os.getpid()
        ledger.sign_in(connection, self._owner, host=host, pid=pid, version=self._version, slots=self._slots)

    def _wake(self) -> None:
        """Something was repaired, in a thread of the rescuer's: jobs may be due because of it."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to run them
            self._loop.call_soon_threadsafe(self._dispatcher.wake, self._slots)

    async def _notice(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._dispatcher.wake()

    def _in_thread(self, call: Callable[[], T]) -> Awaitable[T]:
        said = contextvars.copy_context()  # of which run the call is: a log line tells it
        return asyncio.get_running_loop().run_in_executor(self._threads, said.run, call)
