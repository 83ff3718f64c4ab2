"""Records of cells, one by one → columns of text in blocks."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from glimmr.parse.tables.amounts import blank_to_null
from glimmr.parse.tables.flags import BIT
from glimmr.parse.tables.records import Rows

_BLOCK_CELLS = 400_000
_FEWEST_RECORDS = 100


def rows_of(records: Iterable[Sequence[str]], width: int, number: int) -> Iterator[Rows]:
    """Records from `number` on as blocks of `width` columns; blank ones are numbered and left out.

    A sheet leaves trailing blank cells out, so a short record is nothing odd.
    """
    most = max(_FEWEST_RECORDS, _BLOCK_CELLS // max(1, width))
    numbered = ((at, record) for at, record in enumerate(records, number) if any(cell.strip() for cell in record))
    while chunk := list(itertools.islice(numbered, most)):
        yield _block(chunk, width)


def _block(chunk: Sequence[tuple[int, Sequence[str]]], width: int) -> Rows:
    bits = np.zeros(len(chunk), np.int64)
    more: list[str | None] = [None] * len(chunk)
    cells: list[Sequence[str]] = []
    for row, (_, record) in enumerate(chunk):
        rest = [*record[width:]]
        while rest and not rest[-1].strip():
            rest.pop()
        if rest:
            bits[row] = BIT["long_row"]
            more[row] = json.dumps(rest, ensure_ascii=False)
        cells.append(record)
    columns = [text_column([record[at] if at < len(record) else None for record in cells]) for at in range(width)]
    beyond = pa.array(more, pa.string()) if any(more) else None
    return Rows(columns, np.array([number for number, _ in chunk], np.int64), bits, beyond)


def text_column(cells: Sequence[str | None]) -> pa.Array:
    """Cells as a column: outer blanks removed, null where nothing is left."""
    return blank_to_null(pa.array(cells, pa.string()))


def widened(rows: Rows, width: int) -> Rows:
    """The same records with at least `width` columns: the cells beyond the header become columns of their own."""
    missing = width - len(rows.columns)
    if missing <= 0:
        return rows
    beyond: list[list[str]] = [
        json.loads(text) if text else []
        for text in (rows.more.to_pylist() if rows.more is not None else [None] * len(rows))
    ]
    columns = [text_column([cells[at] if at < len(cells) else None for cells in beyond]) for at in range(missing)]
    left = [json.dumps(cells[missing:], ensure_ascii=False) if len(cells) > missing else None for cells in beyond]
    more = pa.array(left, pa.string()) if any(left) else None
    bits = rows.bits & ~np.where([text is None for text in left], BIT["long_row"], 0)
    return Rows(rows.columns + columns, rows.numbers, bits, more, rows.parts)


def narrowed(rows: Rows, width: int) -> Rows:
    """The same records with at most `width` columns: what stands in the others is beyond the header."""
    beyond = [column for column in rows.columns[width:] if column.null_count < len(column)]
    if not beyond:
        return rows
    cells = cells_of_rows(replace(rows, columns=rows.columns[width:]), 0, len(rows))
    more: list[str | None] = []
    for record in cells:
        while record and not record[-1]:
            record.pop()
        more.append(json.dumps(record, ensure_ascii=False) if record else None)
    bits = rows.bits | np.where([text is not None for text in more], BIT["long_row"], 0)
    return replace(rows, columns=rows.columns[:width], bits=bits, more=pa.array(more, pa.string()))


def joined(first: Rows, second: Rows) -> Rows:
    """Two blocks as one, as wide as the wider one."""
    width = max(len(first.columns), len(second.columns))
    first, second = widened(first, width), widened(second, width)
    columns = [pa.concat_arrays(pair) for pair in zip(first.columns, second.columns, strict=True)]
    more = None
    if first.more is not None or second.more is not None:
        both = [pa.nulls(len(rows), pa.string()) if rows.more is None else rows.more for rows in (first, second)]
        more = pa.concat_arrays(both)
    numbers = np.concatenate([first.numbers, second.numbers])
    return Rows(columns, numbers, np.concatenate([first.bits, second.bits]), more)


def part(rows: Rows, begin: int, end: int) -> Rows:
    """Some records of a block."""
    if end - begin == len(rows):
        return rows
    return Rows(
        [column.slice(begin, end - begin) for column in rows.columns],
        rows.numbers[begin:end],
        rows.bits[begin:end],
        None if rows.more is None else rows.more.slice(begin, end - begin),
        None if rows.parts is None else rows.parts[begin:end],
    )


def without(rows: Rows, dropped: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Rows:
    """A block without some records."""
    kept = pa.array(np.flatnonzero(~dropped))
    return Rows(
        [column.take(kept) for column in rows.columns],
        rows.numbers[~dropped],
        rows.bits[~dropped],
        None if rows.more is None else rows.more.take(kept),
        None if rows.parts is None else rows.parts[~dropped],
    )


def cells_of_rows(rows: Rows, begin: int, end: int) -> list[list[str]]:
    """Some records of a block as lists of cells, the ones beyond the header included."""
    columns = [column.slice(begin, end - begin).to_pylist() for column in rows.columns]
    records = [[cell or "" for cell in record] for record in zip(*columns, strict=True)]
    if rows.more is not None:
        for record, text in zip(records, rows.more.slice(begin, end - begin).to_pylist(), strict=True):
            record.extend(json.loads(text) if text else [])
    return records
