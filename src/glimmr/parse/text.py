r"""Bytes of any encoding → blocks of clean UTF-8 text: no BOM, no NUL, line ends `\n`, cp1252 lines recoded."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glimmr.parse.findings import Spots
from glimmr.sniff.kinds import HEAD_BYTES, utf16_encoding

_UTF8_BOM = b"\xef\xbb\xbf"
_LONG_LINE_BYTES = 1 << 20
_UNDEFINED = {0x81, 0x8D, 0x8F, 0x90, 0x9D}  # bytes cp1252 leaves undefined: read as latin-1 (WHATWG does the same)
_CP1252 = "".join(chr(b) if b in _UNDEFINED else bytes([b]).decode("cp1252") for b in range(256))


def _replace_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(_CP1252[b] for b in error.object[error.start : error.end]), error.end


codecs.register_error("glimmr_cp1252", _replace_bytes)


class Readable(Protocol):
    """A stream of bytes; b"" at its end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        ...


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A piece of text as UTF-8, and where in it (byte offsets) lines begin that were recoded or lost NUL bytes.

    `begins` is the byte of the member it begins at; `raw` are its bytes there, where they differ and were asked for.
    """

    data: bytes
    recoded: tuple[int, ...] = ()
    without_nul: tuple[int, ...] = ()
    begins: int = 0
    raw: bytes | None = None

    def then(self, following: "TextBlock") -> "TextBlock":
        """Both blocks as one."""
        if not self.data:
            return following
        return TextBlock(
            self.data + following.data,
            self.recoded + _shifted(following.recoded, len(self.data)),
            without_nul=self.without_nul + _shifted(following.without_nul, len(self.data)),
        )

    def after(self, used: int) -> "TextBlock":
        """What is left behind the first `used` bytes."""
        without_nul = _shifted(self.without_nul, -used)
        return TextBlock(self.data[used:], _shifted(self.recoded, -used), without_nul=without_nul)

    def before(self, end: int) -> "TextBlock":
        """The first `end` bytes."""
        recoded, without_nul = (tuple(at for at in places if at < end) for places in (self.recoded, self.without_nul))
        return TextBlock(self.data[:end], recoded, without_nul=without_nul)


def _shifted(places: tuple[int, ...], by: int) -> tuple[int, ...]:
    return tuple(at + by for at in places if at + by >= 0)


class Text:
    """The text of a stream, block by block. Blocks end at a line end where there is one."""

    def __init__(self, stream: Readable, block_bytes: int, *, tells_places: bool = False, begins: int = 0) -> None:
        self._stream = stream
        self._block_bytes = block_bytes
        self._tells_places = tells_places
        self._begins = begins  # the byte of the member where the next block begins
        self.encoding: str | None = None  # known after the first block
        self.recoded_lines = 0
        self.read_bytes = 0  # of the stream
        self.odd = Spots()  # bytes that are no UTF-8, when places are told
        self.nuls = Spots()

    def __iter__(self) -> Iterator[TextBlock]:
        decoder = None
        carry = b""
        first = True
        while True:
            chunk = self._read()
            ended = not chunk
            if first:
                first = False
                self.encoding, decoder = _encoding(chunk)
                while chunk.startswith(_UTF8_BOM):  # tools that each add one leave several
                    chunk = chunk[len(_UTF8_BOM) :]
                    self._begins += len(_UTF8_BOM)
            if decoder is not None:
                # Lone surrogates cannot be written as UTF-8; they become `?`.
                chunk = decoder.decode(chunk, final=ended).lstrip("\ufeff").encode("utf-8", "replace")
            data = carry + chunk if carry else chunk
            cut = len(data) if ended else _cut(data)
            data, carry = data[:cut], data[cut:]
            if data:
                yield self._clean(data)
                self._begins += len(data)
            if ended:
                return

    def _read(self) -> bytes:
        parts: list[bytes] = []
        missing = self._block_bytes
        while missing > 0:
            part = self._stream.read(missing)
            if not part:
                break
            parts.append(part)
            missing -= len(part)
            self.read_bytes += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _clean(self, raw: bytes) -> TextBlock:
        data, recoded = cleaned(raw)
        self.recoded_lines += len(recoded)
        if not self._tells_places:
            without_nul = _begins(data, _lines_with_nul(raw)) if b"\x00" in raw else ()
            return TextBlock(data, recoded, without_nul)
        if b"\x00" in raw:
            self.nuls.add_many(raw.count(b"\x00"), (self._begins + at for at in _nuls(raw)), "NUL")
        if recoded:
            self.odd.add_many(_count_odd(raw), (self._begins + at for at in _odd(raw)))
        return TextBlock(data, recoded, begins=self._begins, raw=None if data is raw else raw)


def _lines_with_nul(data: bytes) -> npt.NDArray[np.int64]:
    """Which lines (from 0) of text with any line ends have NUL bytes; these are no part of a line end."""
    array = np.frombuffer(data, np.uint8)
    nul = np.flatnonzero(array == 0)
    text = array[array != 0]
    after_return = np.concatenate([[False], text[:-1] == 13])
    ends = np.flatnonzero((text == 13) | ((text == 10) & ~after_return[: len(text)]))
    return np.unique(np.searchsorted(ends, nul - np.arange(len(nul))))


def _begins(data: bytes, lines: npt.NDArray[np.int64]) -> tuple[int, ...]:
    """Where these lines begin."""
    begins = np.concatenate([[0], np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1])
    return tuple(begins[lines[lines < len(begins)]].tolist())


def _nuls(data: bytes) -> Iterator[int]:
    at = data.find(b"\x00")
    while at != -1:
        yield at
        at = data.find(b"\x00", at + 1)


def _odd(data: bytes) -> Iterator[int]:
    at = 0
    while True:
        try:
            data[at:].decode("utf-8")
        except UnicodeDecodeError as error:
            yield at + error.start
            at += error.end
        else:
            return


def _count_odd(data: bytes) -> int:
    return len(data.decode("utf-8", "glimmr_cp1252")) - len(data.decode("utf-8", "ignore"))


def _encoding(head: bytes) -> tuple[str, codecs.IncrementalDecoder | None]:
    if head.startswith(_UTF8_BOM):
        return "utf-8-sig", None
    wide = utf16_encoding(head[:HEAD_BYTES])
    return (wide, codecs.getincrementaldecoder(wide)("replace")) if wide else ("utf-8", None)


def _cut(data: bytes) -> int:
    r"""Where a block may end: after its last line end; without one, before a character or `\r\n` that is cut."""
    newline = data.rfind(b"\n")
    if newline != -1:
        return newline + 1
    cut = len(data)
    for back in range(1, min(4, cut) + 1):
        byte = data[cut - back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            return cut - back
    return cut - 1 if data.endswith(b"\r") else cut


def is_utf8(data: bytes) -> bool:
    """Whether `data` is valid UTF-8, without decoding it."""
    offsets = len(data).to_bytes(8, "little")
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, pa.py_buffer(bytes(8) + offsets), pa.py_buffer(data)])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def cleaned(data: bytes) -> tuple[bytes, tuple[int, ...]]:
    """Text as it is looked at, and the offsets of its recoded lines; `data` itself when nothing is to be changed."""
    if b"\x00" in data:
        data = data.replace(b"\x00", b"")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return (data, ()) if data.isascii() or is_utf8(data) else recode(data)


def recode(data: bytes) -> tuple[bytes, tuple[int, ...]]:
    """Only the lines that are no UTF-8 become cp1252. Gives the text and the offsets of those lines in it."""
    parts: list[bytes] = []
    recoded: list[int] = []
    done = size = following = 0
    high = np.flatnonzero(np.frombuffer(data, np.uint8) >= 0x80)
    while following < len(high):
        at = int(high[following])
        begin = data.rfind(b"\n", done, at) + 1 or done
        end = data.find(b"\n", at)
        end = len(data) if end == -1 else end
        following = int(np.searchsorted(high, end))
        fixed = _fixed(data[begin:end])
        if fixed is not None:
            parts += (data[done:begin], fixed)
            recoded.append(size + begin - done)
            size += begin - done + len(fixed)
            done = end
    parts.append(data[done:])
    return b"".join(parts), tuple(recoded)


def _fixed(line: bytes) -> bytes | None:
    """A line as UTF-8; None when it was that already."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        # A "line" of megabytes is a whole document without line ends: there only the bad bytes are replaced.
        if len(line) > _LONG_LINE_BYTES:
            return line.decode("utf-8", "glimmr_cp1252").encode("utf-8")
        text, _ = codecs.charmap_decode(line, "strict", _CP1252)  # pyright: ignore[reportArgumentType] - a str maps too
        return text.encode("utf-8")
    return None
