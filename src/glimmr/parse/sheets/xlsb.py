"""xlsb ([MS-XLSB]): sheets as they stream out of their binary records."""

import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from glimmr.errors import ContentError, CutShort
from glimmr.parse.limits import Limits
from glimmr.parse.sheets.book import Book, Entry
from glimmr.parse.sheets.numbers import Shown, plain, shown
from glimmr.parse.sheets.parts import Parts
from glimmr.parse.sheets.sheet import ERRORS, MAX_COLUMNS, Row, place
from glimmr.parse.sheets.strings import Strings
from glimmr.parse.unpack import Stream

# Record types ([MS-XLSB] 2.3.2).
_ROW = 0
_BLANK, _RK, _ERROR, _BOOL, _REAL, _ST, _ISST, _FMLA_ST, _FMLA_NUM, _FMLA_BOOL, _FMLA_ERROR = range(1, 12)
_RICH = 62  # BrtCellRString
_SST_ITEM = 19
_FORMAT, _XF = 44, 47
_END_SHEET_DATA = 146
_WORKBOOK, _SHEET = 153, 156
_BEGIN_CELL_STYLES, _END_CELL_STYLES = 617, 618
_STEP_BYTES = 1 << 18


def book(parts: Parts, workbook: str) -> Book:
    """What the workbook part says: its sheets, and how their cells are to be read."""
    relations = parts.relations(workbook)
    by_type = dict(relations.values())
    entries: list[Entry] = []
    from_1904 = False
    with _whole_records():
        for kind, data in _records(parts.open(workbook), parts.limits):
            if kind == _WORKBOOK:
                from_1904 = bool(data[0] & 1)
            elif kind == _SHEET:
                relation, end = _wide(data, 8)
                name, _ = _wide(data, end)
                entries.append(Entry(name, relations.get(relation, ("", ""))[1], data[0] != 0))
    styles = _styles(parts, by_type.get("styles", "xl/styles.bin"), from_1904)
    strings, failure = _strings(parts, by_type.get("sharedStrings", "xl/sharedStrings.bin"))
    cells = _Cells(strings, failure, styles)
    return Book("xlsb", entries, lambda part: _rows(parts, part, cells))


def _records(stream: Stream, limits: Limits) -> Iterator[tuple[int, bytes]]:
    """(type, data) of every record. Raises CutShort where they end too early."""
    buffer, at = b"", 0

    def need(size: int) -> bool:
        nonlocal buffer, at
        while len(buffer) - at < size:
            part = stream.read(max(_STEP_BYTES, size))
            if not part:
                return False
            buffer, at = buffer[at:] + part, 0
        return True

    while True:
        need(6)  # a type of 1 or 2 bytes, a size of 1 to 4 (2.1.4)
        if at == len(buffer):
            break
        kind, at = _variable(buffer, at, 2)
        size, at = _variable(buffer, at, 4)
        if size > limits.max_record_bytes or not need(size):
            raise stream.damage or CutShort("the binary records end too early", reason="truncated")
        yield kind, buffer[at : at + size]
        at += size
    if stream.damage is not None:
        raise stream.damage


@contextmanager
def _whole_records() -> Generator[None]:
    """Raises CutShort for a record that is too short for what it should hold."""
    try:
        yield
    except (struct.error, IndexError) as error:
        raise CutShort(f"a binary record is too short: {error}", reason="truncated") from error


def _variable(data: bytes, at: int, most: int) -> tuple[int, int]:
    """A number of up to `most` bytes, seven bits in each, and where it ends."""
    value = 0
    for i in range(most):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * i)
        if not byte & 0x80:
            break
    return value, at


def _wide(data: bytes, at: int) -> tuple[str, int]:
    """An XLWideString (2.5.168) and where it ends."""
    if len(data) < at + 4:
        return "", at + 4
    (length,) = struct.unpack_from("<I", data, at)
    if length == 0xFFFFFFFF:
        return "", at + 4
    end = at + 4 + 2 * length
    return data[at + 4 : end].decode("utf-16-le", "replace"), end


