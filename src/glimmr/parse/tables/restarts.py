"""Where the next section of a table begins: a further header, and the hospital's general data above it."""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from glimmr.parse.tables import header as headers
from glimmr.parse.tables import legacy, legacy_header
from glimmr.parse.tables.above import general_data, is_priced
from glimmr.parse.tables.amounts import Bools, Ints, valid_mask
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.grid import cells_of_rows, part
from glimmr.parse.tables.header import Columns
from glimmr.parse.tables.preamble import names_general_data
from glimmr.parse.tables.records import Rows
from glimmr.parse.tables.words import SETTINGS

_SAMPLE_RECORDS = 300
_ENOUGH_RECORDS = 20  # under a header tell what its columns are
_PREAMBLE_RECORDS = 10  # from the names of the general data to the header, at most
_WATCHED_COLUMNS = 32  # with prices: a record without any in these is looked at
_FIRST_CELLS = 64  # that a header would not begin with numbers in
_LETTER = 65  # `A`: no character of a number is from there on
_NUMERIC = r"^\s*[(]?-?[$]?\s*[\d.,]+[)]?\s*$"
_SETTINGS = pa.array(sorted(set(SETTINGS)))


@dataclass(frozen=True, slots=True)
class Restart:
    """A further header: `above` are the records of its section before it, `last` is how many records on it ends."""

    above: list[list[str]]
    last: int
    columns: Columns


class Candidates:
    """The records of a block that may begin a section, looked for once for all columns that have prices alike.

    `before` is the record number before the block.
    """

    def __init__(self, before: int) -> None:
        self._before = before
        self._found: dict[tuple[object, ...], list[int]] = {}

    def of(self, columns: Columns, rows: Rows, begin: int) -> Iterator[int]:
        """The candidates from record `begin` of the block on."""
        watched = sorted(legacy.price_columns(columns)) if columns.legacy else _watched(columns)
        key = (columns.legacy, columns.known.get("setting"), *watched)
        found = self._found.get(key)
        if found is None:
            before = int(rows.numbers[begin - 1]) if begin else self._before
            rest = part(rows, begin, len(rows))
            some = _of_legacy(rest, watched, before) if columns.legacy else _of_template(columns, rest, watched, before)
            found = self._found[key] = [begin + at for at in some]
        for index in range(bisect.bisect_left(found, begin), len(found)):
            yield found[index]


def next_restart(
    columns: Columns, rows: Rows, begin: int, candidates: Candidates, *, final: bool
) -> tuple[int, Restart | None]:
    """Where the section of record `begin` ends in a block, and the header of the next one.

    Without a header: at the end; or before it, when only what follows the block can tell (unless it is the last).
    """
    for at in candidates.of(columns, rows, begin):
        record = cells_of_rows(rows, at, at + 1)[0]
        if is_priced(columns, record):
            continue
        if headers.is_header(record):
            above = cells_of_rows(rows, max(begin, at - _PREAMBLE_RECORDS), at)
            general = general_data(columns, above)
            named = _read_header(record)
            if _names_items(named) and (general is not None or _is_understood(named)):
                above = [] if general is None else above[general:]
                return at - len(above), Restart(above, len(above), named)
        if names_general_data(record):
            above = cells_of_rows(rows, at, min(len(rows), at + _PREAMBLE_RECORDS))
            found = next((i for i, cells in enumerate(above) if i and _is_header(columns, cells)), None)
            if found is not None and general_data(columns, above[:found]) == 0:
                return at, Restart(above[:found], found, _read_header(above[found]))
            if found is None and len(above) < _PREAMBLE_RECORDS and not final:
                return at, None
        elif legacy_header.may_be_header(record) and legacy_header.names_prices(record):
            if len(rows) - at <= _ENOUGH_RECORDS and not final:
                return at, None
            named = legacy_header.header_at(cells_of_rows(rows, at, min(len(rows), at + _SAMPLE_RECORDS)), 0)
            if named is not None and (columns.legacy or _is_understood(named.columns)):
                return at, Restart([], named.last, named.columns)
    return len(rows), None


def _is_header(columns: Columns, record: list[str]) -> bool:
    return headers.is_header(record) and not is_priced(columns, record) and _names_items(_read_header(record))


