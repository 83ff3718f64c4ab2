"""Hosts that refuse connections for a time: each has a port of its own, which can be closed, and a clock says when."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Span = tuple[float, float]


class Clock:
    """The world's clock: seconds since it began, which can be set."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> float:
        """What it shows."""
        return time.monotonic() - self._began

    def set(self, seconds: float) -> None:
        """Let it show that from now on."""
        self._began = time.monotonic() - seconds


class Gate:
    """The port of one host. Closed, it refuses connections: a socket that does not listen keeps the port ours."""

    def __init__(self, accept: Accept, spans: Iterable[Span]) -> None:
        self.spans = tuple(spans)
        self._accept = accept
        self._kept = _bound(0)
        self.port: int = self._kept.getsockname()[1]
        self._listening: asyncio.Server | None = None

    def is_open_at(self, now: float) -> bool:
        """Whether the host takes connections at that time of the clock."""
        return not any(start <= now < end for start, end in self.spans)

    async def turn(self, *, is_open: bool) -> None:
        """Open or close it; those who are inside stay there."""
        if is_open and self._listening is None:
            self._listening = await asyncio.start_server(self._accept, sock=_bound(self.port), backlog=4096)
        elif not is_open and self._listening is not None:
            self._listening.close()
            self._listening = None

    async def stop(self) -> None:
        """Give the port back."""
        await self.turn(is_open=False)
        self._kept.close()


class Gates:
    """All gates of a server, by host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gates: dict[str, Gate] = {}
        self._shut: set[str] = set()
        self._next: asyncio.TimerHandle | None = None
        self._turning = asyncio.Lock()

    @property
    def ports(self) -> dict[str, int]:
        """The port of each host that has its own."""
        return {host: gate.port for host, gate in self._gates.items()}

    def build(self, host: str, accept: Accept, spans: Iterable[Span]) -> None:
        """A port of its own for this host."""
        self._gates[host] = Gate(accept, spans)

    def shut(self, host: str, *, is_shut: bool) -> None:
        """Let a host be down, or not, whatever the clock says; for those with a gate at the next `turn`."""
        (self._shut.add if is_shut else self._shut.discard)(host)

    def is_down(self, host: str) -> bool:
        """Whether nobody answers there now."""
        gate = self._gates.get(host)
        return host in self._shut or (gate is not None and not gate.is_open_at(self._clock.now()))

    async def turn(self) -> None:
        """Let every gate be as it must be now, and again when the next one has to change."""
        async with self._turning:
            for host, gate in self._gates.items():
                await gate.turn(is_open=not self.is_down(host))
        if self._next is not None:
            self._next.cancel()
        now = self._clock.now()
        edges = [edge for gate in self._gates.values() for span in gate.spans for edge in span if edge > now]
        soonest = min(edges, default=float("inf")) - now
        if soonest < float("inf"):
            loop = asyncio.get_running_loop()
            self._next = loop.call_later(soonest + 0.001, lambda: loop.create_task(self.turn()))

    async def stop(self) -> None:
        """Close all of them."""
        if self._next is not None:
            self._next.cancel()
        for gate in self._gates.values():
            await gate.stop()


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock
