"""xlsx and xlsm (ECMA-376 part 1, strict and transitional): sheets as they stream out of their XML."""

import itertools
import re
import string
from collections.abc import Callable, Iterator

from glimmr.errors import ContentError, CutShort
from glimmr.parse.sheets.book import Book, Entry
from glimmr.parse.sheets.numbers import Shown, number_text, shown
from glimmr.parse.sheets.parts import Parts
from glimmr.parse.sheets.pull import Element, attribute, chunks, elements, events, local, whole_number
from glimmr.parse.sheets.regular import CELL, Regular
from glimmr.parse.sheets.sheet import MAX_COLUMNS, Row, place
from glimmr.parse.sheets.strings import Strings

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")  # ST_Xstring (22.9.2.19): a character XML cannot carry
_REFERENCE = re.compile(r"&(#?\w+);")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_LETTERS = string.ascii_uppercase
_COLUMNS = {
    letters: at
    for at, letters in enumerate(
        itertools.islice(
            ("".join(names) for length in (1, 2, 3) for names in itertools.product(_LETTERS, repeat=length)),
            MAX_COLUMNS,
        )
    )
}
_RECENT = 1 << 16  # texts kept as they were given last: most of a table's texts stand in it again and again
_TRUE = frozenset(("1", "true", "on"))
_BOOLEANS = {"1": "TRUE", "0": "FALSE", "true": "TRUE", "false": "FALSE"}


def book(parts: Parts, workbook: str) -> Book:
    """What the workbook part says: its sheets, and how their cells are to be read."""
    relations = parts.relations(workbook)
    by_type = dict(relations.values())
    entries: list[Entry] = []
    from_1904 = False
    for one in elements(parts.open(workbook), ("sheet", "workbookPr"), parts.limits):
        if local(one) == "workbookPr":
            from_1904 = one.get("date1904", "0") in _TRUE
            continue
        _, target = relations.get(attribute(one, "id") or "", ("", ""))
        entries.append(Entry(one.get("name") or "", target, one.get("state", "visible") != "visible"))
    styles = _styles(parts, by_type.get("styles", "xl/styles.xml"), from_1904)
    strings, failure = _strings(parts, by_type.get("sharedStrings", "xl/sharedStrings.xml"))
    cells = _Cells(strings, failure, styles)
    return Book("xlsx", entries, lambda part: _rows(parts, part, cells))


def _strings(parts: Parts, name: str) -> tuple[Strings, ContentError | None]:
    """The shared strings, and what ended them too early."""
    strings = Strings()
    if name not in parts:
        return strings, None
    try:
        for one in elements(parts.open(name), ("si",), parts.limits):
            strings.append(_text(one))
    except CutShort as failure:
        return strings, failure
    return strings, None


def _text(element: Element) -> str:
    """The text of a string item: its own or that of its runs, without phonetic guides (18.4.8, 18.4.4, 18.4.6)."""
    if len(element) == 1 and not len(element[0]):
        return _unescaped(element[0].text) if local(element[0]) == "t" else ""
    texts: list[str] = []
    for child in element:
        name = local(child)
        if name == "t":
            texts.append(child.text or "")
        elif name == "r":
            texts += [one.text or "" for one in child if local(one) == "t"]
    return _unescaped("".join(texts))


def _unescaped(text: str | None) -> str:
    if not text or "_x" not in text:
        return text or ""
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    # Half of a pair of surrogates is no character.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _resolved(text: str) -> str:
    """Text with its references to characters replaced (XML 1.0, 4.1, 4.6)."""
    return _unescaped(_REFERENCE.sub(_character, text))


def _character(found: re.Match[str]) -> str:
    name = found[1]
    if not name.startswith("#"):
        return _NAMED[name]
    number = int(name[2:], 16) if name[1] == "x" else int(name[1:])
    return "\ufffd" if 0xD800 <= number <= 0xDFFF else chr(number)


def _styles(parts: Parts, name: str, from_1904: bool) -> list[Shown | None]:
    """For each cell style how it shows numbers; [] when no style says anything (or the part is damaged)."""
    codes: dict[int, str] = {}
    shown_by: list[Shown | None] = []
    if name not in parts:
        return shown_by
    try:
        for one in elements(parts.open(name), ("numFmt", "cellXfs"), parts.limits):
            if local(one) == "numFmt":
                # Differential formats further down have numFmt too; those come after cellXfs and are not used.
                codes.setdefault(whole_number(one.get("numFmtId")) or 0, one.get("formatCode") or "")
                continue
            ids = [whole_number(style.get("numFmtId")) or 0 for style in one]
            shown_by = [shown(number, codes.get(number), from_1904=from_1904) for number in ids]
    except CutShort:
        return shown_by
    return shown_by


class _Cells:
    """Turns the cells of a row into texts."""

    def __init__(self, strings: Strings, failure: ContentError | None, styles: list[Shown | None]) -> None:
        self._strings = strings
        self._recent: dict[str, str] = {}
        self._failure = failure
        self._styles = {str(i): show for i, show in enumerate(styles) if show is not None}
        self._of_type: dict[str, Callable[[str], str]] = {
            "str": _unescaped,
            "inlineStr": _unescaped,
            "b": lambda value: _BOOLEANS.get(value, value),
            "e": str,
            "d": lambda value: value.removesuffix("T00:00:00"),
        }

    def of_text(self, row: str) -> list[str]:
        """The cells of a regular row, by its text."""
        cells: list[str] = []
        shared = self._shared
        for letters, style, kind, value, inline in CELL.findall(row):
            if kind == "s" and value:
                text = shared(value)
            elif value:
                text = self._value(kind, style, _resolved(value) if "&" in value else value)
            else:
                text = _resolved(inline) if "&" in inline else _unescaped(inline)
            at = _COLUMNS.get(letters, len(cells))
            if at == len(cells):
                cells.append(text)
            else:
                place(cells, at, text)
        return cells

    def of(self, row: Element) -> list[str]:
        """The cells of a `row` element."""
        cells: list[str] = []
        for cell in row:
            letters = (cell.get("r") or "").rstrip("0123456789")
            place(cells, _COLUMNS.get(letters, len(cells)), self._of(cell))
        return cells

    def _of(self, cell: Element) -> str:
        value = kept = None
        for child in cell:
            name = local(child)
            if name == "v":
                value = child.text
            elif name == "is":
                kept = _text(child)
        return self._value(cell.get("t", ""), cell.get("s", ""), value) if value else kept or ""

    def _value(self, kind: str, style: str, value: str) -> str:
        if kind == "s":
            return self._shared(value)
        if kind in self._of_type:
            return self._of_type[kind](value)
        return number_text(value, self._styles.get(style))

    def _shared(self, value: str) -> str:
        text = self._recent.get(value)
        if text is None:
            text = self._string(value)
            if len(self._recent) >= _RECENT:
                self._recent.clear()
            self._recent[value] = text
        return text

    def _string(self, value: str) -> str:
        try:
            return self._strings[int(value)]
        except (ValueError, IndexError) as error:
            message = f"the shared string {value} is missing"
            raise self._failure or CutShort(message, reason="truncated") from error


def _rows(parts: Parts, part: str, cells: _Cells) -> Iterator[Row]:
    regular = Regular(chunks(parts.open(part)))
    for number, text in regular.rows():
        yield number, cells.of_text(text)
    for _, one in events(regular.rest(), ("row", "sheetData"), parts.limits):
        if local(one) == "sheetData":
            return
        yield whole_number(one.get("r")), cells.of(one)
