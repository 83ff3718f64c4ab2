"""What we know of Redis, on a real one: whether it takes messages, and what an operator should change about it."""

import asyncio
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from glimmr.errors import UsageError
from glimmr.jobs.engines.address_family import look_up_only
from glimmr.jobs.engines.docket import DocketEngine
from glimmr.jobs.engines.redis_health import RedisHealth, RedisStatus
from tests.support.servers import RedisServer


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[RedisServer]:
    redis_server.run("FLUSHALL")
    yield redis_server
    redis_server.run("REPLICAOF", "NO", "ONE")
    healthy = {"maxmemory": "0", "maxmemory-policy": "noeviction", "save": "", "dir": str(redis_server.folder)}
    for name, value in healthy.items():
        redis_server.run("CONFIG", "SET", name, value)


def asked(url: str, timeout_seconds: float = 2.0) -> RedisStatus:
    async def ask() -> RedisStatus:
        health = RedisHealth(url, client_name="glimmr-test", timeout_seconds=timeout_seconds)
        try:
            return await health.check()
        finally:
            await health.close()

    return asyncio.run(ask())


def test_a_fit_server_is_well_and_says_what_it_is(server: RedisServer) -> None:
    status = asked(server.url)
    assert (status.answers, status.role, status.policy, status.message) == (True, "master", "noeviction", "")
    assert status.used_bytes > 0
    (ours,) = [one for one in status.connections if one.name == "glimmr-test-health"]
    assert ours.command.startswith("client")  # that very question
    assert ours.idle_seconds == 0
    assert ours.address.startswith("127.0.0.1:")


def test_what_should_be_changed_is_said(server: RedisServer) -> None:
    server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    server.run("CONFIG", "SET", "maxmemory", str(int(1.1 * asked(server.url).used_bytes)))
    said = asked(server.url).message
    assert "set it to noeviction" in said
    assert "raise maxmemory" in said


@pytest.mark.parametrize(
    ("hurt", "said"),
    [
        (lambda s: s.run("REPLICAOF", "127.0.0.1", "1"), "its role is slave, not master"),
        (lambda s: s.run("CONFIG", "SET", "maxmemory", "1"), "OOM|maxmemory"),
        (RedisServer.cannot_save, "MISCONF"),
    ],
    ids=["replica", "full", "cannot-save"],
)
def test_a_server_that_takes_no_messages_is_not_well_although_it_answers(
    server: RedisServer, hurt: Callable[[RedisServer], Any], said: str
) -> None:
    hurt(server)
    status = asked(server.url)
    assert not status.answers
    assert re.search(said, status.message)


def test_a_frozen_server_is_noticed_within_the_timeouts(server: RedisServer) -> None:
    with server.frozen():
        started = time.monotonic()
        assert not asked(server.url, timeout_seconds=0.3).answers
        assert time.monotonic() - started < 3


def test_an_outage_and_its_end_are_said_once(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async def through_an_outage() -> None:
        health = RedisHealth(server.url, client_name="glimmr-test", timeout_seconds=0.5)
        await health.check()
        watching = asyncio.create_task(health.watch())
        server.kill()
        for _ in range(5):
            health.suspect(ConnectionError("gone"))
        await asyncio.sleep(1)
        server.start()
        async with asyncio.timeout(15):
            while not health.is_well:
                await asyncio.sleep(0.05)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await health.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(through_an_outage())
    said = [record.message for record in caplog.records]
    assert said[-1] == "Redis is back"
    assert 1 <= sum("is away" in message for message in said) <= 4


@pytest.mark.parametrize("url", ["http://a", "memory://", "redis:/nothing:here:x", "localhost:6379"])
def test_a_url_docket_cannot_use_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="GLIMMR_REDIS_URL"):
        asyncio.run(DocketEngine(url).start({}))


def test_an_outage_of_a_second_is_not_felt_for_long_and_connections_have_our_name(server: RedisServer) -> None:
    async def named() -> list[str]:
        engine = DocketEngine(server.url + "?max_connections=40", timeout_seconds=1.0)
        await engine.start({"toy": 1})
        async with asyncio.timeout(10):
            while len([name for name in server.clients() if name.startswith("glimmr-")]) < 3:
                await asyncio.sleep(0.05)
        names = server.clients()
        await engine.stop()
        return names

    names = asyncio.run(named())
    assert all(name.startswith("glimmr-") for name in names if name)
    assert not [name for name in server.clients() if name.startswith("glimmr-")]


def test_each_of_several_sentinels_is_looked_up_in_the_family_asked_for() -> None:
    async def families() -> list[set[int]]:
        look_up_only("ipv4", "redis+sentinel://user:word@localhost:26379,127.0.0.1:26380/main")
        loop = asyncio.get_running_loop()
        told = [await loop.getaddrinfo(host, 1) for host in ("localhost", "127.0.0.1")]
        return [{family for family, *_ in one} for one in told]

    assert asyncio.run(families()) == [{socket.AF_INET}] * 2


def test_one_address_family_can_be_asked_for(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[int] = []

    async def start() -> bool:
        loop = asyncio.get_running_loop()
        look_up = loop.getaddrinfo

        async def spy(host: Any, port: Any, **options: Any) -> Any:
            looked_up.append(options["family"])
            return await look_up(host, port, **options)

        monkeypatch.setattr(loop, "getaddrinfo", spy)
        engine = DocketEngine(server.url.replace("127.0.0.1", "localhost"), family="ipv4", timeout_seconds=1.0)
        await engine.start({})
        well = engine.carries
        await engine.stop()
        return well

    assert asyncio.run(start())
    assert set(looked_up) == {socket.AF_INET}
