"""Containers: a file → its members as streams, each read while it is unpacked, within limits."""

import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from isal import isal_zlib

from glimmr.errors import (
    Bomb,
    ContentError,
    CutShort,
    Encrypted,
    TooDeep,
    TooManyMembers,
    UnpackedTooLarge,
    Unparseable,
)
from glimmr.parse.limits import Limits
from glimmr.parse.text import Readable
from glimmr.sniff import HEAD_BYTES, Kind, sniff
from glimmr.sniff.kinds import of_zip_names

_STEP_BYTES = 1 << 20
_PACKED_BYTES = 64 * 1024
_GZIP_WBITS = 31
_GZIP_MAGIC = b"\x1f\x8b"
_ENCRYPTED = 0x1  # general purpose bit 0 (APPNOTE 4.4.4)
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
# What the standard library and isal raise for damaged data.
_ISAL_ERROR: type[Exception] = isal_zlib.IsalError  # pyright: ignore[reportAssignmentType] - its stub is wrong
_DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, _ISAL_ERROR, ValueError)


@dataclass(slots=True)
class Budget:
    """What a file has unpacked to so far; checked with every read."""

    limits: Limits
    packed_bytes: int
    unpacked_bytes: int = 0
    members: int = 0

    def spend(self, size_bytes: int) -> None:
        """Count unpacked bytes. Raises Bomb or UnpackedTooLarge."""
        self.unpacked_bytes += size_bytes
        limits = self.limits
        ratio = self.unpacked_bytes / max(1, self.packed_bytes)
        if self.unpacked_bytes > limits.bomb_bytes and ratio > limits.bomb_ratio:
            raise Bomb(f"it unpacks to more than {ratio:.0f} times its size", reason="bomb")
        if self.unpacked_bytes > limits.max_unpacked_bytes:
            raise UnpackedTooLarge(
                f"it unpacks to more than {limits.max_unpacked_bytes} bytes; see max_unpacked_bytes",
                reason="unpacked_size",
            )

    def enter(self) -> None:
        """Count a member. Raises TooManyMembers."""
        self.members += 1
        if self.members > self.limits.max_members:
            raise TooManyMembers(
                f"the archive has more than {self.limits.max_members} members; see max_members",
                reason="too_many_members",
            )


