"""ods (OpenDocument 1.3 part 3, 9.1): sheets as they stream out of content.xml."""

import re
from collections.abc import Iterator

from glimmr.parse.limits import Limits
from glimmr.parse.sheets.numbers import number_text
from glimmr.parse.sheets.pull import Element, attribute, attributes, chunks, events, local, whole_number
from glimmr.parse.sheets.sheet import MAX_COLUMNS, MAX_ROWS, Row, Sheet, Start, split
from glimmr.parse.unpack import Budget, Stream

_PADDED = re.compile(r"0\d+|\d+(-\d+)+")
_ASIDE = frozenset(("annotation", "note", "ruby-text"))  # texts beside the cell's own


def sheets(stream: Stream, limits: Limits, budget: Budget) -> Iterator[Sheet]:
    """Every sheet of a content.xml."""
    return split("ods", _marks(stream, limits, budget))


def _marks(stream: Stream, limits: Limits, budget: Budget) -> Iterator[Start | Row]:
    hidden: set[str | None] = set()
    following = 1
    names = ("style", "table-row", "spreadsheet")
    for opening, one in events(chunks(stream), names, limits, starts=("table",)):
        name = local(one)
        if opening:
            following = 1
            yield Start(attribute(one, "name") or "", attribute(one, "style-name") in hidden)
        elif name == "spreadsheet":
            return
        elif name == "style":
            if any(attribute(child, "display") == "false" for child in one if local(child) == "table-properties"):
                hidden.add(attribute(one, "name"))
        else:
            repeats = min(whole_number(attribute(one, "number-rows-repeated")) or 1, MAX_ROWS)
            cells = _cells(one)
            for again in range(repeats if cells else 0):
                if again:
                    budget.spend(sum(map(len, cells)) + len(cells))  # a row said once and shown a million times
                yield following + again, list(cells)
            following += repeats


def _cells(row: Element) -> list[str]:
    """The cells of a row up to the last filled one."""
    cells: list[str] = []
    blank = 0
    for cell in row:
        if local(cell) not in {"table-cell", "covered-table-cell"}:
            continue
        said = attributes(cell)
        repeats = whole_number(said.get("number-columns-repeated")) or 1
        text = _text(cell, said)
        if not text:
            blank += repeats
            continue
        room = MAX_COLUMNS - len(cells)
        cells += [""] * min(blank, room - 1) + [text] * min(repeats, room)
        blank = 0
    return cells


def _text(cell: Element, said: dict[str, str]) -> str:
    """A cell's value (19.386): a number's shortest text unless only zeros pad it, a date in ISO, else what is shown."""
    kind = said.get("value-type")
    if kind in {"float", "currency", "percentage"}:
        value = number_text(said.get("value", ""))
        seen = _paragraphs(cell) if kind == "float" else ""
        return seen if _PADDED.fullmatch(seen) and seen.replace("-", "").lstrip("0") == value.lstrip("0") else value
    if kind == "date":
        return said.get("date-value", "").removesuffix("T00:00:00")
    if kind == "boolean":
        return said.get("boolean-value", "").upper()
    return said.get("string-value") or _paragraphs(cell) if len(cell) or kind else ""


def _paragraphs(cell: Element) -> str:
    return "\n".join(_shown(child) for child in cell if local(child) == "p")


def _shown(element: Element) -> str:
    """The text of a paragraph (6.1): runs, links, spaces, tabs, line breaks."""
    texts = [element.text or ""]
    for child in element:
        name = local(child)
        if name == "s":
            texts.append(" " * min(whole_number(attribute(child, "c")) or 1, 32_767))
        elif name in {"tab", "line-break"}:
            texts.append("\t" if name == "tab" else "\n")
        elif name not in _ASIDE:
            texts.append(_shown(child))
        texts.append(child.tail or "")
    return "".join(texts)
