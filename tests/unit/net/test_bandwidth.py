"""The bytes a second of one process, by real transfers: in all, in fair shares, and without ending a transfer."""

import threading
import time
from typing import Any

import pytest

from glimmr.errors import TooSlow
from glimmr.net import Client, Options
from glimmr.net.bandwidth import Bandwidth
from glimmr.settings import Settings
from tests.support.http_server import HttpServer, answer, drip, head
from tests.unit.net.asking import Kept, client

BODY = b"x" * 400_000


def seconds_of(asker: Client, server: HttpServer, *paths: str, **asked: Any) -> list[float]:
    """How long each of these took when all began together."""
    took, began = dict[int, float](), time.monotonic()

    def ask(number: int, path: str) -> None:
        sink = Kept()
        asker.fetch(server.url(path), sink, **asked)
        assert sink.data == BODY
        took[number] = time.monotonic() - began

    threads = [threading.Thread(target=ask, args=(n, path)) for n, path in enumerate(paths)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [took[n] for n in range(len(paths))]


def test_a_transfer_takes_as_long_as_the_limit_says_and_without_one_it_is_much_faster() -> None:
    with HttpServer({"/": answer(BODY)}) as server:
        limited, free = client(bandwidth_bytes=400_000), client()
        (slow,), (fast,) = seconds_of(limited, server, "/"), seconds_of(free, server, "/")
        limited.close()
        free.close()
    assert 0.85 < slow < 3
    assert fast < slow / 3


def test_transfers_of_a_process_share_the_limit_fairly() -> None:
    with HttpServer({"/a": answer(BODY), "/b": answer(BODY)}) as server:
        asker = client(bandwidth_bytes=600_000)
        first, second = seconds_of(asker, server, "/a", "/b")
        asker.close()
    assert 1.2 < max(first, second) < 4  # 800 kB at 600 kB/s
    assert min(first, second) > 0.8 * max(first, second)


def test_a_limit_far_below_the_least_rate_ends_no_transfer_and_is_told_while_it_waits() -> None:
    told = list[dict[str, Any]]()
    with HttpServer({"/": answer(BODY)}) as server:
        asker = client(
            bandwidth_bytes=250_000, min_rate_bytes=2_000_000, stall_seconds=0.2, deadline_seconds=0.5,
            deadline_rate_bytes=4_000_000,
        )  # fmt: skip
        (took,) = seconds_of(asker, server, "/", tell=lambda **progress: told.append(progress))
        asker.close()
    assert took > 1.3
    assert len(told) >= 3
    assert told[-1]["total"] == len(BODY)


def test_a_server_that_is_too_slow_by_itself_is_still_told_from_our_limit() -> None:
    with HttpServer({"/": drip(head("200 OK", "Content-Length: 99999"), b"x", 0.02)}) as server:
        asker = client(bandwidth_bytes=100_000)
        with pytest.raises(TooSlow):
            asker.fetch(server.url("/"), Kept())
        asker.close()


def test_a_wait_is_ended_by_what_it_calls() -> None:
    class StoppedError(Exception):
        pass

    def stop(**_: Any) -> None:
        raise StoppedError

    with HttpServer({"/": answer(BODY)}) as server:
        asker, began = client(bandwidth_bytes=1000), time.monotonic()
        with pytest.raises(StoppedError):
            asker.fetch(server.url("/"), Kept(), tell=lambda **progress: progress["bytes"] and stop())
        assert time.monotonic() - began < 5
        asker.close()


def test_after_a_silence_no_more_comes_at_once_than_a_moment_would_have_brought() -> None:
    limit = Bandwidth(1_000_000)
    limit.pay(1, lambda: None)
    time.sleep(0.3)
    began = time.monotonic()
    limit.pay(300_000, lambda: None)
    assert time.monotonic() - began > 0.15


def test_the_limit_is_a_setting_and_there_is_none_by_default() -> None:
    assert Options.of(Settings()).bandwidth_bytes == 0
    assert Options.of(Settings(bandwidth_bytes=5)).bandwidth_bytes == 5
