"""A proxy on loopback that tunnels (CONNECT, RFC 9110 §9.3.6), and knows the way to the hosts it is told of."""

import asyncio
from collections.abc import Mapping

from tests.support.loopback import Loopback


class ConnectProxy(Loopback):
    """Tunnels to 127.0.0.1 by `ports`, whose keys are `host:port`; anything else is a 502. `asked` is in order."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._ports = ports

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
        self.asked.append(f"{method} {target}")
        if target not in self._ports:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        there_reader, there_writer = await self._onward(self._ports[target])
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(
            self._pump(lambda: reader.read(65_536), there_writer.write, there_writer),
            self._pump(lambda: there_reader.read(65_536), writer.write, writer),
        )
