"""A file of any size of which any part can be made at once, so that nothing of it is kept."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from glimmr.world.content import Content

_PIECE_BYTES = 2**20


@dataclass(frozen=True)
class Vast:
    """A beginning, the same records again and again, and an end."""

    beginning: bytes
    records: bytes
    times: int
    end: bytes
    version: str

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.beginning) + len(self.records) * self.times + len(self.end)

    @cached_property
    def sha256(self) -> str:
        """Of all of it: this takes a while."""
        hasher = hashlib.sha256()
        for chunk in self.chunks():
            hasher.update(chunk)
        return hasher.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """All of it in order."""
        return (self.read(at, at + _PIECE_BYTES) for at in range(0, self.size, _PIECE_BYTES))

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`."""
        stop, first, period = min(stop, self.size), len(self.beginning), len(self.records)
        last = first + period * self.times
        parts = [self.beginning[start:stop]]
        if start < last and stop > first:
            at = max(start, first) - first
            length = min(stop, last) - first - at
            turns = -(-(at % period + length) // period)
            parts.append((self.records * turns)[at % period : at % period + length])
        if stop > last:
            parts.append(self.end[max(0, start - last) : stop - last])
        return b"".join(parts)


def vast(content: Content, size_bytes: int) -> Vast:
    """The content with its records repeated until it is about so large, never larger. It must be plain CSV or JSON."""
    if content.container != "plain" or len(content.shapes) != 1:
        raise ValueError("only a plain file can be made so large")
    beginning, records, end = content.parts()
    times = max(1, (size_bytes - len(beginning) - len(end)) // len(records))
    version = hashlib.sha256(f"{content.shapes[0].key}/{size_bytes}".encode()).hexdigest()[:20]
    if content.shapes[0].kind == "json":
        # Between two elements stands a comma, and behind the last one none.
        end = records.removesuffix(b",\n") + end
        times = max(0, times - 1)
    return Vast(beginning, records, times, end, version)


def renewed(content: Content) -> Content:
    """The newer file in the place of this one: of the same kind and about the same size, with other prices."""
    return replace(content, shapes=tuple(replace(shape, key=f"{shape.key}/newer") for shape in content.shapes))
