"""xls ([MS-XLS], BIFF8, and BIFF5 of Excel 95): sheets as they stream out of their records."""

import codecs
import itertools
import operator
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from glimmr.errors import CutShort, Encrypted, Unparseable
from glimmr.parse.sheets.numbers import Shown, plain, shown
from glimmr.parse.sheets.ole import OleStream
from glimmr.parse.sheets.sheet import ERRORS, Row, Sheet, in_order, place
from glimmr.parse.sheets.sst import shared_strings
from glimmr.parse.sheets.strings import Strings
from glimmr.parse.sheets.xlsb import rk

# Record types ([MS-XLS] 2.3).
_BOF, _EOF, _CONTINUE = 0x809, 0x0A, 0x3C
_FILE_PASS, _CODE_PAGE, _DATE_1904, _BOUND_SHEET, _SST, _FORMAT, _XF = 0x2F, 0x42, 0x22, 0x85, 0xFC, 0x41E, 0xE0
_NUMBER, _LABEL, _LABEL_SST, _RSTRING, _RK, _MUL_RK, _BOOL_ERR = 0x203, 0x204, 0xFD, 0xD6, 0x27E, 0xBD, 0x205
_FORMULA, _STRING = (0x06, 0x206, 0x406), 0x207
_BIFF5, _BIFF8 = 0x500, 0x600
_LONGEST_BYTES = 4 + 0xFFFF
_STEP_BYTES = 1 << 18
_CELLS = frozenset((_NUMBER, _LABEL, _LABEL_SST, _RSTRING, _RK, _MUL_RK, _BOOL_ERR, *_FORMULA))


@dataclass(slots=True)
class _Globals:
    """What the workbook says before its sheets."""

    version: int = _BIFF8
    code_page: str = "cp1252"
    from_1904: bool = False
    sheets: list[tuple[str, int, bool]] = field(default_factory=list[tuple[str, int, bool]])  # name, offset, hidden
    codes: dict[int, str] = field(default_factory=dict[int, str])
    format_ids: list[int] = field(default_factory=list[int])
    strings: Strings = field(default_factory=Strings)


def sheets(stream: OleStream) -> Iterator[Sheet]:
    """Every sheet of a workbook stream. Raises Encrypted, Unparseable (older than Excel 95), CutShort."""
    book = _globals(stream)
    styles = [shown(number, book.codes.get(number), from_1904=book.from_1904) for number in book.format_ids]
    for name, offset, hidden in book.sheets:
        yield Sheet(name, "xls", in_order(_rows(stream, offset, book, styles)), hidden)


def _records(stream: OleStream, offset: int) -> Iterator[tuple[int, bytes]]:
    """(type, data) of every record from `offset` on. Raises CutShort where they end too early."""
    stream.seek(offset)
    buffer, at = b"", 0
    ended = False
    while True:
        if not ended and len(buffer) - at < _LONGEST_BYTES:
            part = stream.read(_STEP_BYTES)
            ended = len(part) < _STEP_BYTES
            buffer, at = buffer[at:] + part, 0
        if len(buffer) - at < 4:
            raise CutShort("the workbook's records end too early", reason="truncated")
        kind, size = struct.unpack_from("<HH", buffer, at)
        at += 4 + size
        if at > len(buffer):
            raise CutShort("the workbook's records end too early", reason="truncated")
        yield kind, buffer[at - size : at]


def _globals(stream: OleStream) -> _Globals:
    book = _Globals()
    tables: list[bytes] = []
    last = 0
    try:
        for kind, data in _records(stream, 0):
            last = kind if kind != _CONTINUE else last
            if kind == _SST or (kind == _CONTINUE and last == _SST):
                tables.append(data)
            elif kind == _EOF:
                break
            else:
                _note(book, kind, data)
    except struct.error as error:
        raise CutShort(f"a record of type {last} is too short", reason="truncated") from error
    if tables:
        shared_strings(tables, book.strings)
    return book


def _note(book: _Globals, kind: int, data: bytes) -> None:
    if kind == _BOF:
        (book.version,) = struct.unpack_from("<H", data)
        if book.version not in {_BIFF5, _BIFF8}:
            raise Unparseable("a workbook older than Excel 95", reason="unsupported_format")
    elif kind == _FILE_PASS:
        raise Encrypted("the workbook needs a password", reason="encrypted")
    elif kind == _CODE_PAGE:
        book.code_page = _codec(struct.unpack_from("<H", data)[0])
    elif kind == _DATE_1904:
        book.from_1904 = data[:1] == b"\x01"
    elif kind == _BOUND_SHEET:
        offset, state, _, length = struct.unpack_from("<IBBB", data)
        book.sheets.append((_text(book, data, 7, length), offset, state & 3 != 0))
    elif kind == _FORMAT:
        (format_id,) = struct.unpack_from("<H", data)
        wide = book.version == _BIFF8
        (length,) = struct.unpack_from("<H" if wide else "<B", data, 2)
        book.codes[format_id] = _text(book, data, 4 if wide else 3, length)
    elif kind == _XF:
        book.format_ids.append(struct.unpack_from("<H", data, 2)[0])


