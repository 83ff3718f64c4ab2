"""One packed stream → its bytes, unpacked while they are read: gz, bz2, xz, zstd, and the deflate of a ZIP."""

import bz2
import lzma
from collections.abc import Callable
from typing import Protocol

import pyarrow as pa
from isal import igzip_lib

from glimmr.errors import ContentError, UnpackedTooLarge
from glimmr.parse.limits import Limits
from glimmr.parse.text import Readable
from glimmr.sniff import Kind

# A piece that is damaged is lost whole, so pieces are small: this costs 10 % of the speed of isal.
_PACKED_BYTES = 4096
_ZSTD_STEP_BYTES = 32 * 1024
_PADDING = b"\x00"
_DEFLATE, _HEADER_CRC, _EXTRA, _NAME, _COMMENT = 8, 2, 4, 8, 16  # of a gzip header
_MAX_HEADER_BYTES = 1 << 20


class Decoder(Protocol):
    """What bz2, lzma and isal give: bytes in, at most so many bytes out."""

    @property
    def eof(self) -> bool:
        """Whether the end mark was read."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more bytes in."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the end mark."""
        ...

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes:
        """At most `max_length` bytes."""
        ...


class Decoded:
    """The bytes of a packed stream, or of several in a row that each begin with `magic`."""

    def __init__(self, inner: Readable, new: Callable[[], Decoder], magic: bytes = b"") -> None:
        self._inner = inner
        self._new = new
        self._magic = magic
        self._decoder: Decoder = new()
        self._ahead = b""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes. Raises EOFError inside a stream, UnpackedTooLarge for a large dictionary."""
        while True:
            if self._decoder.eof and not self._next_stream():
                return b""
            packed = b""
            if self._decoder.needs_input:
                packed, self._ahead = self._ahead[:_PACKED_BYTES], self._ahead[_PACKED_BYTES:]
                packed = packed or self._inner.read(_PACKED_BYTES)
                if not packed:
                    raise EOFError
            part = self._decompress(packed, size)
            if part:
                return part

    def _decompress(self, packed: bytes, size: int) -> bytes:
        try:
            return self._decoder.decompress(packed, size)
        except lzma.LZMAError as error:
            if "emory usage" in str(error):
                raise _too_much_memory() from error
            raise

    def _next_stream(self) -> bool:
        """What follows the last stream (padding, garbage) is ignored, as gzip(1), bzip2(1) and xz(1) do."""
        if not self._magic:
            return False
        rest = (self._decoder.unused_data + self._ahead).lstrip(_PADDING)
        while len(rest) < len(self._magic):
            more = self._inner.read(_PACKED_BYTES)
            if not more:
                return False
            rest = (rest + more).lstrip(_PADDING)
        if not rest.startswith(self._magic):
            return False
        self._decoder, self._ahead = self._new(), rest
        return True


class _Gzip:
    """One gzip member (RFC 1952), its checksum included. isal errs when several fields of a header come in parts."""

    def __init__(self) -> None:
        self._header = b""
        self._body: Decoder | None = None

    @property
    def eof(self) -> bool:
        return self._body is not None and self._body.eof

    @property
    def needs_input(self) -> bool:
        return self._body is None or self._body.needs_input

    @property
    def unused_data(self) -> bytes:
        return b"" if self._body is None else self._body.unused_data

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes:
        if self._body is None:
            self._header += data
            ends_at = _gzip_header_bytes(self._header)
            if ends_at is None:
                return b""
            data = self._header[ends_at:]
            self._body = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP_NO_HDR_VER)
        return self._body.decompress(data, max_length)


def _gzip_header_bytes(data: bytes) -> int | None:
    """How long a header is (RFC 1952, 2.3); None while it is not all there. Raises ValueError for one that is none."""
    if len(data) > _MAX_HEADER_BYTES or (len(data) > 2 and data[2] != _DEFLATE):
        raise ValueError("no gzip header")
    flags, at = data[3] if len(data) > 3 else 0, 10
    if flags & _EXTRA:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            at = data.find(b"\x00", at) + 1
            if not at:
                return None
    at += 2 if flags & _HEADER_CRC else 0
    return at if len(data) > at else None


def deflate_decoder() -> Decoder:
    """Of bare deflate (RFC 1951), as a ZIP has it."""
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)


class _Zstd:
    """Frames of Zstandard (RFC 8878). Windows of more than 128 MiB are refused by the library itself."""

    def __init__(self, inner: Readable) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(_Source(inner), mode="r"), "zstd")

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; a read that fails loses what it had, so it is small."""
        try:
            return self._stream.read(min(size, _ZSTD_STEP_BYTES))
        except OSError as error:
            if "too much memory" in str(error):
                raise _too_much_memory() from error
            raise


class _Source:
    """A stream as pyarrow wants a file."""

    closed = False

    def __init__(self, inner: Readable) -> None:
        self._inner = inner

    def read(self, size: int, /) -> bytes:
        return self._inner.read(size)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        pass


def _too_much_memory() -> ContentError:
    return UnpackedTooLarge("unpacking it needs more memory than one file may take", reason="unpacked_size")


def _gzip(inner: Readable, limits: Limits) -> Readable:
    del limits  # its window is 32 KiB
    return Decoded(inner, _Gzip, b"\x1f\x8b")


def _bzip2(inner: Readable, limits: Limits) -> Readable:
    del limits  # it never needs more than 4 MB
    return Decoded(inner, bz2.BZ2Decompressor, b"BZh")


def _xz(inner: Readable, limits: Limits) -> Readable:
    memory = limits.max_dictionary_bytes
    return Decoded(inner, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory), b"\xfd7zXZ\x00")


def _zstd(inner: Readable, limits: Limits) -> Readable:
    del limits  # the library's own is the same
    return _Zstd(inner)


# The layers of compression: each gives the bytes behind it.
PACKED: dict[Kind, Callable[[Readable, Limits], Readable]] = {
    Kind.GZIP: _gzip,
    Kind.BZIP2: _bzip2,
    Kind.XZ: _xz,
    Kind.ZSTD: _zstd,
}
