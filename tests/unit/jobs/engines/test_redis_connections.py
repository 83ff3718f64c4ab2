"""Every kind of address Redis may have: options in it, TLS, a sentinel that changes the master, a cluster."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from glimmr.errors import UsageError
from glimmr.jobs.engines.docket import DocketEngine
from glimmr.jobs.engines.redis_health import RedisHealth
from glimmr.jobs.job import Due
from tests.support.servers import RedisSentinel, RedisServer, free_port
from tests.support.tls_front import TlsFront


async def carried(engine: DocketEngine, job_id: int, seconds: float = 20.0) -> None:
    """Ring until a bell is heard: docket may need a moment to listen (again)."""
    async with asyncio.timeout(seconds):
        while True:
            await engine.send([Due(job_id, "toy", None)])
            try:
                async with asyncio.timeout(0.5):
                    while (await engine.receive()).id != job_id:
                        pass
            except TimeoutError:
                continue
            return


async def carries_one_job(engine: DocketEngine) -> None:
    await engine.start({"toy": 1})
    try:
        await carried(engine, 7)
    finally:
        await engine.stop()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://a/0", {"max_connections": "40", "health_check_interval": "30"}),
        ("redis://a/0?max_connections=7", {"max_connections": "7", "health_check_interval": "30"}),
        ("rediss://a/0?ssl_ca_certs=/x.pem", {"ssl_ca_certs": "/x.pem", "max_connections": "40"}),
        ("redis+sentinel://a:1,b:2/main?sentinel_password=p", {"sentinel_password": "p", "max_connections": "40"}),
    ],
)
def test_docket_is_given_our_options_unless_the_url_has_its_own(url: str, expected: dict[str, str]) -> None:
    engine = DocketEngine(url, max_connections=40)
    query = dict(parse_qsl(urlsplit(engine._url).query))
    assert query.items() >= expected.items()
    assert query["client_name"].startswith("glimmr-")


def test_an_address_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="GLIMMR_REDIS_URL"):
        DocketEngine("redis://[::1/0")
    with pytest.raises(UsageError, match="GLIMMR_REDIS_URL"):
        RedisHealth("redis+sentinel://a:port/main", client_name="glimmr-test", timeout_seconds=1.0)


def test_jobs_are_carried_through_tls_and_only_to_the_server_whose_certificate_is_known(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    redis_server.run("FLUSHALL")
    with TlsFront(redis_server.port, tmp_path) as front:
        known = f"rediss://localhost:{front.port}/0?ssl_ca_certs={front.certificate}"
        asyncio.run(carries_one_job(DocketEngine(known, family="ipv4", timeout_seconds=2.0)))
        assert front.connections > 2

        async def ask(url: str) -> str:
            health = RedisHealth(url, client_name="glimmr-test", timeout_seconds=2.0)
            status = await health.check()
            await health.close()
            return status.message

        assert asyncio.run(ask(known)) == ""
        assert "certificate" in asyncio.run(ask(f"rediss://localhost:{front.port}/0"))


@pytest.fixture
def cluster() -> Iterator[RedisServer]:
    server = RedisServer(cluster_enabled="yes")
    while server.port > 55_535:  # its nodes talk to each other 10,000 ports higher
        server.port = free_port()
    with server:
        server.run("CLUSTER", "ADDSLOTS", *map(str, range(16_384)))
        wait_for(lambda: "cluster_state:ok" in str(server.run("CLUSTER", "INFO")))
        yield server


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_cluster_carries_jobs(cluster: RedisServer) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster.port}"
    engine = DocketEngine(url, timeout_seconds=2.0)
    asyncio.run(carries_one_job(engine))


@pytest.mark.long
def test_when_a_sentinel_makes_the_replica_the_master_jobs_are_carried_again() -> None:
    with RedisServer() as master, RedisServer() as replica, RedisSentinel(master) as sentinel:
        replica.run("REPLICAOF", "127.0.0.1", str(master.port))
        wait_for(lambda: str(replica.port) in str(sentinel.run("SENTINEL", "REPLICAS", "main")))

        async def through_a_failover() -> None:
            engine = DocketEngine(sentinel.url, timeout_seconds=1.0)
            await engine.start({"toy": 1})
            try:
                await carried(engine, 1)
                assert sum(name.startswith(engine._client_name) for name in master.clients()) >= 3
                await asyncio.to_thread(master.kill)
                async with asyncio.timeout(10):
                    while engine.carries:
                        await engine.send([Due(2, "toy", None)])
                        await asyncio.sleep(0.05)
                engine.make_room("toy", 1)
                await carried(engine, 3, 40.0)
            finally:
                await engine.stop()

        asyncio.run(through_a_failover())
        assert [name for name in replica.clients() if name.startswith("glimmr")] == []


def test_a_server_that_loads_its_data_is_waited_for() -> None:
    with RedisServer(rdbcompression="no") as server:
        server.run("DEBUG", "POPULATE", "40", "key", "1000000")
        server.run("SAVE")
        server.kill()
        server._options["key_load_delay"] = "50000"  # microseconds: two seconds in all
        said: list[str] = []

        async def watch() -> None:
            health = RedisHealth(server.url, client_name="glimmr-test", timeout_seconds=0.5)
            starting = threading.Thread(target=server.start)
            starting.start()
            async with asyncio.timeout(20):
                while not (await health.check()).answers:
                    said.append(health.status.message)
                    await asyncio.sleep(0.05)
            await health.close()
            await asyncio.to_thread(starting.join)

        asyncio.run(watch())
        assert any("loading" in message.lower() for message in said), said