def _codec(code_page: int) -> str:
    name = {1200: "cp1252", 10000: "mac_roman", 32768: "mac_roman", 32769: "cp1252"}.get(code_page, f"cp{code_page}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"


def _text(book: _Globals, data: bytes, at: int, length: int) -> str:
    """Characters of a string whose length was read (2.5.240, 2.5.294; Excel 95 has bytes of its code page)."""
    if book.version != _BIFF8:
        return data[at : at + length].decode(book.code_page, "replace")
    if at < len(data) and data[at] & 1:
        return data[at + 1 : at + 1 + 2 * length].decode("utf-16-le", "replace")
    return data[at + 1 : at + 1 + length].decode("latin-1")


class _Cells:
    """Turns cell records into (row, column, text)."""

    def __init__(self, book: _Globals, styles: list[Shown | None]) -> None:
        self._book = book
        self._styles = styles

    def of(self, kind: int, data: bytes) -> Iterator[tuple[int, int, str | None]]:
        """The cells of a record; None for a formula's text, which is in the record that follows."""
        row, column, style = struct.unpack_from("<HHH", data)
        if kind == _LABEL_SST:
            yield row, column, self._shared(*struct.unpack_from("<I", data, 6))
        elif kind in {_LABEL, _RSTRING}:
            yield row, column, _text(self._book, data, 8, *struct.unpack_from("<H", data, 6))
        elif kind == _NUMBER:
            yield row, column, self._number(struct.unpack_from("<d", data, 6)[0], style)
        elif kind == _RK:
            yield row, column, self._number(rk(*struct.unpack_from("<I", data, 6)), style)
        elif kind == _MUL_RK:
            for again in range((len(data) - 6) // 6):
                style, bits = struct.unpack_from("<HI", data, 4 + 6 * again)
                yield row, column + again, self._number(rk(bits), style)
        elif kind == _BOOL_ERR:
            yield row, column, _bool_or_error(data[6], is_error=data[7] == 1)
        else:
            yield row, column, self._formula(data, style)

    def _formula(self, data: bytes, style: int) -> str | None:
        """The value a formula had (2.5.133)."""
        value = data[6:14]
        if value[6:] != b"\xff\xff":
            return self._number(struct.unpack("<d", value)[0], style)
        if value[0] == 0:
            return None
        return "" if value[0] == 3 else _bool_or_error(value[2], is_error=value[0] == 2)

    def _number(self, number: float, style: int) -> str:
        show = self._styles[style] if style < len(self._styles) else None
        return (show or plain)(number)

    def _shared(self, index: int) -> str:
        if index >= len(self._book.strings):
            raise CutShort(f"the shared string {index} is missing", reason="truncated")
        return self._book.strings[index]


def _bool_or_error(value: int, *, is_error: bool) -> str:
    return ERRORS.get(value, "#N/A") if is_error else "TRUE" if value else "FALSE"


def _cells(
    stream: OleStream, offset: int, book: _Globals, styles: list[Shown | None]
) -> Iterator[tuple[int, int, str]]:
    """Every cell of a sheet in the order of the file; charts inside the sheet are passed over."""
    read = _Cells(book, styles).of
    depth = 0
    waiting: tuple[int, int] | None = None
    for kind, data in _records(stream, offset):
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                return
        elif depth != 1:
            continue
        elif kind == _STRING and waiting is not None:
            yield *waiting, _text(book, data, 2, *struct.unpack_from("<H", data))
            waiting = None
        elif kind in _CELLS:
            for row, column, text in read(kind, data):
                if text is None:
                    waiting = row, column
                else:
                    yield row, column, text


def _rows(stream: OleStream, offset: int, book: _Globals, styles: list[Shown | None]) -> Iterator[Row]:
    """Rows in ascending order. Some writers store cells in the order they were set, column by column."""
    try:
        if _ascending(stream, offset):
            for row, cells in itertools.groupby(_cells(stream, offset, book, styles), operator.itemgetter(0)):
                placed: list[str] = []
                for _, column, text in cells:
                    place(placed, column, text)
                yield row + 1, placed
            return
        collected: dict[int, list[str]] = {}
        for row, column, text in _cells(stream, offset, book, styles):
            place(collected.setdefault(row, []), column, text)
        for row in sorted(collected):
            yield row + 1, collected[row]
    except (struct.error, IndexError) as error:
        raise CutShort("a record of a cell is too short", reason="truncated") from error


def _ascending(stream: OleStream, offset: int) -> bool:
    """Whether the cells stand row by row."""
    last = depth = 0
    try:
        for kind, data in _records(stream, offset):
            depth += (kind == _BOF) - (kind == _EOF)
            if depth <= 0:
                break
            if depth == 1 and kind in _CELLS:
                row = int.from_bytes(data[:2], "little")
                if row < last:
                    return False
                last = row
    except CutShort:
        return True
    return True
