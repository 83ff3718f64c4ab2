"""A small HTTP server on loopback that says exactly what a script tells it to, right or wrong, and counts."""

import asyncio
import fcntl
import re
import socket
import struct
import termios
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Request:
    """One request as it came. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int  # which connection, in the order they were opened

    @property
    def host(self) -> str:
        return self.headers["host"].partition(":")[0]


@dataclass
class Wire:
    """The connection, for a script."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_client_leaves(self) -> None:
        await self.reader.read()

    async def settle(self) -> None:
        """Until the kernel has given the client everything, so that a reset takes none of it back."""
        raw = self.writer.get_extra_info("socket")
        while struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Request, Wire], Awaitable[bool | None]]  # True: the connection may be used again


@dataclass
class HttpServer:
    """Serves `scripts` by path; a path without one is a 404. Use as a context manager."""

    scripts: Mapping[str, Script] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    peak: int = 0
    port: int = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._talk(Wire(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, wire: Wire) -> None:
        self.connections += 1
        number = self.connections
        self.open += 1
        self.peak = max(self.peak, self.open)
        try:
            while (request := await _read(wire.reader, number)) is not None:
                self.requests.append(request)
                script = self.scripts.get(request.path.partition("?")[0], answer(b"not here", "404 Not Found"))
                if not await script(request, wire):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            wire.writer.close()


async def _read(reader: asyncio.StreamReader, number: int) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split(" ", 2)
    return Request(method, re.sub(r"^http://[^/]+", "", target), headers, body, number)


# ── scripts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def head(status: str = "200 OK", *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode("latin-1")


def answer(body: bytes = b"", status: str = "200 OK", *headers: str) -> Script:
    """A right answer with a right length, and the connection kept."""

    async def script(_: Request, wire: Wire) -> bool:
        bodiless = status[:3] in ("204", "304")
        length = () if bodiless else (f"Content-Length: {len(body)}",)
        await wire.send(head(status, *length, *headers) + (b"" if bodiless else body))
        return True

    return script


def redirect(to: str, status: str = "302 Found", *headers: str) -> Script:
    return answer(b"elsewhere", status, f"Location: {to}", *headers)


def raw(data: bytes, *, then: str = "close") -> Script:
    """Exactly these bytes; then `close`, `reset` or `stall`."""

    async def script(_: Request, wire: Wire) -> None:
        await wire.send(data)
        if then == "stall":
            await wire.until_client_leaves()
        if then == "reset":
            wire.reset()

    return script


def drip(start: bytes, piece: bytes, every_seconds: float) -> Script:
    """`start` at once, then `piece` again and again until the client leaves."""

    async def script(_: Request, wire: Wire) -> None:
        await wire.send(start)
        leaving = asyncio.ensure_future(wire.until_client_leaves())
        while not leaving.done():
            await wire.send(piece)
            await asyncio.wait((leaving,), timeout=every_seconds)

    return script


def in_turn(*scripts: Script) -> Script:
    """The first for the first request, the next for the next; the last goes on."""
    left = list(scripts)

    async def script(request: Request, wire: Wire) -> bool | None:
        return await (left.pop(0) if len(left) > 1 else left[0])(request, wire)

    return script