class Stream:
    """A stream one can look at before reading. Damage ends it early: `damage` then says what was wrong."""

    def __init__(self, inner: Readable, budget: Budget | None) -> None:
        self._inner = inner
        self._budget = budget
        self._ahead = b""
        self.damage: ContentError | None = None

    def peek(self) -> bytes:
        """The first HEAD_BYTES, without taking them."""
        while len(self._ahead) < HEAD_BYTES:
            part = self._more(HEAD_BYTES - len(self._ahead))
            if not part:
                break
            self._ahead += part
        return self._ahead

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end. Raises Bomb or UnpackedTooLarge."""
        if self._ahead:
            part, self._ahead = self._ahead[:size], self._ahead[size:]
            return part
        return self._more(size)

    def _more(self, size: int) -> bytes:
        if self.damage is not None:
            return b""
        try:
            part = self._inner.read(size)
        except EOFError:
            self.damage = CutShort("the compressed data ends too early", reason="truncated")
            return b""
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault, not the data's
            self.damage = CutShort(f"the compressed data is damaged: {error}", reason="truncated")
            return b""
        if self._budget is not None:
            self._budget.spend(len(part))
        return part


@dataclass(frozen=True, slots=True)
class Member:
    """One thing to read: where it stands, what it is, its bytes; or why it cannot be read."""

    name: str | None
    kind: Kind
    stream: Stream
    failure: ContentError | None = None


@dataclass(slots=True)
class Container:
    """A file on disk opened as a container. `chain` tells, outermost first, what was unwrapped up to a ZIP."""

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
            yield from self._unwrap(Stream(watched, None), watched, None, 0, budget)

    def _unwrap(
        self, stream: Stream, seekable: IO[bytes] | None, name: str | None, depth: int, budget: Budget
    ) -> Iterator[Member]:
        try:
            kind = sniff(stream.peek())
        except ContentError as failure:
            yield Member(name, Kind.UNKNOWN, stream, failure)
            return
        if stream.damage is not None and not stream.peek():
            yield Member(name, Kind.UNKNOWN, stream, stream.damage)
        elif kind not in {Kind.GZIP, Kind.ZIP, Kind.XLSX, Kind.OOXML_DOCUMENT}:
            yield Member(name, kind, stream)
        elif depth >= self.limits.max_depth and kind in {Kind.GZIP, Kind.ZIP}:
            failure = TooDeep(
                f"containers inside containers, more than {self.limits.max_depth} deep", reason="too_deep"
            )
            yield Member(name, kind, stream, failure)
        elif kind is Kind.GZIP:
            self._note(kind, depth)
            yield from self._unwrap(Stream(_Gunzip(stream), budget), None, name, depth + 1, budget)
        else:
            yield from self._zip(stream, seekable, name, depth, budget)

    def _note(self, kind: Kind, depth: int) -> None:
        if len(self.chain) == depth and Kind.ZIP.value not in self.chain:
            self.chain.append(kind.value)

    def _zip(
        self, stream: Stream, seekable: IO[bytes] | None, name: str | None, depth: int, budget: Budget
    ) -> Iterator[Member]:
        """A ZIP is read by its central directory at the end; inside another container it is first put into scratch."""
        with tempfile.SpooledTemporaryFile(max_size=16 * _STEP_BYTES, dir=str(self.scratch)) as spool:
            file: IO[bytes] = spool if seekable is None else seekable  # pyright: ignore[reportAssignmentType]
            try:
                if seekable is None:
                    _copy(stream, spool)
                file.seek(0)
                archive = zipfile.ZipFile(file)
            except (zipfile.BadZipFile, ValueError) as error:
                damage = CutShort(f"the ZIP has no readable directory: {error}", reason="truncated")
                yield Member(name, Kind.ZIP, stream, damage)
                return
            except ContentError as failure:
                yield Member(name, Kind.ZIP, stream, failure)
                return
            with archive:
                kind = of_zip_names([info.filename.encode() for info in archive.infolist()])
                if kind is not Kind.ZIP:
                    yield Member(name, kind, stream)
                    return
                self._note(kind, depth)
                yield from self._zip_members(archive, name, depth, budget)

    def _zip_members(self, archive: zipfile.ZipFile, name: str | None, depth: int, budget: Budget) -> Iterator[Member]:
        infos = [info for info in archive.infolist() if not _is_noise(info)]
        if not infos:
            yield Member(name, Kind.EMPTY, Stream(_Nothing(), None))
        for info in infos:
            inner = info.filename if name is None else f"{name}!{info.filename}"
            try:
                budget.enter()
            except TooManyMembers as failure:
                yield Member(inner, Kind.ZIP, Stream(_Nothing(), None), failure)
                return
            if info.flag_bits & _ENCRYPTED:
                failure = Encrypted("the archive needs a password", reason="encrypted")
                yield Member(inner, Kind.UNKNOWN, Stream(_Nothing(), None), failure)
            elif info.compress_type not in _METHODS:
                failure = Unparseable(
                    f"compression method {info.compress_type} is not read", reason="unsupported_format"
                )
                yield Member(inner, Kind.UNKNOWN, Stream(_Nothing(), None), failure)
            else:
                yield from self._zip_member(archive, info, inner, depth, budget)

    def _zip_member(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, depth: int, budget: Budget
    ) -> Iterator[Member]:
        try:
            opened = archive.open(info)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
            failure = Unparseable(f"the archive is damaged here: {error}", reason="broken_structure")
            yield Member(name, Kind.UNKNOWN, Stream(_Nothing(), None), failure)
            return
        with opened as inner:
            yield from self._unwrap(Stream(inner, budget), None, name, depth + 1, budget)


def _copy(stream: Stream, spool: IO[bytes]) -> None:
    while part := stream.read(_STEP_BYTES):
        spool.write(part)


class _Gunzip:
    """One gzip member after another (RFC 1952), in small steps, so that damage costs little of what came before it."""

    def __init__(self, inner: Readable) -> None:
        self._inner = inner
        self._inflate = isal_zlib.decompressobj(wbits=_GZIP_WBITS)

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes. Raises EOFError when the data ends inside a member."""
        while True:
            if self._inflate.eof and not self._next_member():
                return b""
            packed = self._inflate.unconsumed_tail or self._inner.read(_PACKED_BYTES)
            if not packed:
                raise EOFError
            part = self._inflate.decompress(packed, size)
            if part:
                return part

    def _next_member(self) -> bool:
        """What follows the last member (padding, garbage) is ignored, as gzip(1) does."""
        rest = self._inflate.unused_data
        while len(rest.lstrip(b"\x00")) < len(_GZIP_MAGIC):
            more = self._inner.read(_PACKED_BYTES)
            if not more:
                return False
            rest += more
        if not rest.lstrip(b"\x00").startswith(_GZIP_MAGIC):
            return False
        self._inflate = isal_zlib.decompressobj(wbits=_GZIP_WBITS)
        self._inner = _Before(rest.lstrip(b"\x00"), self._inner)
        return True


class _Before:
    """Some bytes, then the rest of a stream."""

    def __init__(self, ahead: bytes, inner: Readable) -> None:
        self._ahead = ahead
        self._inner = inner

    def read(self, size: int, /) -> bytes:
        part, self._ahead = self._ahead[:size], self._ahead[size:]
        return part or self._inner.read(size)


class _Nothing:
    def read(self, size: int, /) -> bytes:
        del size
        return b""


def _is_noise(info: zipfile.ZipInfo) -> bool:
    """Folders, and what macOS and Windows leave behind."""
    parts = info.filename.replace("\\", "/").split("/")
    last = parts[-1]
    return info.is_dir() or "__MACOSX" in parts or last.startswith("._") or last in {".DS_Store", "Thumbs.db"}
