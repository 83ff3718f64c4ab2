"""How often a host is asked: as its robots.txt wants it, and half as often after each 429; a whole fleet as one."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from glimmr import errors
from glimmr.errors import HostRests
from glimmr.model import Pace
from glimmr.net import Client, pace
from glimmr.net.hosts import Hosts
from glimmr.net.politeness import LocalPoliteness
from glimmr.net.resume import Resume
from glimmr.net.robots import address, crawl_delay_seconds
from glimmr.settings import Settings
from glimmr.stores.database import Database
from glimmr.stores.hosts import HostBook
from glimmr.stores.turns import FleetTurns
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, head, in_turn, raw
from tests.unit.net.asking import Kept, client

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"User-agent: *\nCrawl-delay: 10\n", 10.0),
        (b"\xef\xbb\xbfUser-Agent: *\r\ncrawl-delay:2.5\r\n", 3.0),
        (b"User-agent: *\nCrawl-delay: 10\n\nUser-agent: glimmr\nDisallow: /\nCrawl-delay: 4\n", 4.0),
        (b"User-agent: OtherBot\nCrawl-delay: 10\n", 0.0),
        (b"User-agent: *\nDisallow: /\n", 0.0),
        (b"User-agent: *\nCrawl-delay: \xc2\xb2\n", 0.0),
        (b"User-agent: *\nCrawl-delay: " + b"9" * 10_000, 0.0),
        (b"User-agent: *\nDisallow: http://[\nCrawl-delay: 5", 0.0),
        (b"<!doctype html><html>Crawl-delay: 7</html>", 0.0),
        (b"\x00\xff" * 1000, 0.0),
        (b"", 0.0),
    ],
)
def test_a_robots_txt_is_read_for_its_delay_and_one_that_is_none_asks_for_none(text: bytes, seconds: float) -> None:
    assert crawl_delay_seconds(text) == seconds


def test_a_robots_txt_is_at_the_root_of_its_origin() -> None:
    assert address("https://h.test/a/b.csv?x=1") == "https://h.test:443/robots.txt"
    assert address("http://[2606:4700::1]:8080/f") == "http://[2606:4700::1]:8080/robots.txt"


def test_requests_queue_at_the_pace_of_the_host() -> None:
    at, waits = Pace(crawl_seconds=10.0), list[float]()
    for now in (1000.0, 1000.0, 1004.0, 1100.0):
        wait, at = pace.take(at, now)
        waits.append(wait)
    assert waits == [0.0, 10.0, 16.0, 0.0]


def test_each_429_halves_the_rate_and_good_answers_bring_it_back() -> None:
    at, gaps = Pace(crawl_seconds=3.0), list[float]()
    for _ in range(6):
        at = pace.too_often(at)
        gaps.append(at.gap_seconds)
    assert gaps == [6.0, 12.0, 24.0, 48.0, 60.0, 60.0]
    assert pace.too_often(Pace()).gap_seconds == 1.0
    for _ in range(60):
        at = pace.well(at)
    assert (at.slower_seconds, at.gap_seconds) == (0.0, 3.0)


def test_a_robots_txt_is_due_once_a_day() -> None:
    assert pace.is_robots_due(Pace(), 1e9)
    assert not pace.is_robots_due(Pace(robots_at=1e9), 1e9 + DAY - 1)
    assert pace.is_robots_due(Pace(robots_at=1e9), 1e9 + DAY)
    assert pace.is_robots_due(Pace(robots_at=1e9), 1e9 - 1), "the clock was set back"


# ── real sockets ─────────────────────────────────────────────────────────────────────────────────────────────────


def noting(times: list[float], script: Script) -> Script:
    async def noted(request: Request, wire: Wire) -> bool | None:
        times.append(time.monotonic())
        return await script(request, wire)

    return noted


def robots(seconds: float) -> Script:
    return answer(f"User-agent: *\nDisallow: /\nCrawl-delay: {seconds}\n".encode())


def polite(server: HttpServer, crawl_delay_seconds: float = 0.3, **more: Any) -> Client:
    known = Hosts(LocalPoliteness(2), crawl_delay_seconds=crawl_delay_seconds, **more)
    return client(connect_to=f"*=127.0.0.1:{server.port}", hosts=known)


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(sorted(times))]


def test_a_crawl_delay_is_kept_between_requests_up_to_the_setting_and_nothing_else_is_heeded() -> None:
    times = list[float]()
    with HttpServer({"/robots.txt": robots(10), "/f.csv": noting(times, answer(b"x"))}) as server:
        asker = polite(server)
        threads = [
            threading.Thread(target=lambda: asker.fetch("http://h.test/f.csv", Kept(), tell=lambda **_: None))
            for _ in range(4)
        ]
        asker.fetch("http://h.test/f.csv", Kept())
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        began = time.monotonic()
        asker.fetch("http://other.test/f.csv", Kept())
        assert time.monotonic() - began < 0.3, "another host is not waited for"
        asker.close()
    assert min(gaps(times[:5])) > 0.25
    assert server.paths().count("/robots.txt") == 2  # once a host
    assert server.peak <= 2 + 2


def test_who_waited_for_a_turn_beyond_its_place_does_not_come_with_the_next() -> None:
    times = list[float]()

    async def slow(_: Request, wire: Wire) -> bool:
        await wire.send(head("200 OK", "Content-Length: 8000"))
        for _ in range(8):  # longer than two pauses: both who wait could go
            await asyncio.sleep(0.1)
            await wire.send(b"x" * 1000)
        return True

    served = noting(times, in_turn(answer(b"x"), slow, answer(b"x")))
    with HttpServer({"/robots.txt": robots(10), "/f.csv": served}) as server:
        known = Hosts(LocalPoliteness(1), crawl_delay_seconds=0.3)
        asker = client(connect_to=f"*=127.0.0.1:{server.port}", hosts=known)
        asker.fetch("http://h.test/f.csv", Kept())
        threads = [threading.Thread(target=lambda: asker.fetch("http://h.test/f.csv", Kept())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asker.close()
    assert len(times) == 4
    assert min(gaps(times)) > 0.25


def test_a_transfer_that_is_gone_on_with_waits_for_nobody() -> None:
    part = answer(b"rest", "206 Partial Content", "Content-Range: bytes 6-9/10", 'ETag: "v1"')
    with HttpServer({"/robots.txt": robots(30), "/f.csv": in_turn(answer(b"x"), part)}) as server:
        asker = polite(server, 30.0)
        asker.fetch("http://h.test/f.csv", Kept())
        began = time.monotonic()
        asker.fetch("http://h.test/f.csv", Kept(), resume=Resume(at=6, validator='"v1"'))
        assert time.monotonic() - began < 5
        asker.close()


async def _redirected_away(_: Request, wire: Wire) -> bool:
    await wire.send(head("302 Found", "Location: http://h.test/robots.txt", "Content-Length: 0"))
    return True


ILL = {
    "it is not there": answer(b"no", "404 Not Found"),
    "it breaks": answer(b"oops", "500 Oops"),
    "the connection is reset": raw(b"", then="reset"),
    "it is cut": raw(head("200 OK", "Content-Length: 99") + b"User-agent: *\nCrawl-delay: 20\n"),
    "it never comes": raw(b"", then="stall"),
    "it never ends": raw(head("200 OK") + b"#", then="stall"),
    "it is huge": answer(b"#" * 600_000),
    "it is no text": answer(b"\xff\x00" * 999),
    "it leads in circles": _redirected_away,
}


@pytest.mark.parametrize("case", ILL)
def test_a_robots_txt_that_fails_or_lies_costs_nothing_and_blocks_nothing(case: str) -> None:
    with HttpServer({"/robots.txt": ILL[case], "/f.csv": answer(b"prices")}) as server:
        asker, began = polite(server), time.monotonic()
        for _ in range(3):
            sink = Kept()
            assert asker.fetch("http://h.test/f.csv", sink).status == 200
            assert sink.data == b"prices"
        assert time.monotonic() - began < 5
        asker.close()
    again = case == "the connection is reset"  # libcurl asks once more when a connection it used again breaks
    assert server.paths().count("/robots.txt") == 1 + again
    assert server.peak == 1


def test_no_robots_txt_is_asked_for_when_the_setting_says_so_or_the_host_answers_nothing() -> None:
    with HttpServer({"/robots.txt": robots(30), "/f.csv": answer(b"x"), "/503": answer(b"", "503 No")}) as server:
        asker = polite(server, 0.0)
        asker.fetch("http://h.test/f.csv", Kept())
        asker = polite(server)
        with pytest.raises(errors.Unavailable):
            asker.fetch("http://h.test/503", Kept())
    assert server.paths() == ["/f.csv", "/503"]
    assert Settings().crawl_delay_seconds == 30.0


def test_what_tell_raises_ends_the_wait_for_ones_place() -> None:
    class StoppedError(Exception):
        pass

    def stop(**_: Any) -> None:
        raise StoppedError

    with HttpServer({"/robots.txt": robots(30), "/f.csv": answer(b"x")}) as server:
        asker = polite(server, 30.0)
        asker.fetch("http://h.test/f.csv", Kept())
        with pytest.raises(StoppedError):
            asker.fetch("http://h.test/f.csv", Kept(), tell=stop)
        asker.close()


def test_who_would_wait_long_is_put_off_and_takes_nobodys_place() -> None:
    with HttpServer({"/robots.txt": robots(100), "/f.csv": answer(b"x")}) as server:
        asker = polite(server, 100.0)
        asker.fetch("http://h.test/f.csv", Kept())
        waits = list[float]()
        for _ in range(2):
            with pytest.raises(HostRests) as put_off:
                asker.fetch("http://h.test/f.csv", Kept())
            waits.append(put_off.value.seconds)
        asker.close()
    assert 60 < waits[1] <= waits[0] <= 100


def test_a_host_that_says_too_many_is_asked_half_as_often() -> None:
    times = list[float]()
    busy = in_turn(answer(b"", "429 Slow"), answer(b"x"))
    with HttpServer({"/f.csv": noting(times, busy)}) as server:
        asker = polite(server, 0.0, scale=0.2)
        with pytest.raises(errors.RateLimited):
            asker.fetch("http://h.test/f.csv", Kept())
        for _ in range(3):
            asker.fetch("http://h.test/f.csv", Kept())
        asker.close()
    assert len(times) == 4
    first, second, third = gaps(times)
    assert first < 0.15  # what it said holds from the next one on
    assert second > 0.15
    assert third > 0.13


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def test_a_fleet_keeps_the_pace_as_one_and_reads_a_robots_txt_once(database: Database) -> None:
    times = list[float]()
    with HttpServer({"/robots.txt": robots(1), "/f.csv": noting(times, answer(b"x"))}) as server:
        fleet = [FleetTurns(database, 2, f"p{n}") for n in range(3)]
        askers = [
            client(
                connect_to=f"*=127.0.0.1:{server.port}",
                hosts=Hosts(turns, HostBook(database), crawl_delay_seconds=0.3),
            )
            for turns in fleet
        ]
        askers[0].fetch("http://h.test/f.csv", Kept())
        threads = [
            threading.Thread(target=lambda asker=asker: asker.fetch("http://h.test/f.csv", Kept()))
            for asker in askers
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for asker, turns in zip(askers, fleet, strict=True):
            asker.close()
            turns.close()
    assert len(times) == 7
    assert min(gaps(times)) > 0.2
    assert server.paths().count("/robots.txt") == 1
