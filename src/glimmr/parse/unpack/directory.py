"""What is in a ZIP: by its central directory; where that is missing or broken, by the headers before each member."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

from glimmr.errors import Bomb, CutShort, TooManyMembers
from glimmr.parse.limits import Limits

# Signatures and layouts: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.9, 4.3.12, 4.3.14, 4.3.15, 4.3.16.
_LOCAL, _CENTRAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_CENTRAL_HEADER = struct.Struct("<4s4B4H3I5H2I")
_END_RECORD = struct.Struct("<4s4H2IH")
_END64_RECORD = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_BYTES = 20
_MAX_COMMENT_BYTES = 0xFFFF
_UNKNOWN_32 = 0xFFFFFFFF  # the true number is in the ZIP64 extra field (4.5.3)
_ZIP64 = 0x0001
_UNICODE_PATH = 0x7075  # 4.6.9
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800  # general purpose bits 0, 3 and 11 (4.4.4)
_LOCAL_SIGN = re.compile(re.escape(_LOCAL))
_NEXT_SIGN = re.compile(b"|".join(map(re.escape, (_DESCRIPTOR, _LOCAL, _CENTRAL))))
_NEWEST_VERSION, _LAST_METHOD = 63, 99  # 4.4.3.2, 4.4.5: greater numbers mean that it is no header
_PACKED_NOTHING_BYTES = 64
_MAX_SIGNS = 200_000
_MAX_OFFSET = 1 << 62
_STEP_BYTES = 1 << 20
_LISTED_PER_MEMBER = 16  # how many entries, folders included, may be listed for each member that may be read


@dataclass(frozen=True, slots=True)
class Listed:
    """A member as its header has it. Sizes in bytes; `None` where only the member itself will tell."""

    name: str
    method: int
    encrypted: bool
    at: int
    packed_bytes: int
    size_bytes: int | None
    crc: int | None

    @property
    def is_folder(self) -> bool:
        """A folder has a name that ends like one, and nothing in it."""
        # Some pack the nothing, which takes some bytes.
        return self.name.endswith(("/", "\\")) and not self.size_bytes and self.packed_bytes <= _PACKED_NOTHING_BYTES


@dataclass(frozen=True, slots=True)
class Directory:
    """The members of a ZIP, and what was wrong with its list of them, if anything."""

    members: list[Listed]
    damage: CutShort | None = None


def directory(file: IO[bytes], limits: Limits) -> Directory:
    """List a ZIP.

    Raises CutShort when it has no member in sight, TooManyMembers, and Bomb when members lie over one another, as only
    bombs have them.
    """
    size_bytes = file.seek(0, 2)
    most = limits.max_members * _LISTED_PER_MEMBER
    listed = _by_directory(file, size_bytes, most)
    if listed is not None:
        _refuse_overlap(listed)
        return Directory(listed)
    found = list(_by_headers(file, size_bytes, most))
    if not found:
        raise CutShort("the ZIP has no readable list of its members", reason="truncated")
    damage = CutShort("the ZIP's list of its members is missing or broken: some may be missing", reason="truncated")
    return Directory(found, damage)


def data_offset(file: IO[bytes], listed: Listed) -> int:
    """Where a member's bytes begin. Raises CutShort when its header is not there."""
    head = _read_at(file, listed.at, _LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size or not head.startswith(_LOCAL):
        raise CutShort("the member is not where the ZIP's list says", reason="truncated")
    *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(head)
    return listed.at + _LOCAL_HEADER.size + name_bytes + extra_bytes


def _by_directory(file: IO[bytes], size_bytes: int, most: int) -> list[Listed] | None:
    """The central directory's list; None when there is no whole one."""
    tail_at = max(0, size_bytes - _END_RECORD.size - _MAX_COMMENT_BYTES - _LOCATOR_BYTES)
    file.seek(tail_at)
    tail = file.read(size_bytes - tail_at)
    end = tail.rfind(_END)
    while end != -1:
        place = _place(file, tail, end, tail_at)
        if place is not None:
            listed = _central_list(file, *place, most)
            return None if listed and _of_inner(file, listed, shift=place[2]) else listed
        end = tail.rfind(_END, 0, end)
    return None


def _of_inner(file: IO[bytes], listed: list[Listed], *, shift: int) -> bool:
    """A ZIP cut after a ZIP inside it ends with the list of that one, which leaves out what stands before it."""
    return shift > 0 and min(one.at for one in listed) > 0 and _read_at(file, 0, 4) == _LOCAL


def _place(file: IO[bytes], tail: bytes, end: int, tail_at: int) -> tuple[int, int, int] | None:
    """(where the list begins, how many members, by how much all offsets are off) as an end record has it."""
    if end + _END_RECORD.size > len(tail):
        return None
    _, _, _, _, count, list_bytes, offset, _ = _END_RECORD.unpack_from(tail, end)
    ends_at = tail_at + end
    locator = end - _LOCATOR_BYTES
    if locator >= 0 and tail.startswith(_LOCATOR64, locator):
        (at,) = struct.unpack_from("<Q", tail, locator + 8)
        for record_at in (at, ends_at - _LOCATOR_BYTES - _END64_RECORD.size):
            record = _read_at(file, record_at, _END64_RECORD.size)
            if record.startswith(_END64) and len(record) == _END64_RECORD.size:
                *_, count, list_bytes, offset = _END64_RECORD.unpack(record)
                ends_at = record_at
                break
    # Bytes before the ZIP move everything: the list ends where its end record begins, whatever its offset says.
    for begins_at in (ends_at - list_bytes, offset):
        if not count and not list_bytes and begins_at >= 0:
            return begins_at, 0, 0
        if begins_at >= 0 and _read_at(file, begins_at, 4) == _CENTRAL:
            return begins_at, count, begins_at - offset
    return None


def _central_list(file: IO[bytes], at: int, count: int, shift: int, most: int) -> list[Listed] | None:
    """The list from `at` on; None when it breaks off."""
    listed: list[Listed] = []
    reader = _Ahead(file, at)
    while (head := reader.take(_CENTRAL_HEADER.size)).startswith(_CENTRAL):
        if len(head) < _CENTRAL_HEADER.size:
            return None
        fields = _CENTRAL_HEADER.unpack(head)
        flags, method, crc, packed_bytes, size_bytes = fields[5], fields[6], fields[9], fields[10], fields[11]
        name_bytes, extra_bytes, comment_bytes, offset = fields[12], fields[13], fields[14], fields[18]
        name, extra = reader.take(name_bytes), reader.take(extra_bytes)
        reader.take(comment_bytes)
        size_bytes, packed_bytes, offset = _wide(extra, size_bytes, packed_bytes, offset)
        encrypted = bool(flags & _ENCRYPTED)
        name = _name(name, extra, flags)
        listed.append(Listed(name, method, encrypted, offset + shift, packed_bytes, size_bytes, crc))
        if len(listed) > most:
            raise _too_many(most)
    # Where the count has 16 bits, it is what is left of the true one.
    return listed if len(listed) >= count or (count - len(listed)) % 0x10000 == 0 else None


def _wide(extra: bytes, *numbers: int) -> list[int]:
    """Numbers whose 32 bits are all set are in the ZIP64 field, in this order (4.5.3)."""
    wide = _fields(extra).get(_ZIP64, b"")
    true: list[int] = []
    for number in numbers:
        if number == _UNKNOWN_32 and len(wide) >= 8:
            true.append(int.from_bytes(wide[:8], "little"))
            wide = wide[8:]
        else:
            true.append(number)
    return true


def _fields(extra: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        fields.setdefault(kind, extra[4 : 4 + length])
        extra = extra[4 + length :]
    return fields


def _name(raw: bytes, extra: bytes, flags: int) -> str:
    """UTF-8 where the flag, the extra field or the bytes themselves say so, else the PC's first code page."""
    unicode_path = _fields(extra).get(_UNICODE_PATH, b"")
    if len(unicode_path) > 5:
        raw, flags = unicode_path[5:], flags | _UTF8
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if flags & _UTF8 else raw.decode("cp437")


def _refuse_overlap(members: list[Listed]) -> None:
    """Members that share bytes unpack the same data many times ("a better zip bomb", Fifield 2019)."""
    ends_at = 0
    for one in sorted(members, key=lambda one: one.at):
        if one.at < ends_at:
            raise Bomb("members of the ZIP lie over one another", reason="bomb")
        ends_at = one.at + _LOCAL_HEADER.size + one.packed_bytes


def _by_headers(file: IO[bytes], size_bytes: int, most: int) -> Iterator[Listed]:
    """Members as the headers before them tell (4.3.7), in the file's order; the last may be cut."""
    scan = _Scan(file)
    at = scan.find(_LOCAL_SIGN, 0)
    count = 0
    while at is not None:
        listed, begins_at, flags = _local(file, at)
        if listed is None:
            at = scan.find(_LOCAL_SIGN, at + 4)
            continue
        if flags & _SIZES_FOLLOW and not listed.packed_bytes:
            ends_at = _descriptor(scan, file, begins_at) or size_bytes
            listed = replace(listed, packed_bytes=max(0, ends_at - begins_at), size_bytes=None, crc=None)
        count += 1
        if count > most:
            raise _too_many(most)
        yield listed
        at = scan.find(_LOCAL_SIGN, begins_at + listed.packed_bytes)


def _local(file: IO[bytes], at: int) -> tuple[Listed | None, int, int]:
    """(the member whose header stands at `at`, or None when it makes no sense; where its bytes begin; its flags)."""
    head = _read_at(file, at, _LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size:
        return None, at, 0
    _, version, flags, method, _, _, crc, packed_bytes, size_bytes, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(head)
    if version & 0xFF > _NEWEST_VERSION or method > _LAST_METHOD or not name_bytes:
        return None, at, 0
    name = _read_at(file, at + len(head), name_bytes)
    extra = _read_at(file, at + len(head) + name_bytes, extra_bytes)
    size_bytes, packed_bytes = _wide(extra, size_bytes, packed_bytes)
    begins_at = at + len(head) + name_bytes + extra_bytes
    encrypted = bool(flags & _ENCRYPTED)
    return Listed(_name(name, extra, flags), method, encrypted, at, packed_bytes, size_bytes, crc), begins_at, flags


def _descriptor(scan: "_Scan", file: IO[bytes], begins_at: int) -> int | None:
    """Where the member's bytes end: at a descriptor after them that tells just this length (4.3.9)."""
    at = scan.find(_NEXT_SIGN, begins_at)
    while at is not None:
        if _read_at(file, at, 4) == _DESCRIPTOR:
            lengths = _read_at(file, at + 8, 8)
            if at - begins_at in {int.from_bytes(lengths[:4], "little"), int.from_bytes(lengths, "little")}:
                return at
        else:  # a descriptor may come without its signature
            for back, width in ((12, 4), (20, 8)):
                length = int.from_bytes(_read_at(file, at - back + 4, width), "little")
                if at - back - begins_at == length:
                    return at - back
        at = scan.find(_NEXT_SIGN, at + 4)
    return None


class _Scan:
    """Looks for signatures, forward only, one block in memory; tired after so many as only an attack has."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._block = b""
        self._block_at = 0
        self._found = 0

    def find(self, signs: re.Pattern[bytes], at: int) -> int | None:
        """Where the next sign stands, from `at` on."""
        self._found += 1
        if self._found > _MAX_SIGNS or at > _MAX_OFFSET:
            return None
        while True:
            if self._block_at <= at <= self._block_at + len(self._block):
                sign = signs.search(self._block, at - self._block_at)
                if sign:
                    return self._block_at + sign.start()
                at = max(at, self._block_at + len(self._block) - 3)
            self._file.seek(at)
            self._block, self._block_at = self._file.read(_STEP_BYTES), at
            if len(self._block) < 4:
                return None


def _read_at(file: IO[bytes], at: int, size: int) -> bytes:
    if not 0 <= at <= _MAX_OFFSET:
        return b""
    file.seek(at)
    return file.read(size)


def _too_many(most: int) -> TooManyMembers:
    return TooManyMembers(f"the archive lists more than {most} files; see max_members", reason="too_many_members")


class _Ahead:
    """Reads a file in large steps and gives it in small ones."""

    def __init__(self, file: IO[bytes], at: int) -> None:
        file.seek(at)
        self._file = file
        self._data = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            self._data = self._data[self._at :] + self._file.read(_STEP_BYTES)
            self._at = 0
        part = self._data[self._at : self._at + size]
        self._at += size
        return part
