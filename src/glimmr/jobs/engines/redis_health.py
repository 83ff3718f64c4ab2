"""Whether Redis answers and is fit for messages: a connection of our own, asked every 30 s and when in doubt."""

import asyncio
import contextlib
import logging
import random
import time
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

import redis.asyncio as aioredis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from glimmr.errors import UsageError

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_CHECK_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 5.0
_FULL_SHARE = 0.8
_SENTINEL_PORT = 26379
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RedisConnection:
    """One connection of ours, as the server sees it: of whichever process of the fleet its name says."""

    name: str
    address: str
    age_seconds: int
    idle_seconds: int
    command: str  # the last one


@dataclass(frozen=True, slots=True)
class RedisStatus:
    """What the last check said. `message` says what is wrong, or is empty; `seconds` is how long PING took."""

    answers: bool
    role: str = ""
    policy: str = ""
    used_bytes: int = 0
    most_bytes: int = 0  # 0: no limit
    connections: tuple[RedisConnection, ...] = ()
    seconds: float = 0.0
    message: str = ""


class RedisHealth:
    """Checks without end: every 30 s while all is well, else after 0.25, 0.5 … 5 s, until it is well again.

    A check is a PING, the server's own account of itself, and a small write (a full or a loading server answers PING
    and takes no message). Every call has a timeout: redis-py's own retries held one for 13.6 s.
    """

    def __init__(self, url: str, *, client_name: str, timeout_seconds: float) -> None:
        self._client = _client(url, client_name, timeout_seconds)
        self._name, self._timeout_seconds = client_name, timeout_seconds
        self._doubt = asyncio.Event()
        self._warned = ""
        self.status = RedisStatus(answers=False, message="not asked yet")

    @property
    def is_well(self) -> bool:
        """Whether messages can be sent, as far as is known."""
        return self.status.answers

    def suspect(self, error: BaseException) -> None:
        """A call has failed elsewhere: call it ill until a check says otherwise, which is made at once."""
        if self.status.answers:
            self.status = RedisStatus(answers=False, message=_said(error))
            self._tell()
        self._doubt.set()

    async def watch(self) -> None:
        """Check for ever."""
        pause_seconds = 0.25
        while True:
            self._doubt.clear()
            await self.check()
            pause_seconds = _CHECK_SECONDS if self.is_well else min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_seconds * random.uniform(0.9, 1.1)):  # noqa: S311 - jitter
                    await self._doubt.wait()
            if self.is_well:
                pause_seconds = 0.25
            else:
                await asyncio.sleep(0.05)  # who doubts again and again must not make us ask without a pause

    async def check(self) -> RedisStatus:
        """Ask now."""
        try:
            async with asyncio.timeout(3 * self._timeout_seconds):
                self.status = await self._ask()
        except (RedisError, OSError, TimeoutError) as error:
            self.status = RedisStatus(answers=False, message=_said(error))
        self._tell()
        return self.status

    async def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout_seconds):
                await self._client.aclose()

    async def _ask(self) -> RedisStatus:
        started = time.monotonic()
        await cast("Any", self._client.ping())
        seconds = time.monotonic() - started
        if isinstance(self._client, aioredis.RedisCluster):
            await self._take_a_message()
            return RedisStatus(answers=True, role="cluster", seconds=seconds)
        told: dict[str, Any] = {}
        for section in ("replication", "memory"):
            told |= await self._client.info(section)
        role = str(told.get("role", ""))
        if role != "master":
            message = f"its role is {role}, not master: GLIMMR_REDIS_URL must name the master"
            return RedisStatus(answers=False, role=role, seconds=seconds, message=message)
        await self._take_a_message()
        status = RedisStatus(
            answers=True,
            role=role,
            policy=str(told.get("maxmemory_policy", "")),
            used_bytes=int(told.get("used_memory", 0)),
            most_bytes=int(told.get("maxmemory", 0)),
            connections=await self._connections(),
            seconds=seconds,
        )
        return _judged(status)

    async def _take_a_message(self) -> None:
        await self._client.set(f"glimmr:health:{self._name}", "1", ex=60)

    async def _connections(self) -> tuple[RedisConnection, ...]:
        assert isinstance(self._client, aioredis.Redis), "a cluster has several lists"
        try:
            listed = await self._client.client_list()
        except RedisError:  # whoever runs the server may forbid it
            return ()
        return tuple(
            RedisConnection(
                name=str(entry["name"]),
                address=str(entry["addr"]),
                age_seconds=int(entry["age"]),
                idle_seconds=int(entry["idle"]),
                command=str(entry["cmd"]),
            )
            for entry in listed
            if str(entry.get("name", "")).startswith("glimmr")
        )

    def _tell(self) -> None:
        """Say it once when it changes."""
        message = self.status.message
        if message == self._warned:
            return
        if not self.status.answers:
            _LOG.warning("Redis is away (%s): jobs are taken from the ledger until it is back", message)
        elif message:
            _LOG.warning("Redis: %s", message)
        else:
            _LOG.warning("Redis is back")
        self._warned = message


def _judged(status: RedisStatus) -> RedisStatus:
    """The same with what an operator should change about it."""
    said: list[str] = []
    if status.policy not in {"noeviction", ""}:
        said.append(
            f"maxmemory-policy is {status.policy}: it may throw messages away (no job is lost, but it starts later);"
            " set it to noeviction"
        )
    if status.most_bytes and status.used_bytes > _FULL_SHARE * status.most_bytes:
        said.append(f"{status.used_bytes:,} of {status.most_bytes:,} bytes are used: raise maxmemory")
    return replace(status, message="; ".join(said))


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _client(url: str, name: str, timeout_seconds: float) -> aioredis.Redis | aioredis.RedisCluster:
    """A client that never waits longer than its timeouts, of any kind of URL docket takes."""
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "client_name": f"{name}-health",
    }
    parts = urlsplit(url)
    try:
        if parts.scheme.endswith("+cluster"):
            return aioredis.RedisCluster.from_url(url.replace("+cluster", "", 1), **options)
        options["retry"] = Retry(NoBackoff(), 0)
        if parts.scheme.endswith("+sentinel"):
            return _by_sentinel(parts, options)
        return aioredis.Redis.from_url(url, **options)
    except ValueError as error:
        raise UsageError(f"GLIMMR_REDIS_URL cannot be used: {error}") from None


def _by_sentinel(parts: SplitResult, options: dict[str, Any]) -> aioredis.Redis:
    """`redis+sentinel://[user:password@]a[:26379],b[:26379]/<service>[/<database>][?options]`, read as docket does."""
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = (unquote(part) for part in credentials.partition(":"))
    members = [urlsplit(f"//{host}") for host in hosts.split(",")]
    service, _, database = parts.path.strip("/").partition("/")
    query = dict(parse_qsl(parts.query))
    of_sentinel = {name: query.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    asked: dict[str, Any] = {**parse_url(f"redis:///?{urlencode(query)}")}
    tls = {"ssl": True} if parts.scheme.startswith("rediss") else {}
    tls |= {name: value for name, value in asked.items() if name.startswith("ssl_")}
    found = Sentinel(
        [(member.hostname or "", member.port or _SENTINEL_PORT) for member in members],
        sentinel_kwargs=options | of_sentinel | tls,
    )
    of_master = {"username": user or None, "password": password or None, "db": int(database or 0)}
    master_for: Any = found.master_for  # its options are a connection's, and typed as if they were its own
    return master_for(service, **(options | asked | of_master | tls))
