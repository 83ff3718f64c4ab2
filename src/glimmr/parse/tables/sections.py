"""What stands between the items of a table: further headers, and in legacy tables totals, cells that say nothing."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Places
from glimmr.parse.intake import Intake
from glimmr.parse.tables import preamble
from glimmr.parse.tables.amounts import NULL_TOKENS, Ints
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.flags import BIT
from glimmr.parse.tables.grid import cells_of_rows, joined, narrowed, part, widened, without
from glimmr.parse.tables.header import Columns
from glimmr.parse.tables.records import Rows
from glimmr.parse.tables.restarts import Candidates, Restart, next_restart

_TOTAL = r"(?i)^\s*((grand|sub|report|overall|column)[ -]?)?totals?\s*:?\s*$"
_PERCENT = r"(?i)%|\bpercent"
_TOKENS = pa.array(sorted(NULL_TOKENS))


def of(
    columns: Columns, rows: Iterable[Rows], intake: Intake, places: Places, *, number: int
) -> Iterator[tuple[Columns, Rows]]:
    """Each piece of the table with the columns it stands under (one object for all pieces of a section).

    A header that is repeated is no item, nor are the general data above one; a line of totals is rejected. `number` is
    the record number of the first header.
    """
    later = False
    held: Rows | None = None  # the end of a block that only the next one explains
    for block in itertools.chain(rows, [None]):
        rest = held if block is None else block if held is None else joined(held, block)
        held = None
        if rest is None:
            return
        rest = widened(rest, len(columns.names))
        begin, candidates = 0, Candidates(number)
        while begin < len(rest):
            at, found = next_restart(columns, rest, begin, candidates, final=block is None)
            if at > begin:
                number = int(rest.numbers[at - 1])
                kept = _kept(part(rest, begin, at), columns, intake, places, later=later)
                if len(kept):
                    yield columns, kept
            if found is None:
                held = part(rest, at, len(rest)) if at < len(rest) else None
                break
            later = later or _names(found.columns) != _names(columns)
            columns = _restarted(columns, found, rest.numbers[at:], intake, places)
            begin = at + found.last + 1
            number = int(rest.numbers[begin - 1])
            rest = widened(rest, len(columns.names))


def _kept(rows: Rows, columns: Columns, intake: Intake, places: Places, *, later: bool) -> Rows:
    """The records of a section without totals. Under another header the width of the first one is no measure."""
    if later:
        rows = replace(rows, bits=rows.bits & ~BIT["short_row"])
    rows = narrowed(rows, len(columns.names))
    return _without_totals(rows, columns, intake, places) if columns.legacy else rows


def _restarted(columns: Columns, found: Restart, numbers: Ints, intake: Intake, places: Places) -> Columns:
    """The columns from here on, after the further header is told and judged; `numbers` begin where its section does."""
    again = _names(found.columns) == _names(columns)
    if again and columns.legacy:
        return columns
    number = int(numbers[found.last])
    general = preamble.of_records(found.above)
    name = "hospital_name" if general.hospital_name else None
    said = general.hospital_name or " | ".join(filter(None, found.columns.names))
    intake.findings.add("GL-SECTION", f"{places.prefix}{number}", name=name, value=said)
    if again and not found.above:
        return columns
    intake.rules.section(found.columns, found.above, general, number=number, first=int(numbers[0]), places=places)
    return found.columns


def _names(columns: Columns) -> list[str]:
    width = max((at for at, name in enumerate(columns.names, 1) if name), default=0)
    return [name.casefold() for name in columns.names[:width]]


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
