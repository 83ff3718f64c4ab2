"""The ops server among clients that mean harm: whoever else asks is answered at once, for few threads of the worker."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from glimmr.watch.health import Checkup
from glimmr.watch.ops import Ops
from tests.support.ops import OpsPort


@pytest.fixture
def port() -> Iterator[OpsPort]:
    port = OpsPort()
    checkup = Checkup({}, limit_seconds=1, fresh_seconds=1)
    with closing(Ops(port.settings["GLIMMR_OPS_ADDRESS"], checkup, lambda: b"")):
        yield port


def test_clients_that_never_end_their_request_keep_nobody_out(port: OpsPort) -> None:
    before = threading.active_count()
    with ExitStack() as slow:
        for _ in range(150):
            client = slow.enter_context(socket.create_connection(("127.0.0.1", port.port), timeout=10))
            client.sendall(b"GET /livez HTTP/1.1\r\nA: ")
        assert port.get("/livez") == (200, "text/plain", "alive\n")
        assert port.slowest_seconds < 1
        assert threading.active_count() - before < 80


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"BREW /livez HTTP/1.1\r\nConnection: close\r\n\r\n", b"501"),
        (b"GET /livez HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /livez HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /%00%1b[31m HTTP/1.1\r\nConnection: close\r\n\r\n", b"404"),
    ],
    ids=["method", "header", "headers", "address", "path"],
)
def test_what_is_no_question_has_an_answer_that_says_so(port: OpsPort, asked: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port.port), timeout=10) as client:
        client.sendall(asked)
        assert client.recv(100).startswith(b"HTTP/1.1 " + status)
    assert port.get("/livez")[0] == 200
