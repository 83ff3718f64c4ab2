"""The members of a ZIP as streams: each is unpacked while it is read and checked against its checksum at its end."""

import bz2
import functools
import lzma
import struct
from collections.abc import Callable, Iterator
from typing import IO

from isal import isal_zlib

from glimmr.errors import ContentError, CutShort, Encrypted, TooManyMembers, Unparseable
from glimmr.parse.limits import Limits
from glimmr.parse.text import Readable
from glimmr.parse.unpack.budget import Budget
from glimmr.parse.unpack.directory import Listed, data_offset, directory
from glimmr.parse.unpack.entry import Entry
from glimmr.parse.unpack.packed import PACKED, Decoded, Decoder, deflate_decoder
from glimmr.sniff import Kind
from glimmr.sniff.kinds import of_zip_names

_STORED, _DEFLATE, _BZIP2, _LZMA, _ZSTD, _XZ, _ENCRYPTED_METHOD = 0, 8, 12, 14, 93, 95, 99  # APPNOTE 4.4.5
_METHOD_NAMES = {
    1: "shrink", 6: "implode", 9: "deflate64", 10: "DCL implode", 94: "MP3", 96: "JPEG", 97: "WavPack", 98: "PPMd",
}  # fmt: skip


class Zip:
    """An opened ZIP. Raises CutShort, TooManyMembers or Bomb when it cannot or must not be opened."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._directory = directory(file, limits)

    @property
    def kind(self) -> Kind:
        """A workbook, a document, or a container."""
        return of_zip_names([one.name.encode("utf-8", "replace") for one in self._directory.members])

    def check(self, budget: Budget) -> None:
        """Look at it as a whole, for readers that open it themselves.

        Raises Bomb or UnpackedTooLarge when it says to unpack to too much, and TooManyMembers.
        """
        members = self._directory.members
        if len(members) > self._limits.max_members:
            raise TooManyMembers(
                f"the workbook has more than {self._limits.max_members} parts; see max_members",
                reason="too_many_members",
            )
        budget.declare(sum(one.size_bytes or 0 for one in members))

    def entries(self) -> Iterator[Entry]:
        """Every file in it. Raises CutShort after them when there may have been more."""
        for one in self._directory.members:
            if not one.is_folder:
                yield Entry(one.name, functools.partial(self._open, one), _refusal(one))
        if self._directory.damage is not None:
            raise self._directory.damage

    def _open(self, one: Listed) -> Readable:
        """A member's bytes. Raises CutShort when its header is gone."""
        begins_at = data_offset(self._file, one)
        packed = _Part(self._file, begins_at, one.packed_bytes)
        return _Checked(_unpacked(one.method, packed, self._limits), one)


def _refusal(one: Listed) -> ContentError | None:
    """Why a member cannot be read."""
    if one.encrypted or one.method == _ENCRYPTED_METHOD:
        return Encrypted("the archive needs a password", reason="encrypted")
    if one.method == _STORED or one.method in _LAYERS or one.method in _DECODERS:
        return None
    name = _METHOD_NAMES.get(one.method, "unknown")
    return Unparseable(f"compression method {one.method} ({name}) is not read", reason="unsupported_format")


def _unpacked(method: int, packed: Readable, limits: Limits) -> Readable:
    if method == _STORED:
        return packed
    if method in _LAYERS:
        return PACKED[_LAYERS[method]](packed, limits)
    return Decoded(packed, lambda: _DECODERS[method](limits))


class _Lzma:
    """LZMA as a ZIP has it: versions, the length of the properties, the properties (APPNOTE 5.8.8)."""

    def __init__(self, limits: Limits) -> None:
        self._memory_bytes = limits.max_dictionary_bytes
        self._head = b""
        self._decoder: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        return self._decoder is not None and self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return self._decoder is None or self._decoder.needs_input

    @property
    def unused_data(self) -> bytes:
        return b""

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes:
        if self._decoder is None:
            self._head += data
            if len(self._head) < 9:
                return b""
            (length,) = struct.unpack_from("<H", self._head, 2)
            if length != 5:
                raise lzma.LZMAError("properties of an odd length")
            # The older format says the same in another order; the size it wants is unknown here, so all bits are set.
            data = self._head[4:9] + b"\xff" * 8 + self._head[9:]
            self._decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=self._memory_bytes)
        return self._decoder.decompress(data, max_length)


_LAYERS = {_ZSTD: Kind.ZSTD, _XZ: Kind.XZ}
_DECODERS: dict[int, Callable[[Limits], Decoder]] = {
    _DEFLATE: lambda _: deflate_decoder(),
    _BZIP2: lambda _: bz2.BZ2Decompressor(),
    _LZMA: _Lzma,
}


class _Part:
    """A stretch of a file; others may move the file between two reads."""

    def __init__(self, file: IO[bytes], at: int, size_bytes: int) -> None:
        self._file = file
        self._at = at
        self._left = size_bytes

    def read(self, size: int, /) -> bytes:
        self._file.seek(self._at)
        part = self._file.read(min(size, self._left))
        self._at += len(part)
        self._left -= len(part)
        if not part and self._left > 0:
            raise EOFError
        return part


class _Checked:
    """A member's bytes, held against the size and the checksum that the ZIP has for them."""

    def __init__(self, inner: Readable, listed: Listed) -> None:
        self._inner = inner
        self._listed = listed
        self._size_bytes = 0
        self._crc = 0

    def read(self, size: int, /) -> bytes:
        try:
            part = self._inner.read(size)
        except EOFError:
            # LZMA may come without an end mark: then only the size tells.
            if self._size_bytes != self._listed.size_bytes:
                raise
            part = b""
        self._size_bytes += len(part)
        self._crc = isal_zlib.crc32(part, self._crc)
        listed = self._listed
        if not part and listed.size_bytes is not None and self._size_bytes != listed.size_bytes:
            message = f"the member has {self._size_bytes} bytes instead of {listed.size_bytes}"
            raise CutShort(message, reason="truncated")
        if not part and listed.crc is not None and self._crc != listed.crc:
            raise CutShort("the member's checksum is wrong", reason="truncated")
        return part
