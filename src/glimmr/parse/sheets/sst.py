"""The shared strings of an xls: one table cut into records wherever the records were full ([MS-XLS] 2.4.265)."""

import struct

from glimmr.parse.sheets.strings import Strings

_WIDE, _PHONETIC, _RUNS = 0x01, 0x04, 0x08


def shared_strings(records: list[bytes], strings: Strings) -> None:
    """Append every string to `strings`; those of a damaged end are missing."""
    read = _Cut(records)
    read.skip(4)
    (count,) = struct.unpack("<I", read.take(4).ljust(4, b"\0"))
    for _ in range(count):
        head = read.take(3)
        if len(head) < 3:
            return
        length, flags = struct.unpack("<HB", head)
        runs = int.from_bytes(read.take(2), "little") if flags & _RUNS else 0
        phonetic_bytes = int.from_bytes(read.take(4), "little") if flags & _PHONETIC else 0
        text = read.characters(length, wide=bool(flags & _WIDE))
        if text is None:
            return
        strings.append(text)
        read.skip(4 * runs + phonetic_bytes)


class _Cut:
    """Bytes that go on in the next record where one ends."""

    def __init__(self, records: list[bytes]) -> None:
        self._records = records
        self._record = 0
        self._at = 0

    def _here(self) -> bytes:
        """The record that still has bytes; b"" at the end."""
        while self._record < len(self._records) and self._at >= len(self._records[self._record]):
            self._record += 1
            self._at = 0
        return self._records[self._record] if self._record < len(self._records) else b""

    def take(self, size: int) -> bytes:
        """`size` bytes, fewer at the end."""
        taken = b""
        while len(taken) < size and (record := self._here()):
            part = record[self._at : self._at + size - len(taken)]
            taken += part
            self._at += len(part)
        return taken

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        while size > 0 and (record := self._here()):
            step = min(size, len(record) - self._at)
            self._at += step
            size -= step

    def characters(self, length: int, *, wide: bool) -> str | None:
        """`length` characters. Where a record ends before they do, the next says anew in its first byte how wide."""
        parts: list[str] = []
        while length > 0:
            before = self._record
            record = self._here()
            if not record:
                return None
            if self._record != before:
                wide = bool(record[0] & _WIDE)
                self._at = 1
            size = min(length * (1 + wide), (len(record) - self._at) & (~1 if wide else ~0))
            if size == 0 and self._at < len(record):
                return None  # half a character
            parts.append(record[self._at : self._at + size].decode("utf-16-le" if wide else "latin-1", "replace"))
            self._at += size
            length -= size // (1 + wide)
        return "".join(parts)
