"""Carries ready jobs through docket on Redis, to whichever process of the fleet has a free slot: doorbells only.

The docket task returns at once: after any Redis error docket's worker waits for its running tasks before it reconnects,
so that one long task would block all new work. What is true stays in the ledger; Redis may lose everything.
"""

import asyncio
import logging
import os
import random
import secrets
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from itertools import count
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from docket import Docket, Worker
from redis.exceptions import RedisError

from glimmr.errors import UsageError
from glimmr.jobs.engines.address_family import Family, look_up_only
from glimmr.jobs.engines.redis_health import SCHEMES, RedisHealth, RedisStatus
from glimmr.jobs.job import Due

# How often docket looks: for a slot that became free, or, with one free, whether anybody wants anything else of it.
_BUSY_SECONDS, _FULL_SECONDS, _LISTENING_SECONDS = 0.02, 0.5, 5.0
_QUIET_AFTER_SECONDS = 2.0
_REDELIVERY_SECONDS = 60.0  # of bells that a dead worker heard: the leader has rung again long before
_STOP_SECONDS = 3.0
_HEALTH_CHECK_SECONDS = 30  # a connection idle for longer is asked before it is used
_HELD_SECONDS, _LONGEST_PAUSE_SECONDS = 10.0, 2.0
_LOG = logging.getLogger(__name__)


class DocketEngine:
    """The engine of a fleet: one docket a step, read by every process as far as it has free slots of that step.

    `url` is docket's: redis, rediss (TLS; its query may name `ssl_ca_certs`, `ssl_certfile` …), unix, redis+sentinel,
    redis+cluster. Whoever can write to that Redis can run code in the workers (docket pickles): keep it to yourself.
    """

    def __init__(
        self,
        url: str,
        *,
        family: Family = "any",
        timeout_seconds: float = 2.0,
        max_connections: int = 50,
        name: str = "glimmr",
    ) -> None:
        parts = _split(url)
        if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme == "unix"):
            raise UsageError(f"GLIMMR_REDIS_URL cannot be used: it is {':// or '.join(SCHEMES)}:// and an address")
        self._client_name = f"glimmr-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._asked_url, self._url = url, _named(parts, self._client_name, max_connections, timeout_seconds)
        self._family: Family = family
        self._timeout_seconds, self._name = timeout_seconds, name
        self._inbox: asyncio.Queue[Due] = asyncio.Queue()
        self._unreceived: Counter[str] = Counter()  # heard and not received yet: whoever counts slots misses them
        self._kept: set[int] = set()
        self._numbers = count(random.getrandbits(40))
        self._lines: dict[str, _Line] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._health: RedisHealth | None = None

    @property
    def carries(self) -> bool:
        """Whether Redis is well, as far as is known."""
        return self._health is not None and self._health.is_well

    @property
    def status(self) -> RedisStatus:
        """What the last look at Redis said."""
        return self._health.status if self._health else RedisStatus(answers=False, message="not started")

    async def start(self, slots: Mapping[str, int]) -> None:
        """Begin to listen. A Redis that is away is waited for in the background, without end."""
        logging.getLogger("docket").setLevel(logging.CRITICAL)  # it shows a traceback a second; we say it once
        look_up_only(self._family, self._asked_url)
        self._health = RedisHealth(
            self._asked_url, client_name=self._client_name, timeout_seconds=self._timeout_seconds
        )
        await self._health.check()
        self._tasks.append(asyncio.create_task(self._health.watch(), name="redis health"))
        for step, free in slots.items():
            self._lines[step] = line = _Line(f"{self._name}:{step}", self._url, self._client_name, self._hear, free)
            self._tasks.append(asyncio.create_task(line.live(self._health), name=f"docket {step}"))

    def make_room(self, step: str, free: int) -> None:
        """Let docket bring so many jobs of this step, and no more."""
        if line := self._lines.get(step):
            line.make_room(free - self._unreceived[step])

    async def send(self, bell: Sequence[Due]) -> bool:
        """Ring once for jobs of one step. Never raises, and never waits longer than the timeout."""
        line = self._lines.get(bell[0].step)
        if line is None or line.docket is None or not self.carries:
            return False
        assert self._health is not None, "it carries"
        jobs = [(due.id, due.host) for due in bell]
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await line.docket.add("ring", key=f"{bell[0].id}-{next(self._numbers)}")(bell[0].step, jobs)
        except (RedisError, OSError, TimeoutError) as error:
            self._health.suspect(error)
            return False
        return True

    def keep(self, due: Due) -> None:
        """Ring for a job in this process; that it had to look itself may mean that Redis is ill."""
        self._kept.add(due.id)
        self._inbox.put_nowait(due)

    async def receive(self) -> Due:
        """The next job somebody rang for."""
        due = await self._inbox.get()
        if due.id in self._kept:
            self._kept.discard(due.id)
        else:
            self._unreceived[due.step] -= 1
        return due

    async def stop(self) -> None:
        """Listen no more. A Redis that does not answer is left after a while."""
        for line in self._lines.values():
            line.leave()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)
        self._tasks.clear()
        self._lines.clear()
        if self._health is not None:
            await self._health.close()

    async def _hear(self, mine: Sequence[Due], rest: Sequence[Due]) -> None:
        for due in mine:
            self._unreceived[due.step] += 1
            self._inbox.put_nowait(due)
        if rest:  # if this fails, the leader rings again
            await self.send(rest)