def _strings(parts: Parts, name: str) -> tuple[Strings, ContentError | None]:
    """The shared strings, and what ended them too early."""
    strings = Strings()
    if name not in parts:
        return strings, None
    try:
        with _whole_records():
            for kind, data in _records(parts.open(name), parts.limits):
                if kind == _SST_ITEM:
                    strings.append(_wide(data, 1)[0])
    except CutShort as failure:
        return strings, failure
    return strings, None


def _styles(parts: Parts, name: str, from_1904: bool) -> list[Shown | None]:
    """For each cell style how it shows numbers."""
    codes: dict[int, str] = {}
    styles: list[Shown | None] = []
    if name not in parts:
        return styles
    inside = False
    try:
        with _whole_records():
            for kind, data in _records(parts.open(name), parts.limits):
                if kind == _FORMAT and len(data) >= 2:
                    codes[struct.unpack_from("<H", data)[0]] = _wide(data, 2)[0]
                elif kind in {_BEGIN_CELL_STYLES, _END_CELL_STYLES}:
                    inside = kind == _BEGIN_CELL_STYLES
                elif kind == _XF and inside and len(data) >= 4:
                    (format_id,) = struct.unpack_from("<H", data, 2)
                    styles.append(shown(format_id, codes.get(format_id), from_1904=from_1904))
    except CutShort:
        return styles
    return styles


class _Cells:
    """Turns cell records into texts."""

    def __init__(self, strings: Strings, failure: ContentError | None, styles: list[Shown | None]) -> None:
        self._strings = strings
        self._failure = failure
        self._styles = styles

    def of(self, kind: int, data: bytes) -> str:
        """The text of a cell record: column, style (24 bits), value. Raises struct.error for one that is too short."""
        if kind in {_REAL, _FMLA_NUM, _RK}:
            number = rk(*struct.unpack_from("<I", data, 8)) if kind == _RK else struct.unpack_from("<d", data, 8)[0]
            style = int.from_bytes(data[4:7], "little")
            show = self._styles[style] if style < len(self._styles) else None
            return plain(number) if show is None else show(number)
        if kind == _ISST:
            (index,) = struct.unpack_from("<I", data, 8)
            if index >= len(self._strings):
                message = f"the shared string {index} is missing"
                raise self._failure or CutShort(message, reason="truncated")
            return self._strings[index]
        if kind in {_ST, _FMLA_ST}:
            return _wide(data, 8)[0]
        if kind == _RICH:
            return _wide(data, 9)[0]
        if kind in {_BOOL, _FMLA_BOOL}:
            return "TRUE" if data[8] else "FALSE"
        return ERRORS.get(data[8], "#N/A") if kind in {_ERROR, _FMLA_ERROR} else ""


def rk(bits: int) -> float:
    """A number in 30 bits ([MS-XLS] 2.5.217): an integer or the head of a double, maybe times 100."""
    if bits & 2:
        number = float((bits - (1 << 32) if bits & 0x80000000 else bits) >> 2)
    else:
        number = struct.unpack("<d", struct.pack("<Q", (bits & 0xFFFFFFFC) << 32))[0]
    return number / 100 if bits & 1 else number


def _rows(parts: Parts, part: str, cells: _Cells) -> Iterator[Row]:
    number: int | None = None
    row: list[str] = []
    with _whole_records():
        for kind, data in _records(parts.open(part), parts.limits):
            if kind == _ROW:
                if number is not None:
                    yield number, row
                number, row = struct.unpack_from("<I", data)[0] + 1, []
            elif _BLANK <= kind <= _FMLA_ERROR or kind == _RICH:
                (at,) = struct.unpack_from("<I", data)
                place(row, at if at < MAX_COLUMNS else len(row), cells.of(kind, data))
            elif kind == _END_SHEET_DATA:
                break
    if number is not None:
        yield number, row
