"""Whether a file is whole or was cut short, as far as its bytes can tell."""

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from isal import igzip

from glimmr.sniff.kind import HEAD_BYTES, Kind
from glimmr.sniff.kinds import sniff
from glimmr.sniff.writing import as_ascii, json_offset

_ISAL_ERROR: type[Exception] = igzip.isal_zlib.IsalError  # pyright: ignore[reportAssignmentType] - its stub is wrong
_TAIL_BYTES = 1 << 20
_LARGEST_CELL = 131_072  # as the csv module has it, unless somebody in this process changes it
_STEP_BYTES = 1 << 20
_INFLATED_BYTES = 2 << 30  # two seconds' work, also where a bomb would go on for hours
_BZIP2_END = 0x177245385090
_48_BITS = (1 << 48) - 1
_ZSTD_MAGIC, _ZSTD_SKIPPED, _ZSTD_ANY_OF_16 = 0xFD2FB528, 0x184D2A50, 0xFFFFFFF0


@dataclass(frozen=True, slots=True)
class _File:
    """A file, its first HEAD_BYTES and its last megabyte."""

    path: Path
    size_bytes: int
    head: bytes
    tail: bytes


def whole(path: Path) -> str | None:
    """None when nothing says that the file at `path` was cut, else `truncated` or `suspect_truncated`.

    Told by the end alone: JSON must end in a bracket, XML in `>`; a ZIP needs its central directory, other archives and
    packed files the marks of their ends; a delimited file whose last record has no line end and fewer cells than its
    neighbours is suspect. Only gzip's end says nothing: it must inflate up to its trailer (RFC 1952: CRC and size), and
    what inflates to more than 2 GiB is not judged here. Raises OSError.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(max(0, size_bytes - _TAIL_BYTES))
        tail = file.read()
    kind = sniff(head, size_bytes)
    if kind is Kind.DELIMITED:
        return _delimited(as_ascii(head), tail)
    ends = _ENDS.get(kind)
    return None if ends is None or ends(_File(path, size_bytes, head, tail)) else "truncated"


def _gzip_ends(file: _File) -> bool:
    try:
        with igzip.open(file.path, "rb") as stream:
            for _ in range(_INFLATED_BYTES // _STEP_BYTES):
                if not stream.read(_STEP_BYTES):
                    break
    except EOFError:
        return False
    except (OSError, _ISAL_ERROR):
        return True  # it is broken, not cut: the parser says how
    return True


def _zip_ends(file: _File) -> bool:
    try:
        return zipfile.is_zipfile(file.path)
    except zipfile.BadZipFile:
        return True  # an end that makes no sense: the parser says how


def _json_ends(file: _File) -> bool:
    end = file.tail.replace(b"\x00", b"").rstrip()
    last = end[-1:] if end[-1:] != b"," else end[:-1].rstrip()[-1:]  # objects that are joined by commas, as some are
    return last in {b"}", b"]"} or (last in {b")", b";"} and json_offset(file.head) > 0)


def _xml_ends(file: _File) -> bool:
    return file.tail.replace(b"\x00", b"").rstrip().endswith(b">")


def _bzip2_ends(file: _File) -> bool:
    """The mark of the end, a checksum of 32 bits, up to 7 bits of padding; the checksum, too, may end in zeros."""
    end = file.tail.rstrip(b"\x00")
    zeros_bits = 8 * (len(file.tail) - len(end))
    last = int.from_bytes(end[-12:], "big")
    return any(last >> bits & _48_BITS == _BZIP2_END for bits in range(32 - min(32, zeros_bits), 40))


def _xz_ends(file: _File) -> bool:
    """The footer's magic (xz file format 2.1.2.4), after padding."""
    return file.tail.rstrip(b"\x00").endswith(b"YZ")


def _tar_ends(file: _File) -> bool:
    """At least one block of zeros (POSIX pax, ustar: two)."""
    return not file.tail[-512:].strip(b"\x00")


def _parquet_ends(file: _File) -> bool:
    return file.tail.endswith(b"PAR1")


def _seven_ends(file: _File) -> bool:
    """The header at the beginning says where the list of members is (7zFormat.txt, SignatureHeader)."""
    offset, length = int.from_bytes(file.head[12:20], "little"), int.from_bytes(file.head[20:28], "little")
    return len(file.head) >= 32 and 32 + offset + length <= file.size_bytes


def _zstd_ends(file: _File) -> bool:
    """Walks from frame to frame (RFC 8878, 3.1) without unpacking any."""
    with file.path.open("rb") as stream:
        while stream.tell() < file.size_bytes:
            magic = int.from_bytes(stream.read(4), "little")
            if magic & _ZSTD_ANY_OF_16 == _ZSTD_SKIPPED:
                stream.seek(int.from_bytes(stream.read(4), "little"), 1)
            elif magic != _ZSTD_MAGIC:
                return True  # something else follows the frames
            elif not _pass_frame(stream, file.size_bytes):
                return False
        return stream.tell() == file.size_bytes


def _pass_frame(stream: IO[bytes], size_bytes: int) -> bool:
    """Go to the end of a frame, block by block. False when the file ends before its last one."""
    says = int.from_bytes(stream.read(1), "little")
    single = says >> 5 & 1
    dictionary_bytes, content_size_bytes = (0, 1, 2, 4)[says & 3], (single, 2, 4, 8)[says >> 6]
    stream.seek((1 - single) + dictionary_bytes + content_size_bytes, 1)
    last = 0
    while not last and stream.tell() < size_bytes:
        block = int.from_bytes(stream.read(3), "little")
        last, repeated = block & 1, block >> 1 & 3 == 1
        stream.seek(1 if repeated else block >> 3, 1)
    stream.seek(4 * (says >> 2 & 1), 1)  # the checksum
    return bool(last)


_ENDS: dict[Kind, Callable[[_File], bool]] = {
    Kind.GZIP: _gzip_ends,
    Kind.BZIP2: _bzip2_ends,
    Kind.XZ: _xz_ends,
    Kind.ZSTD: _zstd_ends,
    Kind.TAR: _tar_ends,
    Kind.SEVENZIP: _seven_ends,
    **dict.fromkeys((Kind.ZIP, Kind.XLSX, Kind.XLSB, Kind.OOXML_DOCUMENT, Kind.OPENDOCUMENT), _zip_ends),
    **dict.fromkeys((Kind.JSON, Kind.PAYER_JSON), _json_ends),
    **dict.fromkeys((Kind.XML, Kind.SPREADSHEETML), _xml_ends),
    Kind.PARQUET: _parquet_ends,
}


def _delimited(head: bytes, tail: bytes) -> str | None:
    if tail.endswith((b"\n", b"\r", b"\n\x00")):
        return None
    lines = tail.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    delimiter = max(",\t|;", key=head.decode("latin-1").count)
    try:
        rows = [row for row in csv.reader(io.StringIO("\n".join(lines[-20:])), delimiter=delimiter) if row]
    except csv.Error:
        return None
    if any(len(cell) > _LARGEST_CELL for row in rows[-1:] for cell in row):
        return None  # an open quote, or no table at all
    widths = [len(row) for row in rows]
    if len(widths) < 4:
        return None
    before = widths[-4:-1]
    return "suspect_truncated" if len(set(before)) == 1 and widths[-1] < before[0] else None
