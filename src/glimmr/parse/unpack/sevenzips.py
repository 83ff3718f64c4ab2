"""The files of a 7z as streams, in one pass, through py7zr where it is installed."""

import functools
import importlib
import io
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from isal import isal_zlib

from glimmr.errors import ContentError, CutShort, Encrypted, TooManyMembers, UnpackedTooLarge, Unparseable
from glimmr.parse.limits import Limits
from glimmr.parse.text import Readable
from glimmr.parse.unpack.budget import Budget
from glimmr.parse.unpack.entry import Entry
from glimmr.parse.unpack.stream import Nothing

INSTALL_HINT = 'reading 7z needs an extra: pip install "glimmr[sevenzip]"'
_MAX_HEADER_BYTES = 16 << 20
_STEP_BYTES = 256 * 1024
_LZMA2, _LZMA, _PPMD = b"\x21", b"\x03\x01\x01", b"\x03\x04\x01"  # 7-Zip's Methods.txt


def seven_entries(file: IO[bytes], budget: Budget) -> Iterator[Entry]:
    """Every file.

    Raises Unparseable without py7zr or for a method it does not read, Encrypted, CutShort when the list of members is
    not whole, TooManyMembers, UnpackedTooLarge for a dictionary over the limit.
    """
    limits = budget.limits
    try:
        py7zr = importlib.import_module("py7zr")
    except ImportError as error:
        raise Unparseable(f"a 7z archive; {INSTALL_HINT}", reason="unsupported_format") from error
    _look_at_header(file)
    source = _Source(file)
    try:
        archive = py7zr.SevenZipFile(source)
        locked = archive.needs_password()
    except Exception as error:
        raise source.fault or _failure(error, "the 7z has no readable list of its members") from error
    if locked:
        raise Encrypted("the archive needs a password", reason="encrypted")
    files: Any = getattr(archive, "files", ())
    if len(files) > limits.max_members * 16:
        raise TooManyMembers("the archive lists too many files; see max_members", reason="too_many_members")
    for one in files:
        if one.emptystream and not one.is_directory:
            yield Entry(one.filename, Nothing)
    streams: Any = getattr(archive.header, "main_streams", None)
    if streams is not None:
        for number, folder in enumerate(streams.unpackinfo.folders):
            begins_at = archive.afterheader + streams.packinfo.packpositions[number]
            yield from _folder(source, folder, begins_at, budget)


def _folder(source: "_Source", folder: Any, begins_at: int, budget: Budget) -> Iterator[Entry]:
    """A folder is one stream of compressed data with several files in it, which can only be read in order."""
    refusal = _refusal(folder, budget.limits)
    solid = _Solid(source, folder, begins_at, budget)
    for one in folder.files or ():
        if one.is_directory or one.is_symlink or one.is_junction:
            solid.file(one)
        else:
            yield Entry(one.filename, functools.partial(_given, solid.file(one)), refusal)


def _given(file: Readable) -> Readable:
    return file


def _refusal(folder: Any, limits: Limits) -> ContentError | None:
    """Whether its decoder would ask for more memory than one file may take."""
    for coder in folder.coders:
        method, properties = coder["method"], coder.get("properties") or b""
        needed_bytes = 0
        if method == _LZMA2 and properties:
            needed_bytes = (2 | (properties[0] & 1)) << (min(properties[0], 40) // 2 + 11)
        elif method in {_LZMA, _PPMD} and len(properties) >= 5:
            needed_bytes = int.from_bytes(properties[1:5], "little")
        if needed_bytes > limits.max_dictionary_bytes:
            return UnpackedTooLarge("unpacking it needs more memory than one file may take", reason="unpacked_size")
    return None


class _Solid:
    """The unpacked bytes of a folder, file by file; what nobody has read is passed over."""

    def __init__(self, source: "_Source", folder: Any, begins_at: int, budget: Budget) -> None:
        self._source = source
        self._folder = folder
        self._at = begins_at
        self._budget = budget
        self._decoder: Any = None
        self._waiting: deque[_File] = deque()
        self._broken: Exception | None = None

    def file(self, one: Any) -> Readable:
        """The next file of the folder."""
        file = _File(self, one)
        self._waiting.append(file)
        return file

    def pass_to(self, file: "_File") -> None:
        """Read what stands before a file. Raises what `more` does, Bomb and UnpackedTooLarge."""
        while self._waiting and self._waiting[0] is not file:
            while part := self._waiting[0].take(_STEP_BYTES):
                self._budget.spend(len(part))
            self._waiting.popleft()

    def more(self, size: int, packed_bytes: int | None) -> bytes:
        """At most `size` bytes. Raises EOFError at the end, CutShort for damage, Unparseable for a method."""
        if self._broken is not None:
            raise self._broken
        try:
            return self._unpacked(size, packed_bytes)
        except EOFError as error:
            self._broken = error
            raise
        except Exception as error:
            self._broken = self._source.fault or _failure(error, "the compressed data is damaged")
            raise self._broken from error

    def _unpacked(self, size: int, packed_bytes: int | None) -> bytes:
        if self._decoder is None:
            self._decoder = self._folder.get_decompressor(packed_bytes)
        self._source.seek(self._at)
        while True:
            before = self._source.tell()
            part = self._decoder.decompress(self._source, size)
            self._at = self._source.tell()
            if part:
                return bytes(part)
            if self._at == before:
                raise EOFError


class _File:
    """One file of a folder, held against its checksum."""

    def __init__(self, solid: _Solid, one: Any) -> None:
        self._solid = solid
        self._one = one
        self._left: int = one.uncompressed
        self._crc = 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes. Raises what `_Solid.more` does, and CutShort at the end for a wrong checksum."""
        self._solid.pass_to(self)
        part = self.take(size)
        self._crc = isal_zlib.crc32(part, self._crc)
        if not part and self._one.crc32 is not None and self._one.crc32 != self._crc:
            raise CutShort("the member's checksum is wrong", reason="truncated")
        return part

    def take(self, size: int) -> bytes:
        """The same, unchecked, when it is this file's turn."""
        part = self._solid.more(min(size, self._left, _STEP_BYTES), self._one.compressed) if self._left else b""
        self._left -= len(part)
        return part


class _Source(io.RawIOBase):
    """A file as py7zr wants it; closing it leaves the file open. `fault` is what reading the file itself has raised."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.fault: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._file.read(size)
        except Exception as fault:
            self.fault = fault
            raise

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _look_at_header(file: IO[bytes]) -> None:
    """Raises CutShort when the list of members, which is at the end (7zFormat.txt), is not in the file."""
    size_bytes = file.seek(0, 2)
    file.seek(0)
    head = file.read(32)
    begins_at, length = int.from_bytes(head[12:20], "little"), int.from_bytes(head[20:28], "little")
    if len(head) < 32 or 32 + begins_at + length > size_bytes:
        raise CutShort("the 7z ends too early: its list of members is missing", reason="truncated")
    if length > _MAX_HEADER_BYTES:
        raise TooManyMembers("the list of members is larger than any real one", reason="too_many_members")
    file.seek(0)


def _failure(error: Exception, what: str) -> ContentError:
    """What py7zr raises on broken archives is anything."""
    names = {one.__name__ for one in type(error).__mro__}
    if "PasswordRequired" in names:
        return Encrypted("the archive needs a password", reason="encrypted")
    if "UnsupportedCompressionMethodError" in names:
        return Unparseable("a compression method of the 7z is not read", reason="unsupported_format")
    return CutShort(f"{what}: {error}", reason="truncated")
