"""A client of nothing but a socket, so that what the simulated servers do is seen as it is."""

import re
import socket
from dataclasses import dataclass

from glimmr.world import File, Server


@dataclass
class Reply:
    """What came: status, headers in lower case, the body's bytes, and how it ended (whole, closed, reset, silent)."""

    status: int
    headers: dict[str, str]
    body: bytes
    end: str


def connect(server: Server) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def get(server: Server, file: File, **headers: str) -> Reply:
    with connect(server) as sock:
        return ask(sock, file.host, file.target, **headers)


def ask(
    sock: socket.socket,
    host: str,
    target: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    silence: float = 10.0,
    **headers: str,
) -> Reply:
    """One request and its reply. A peer that says nothing for `silence` seconds ends the reply as `silent`."""
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    sock.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + body)
    sock.settimeout(silence)
    data, end = b"", "whole"
    while not _is_whole(data, method):
        try:
            piece = sock.recv(65536)
        except TimeoutError:
            end = "silent"
            break
        except ConnectionResetError:
            end = "reset"
            break
        if not piece:
            end = "closed"
            break
        data += piece
    return _reply(data, end)


def _split(data: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ")[1]) if first else 0, headers, body


def _is_whole(data: bytes, method: str) -> bool:
    if b"\r\n\r\n" not in data:
        return False
    status, headers, body = _split(data)
    if method == "HEAD" or status in (204, 304):
        return True
    if headers.get("transfer-encoding") == "chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(headers["content-length"])


def _reply(data: bytes, end: str) -> Reply:
    if b"\r\n\r\n" not in data:
        return Reply(0, {}, b"", end)
    status, headers, body = _split(data)
    return Reply(status, headers, _unchunked(body) if "transfer-encoding" in headers else body, end)


def _unchunked(body: bytes) -> bytes:
    out = b""
    while found := re.match(rb"([0-9a-f]+)\r\n", body):
        size = int(found[1], 16)
        if not size:
            break
        out += body[found.end() : found.end() + size]
        body = body[found.end() + size + 2 :]
    return out