def _is_understood(columns: Columns) -> bool:
    """Whether most names are known, those of an item among them: an item may quote a column's name, too."""
    unknown = len([1 for index, _ in columns.unknown if columns.names[index]])
    known = sum(map(bool, columns.names)) - unknown
    return known >= max(3, 2 * unknown) and _names_items(columns)


def _names_items(columns: Columns) -> bool:
    return "description" in columns.known or bool(columns.codes)


def _read_header(record: list[str]) -> Columns:
    """A header of CMS's: its block is as wide as the first one, its last name is its end."""
    width = max(at for at, cell in enumerate(record, 1) if cell)
    return headers.read_header(headers.within_limit(record[:width]))


def _after_blank(rows: Rows, before: int) -> Bools:
    """Records that follow a blank one."""
    return np.diff(rows.numbers, prepend=before) > 1


def _of_legacy(rows: Rows, prices: Sequence[int], before: int) -> list[int]:
    """Records without a number where prices stand that follow a blank record or have a column's name there."""
    likely = _after_blank(rows, before)
    numeric = np.zeros(len(rows), np.bool_)
    for index in prices:
        column = rows.columns[index]
        if column.null_count == len(column):
            continue
        numbers = _numbers(column)
        numeric |= numbers
        texts = np.flatnonzero(valid_mask(column) & ~numbers)
        if len(texts):
            encoded = column.take(pa.array(texts)).dictionary_encode()
            names = np.array([legacy_header.is_name(text) for text in encoded.dictionary.to_pylist()])
            likely[texts] |= names[encoded.indices.to_numpy()]
    return np.flatnonzero(likely & ~numeric).tolist()


def _numbers(column: pa.Array) -> Bools:
    return pc.match_substring_regex(column, _NUMERIC).fill_null(False).to_numpy(zero_copy_only=False)


def _of_template(columns: Columns, rows: Rows, watched: Sequence[int], before: int) -> Iterator[int]:
    """Records of a CMS table that have no price, no setting unless they follow a blank record, and no number in front.

    Almost every record has a price in a column without a letter: that is all that is asked of those.
    """
    numeric = np.zeros(len(rows), np.bool_)
    mixed: list[pa.Array] = []
    for index in watched:
        column = rows.columns[index]
        if column.null_count == len(column):
            continue
        if _has_letters(column):
            mixed.append(column)
            continue
        numeric |= valid_mask(column)
        if column.null_count == 0 or numeric.all():
            return
    left = np.flatnonzero(~numeric & (_after_blank(rows, before) | ~_has_setting(columns, rows)))
    for column in mixed:
        if not len(left):
            return
        left = left[~_numbers(column.take(pa.array(left)))]
    yield from (at for at, cells in zip(left.tolist(), _first_cells(rows, left), strict=True) if _may_begin(cells))


def _watched(columns: Columns) -> list[int]:
    """The price columns that are most often filled come first."""
    own = ("gross_charge", "discounted_cash", "negotiated_dollar", "min_negotiated", "max_negotiated",
           "negotiated_percentage", "estimated_amount", "median_amount")  # fmt: skip
    inside = [
        group.metrics[name]
        for name in ("negotiated_dollar", "negotiated_percentage")
        for group in columns.groups[:_WATCHED_COLUMNS]
        if name in group.metrics
    ]
    return [*(columns.known[name] for name in own if name in columns.known), *inside][:_WATCHED_COLUMNS]


def _has_letters(column: pa.Array) -> bool:
    """Whether a letter stands in any cell of a column."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)
    begin, end = ends[column.offset], ends[column.offset + len(column)]
    return bool(end > begin and np.frombuffer(data, np.uint8)[begin:end].max() >= _LETTER)


def _has_setting(columns: Columns, rows: Rows) -> Bools:
    if "setting" not in columns.known:
        return np.zeros(len(rows), np.bool_)
    known = pc.is_in(pc.utf8_lower(rows.columns[columns.known["setting"]]), value_set=_SETTINGS)
    return known.to_numpy(zero_copy_only=False)


def _first_cells(rows: Rows, at: Ints) -> list[list[str]]:
    """The first cells of these records."""
    index = pa.array(at)
    columns = [column.take(index) for column in rows.columns[:_FIRST_CELLS]]
    return cells_of_rows(replace(rows, columns=columns, numbers=rows.numbers[at], more=None, parts=None), 0, len(at))


def _may_begin(cells: Sequence[str]) -> bool:
    return not any(legacy_header.is_no_name(cell) for cell in cells if cell)