class _Ear(Worker):
    """Docket's worker, deaf to cancellations: nobody cancels a bell, and docket looks for that ten times a second."""

    async def _cancellation_listener(self) -> None:
        session = self._processing_session
        if session is not None:
            session.cancellation_ready.set()
            await session.stopping.wait()


class _Line:
    """One step's docket, and our place as one of its workers."""

    def __init__(
        self,
        name: str,
        url: str,
        worker_name: str,
        hear: Callable[[Sequence[Due], Sequence[Due]], Awaitable[None]],
        free: int,
    ) -> None:
        self._name, self._url, self._worker_name, self._hear, self._free = name, url, worker_name, hear, free
        self._leaving = False
        self._resting: asyncio.TimerHandle | None = None
        self._worker: Worker | None = None
        self.docket: Docket | None = None

    def make_room(self, free: int) -> None:
        self._free = max(0, free)
        if self._worker is not None:  # docket reads both before each look at its stream
            self._worker.concurrency = self._free
            self._look_every(_BUSY_SECONDS)
            if self._resting is not None:
                self._resting.cancel()
            seconds = _LISTENING_SECONDS if self._free else _FULL_SECONDS
            loop = asyncio.get_running_loop()
            self._resting = loop.call_later(_QUIET_AFTER_SECONDS, self._look_every, seconds)

    def leave(self) -> None:
        self._leaving = True
        self.make_room(0)
        if self._resting is not None:
            self._resting.cancel()

    def _look_every(self, seconds: float) -> None:
        if self._worker is not None:
            self._worker.minimum_check_interval = timedelta(seconds=seconds)

    async def live(self, health: RedisHealth) -> None:
        """Listen until cancelled, and begin anew whatever docket makes of a broken Redis."""
        pause_seconds = 0.25
        while not self._leaving:
            started = time.monotonic()
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError, BaseExceptionGroup) as error:
                health.suspect(error)
            except Exception:  # noqa: BLE001 - a bug in docket must not end the worker: the ledger still feeds it
                _LOG.exception("docket stopped; it is started again")
            finally:
                self.docket = self._worker = None
            held = time.monotonic() - started > _HELD_SECONDS
            pause_seconds = 0.25 if held else min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause_seconds * random.uniform(0.5, 1.5))  # noqa: S311 - jitter

    async def _listen(self) -> None:
        async def ring(step: str, jobs: list[tuple[int, str | None]]) -> None:
            bell, free = [Due(job_id, step, host) for job_id, host in jobs], self._free
            self.make_room(free - len(bell))
            await self._hear(bell[:free], bell[free:])

        docket = Docket(
            name=self._name, url=self._url, heartbeat_interval=timedelta(seconds=30), execution_ttl=timedelta(0)
        )
        docket.register(ring, names=["ring"])
        async with docket:
            worker = _Ear(
                docket,
                name=self._worker_name,
                concurrency=self._free,
                redelivery_timeout=timedelta(seconds=_REDELIVERY_SECONDS),
                reconnection_delay=timedelta(seconds=1),
                minimum_check_interval=timedelta(seconds=_BUSY_SECONDS),
                scheduling_resolution=timedelta(seconds=60),
                schedule_automatic_tasks=False,
            )
            async with worker:
                self.docket, self._worker = docket, worker
                self.make_room(self._free)
                await worker.run_forever()


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise UsageError(f"GLIMMR_REDIS_URL cannot be used: {error}") from None


def _named(parts: SplitResult, client_name: str, max_connections: int, timeout_seconds: float) -> str:
    """The URL with our name for docket's connections, their limit and checks; what it says itself wins.

    No time limit for reading: docket waits for messages by it, and TCP keepalive notices a server that is gone.
    """
    ours = {
        "client_name": client_name,
        "max_connections": str(max_connections),
        "health_check_interval": str(_HEALTH_CHECK_SECONDS),
        "socket_connect_timeout": str(timeout_seconds),
    }
    return urlunsplit(parts._replace(query=urlencode(ours | dict(parse_qsl(parts.query)))))
