"""A server on loopback in a thread of its own: what every stand-in of the tests needs around what it says."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Self


class Loopback:
    """Serves while the block runs. Who inherits says in `talk` what happens on a connection."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; afterwards it is closed. An OSError or EOFError is a client that left."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:  # a task that was cancelled before it began has closed nothing
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, EOFError):
                await self.talk(reader, writer)
        finally:
            writer.close()

    async def _onward(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to another server of this machine."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self._writers.append(writer)
        return reader, writer

    @staticmethod
    async def _pump(
        read: Callable[[], Awaitable[bytes]], write: Callable[[bytes], object], writer: asyncio.StreamWriter
    ) -> None:
        """Pass on what comes until nothing does."""
        with contextlib.suppress(OSError):
            while data := await read():
                write(data)
                await writer.drain()
        writer.close()
