"""Servers that mean harm: whatever they send, it ends soon, has a name, and is not swallowed in gigabytes."""

import gzip
from dataclasses import dataclass

import pytest

from glimmr import errors
from glimmr.outcomes import Outcome
from glimmr.retry import decide
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, head, raw, redirect
from tests.unit.net.asking import Kept, client

MB = 2**20
_OK, _CHUNKED = b"HTTP/1.1 200 OK\r\n", head("200 OK", "Transfer-Encoding: chunked")


@dataclass
class Flood:
    """After `start` the same piece until the client leaves, or a gigabyte is through."""

    start: bytes
    piece: bytes
    sent: int = 0

    async def __call__(self, _: Request, wire: Wire) -> None:
        await wire.send(self.start)
        while self.sent < 1024 * MB:
            await wire.send(self.piece)
            self.sent += len(self.piece)


def says(*headers: str, status: str = "200 OK") -> Script:
    return raw(head(status, *headers) + b"hello")


FLOODS = {
    "a line of the header without end": (_OK + b"X: ", b"a" * 65536, errors.ProtocolError),
    "a header without end": (_OK, b"X-Y: zzzzzzzz\r\n" * 4000, errors.ProtocolError),
    "cookies without end": (_OK, b"".join(b"Set-Cookie: c%d=v\r\n" % n for n in range(4000)), errors.ProtocolError),
    "a hundred continues a time": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, errors.ProtocolError),
    "trailers without end": (_CHUNKED + b"5\r\nhello\r\n0\r\n", b"X-Y: z\r\n" * 8000, errors.ProtocolError),
}


@pytest.mark.parametrize("name", FLOODS)
def test_what_is_no_body_is_read_only_up_to_a_limit(name: str) -> None:
    start, piece, error = FLOODS[name]
    flood = Flood(start, piece)
    with HttpServer({"/": flood}) as server, pytest.raises(errors.FetchError) as caught:
        client().fetch(server.url("/"), Kept())
    assert type(caught.value) is error
    assert decide(caught.value).outcome is Outcome.UNREACHABLE
    assert flood.sent < 32 * MB, "what the sockets hold, and no more"


def test_a_chunk_extension_without_end_is_no_byte_of_the_file() -> None:
    flood, sink = Flood(_CHUNKED + b"5;x=", b"a" * 65536), Kept()
    with HttpServer({"/": flood}) as server, pytest.raises(errors.Stalled):
        client(stall_seconds=0.3).fetch(server.url("/"), sink)
    assert sink.data == b""


LIES = {
    "a negative length": (says("Content-Length: -5"), errors.ProtocolError),
    "two lengths": (says("Content-Length: 5", "Content-Length: 3"), errors.ProtocolError),
    "a length in words": (says("Content-Length: many"), errors.ProtocolError),
    "a length of 63 bits": (says("Content-Length: 9223372036854775807"), errors.FileTooLarge),
    "a length of more than 64 bits": (says("Content-Length: " + "9" * 23), errors.FileTooLarge),
    "a chunk of 64 bits": (raw(_CHUNKED + b"FFFFFFFFFFFFFFFF\r\nhello"), errors.ProtocolError),
    "a chunk of more than 64 bits": (raw(_CHUNKED + b"F" * 30 + b"\r\nhello"), errors.ProtocolError),
    "a part of nothing": (says("Content-Range: bytes 9-3/-1", status="206 Partial"), errors.NoContent),
    "a NUL in the header": (says("X-Name: a\x00b"), errors.ProtocolError),
    "a NUL in the place it redirects to": (says("Location: /a\x00b", status="302 Found"), errors.ProtocolError),
    "a line without a colon": (says("nonsense"), errors.ProtocolError),
    "a status of no version we know": (raw(b"HTTP/9.9 200 OK\r\n\r\nhello"), errors.ProtocolError),
    "a status of zero": (says(status="000 OK"), errors.ProtocolError),
    "another protocol from now on": (raw(head("101 Switching", "Upgrade: h2c"), then="stall"), errors.HeaderTimeout),
    "the way to a zone of this machine": (redirect("http://[fe80::1%25lo]/"), errors.ForbiddenAddress),
    "the way to this machine behind a login": (redirect("http://h.test:80@[::1]/"), errors.ForbiddenAddress),
    "the way to this machine in wide letters": (
        redirect("http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/".encode().decode("latin-1")),
        errors.ForbiddenAddress,
    ),
    "a wait of 5000 digits": (answer(b"", "429 Slow", "Retry-After: " + "9" * 5000), errors.RateLimited),
    "a wait until no day there is": (
        answer(b"", "503 No", "Retry-After: Fri, 99 Foo 9999 99:99:99 GMT"),
        errors.Unavailable,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_what_cannot_be_true_has_a_name(name: str) -> None:
    script, error = LIES[name]
    sink = Kept()
    with HttpServer({"/": script}) as server, pytest.raises(errors.FetchError) as caught:
        client().fetch(server.url("/"), sink)
    assert type(caught.value) is error
    assert decide(caught.value).outcome is not Outcome.INTERNAL_ERROR
    assert "`" not in str(caught.value), "a message is for people, no docstring"
    assert sink.data == b"", "nothing of it is taken for the file"


def test_an_encoded_bomb_stays_as_small_as_it_came() -> None:
    bomb, sink = gzip.compress(gzip.compress(bytes(64 * MB))), Kept()
    with HttpServer({"/": answer(bomb, "200 OK", "Content-Encoding: gzip, gzip")}) as server:
        client().fetch(server.url("/"), sink)
    assert sink.data == bomb
