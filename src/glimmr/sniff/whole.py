"""Whether a file is whole or was cut short, as far as its bytes can tell."""

import csv
import io
import zipfile
from pathlib import Path

from isal import igzip

from glimmr.sniff.kinds import HEAD_BYTES, Kind, as_ascii, sniff

_ISAL_ERROR: type[Exception] = igzip.isal_zlib.IsalError  # pyright: ignore[reportAssignmentType] - its stub is wrong
_TAIL_BYTES = 1 << 20
_STEP_BYTES = 1 << 20


def whole(path: Path) -> str | None:
    """None when nothing says that the file at `path` was cut, else `truncated` or `suspect_truncated`.

    JSON must end in a bracket; gzip must inflate up to its trailer (RFC 1952: CRC and size); a ZIP needs its central
    directory; a delimited file whose last record has no line end and fewer cells than its neighbours is suspect.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(max(0, size_bytes - _TAIL_BYTES))
        tail = file.read()
    kind = sniff(head, size_bytes)
    if kind is Kind.GZIP:
        return _gzip(path)
    if kind in {Kind.ZIP, Kind.XLSX, Kind.OOXML_DOCUMENT, Kind.OPENDOCUMENT}:
        return None if zipfile.is_zipfile(path) else "truncated"
    if kind in {Kind.JSON, Kind.PAYER_JSON}:
        return None if _json_ends(tail) else "truncated"
    if kind is Kind.DELIMITED:
        return _delimited(as_ascii(head), tail)
    return None


def _gzip(path: Path) -> str | None:
    try:
        with igzip.open(path, "rb") as stream:
            while stream.read(_STEP_BYTES):
                pass
    except EOFError:
        return "truncated"
    except (OSError, _ISAL_ERROR):
        return None  # it is broken, not cut: the parser says how
    return None


def _json_ends(tail: bytes) -> bool:
    return tail.replace(b"\x00", b"").rstrip()[-1:] in {b"}", b"]", b","}


def _delimited(head: bytes, tail: bytes) -> str | None:
    if tail.endswith((b"\n", b"\r", b"\n\x00")):
        return None
    lines = tail.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    delimiter = max(",\t|;", key=head.decode("latin-1").count)
    widths = [len(row) for row in csv.reader(io.StringIO("\n".join(lines[-20:])), delimiter=delimiter) if row]
    if len(widths) < 4:
        return None
    before = widths[-4:-1]
    return "suspect_truncated" if len(set(before)) == 1 and widths[-1] < before[0] else None
