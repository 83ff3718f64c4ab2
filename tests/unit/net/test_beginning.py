"""The beginning of a file: no more of it is taken, whatever its server does, and that is no failure of anybody."""

import time
from contextlib import closing

import pytest

from glimmr.errors import FetchError, ForbiddenAddress, RangeMismatch, Stalled
from glimmr.net import Reply
from glimmr.net.hosts import Hosts, LocalBook
from glimmr.net.politeness import LocalPoliteness
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, drip, head, raw, redirect
from tests.unit.net.asking import client

MOST = 4096
CONTENT = bytes(range(256)) * 64
A_MEGABYTE = b"x" * 2**20


def in_range(request: Request) -> bytes:
    assert request.headers["range"] == f"bytes=0-{MOST - 1}"
    return head("206 Partial Content", f"Content-Range: bytes 0-{MOST - 1}/{len(CONTENT)}", f"Content-Length: {MOST}")


async def heeds(request: Request, wire: Wire) -> bool:
    await wire.send(in_range(request) + CONTENT[:MOST])
    return True


async def sends_13_gb(_: Request, wire: Wire) -> None:
    await wire.send(head("200 OK", f"Content-Length: {13 * 2**30}"))
    while True:
        await wire.send(A_MEGABYTE)


def beginning(script: Script) -> tuple[Reply, HttpServer]:
    with HttpServer({"/": script}) as server, closing(client()) as asking:
        return asking.beginning(server.url(), MOST), server


def test_who_heeds_the_range_is_asked_again_on_the_same_connection() -> None:
    with HttpServer({"/": heeds}) as server, closing(client()) as asking:
        for _ in range(2):
            reply = asking.beginning(server.url(), MOST)
            assert (reply.status, reply.body, reply.is_cut) == (206, CONTENT[:MOST], False)
        assert server.connections == 1


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answer(CONTENT), id="whole"),
        pytest.param(raw(head("200 OK", "Connection: close") + CONTENT), id="of unknown size"),
        pytest.param(raw(head("200 OK", "Content-Length: 99999") + CONTENT), id="cut short"),
        pytest.param(raw(head("206 Odd", "Content-Range: bytes 0-9/*", "Connection: close") + CONTENT), id="too much"),
    ],
)
def test_who_answers_with_more_is_listened_to_only_so_far(script: Script) -> None:
    reply, _ = beginning(script)
    assert (reply.body, reply.is_cut) == (CONTENT[:MOST], False)


def test_13_gb_cost_no_more_than_the_beginning() -> None:
    began = time.process_time()
    with HttpServer({"/": sends_13_gb}) as server, closing(client(max_bytes=20 * 2**30)) as asking:
        assert asking.beginning(server.url(), MOST).body == A_MEGABYTE[:MOST]
        assert asking.beginning(server.url(), MOST).status == 200
        assert server.connections == 2, "what is still in the pipe of the first is nobody's answer"
    assert time.process_time() - began < 2


@pytest.mark.parametrize("then", ["close", "reset", "stall"])
def test_what_breaks_off_has_begun_and_its_host_is_not_ill(then: str) -> None:
    book = LocalBook()
    hosts = Hosts(LocalPoliteness(2), book)
    with (
        HttpServer({"/": raw(head("200 OK", "Content-Length: 9999") + CONTENT[:700], then=then)}) as server,
        closing(client(hosts=hosts)) as asking,
    ):
        for _ in range(2):
            reply = asking.beginning(server.url(), MOST)
            assert (reply.body, reply.is_cut) == (CONTENT[:700], True)
    assert book.standing("127.0.0.1").failures == 0


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param(raw(head("206 Odd", "Content-Range: bytes 9-20/99") + b"x" * 12), RangeMismatch, id="elsewhere"),
        pytest.param(raw(head("206 Odd", "Content-Length: 2") + b"xx"), RangeMismatch, id="nowhere"),
        pytest.param(answer(b"", "416 No", "Content-Range: bytes */0"), RangeMismatch, id="empty"),
        pytest.param(raw(head("200 OK", "Content-Length: 9999"), then="stall"), Stalled, id="nothing"),
        pytest.param(answer(b"who are you?", "403 Forbidden"), FetchError, id="403"),
        pytest.param(redirect("http://10.0.0.1/"), ForbiddenAddress, id="private"),
    ],
)
def test_what_is_no_beginning_is_an_error(script: Script, error: type[FetchError]) -> None:
    with pytest.raises(error):
        beginning(script)


def test_a_beginning_that_drips_ends_with_what_came() -> None:
    reply, _ = beginning(drip(head("200 OK", "Content-Length: 99999"), b"x", 0.05))
    assert 0 < len(reply.body) < MOST


def test_a_beginning_is_a_request_of_its_own_and_keeps_the_pace() -> None:
    kept: list[str] = []

    class Paced(Hosts):
        def keep_pace(self, host: str, waiting: object) -> None:
            kept.append(host)

    with (
        HttpServer({"/": redirect("/there"), "/there": heeds}) as server,
        closing(client(hosts=Paced(LocalPoliteness(2)))) as asking,
    ):
        assert asking.beginning(server.url(), MOST).final_url == server.url("/there")
    assert kept == ["127.0.0.1"] * 2
