"""Compound files ([MS-CFB]): the streams inside, read sector by sector."""

import struct
from array import array
from typing import IO

from glimmr.errors import CutShort, Unparseable

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER_BYTES = 512
_LAST_SECTOR = 0xFFFFFFFA  # greater numbers are marks (2.1)
_DIRECTORY_ENTRY_BYTES = 128
_STREAM = 2


class Ole:
    """An opened compound file. Raises CutShort or Unparseable when its tables cannot be read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        head = self._at(0, _HEADER_BYTES)
        if not head.startswith(MAGIC):
            raise Unparseable("no compound file", reason="broken_structure")
        shift, mini_shift = struct.unpack_from("<HH", head, 30)
        if not (7 <= shift <= 16 and mini_shift < shift):
            raise Unparseable("a compound file with sectors of an odd size", reason="broken_structure")
        self._sector_bytes = 1 << shift
        self._mini_bytes = 1 << mini_shift
        self._all_sectors = file.seek(0, 2) // self._sector_bytes + 1
        directory, _, self._cutoff_bytes, mini_table, _, more, _ = struct.unpack_from("<IIIIIII", head, 48)
        self._next = self._table(self._fat_sectors(head, more))
        self._next_mini = self._table(self._chain(mini_table, self._next))
        self._names = self._directory(directory)

    def size_bytes(self, name: str) -> int | None:
        """The size of a stream, by its name without case; None when there is none."""
        found = self._names.get(name.lower())
        return found[1] if found else None

    def open(self, name: str) -> "OleStream":
        """A stream by its name. Raises KeyError."""
        start, size_bytes = self._names[name.lower()]
        if size_bytes >= self._cutoff_bytes:
            places = [(s + 1) * self._sector_bytes for s in self._chain(start, self._next)]
            return OleStream(self._file, places, self._sector_bytes, size_bytes)
        root = [(s + 1) * self._sector_bytes for s in self._chain(self._root, self._next)]
        per = self._sector_bytes // self._mini_bytes
        minis = self._chain(start, self._next_mini)
        places = [root[m // per] + m % per * self._mini_bytes for m in minis if m // per < len(root)]
        return OleStream(self._file, places, self._mini_bytes, size_bytes)

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) < size:
            raise CutShort("the compound file ends too early", reason="truncated")
        return data

    def _sector(self, number: int) -> bytes:
        return self._at((number + 1) * self._sector_bytes, self._sector_bytes)

    def _fat_sectors(self, head: bytes, more: int) -> list[int]:
        """Where the table of sectors stands: 109 numbers in the header, further ones in a chain (2.5)."""
        sectors = list(struct.unpack_from("<109I", head, 76))
        while more <= _LAST_SECTOR and len(sectors) <= self._all_sectors + 109:
            *further, more = struct.unpack(f"<{self._sector_bytes // 4}I", self._sector(more))
            sectors += further
        return [sector for sector in sectors if sector <= _LAST_SECTOR]

    def _table(self, sectors: list[int]) -> "array[int]":
        table = array("I")
        for sector in sectors[: self._all_sectors]:
            table.frombytes(self._sector(sector))
        return table

    def _chain(self, start: int, following: "array[int]") -> list[int]:
        """The sectors from `start` on. A chain that runs in a circle or leaves the table is broken."""
        chain: list[int] = []
        while start <= _LAST_SECTOR:
            if start >= len(following) or len(chain) > len(following):
                break
            chain.append(start)
            start = following[start]
        return chain

    def _directory(self, start: int) -> dict[str, tuple[int, int]]:
        """Streams by their names in lower case: (first sector, size in bytes) (2.6)."""
        self._root = _LAST_SECTOR + 1
        names: dict[str, tuple[int, int]] = {}
        for sector in self._chain(start, self._next):
            data = self._sector(sector)
            for at in range(0, len(data), _DIRECTORY_ENTRY_BYTES):
                length, kind = struct.unpack_from("<HB", data, at + 64)
                first, size_bytes = struct.unpack_from("<II", data, at + 116)
                if kind == 5:
                    self._root = first
                elif kind == _STREAM:
                    name = data[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace").lower()
                    names.setdefault(name, (first, size_bytes))
        return names


class OleStream:
    """A stream of a compound file. Reading ends early where its sectors do."""

    def __init__(self, file: IO[bytes], places: list[int], place_bytes: int, size_bytes: int) -> None:
        self._file = file
        self._places = places
        self._place_bytes = place_bytes
        self._size_bytes = min(size_bytes, len(places) * place_bytes)
        self._offset = 0

    def seek(self, offset: int) -> None:
        """Read on from `offset`."""
        self._offset = offset

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end."""
        parts: list[bytes] = []
        size = min(size, self._size_bytes - self._offset)
        while size > 0:
            index, inside = divmod(self._offset, self._place_bytes)
            self._file.seek(self._places[index] + inside)
            part = self._file.read(min(size, self._place_bytes - inside))
            if not part:
                break
            parts.append(part)
            size -= len(part)
            self._offset += len(part)
        return b"".join(parts)
