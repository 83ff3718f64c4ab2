"""As much HTTP/1.1 as the simulated servers need: requests read, answers written, rightly or wrongly on purpose."""

import asyncio
import fcntl
import json
import socket
import struct
import termios
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

_MAX_HEAD = 64 * 1024
_TLS_HANDSHAKE = b"\x16"  # the first byte of a client that wants to speak TLS (RFC 8446, 5.1)
PIECE_BYTES = 64 * 1024


class NoTls(ConnectionError):
    """The client wants to speak TLS, which nobody speaks here."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked. Header names are lower case; `host` has no port."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def host(self) -> str:
        """The virtual host."""
        return self.headers.get("host", "").partition(":")[0].lower()

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The first value of each query parameter."""
        return {key: values[0] for key, values in parse_qs(urlsplit(self.target).query, keep_blank_values=True).items()}

    @property
    def keeps_alive(self) -> bool:
        """Whether the client will ask again on this connection."""
        return self.headers.get("connection", "").lower() != "close"


@dataclass(frozen=True, slots=True)
class Answer:
    """A small answer that is sent whole."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict[str, str])


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """The value as a JSON answer."""
    return Answer(status, json.dumps(value).encode(), "application/json", headers)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection, or None when the client has left or does not speak HTTP. Raises NoTls."""
    try:
        begun = await reader.readexactly(1)
        head = begun if begun == _TLS_HANDSHAKE else begun + await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None
    if head == _TLS_HANDSHAKE:
        raise NoTls
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or len(head) > _MAX_HEAD:
        return None
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    target = words[1]
    if target.startswith("http"):  # a client that takes us for its proxy says the whole URL
        parts = urlsplit(target)
        headers["host"], target = parts.netloc, target.split(parts.netloc, 1)[1] or "/"
    length = headers.get("content-length", "0")
    body = await reader.readexactly(int(length)) if length.isdigit() and int(length) else b""
    return Request(words[0], target, headers, body)


def head_bytes(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Status line and headers of an answer."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Odd"
    lines = [f"HTTP/1.1 {status} {phrase}", "Server: glimmr-world", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


async def send(writer: asyncio.StreamWriter, answer: Answer, *, bodyless: bool = False) -> None:
    """Send a small answer whole."""
    headers = [("Content-Type", answer.content_type), *answer.headers.items()]
    if answer.status not in (204, 304):
        headers.append(("Content-Length", str(len(answer.body))))
    body = b"" if bodyless or answer.status in (204, 304) else answer.body
    writer.write(head_bytes(answer.status, headers) + body)
    await writer.drain()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection with a TCP reset, after what was written has arrived."""
    sock: socket.socket = writer.get_extra_info("socket")
    for _ in range(400):  # a reset throws away what the kernel still holds, so wait (2 s at most) until it is gone
        if writer.transport.is_closing() or (not writer.transport.get_write_buffer_size() and not _unsent(sock)):
            break
        await asyncio.sleep(0.005)
    if not writer.transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _unsent(sock: socket.socket) -> int:
    """Bytes the peer has not acknowledged yet (Linux: SIOCOUTQ)."""
    return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
