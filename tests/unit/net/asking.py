"""What the tests of `net` ask with: short clocks, loopback allowed."""

from typing import Any

from glimmr.net import Client, Limits, Options
from glimmr.net.connect_to import ConnectTo
from glimmr.net.guard import Guard
from glimmr.net.hosts import Hosts

LIMITS: dict[str, Any] = {
    "connect_seconds": 2.0,
    "header_seconds": 0.4,
    "stall_seconds": 0.4,
    "min_rate_bytes": 1000,
    "deadline_seconds": 20.0,
    "deadline_rate_bytes": 50_000,
    "deadline_cap_seconds": 43_200.0,
    "max_bytes": 10_000_000,
}


def client(
    *,
    connect_to: str = "",
    allow: tuple[str, ...] = ("127.0.0.1",),
    per_host: int = 2,
    hosts: Hosts | None = None,
    bandwidth_bytes: int = 0,
    **limits: Any,
) -> Client:
    return Client(
        Options(
            limits=Limits(**(LIMITS | limits)),
            guard=Guard.of(allow),
            connect_to=ConnectTo.of((connect_to,) if connect_to else ()),
            connections_per_host=per_host,
            bandwidth_bytes=bandwidth_bytes,
        ),
        hosts,
    )


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.data, self.sizes = b"", list[int | None]()

    def begin(self, size_bytes: int | None, *, at: int = 0, validator: str | None = None) -> None:
        self.sizes.append(size_bytes)
        self.data = self.data[:at]

    def write(self, data: bytes) -> None:
        self.data += data
