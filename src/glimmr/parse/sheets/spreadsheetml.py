"""SpreadsheetML 2003 (Microsoft Office 2003 XML Reference Schemas): worksheets as they stream out of one XML."""

from collections.abc import Iterator

from glimmr.parse.limits import Limits
from glimmr.parse.sheets.numbers import Shown, number_text, padding
from glimmr.parse.sheets.pull import Element, attribute, attributes, events, local, whole_number
from glimmr.parse.sheets.sheet import MAX_COLUMNS, Row, Sheet, Start, place, split
from glimmr.parse.text import Readable, Text

_BOOLEANS = {"1": "TRUE", "0": "FALSE"}
# Characters that XML forbids (XML 1.0, 2.2) and real files have; they become blanks.
_CONTROLS = bytes(32 if byte < 32 and byte not in b"\t\n\r" else byte for byte in range(256))


def sheets(stream: Readable, limits: Limits) -> Iterator[Sheet]:
    """Every worksheet."""
    return split("spreadsheetml", _marks(stream, limits))


def _marks(stream: Readable, limits: Limits) -> Iterator[Start | Row]:
    following = 1
    styles: dict[str | None, Shown] = {}
    names = ("Style", "Row", "Workbook")
    for opening, one in events(_clean(stream), names, limits, starts=("Worksheet",), utf8=True):
        name = local(one)
        if opening:
            following = 1
            yield Start(attribute(one, "Name") or "")
        elif name == "Workbook":
            return
        elif name == "Style":
            show = _number_format(one)
            if show is not None:
                styles[attribute(one, "ID")] = show
        else:
            number = whole_number(attribute(one, "Index")) or following
            yield number, _cells(one, styles)
            # A row with ss:Span stands for itself and that many blank ones.
            following = number + 1 + (whole_number(attribute(one, "Span")) or 0)


def _clean(stream: Readable) -> Iterator[bytes]:
    """The document as UTF-8 that begins with its declaration, without what XML forbids."""
    first = True
    for block in Text(stream, 1 << 18):
        data = block.data.translate(_CONTROLS)
        yield data.lstrip() if first else data
        first = False


def _number_format(style: Element) -> Shown | None:
    """How a style pads codes. Dates have a type of their own, and formats names such as `Standard` or `Currency`."""
    codes = [attribute(child, "Format") for child in style if local(child) == "NumberFormat"]
    return padding(codes[0] or "") if codes else None


def _cells(row: Element, styles: dict[str | None, Shown]) -> list[str]:
    """ss:Index jumps to a column; ss:MergeAcross covers further ones, where the value does not stand again."""
    cells: list[str] = []
    at = 0
    for cell in row:
        if local(cell) != "Cell":
            continue
        said = attributes(cell)
        index = whole_number(said.get("Index"))
        at = min(index - 1 if index else at, MAX_COLUMNS - 1)
        place(cells, at, _text(cell, styles.get(said.get("StyleID"))))
        at += 1 + (whole_number(said.get("MergeAcross")) or 0)
    return cells


def _text(cell: Element, show: Shown | None) -> str:
    for child in cell:
        if local(child) == "Data":
            text = "".join(child.itertext()) if len(child) else child.text or ""
            kind = attribute(child, "Type")
            if kind == "Number":
                return number_text(text, show)
            if kind == "Boolean":
                return _BOOLEANS.get(text.strip(), text)
            if kind == "DateTime":
                return text.removesuffix(".000").removesuffix("T00:00:00")
            return text
    return ""
