"""The bytes of every file, rendered once when first asked for: small ones in memory, large ones in a temporary file."""

import asyncio
import hashlib
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from glimmr.world.content import Content, gzipped

_SMALL_BYTES = 48 * 2**20
_KEPT_BYTES = 192 * 2**20


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes that can be read from any place. `sha256` names them."""

    size: int
    sha256: str
    data: bytes | BinaryIO

    @property
    def version(self) -> str:
        """Names these bytes, for an ETag."""
        return self.sha256[:20]

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`."""
        if isinstance(self.data, bytes):
            return self.data[start:stop]
        self.data.seek(start)
        return self.data.read(stop - start)


class Bodies:
    """All bodies of a server; small ones are forgotten, longest unused first, when they are too many."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Content, bool], Body] = OrderedDict()
        self._kept_bytes = 0
        self._rendering: dict[tuple[Content, bool], asyncio.Task[Body]] = {}

    async def of(self, content: Content, *, gzip: bool = False) -> Body:
        """The body of a content, rendered in a thread; two who ask at once wait for one rendering."""
        key = (content, gzip)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._rendering:
            self._rendering[key] = asyncio.create_task(asyncio.to_thread(self._render, content, gzip=gzip))
            self._rendering[key].add_done_callback(lambda _: self._rendering.pop(key))
        body = await asyncio.shield(self._rendering[key])
        self._keep(key, body)
        return body

    def close(self) -> None:
        """Close the temporary files, which removes them."""
        for body in self._kept.values():
            if not isinstance(body.data, bytes):
                body.data.close()
        self._kept.clear()

    def _keep(self, key: tuple[Content, bool], body: Body) -> None:
        if key in self._kept:
            return
        self._kept[key] = body
        self._kept_bytes += _held(body)
        for old in [old for old, kept in self._kept.items() if isinstance(kept.data, bytes)]:
            if self._kept_bytes <= _KEPT_BYTES or old == key:
                break
            self._kept_bytes -= _held(self._kept.pop(old))

    def _render(self, content: Content, *, gzip: bool) -> Body:
        hasher, pieces, size = hashlib.sha256(), list[bytes](), 0
        spill: BinaryIO | None = None
        for chunk in _chunks(content, gzip=gzip):
            hasher.update(chunk)
            size += len(chunk)
            pieces.append(chunk)
            if spill is None and size > _SMALL_BYTES:
                spill = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
            if spill is not None:
                spill.write(b"".join(pieces))
                pieces.clear()
        return Body(size, hasher.hexdigest(), b"".join(pieces) if spill is None else spill)


def _held(body: Body) -> int:
    return body.size if isinstance(body.data, bytes) else 0


def _chunks(content: Content, *, gzip: bool) -> Iterator[bytes]:
    return iter([gzipped(b"".join(content.chunks()))]) if gzip else content.chunks()
