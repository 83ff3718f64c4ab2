"""A file → its members: layers of compression and archives opened one inside the other, within limits."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from glimmr.errors import ContentError, TooDeep
from glimmr.parse.limits import Limits
from glimmr.parse.unpack.budget import Budget
from glimmr.parse.unpack.entry import Entry, is_noise, shown
from glimmr.parse.unpack.packed import PACKED
from glimmr.parse.unpack.sevenzips import seven_entries
from glimmr.parse.unpack.stream import Nothing, Stream
from glimmr.parse.unpack.tars import tar_entries
from glimmr.parse.unpack.zips import Zip
from glimmr.sniff import Kind, sniff
from glimmr.sniff.writing import json_offset

# Workbooks and documents are ZIPs too; which of them is told by the names inside.
_ZIPS = frozenset({Kind.ZIP, Kind.XLSX, Kind.XLSB, Kind.OOXML_DOCUMENT, Kind.OPENDOCUMENT})
_WORKBOOKS = frozenset({Kind.XLSX, Kind.XLSB, Kind.OPENDOCUMENT})
_ARCHIVES = frozenset({Kind.ZIP, Kind.TAR, Kind.SEVENZIP})
_CONTAINERS = frozenset({*PACKED, *_ARCHIVES})


@dataclass(frozen=True, slots=True)
class Member:
    """One thing to read: where it stands, what it is, its bytes; or why it cannot be read.

    A member whose name is that of its container (`None` for the file itself) tells what was wrong with the container.
    """

    name: str | None
    kind: Kind
    stream: Stream
    failure: ContentError | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the file something stands, and what the file may still ask for."""

    name: str | None
    depth: int
    budget: Budget

    def named(self, name: str) -> str:
        """The name of a member of the archive that stands here, unlike that of any other."""
        return self.budget.unique(shown(name) if self.name is None else f"{self.name}!{shown(name)}")

    def inside(self, name: str | None) -> "_Place":
        """One container deeper."""
        return _Place(name, self.depth + 1, self.budget)


@dataclass(slots=True)
class Container:
    """A file on disk opened as a container. `chain` tells, outermost first, what was unwrapped up to an archive."""

    path: Path
    limits: Limits
    scratch: Path
    watch: Callable[[IO[bytes]], IO[bytes]] = lambda file: file
    chain: list[str] = field(default_factory=list[str])

    def members(self) -> Iterator[Member]:
        """Every member, one after another; each must be read before the next is asked for."""
        budget = Budget(self.limits, self.path.stat().st_size)
        with self.path.open("rb") as file:
            watched = self.watch(file)
            yield from self._unwrap(Stream(watched, None, file=watched), _Place(None, 0, budget))

    def _unwrap(self, stream: Stream, place: _Place) -> Iterator[Member]:
        kind = Kind.UNKNOWN
        try:
            kind = _kind(stream)
            archive = Zip(stream.seekable(), self.limits) if kind in _ZIPS else None
            if archive is not None:
                kind = archive.kind
                if kind in _WORKBOOKS:
                    archive.check(place.budget)
                stream.seekable()
            self._allow(kind, place)
        except ContentError as failure:
            yield Member(place.name, kind, stream, failure)
            return
        if kind is Kind.JSON:
            stream.skip(json_offset(stream.peek()))
        if kind not in _CONTAINERS:
            yield Member(place.name, kind, stream)
            return
        if len(self.chain) == place.depth and not _ARCHIVES & set(self.chain):
            self.chain.append(kind.value)
        if kind in PACKED:
            inner = Stream(PACKED[kind](stream, self.limits), place.budget, scratch=self.scratch)
            yield from self._closing(inner, place.inside(place.name))
        else:
            yield from self._archive(kind, _entries(kind, archive, stream, place.budget), stream, place)

    def _allow(self, kind: Kind, place: _Place) -> None:
        if kind in _CONTAINERS and place.depth >= self.limits.max_depth:
            raise TooDeep(f"containers inside containers, more than {self.limits.max_depth} deep", reason="too_deep")

    def _archive(self, kind: Kind, entries: Iterator[Entry], stream: Stream, place: _Place) -> Iterator[Member]:
        """The members of an archive, then what was wrong with the archive as a whole."""
        empty = True
        try:
            while entry := next(entries, None):
                if is_noise(entry.name):
                    continue
                empty = False
                place.budget.enter()
                yield from self._entry(entry, place.inside(place.named(entry.name)))
        except ContentError as failure:
            yield Member(place.name, kind, _nothing(), failure)
            return
        if stream.damage is not None:
            yield Member(place.name, kind, _nothing(), stream.damage)
        elif empty:
            yield Member(place.name, Kind.EMPTY, _nothing())

    def _entry(self, entry: Entry, place: _Place) -> Iterator[Member]:
        try:
            if entry.failure is not None:
                raise entry.failure
            stream = Stream(entry.open(), place.budget, scratch=self.scratch)
        except ContentError as failure:
            yield Member(place.name, Kind.UNKNOWN, _nothing(), failure)
            return
        yield from self._closing(stream, place)

    def _closing(self, stream: Stream, place: _Place) -> Iterator[Member]:
        try:
            yield from self._unwrap(stream, place)
        finally:
            stream.close()


def _kind(stream: Stream) -> Kind:
    """What a stream is. Raises its damage when there is nothing else."""
    head = stream.peek()
    if stream.damage is not None and not head:
        raise stream.damage
    kind = sniff(head)
    # A program that unpacks itself may stand before a ZIP.
    if kind is Kind.UNKNOWN and (stream.is_file or head.startswith(b"MZ")) and zipfile.is_zipfile(stream.seekable()):
        return Kind.ZIP
    return kind


def _entries(kind: Kind, archive: Zip | None, stream: Stream, budget: Budget) -> Iterator[Entry]:
    """What is in an archive. Raises a ContentError where it breaks."""
    if archive is not None:
        yield from archive.entries()
    elif kind is Kind.TAR:
        yield from tar_entries(stream)
    else:
        yield from seven_entries(stream.seekable(), budget)


def _nothing() -> Stream:
    return Stream(Nothing(), None)
