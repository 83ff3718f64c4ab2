"""The files of a tar as streams, in one pass; nothing is ever extracted."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

from glimmr.errors import CutShort, Unparseable
from glimmr.parse.text import Readable
from glimmr.parse.unpack.entry import Entry
from glimmr.parse.unpack.stream import Nothing
from glimmr.sniff.kinds import is_tar_header

_BLOCK_BYTES = 512
_STEP_BYTES = 1 << 20
_MAX_EXTENDED_BYTES = 1 << 20  # a record of pax keywords or a long name; real ones have some hundred bytes
# POSIX.1-2017 pax, "ustar Interchange Format": a regular file, as ustar, as v7, and "contiguous".
_REGULAR = b"0\x007"
_WITHOUT_CONTENT = b"123456"  # links, devices, folders, pipes: a size they tell is not that of bytes that follow
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK, _GNU_SPARSE = b"x", b"g", b"L", b"K", b"S"


@dataclass(slots=True)
class _Extended:
    """What stands before a header and belongs to it: a long name, a large size."""

    name: bytes | None = None
    size_bytes: int | None = None
    sparse: bool = False


@dataclass(slots=True)
class _Blocks:
    """The tar's bytes, always read to the end of a block."""

    stream: Readable
    left_bytes: int = field(default=0)  # of the member at hand, its padding included

    def take(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0 and (part := self.stream.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def skip(self) -> bool:
        """Pass what nobody has read of the member at hand. False when the tar ends before."""
        while self.left_bytes > 0:
            part = self.stream.read(min(self.left_bytes, _STEP_BYTES))
            if not part:
                return False
            self.left_bytes -= len(part)
        return True


def tar_entries(stream: Readable) -> Iterator[Entry]:
    """Every regular file; folders, links and devices are passed over.

    Raises CutShort after what is whole when it ends early or a header is broken, Unparseable for an absurd header.
    """
    blocks = _Blocks(stream)
    extended = _Extended()
    ended = False
    while header := blocks.take(_BLOCK_BYTES):
        if not header.strip(b"\x00"):
            ended = True  # the mark of the end; further tars may follow it, as `cat` makes them
            continue
        if not is_tar_header(header):
            if ended:
                return  # what follows the end is not ours
            raise CutShort("a header of the tar is cut or broken; what follows it is lost", reason="truncated")
        ended = False
        kind = header[156:157]
        size_bytes = _number(header[124:136]) if extended.size_bytes is None else extended.size_bytes
        if kind in {_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK}:
            _extend(extended, kind, _content(blocks, _number(header[124:136])))
            continue
        if kind in _WITHOUT_CONTENT:
            size_bytes = 0
        blocks.left_bytes = -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES
        name = _name(header) if extended.name is None else extended.name.rstrip(b"\x00").decode("utf-8", "replace")
        sparse = extended.sparse or kind == _GNU_SPARSE
        extended = _Extended()
        if sparse:
            yield Entry(name, Nothing, Unparseable("a sparse file in a tar is not read", reason="unsupported_format"))
        elif kind in _REGULAR and not name.endswith("/"):
            yield Entry(name, functools.partial(_File, blocks, size_bytes))
        if not blocks.skip():
            raise CutShort("the tar ends too early", reason="truncated")
    if not ended:
        raise CutShort("the tar ends without its end mark; files may be missing", reason="truncated")


class _File:
    """The bytes of one file."""

    def __init__(self, blocks: _Blocks, size_bytes: int) -> None:
        self._blocks = blocks
        self._left = size_bytes

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes. Raises EOFError when the tar ends inside the file."""
        part = self._blocks.stream.read(min(size, self._left)) if self._left else b""
        if not part and self._left:
            raise EOFError
        self._left -= len(part)
        self._blocks.left_bytes -= len(part)
        return part


def _content(blocks: _Blocks, size_bytes: int) -> bytes:
    """A small record. Raises Unparseable when it is large, CutShort when it is cut."""
    if size_bytes > _MAX_EXTENDED_BYTES:
        raise Unparseable("a header of the tar is larger than any real one", reason="broken_structure")
    padded_bytes = -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES
    content = blocks.take(padded_bytes)
    if len(content) < padded_bytes:
        raise CutShort("the tar ends too early", reason="truncated")
    return content[:size_bytes]


def _extend(extended: _Extended, kind: bytes, content: bytes) -> None:
    if kind == _GNU_NAME:
        extended.name = content
    elif kind == _PAX:
        # "%d %s=%s\n": the length of the record, a keyword, its value (pax Extended Header).
        while content:
            length, _, _ = content.partition(b" ")
            end = int(length) if length.isdigit() and len(length) < 10 else 0
            keyword, _, value = content[len(length) + 1 : end - 1].partition(b"=")
            if keyword == b"path":
                extended.name = value
            elif keyword == b"size" and value.isdigit() and len(value) < 20:
                extended.size_bytes = int(value)
            elif keyword.startswith(b"GNU.sparse."):
                extended.sparse = True
            content = content[end:] if end > len(length) else b""


def _name(header: bytes) -> str:
    name = header[:100].split(b"\x00")[0]
    prefix = header[345:500].split(b"\x00")[0] if header[257:263] == b"ustar\x00" else b""
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "replace")


def _number(text: bytes) -> int:
    """Octal, or the base-256 of GNU for what is larger. Raises CutShort when it is neither."""
    if text[0] == 0x80:
        return int.from_bytes(text[1:], "big")
    digits = text.split(b"\x00")[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError as error:
        raise CutShort("a header of the tar has no size; what follows it is lost", reason="truncated") from error
