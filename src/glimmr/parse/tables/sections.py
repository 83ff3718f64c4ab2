"""What stands between the items of a legacy table: further headers, totals, cells that say nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Places
from glimmr.parse.intake import Intake
from glimmr.parse.tables import legacy, legacy_header
from glimmr.parse.tables.amounts import NULL_TOKENS, Bools, valid_mask
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.flags import BIT
from glimmr.parse.tables.grid import cells_of_rows, part, widened, without
from glimmr.parse.tables.header import Columns
from glimmr.parse.tables.records import Rows

_SAMPLE_RECORDS = 300
_TOTAL = r"(?i)^\s*((grand|sub|report|overall|column)[ -]?)?totals?\s*:?\s*$"
_NUMERIC = r"^\s*[(]?-?[$]?\s*[\d.,]+[)]?\s*$"
_PERCENT = r"(?i)%|\bpercent"
_TOKENS = pa.array(sorted(NULL_TOKENS))


def of(columns: Columns, rows: Iterable[Rows], intake: Intake, places: Places) -> Iterator[tuple[Columns, Rows]]:
    """Each piece of the table with the columns it stands under (one object for all pieces of a section).

    A header that is repeated is no item; a line of totals is rejected.
    """
    later = False
    for block in rows:
        rest = widened(block, len(columns.names))
        while len(rest):
            at, found = _next_header(columns, rest)
            if at:
                body = part(rest, 0, at)
                kept = _without_totals(_as_long(body) if later else body, columns, intake, places)
                if len(kept):
                    yield columns, kept
            if found is None:
                break
            if _names(found.columns) != _names(columns):
                columns, later = found.columns, True
            rest = widened(part(rest, at + found.last + 1, len(rest)), len(columns.names))


def _names(columns: Columns) -> list[str]:
    return [name.casefold() for name in columns.names]


def prepared(columns: Columns, rows: Iterable[Rows]) -> tuple[Columns, Iterator[Rows]]:
    """The records of a section as the layouts read them."""
    told = (_without_null_tokens(block, columns) for block in rows)
    if "methodology" not in columns.known or not columns.groups:
        return columns, told
    return _with_percent_columns(columns), (_with_percentages(block, columns) for block in told)


def _without_null_tokens(block: Rows, columns: Columns) -> Rows:
    """`N/A` in a payer's column says that there is no rate: the cell counts as blank."""
    shown = list(block.columns)
    for index in {index for group in columns.groups for index in group.metrics.values()}:
        column = shown[index]
        if column.null_count < len(column):
            token = pc.is_in(pc.utf8_lower(column), value_set=_TOKENS)
            shown[index] = pc.if_else(token, pa.scalar(None, pa.string()), column)
    return replace(block, columns=shown)


def _with_percent_columns(columns: Columns) -> Columns:
    """Where records name a method, each payer's column may hold dollars or percentages: it counts as two columns."""
    width = len(columns.names)
    groups = [
        replace(group, metrics={**group.metrics, "negotiated_percentage": width + at})
        for at, group in enumerate(columns.groups)
    ]
    names = [columns.names[group.metrics["negotiated_dollar"]] for group in columns.groups]
    return replace(columns, names=columns.names + names, groups=groups)


def _with_percentages(block: Rows, columns: Columns) -> Rows:
    """What payers' columns hold in records whose method is a percentage (`% of Charges`) moves to the second column."""
    percent = pc.match_substring_regex(block.columns[columns.known["methodology"]], _PERCENT).fill_null(False)
    shown = list(block.columns)
    nothing = pa.scalar(None, pa.string())
    for group in columns.groups:
        index = group.metrics["negotiated_dollar"]
        shown.append(pc.if_else(percent, shown[index], nothing))
        shown[index] = pc.if_else(percent, nothing, shown[index])
    return replace(block, columns=shown)


def _as_long(rows: Rows) -> Rows:
    """Under a later header the width of the first one is no measure."""
    return replace(rows, bits=rows.bits & ~BIT["short_row"])


def _next_header(columns: Columns, rows: Rows) -> tuple[int, legacy_header.Found | None]:
    """Where the next header stands in the block, and what it says; the block's length and None without one."""
    for at in np.flatnonzero(_candidates(columns, rows)).tolist():
        record = cells_of_rows(rows, at, at + 1)[0]
        if not legacy_header.names_prices(record):
            continue
        found = legacy_header.header_at(cells_of_rows(rows, at, min(len(rows), at + _SAMPLE_RECORDS)), 0)
        if found is not None:
            return at, found
    return len(rows), None


def _candidates(columns: Columns, rows: Rows) -> Bools:
    """Records without a number where prices stand that follow a blank record or have a column's name there."""
    likely = np.concatenate([[False], np.diff(rows.numbers) > 1])
    numeric = np.zeros(len(rows), np.bool_)
    for index in legacy.price_columns(columns):
        column = rows.columns[index]
        if column.null_count == len(column):
            continue
        numbers = pc.match_substring_regex(column, _NUMERIC).fill_null(False).to_numpy(zero_copy_only=False)
        numeric |= numbers
        texts = np.flatnonzero(valid_mask(column) & ~numbers)
        if len(texts):
            encoded = column.take(pa.array(texts)).dictionary_encode()
            names = np.array([legacy_header.is_name(text) for text in encoded.dictionary.to_pylist()])
            likely[texts] |= names[encoded.indices.to_numpy()]
    return likely & ~numeric


def _without_totals(rows: Rows, columns: Columns, intake: Intake, places: Places) -> Rows:
    """A line of totals prices nothing: it is rejected."""
    told = {columns.known.get("description", 0), 0} | {code for code, _ in columns.codes.values() if code is not None}
    total = np.zeros(len(rows), np.bool_)
    for index in told:
        column = rows.columns[index]
        if column.null_count < len(column):
            total |= pc.match_substring_regex(column, _TOTAL).fill_null(False).to_numpy(zero_copy_only=False)
    if not total.any():
        return rows
    for at in np.flatnonzero(total).tolist():
        cells = [cell for cell in cells_of_rows(rows, at, at + 1)[0] if cell]
        intake.reject(f"{places.prefix}{rows.numbers[at]}", "total", " | ".join(cells))
    return without(rows, total)
