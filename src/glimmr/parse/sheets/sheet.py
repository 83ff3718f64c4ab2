"""A sheet as its readers give it: rows of text cells, numbered as a spreadsheet shows them."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

MAX_ROWS = 1_048_576  # ECMA-376 18.3.1.73: rows of a sheet
MAX_COLUMNS = 16_384  # columns A to XFD
ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}  # fmt: skip  # [MS-XLS] 2.5.10 and [MS-XLSB] 2.5.97.2


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook.

    `rows` gives the cells of every row from row 1 on, blank rows as empty lists; the blank rows below the last filled
    one are left out, and so are the blank cells at the end of a row. Reading them raises a ContentError (CutShort,
    Bomb, …) where the sheet breaks, after every row that is whole. It ends when the next sheet is asked for.
    """

    name: str
    format: str
    rows: Iterator[list[str]]
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Where a sheet begins in a file that holds its sheets one after another."""

    name: str
    hidden: bool = False


# A row's number from 1 (None: the one after the row before) and its cells.
Row = tuple[int | None, list[str]]


def in_order(rows: Iterator[Row]) -> Iterator[list[str]]:
    """Rows with their gaps filled. A number that goes back or beyond the last row counts as none."""
    following, given = 1, 0
    for claimed, cells in rows:
        number = claimed if claimed is not None and following <= claimed <= MAX_ROWS else following
        following = number + 1
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue  # a blank row only shows as a gap before the next filled one: a million of them cost nothing
        for _ in range(number - 1 - given):
            yield []
        yield cells
        given = number


def place(cells: list[str], at: int, text: str) -> None:
    """Put `text` into column `at` (from 0) of a row; a column that was filled before is written over."""
    if at < len(cells):
        cells[at] = text
    elif text:
        cells.extend([""] * (at - len(cells)))
        cells.append(text)


def split(format: str, marks: Iterator[Start | Row]) -> Iterator[Sheet]:  # noqa: A002 - the report's word
    """Sheets of a file that holds them one after another; what is not read of one is skipped."""
    ahead: Start | None = None

    def rows() -> Iterator[Row]:
        nonlocal ahead
        for mark in marks:
            if isinstance(mark, Start):
                ahead = mark
                return
            yield mark

    deque(rows(), 0)  # nothing stands before the first sheet
    while ahead is not None:
        start, ahead = ahead, None
        own = rows()
        yield Sheet(start.name, format, in_order(own), start.hidden)
        deque(own, 0)
