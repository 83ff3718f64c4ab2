"""Where the header of a free-form table stands: in one record or two, under a title, or nowhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glimmr.parse.tables.header import Columns
from glimmr.parse.tables.legacy import columns_of, unknown_columns
from glimmr.parse.tables.roles import is_number
from glimmr.parse.tables.vocabulary import PRICES, Role, named

SEARCHED_RECORDS = 50
_SAMPLE_RECORDS = 1000
_NEARLY = 0.7  # of the best header's score; a later one may be the header of a later section
_MOST_NUMERIC = 1 / 3  # of a header's cells; and they are years
_FEWEST_PRICED = 10
_MOSTLY_PRICED = 0.8
_LONGEST_NAME = 100  # characters
_YEAR = re.compile(r"(19|20)\d\d")
_REPORTS = re.compile(
    r"(percent|%).{0,30}(change|increase)|(change|increase).{0,30}(percent|%)|gross revenue", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Found:
    """A header: the records it stands in (indices from 0), its columns, and how sure it is."""

    first: int
    last: int
    columns: Columns
    score: float


def find_header(records: Sequence[Sequence[str]]) -> Found | None:
    """The first of the good headers among the first records; None when no record names a price above numbers."""
    found = [header_at(records, at) for at in range(min(SEARCHED_RECORDS, len(records)))]
    headers = [header for header in found if header is not None]
    best = max((header.score for header in headers), default=0.0)
    return next((header for header in headers if header.score >= _NEARLY * best), None)


def headerless(records: Sequence[Sequence[str]]) -> Found | None:
    """A list of texts and dollar amounts that names no column; `last` is the record before the first amount.

    Only dollar signs prove a price here, so most records must have one, always in the same column.
    """
    priced = [(at, *found) for at, cells in enumerate(records) if (found := _text_and_amount(cells)) is not None]
    filled = sum(1 for cells in records if sum(1 for cell in cells if cell.strip()) > 1)
    if len(priced) < _FEWEST_PRICED or len(priced) < _MOSTLY_PRICED * filled:
        return None
    (_, text, amount), *_ = priced
    same = [one for one in priced if one[1:] == (text, amount)]
    if len(same) < _MOSTLY_PRICED * len(priced):
        return None
    columns = Columns([f"column {index + 1}" for index in range(max(map(len, records)))], legacy=True, told=False)
    columns.known = {Role.DESCRIPTION.value: text, Role.GROSS.value: amount}
    columns.unknown = unknown_columns(columns.names, {text, amount})
    return Found(priced[0][0], priced[0][0] - 1, columns, 0.0)


def _text_and_amount(cells: Sequence[str]) -> tuple[int, int] | None:
    """Where a record's one text and its one dollar amount stand."""
    amounts = [index for index, cell in enumerate(cells) if "$" in cell and is_number(cell)]
    texts = [index for index, cell in enumerate(cells) if any(map(str.isalpha, cell)) and not is_number(cell)]
    return (texts[0], amounts[0]) if len(amounts) == 1 and texts else None


def header_at(records: Sequence[Sequence[str]], at: int) -> Found | None:
    """The header in record `at` and, when the next goes on with it, in two records."""
    cells = records[at]
    if not may_be_header(cells):
        return None
    best = _judged(records, at, at, _under_spans(records, at))
    if at + 1 < len(records) and _goes_on(cells, records[at + 1]):
        joined = _judged(records, at, at + 1, _joined(cells, records[at + 1]))
        if joined is not None and (best is None or joined.score >= best.score):
            return joined
    return best


def names_items(cells: Sequence[str]) -> bool:
    """Whether a record names what a table of items has: a description or codes, and another column."""
    said = _said(cells)
    return len(said) > 1 and bool({Role.DESCRIPTION, Role.CODE} & set(said)) and may_be_header(cells)


def names_prices(cells: Sequence[str]) -> bool:
    """Whether a record names a price and something else a table has."""
    said = _said(cells)
    return bool(PRICES & set(said)) and len(set(said) - {Role.UNKNOWN}) > 1 and may_be_header(cells)


def is_name(cell: str) -> bool:
    """Whether a cell is the name of something that tables of prices have."""
    return len(cell) < _LONGEST_NAME and named(cell).role is not Role.UNKNOWN


def is_no_name(cell: str) -> bool:
    """Whether a cell is a number that is no year."""
    return is_number(cell) and not _YEAR.fullmatch(cell.strip())


def _said(cells: Sequence[str]) -> list[Role]:
    return [named(cell).role for cell in cells if cell.strip() and len(cell) < _LONGEST_NAME]


def may_be_header(cells: Sequence[str]) -> bool:
    """Whether a record could name columns: two texts at least, and no number but years."""
    filled = [cell.strip() for cell in cells if cell and not cell.isspace()]
    years = sum(1 for cell in filled if _YEAR.fullmatch(cell))
    numbers = sum(map(is_number, filled))
    return len(filled) - years >= 2 and numbers == years and years <= _MOST_NUMERIC * len(filled)


def _judged(records: Sequence[Sequence[str]], first: int, last: int, names: Sequence[str]) -> Found | None:
    sample = records[last + 1 : last + 1 + _SAMPLE_RECORDS]
    columns = columns_of(names, sample)
    if columns is None or (
        not columns.codes and _REPORTS.search(" ".join(cell for r in records[:first] for cell in r))
    ):
        return None
    filled = sum(1 for name in names if name.strip())
    known = filled - len([1 for index, _ in columns.unknown if names[index].strip()])
    # Long sentences are no column names; of equal headers the first counts.
    prose = sum(1 for name in names if len(name) > 80 and not columns.groups)
    return Found(first, last, columns, known + known / max(1, filled) - 2 * prose - first / 1000)


def _under_spans(records: Sequence[Sequence[str]], at: int) -> list[str]:
    """The names of record `at`; where they repeat (IP, OP, IP, OP), the cell spanning them above goes before."""
    cells = [cell.strip() for cell in records[at]]
    named = [cell for cell in cells if cell]
    above = [cell.strip() for cell in records[at - 1]] if at else []
    if len(set(named)) == len(named) or sum(1 for cell in above if cell) < 2 or any(map(is_number, above)):
        return cells
    spanning, names = "", list[str]()
    for index, cell in enumerate(cells):
        spanning = (above[index] if index < len(above) else "") or spanning
        names.append(f"{spanning} {cell}" if cell and named.count(cell) > 1 and spanning else cell)
    return names


def _goes_on(cells: Sequence[str], following: Sequence[str]) -> bool:
    """Whether the next record is the second line of the header: no number, and text under a filled cell at the end."""
    filled = [index for index, cell in enumerate(following) if cell.strip()]
    if len(filled) < 2 or any(is_number(following[index]) or len(following[index]) > 40 for index in filled):
        return False
    return all(index < len(cells) and cells[index].strip() for index in filled)


def _joined(cells: Sequence[str], following: Sequence[str]) -> list[str]:
    width = max(len(cells), len(following))
    padded = [list(record) + [""] * (width - len(record)) for record in (cells, following)]
    return [f"{above.strip()} {below.strip()}".strip() for above, below in zip(*padded, strict=True)]
