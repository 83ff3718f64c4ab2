"""A price list as one flat file, for people: Parquet, CSV or newline-delimited JSON, in source order.

The columns are those of the view `prices`. Charges and rates stand in the same order, and a charge says how many rates
it has: so one walk over both, side by side, is the join, in constant memory.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from glimmr.errors import NotReconciled, UsageError
from glimmr.price_table import CHARGES, RATES, schema

_SLICE_ROWS = 16_384
_FROM_CHARGES = [c.name for c in CHARGES if c.name != "rates"]
_FROM_RATES = {
    c.name: f"rate_{c.name}" if c.name in {"source_pos", "extra", "flags"} else c.name
    for c in RATES
    if c.name not in {"file_id", "charge_id"}
}
_CHARGES = schema(CHARGES)
_RATES = schema(RATES)
SCHEMA = pa.schema(
    [_CHARGES.field(name) for name in _FROM_CHARGES]
    + [_RATES.field(name).with_name(shown).with_nullable(True) for name, shown in _FROM_RATES.items()]
)
"""The columns of the view `prices`."""


def write_flat(charges: Path, rates: Path | None, to: Path) -> int:
    """Write a price list's charges with their rates to `to` (.parquet, .csv or .ndjson); the number of rows.

    `rates` may be missing (nobody has negotiated anything). `to` appears whole or not at all. In CSV, lists and maps
    are JSON text, and a text a spreadsheet would take for a formula gets an apostrophe in front (OWASP ASVS 1.2.10);
    numbers stay numbers. Raises UsageError for another ending, NotReconciled when charges and rates do not fit.
    """
    writers: dict[str, Callable[[Path], _Writer]] = {".parquet": _ParquetRows, ".csv": _CsvRows, ".ndjson": _JsonRows}
    kind = writers.get(to.suffix.lower())
    if kind is None:
        raise UsageError(f"{to}: the ending says the kind of file, one of {', '.join(writers)}")
    unfinished = to.with_name(f".{to.name}.{os.getpid()}.tmp")
    rows = 0
    try:
        writer = kind(unfinished)
        try:
            for part in flat(charges, rates):
                writer.write(part)
                rows += part.num_rows
        finally:
            writer.close()
        unfinished.replace(to)
    finally:
        unfinished.unlink(missing_ok=True)
    return rows


def flat(charges: Path, rates: Path | None) -> Iterator[pa.Table]:
    """The view `prices` of one price list, in source order, in parts of about 16,000 rows."""
    with ExitStack() as open_files:
        held = open_files.enter_context(pq.ParquetFile(charges))
        cursor = _Rates(open_files.enter_context(pq.ParquetFile(rates)) if rates and rates.exists() else None)
        for batch in held.iter_batches(_SLICE_ROWS):
            part = pa.Table.from_batches([batch])
            for start, stop in _slices(part["rates"].to_numpy()):
                yield _join(part.slice(start, stop - start), cursor)
        if cursor.left():
            raise NotReconciled("there are rates that belong to no charge")


def _slices(counts: np.ndarray[Any, Any]) -> Iterator[tuple[int, int]]:
    """Cut a batch of charges so that each part gives about `_SLICE_ROWS` flat rows."""
    number = np.cumsum(np.maximum(counts, 1)) // _SLICE_ROWS
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(counts)]
    yield from pairwise(edges)


def _join(charges: pa.Table, cursor: "_Rates") -> pa.Table:
    counts = charges["rates"].to_numpy()
    rates = cursor.take(int(counts.sum()))
    which = np.repeat(np.arange(len(counts)), np.maximum(counts, 1))
    has_rate = np.repeat(counts > 0, np.maximum(counts, 1))
    numbers = np.cumsum(has_rate) - 1
    left = charges.select(_FROM_CHARGES).take(pa.array(which))
    right = rates.take(pa.array(numbers, mask=~has_rate))
    if not np.array_equal(rates["charge_id"].to_numpy(), left["charge_id"].to_numpy()[has_rate]):
        raise NotReconciled("rates do not stand in the order of their charges")
    columns = [*left.columns, *(right[name] for name in _FROM_RATES)]
    return pa.table(columns, names=SCHEMA.names).cast(SCHEMA).combine_chunks()


class _Rates:
    """A cursor over the rates: `take` gives the next ones."""

    def __init__(self, file: pq.ParquetFile | None) -> None:
        self._batches = file.iter_batches(_SLICE_ROWS) if file else iter(())
        self._held = _RATES.empty_table()

    def take(self, rows: int) -> pa.Table:
        parts = [self._held]
        have = self._held.num_rows
        while have < rows:
            batch = next(self._batches, None)
            if batch is None:
                raise NotReconciled("charges count more rates than there are")
            parts.append(pa.Table.from_batches([batch]).cast(_RATES))
            have += batch.num_rows
        held = pa.concat_tables(parts)
        self._held = held.slice(rows)
        return held.slice(0, rows)

    def left(self) -> bool:
        return self._held.num_rows > 0 or next(self._batches, None) is not None


class _Writer(Protocol):
    def write(self, part: pa.Table) -> None: ...
    def close(self) -> None: ...


class _ParquetRows:
    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetWriter(path, SCHEMA, compression="zstd", compression_level=3)

    def write(self, part: pa.Table) -> None:
        self._file.write_table(part)

    def close(self) -> None:
        self._file.close()


class _CsvRows:
    def __init__(self, path: Path) -> None:
        names = [pa.field(f.name, pa.string() if pa.types.is_nested(f.type) else f.type) for f in SCHEMA]
        self._file = pa_csv.CSVWriter(path, pa.schema(names))

    def write(self, part: pa.Table) -> None:
        columns = [_csv_column(column.combine_chunks()) for column in part.columns]
        self._file.write_table(pa.table(columns, names=SCHEMA.names))

    def close(self) -> None:
        self._file.close()


def _csv_column(column: pa.Array) -> pa.Array:
    if pa.types.is_string(column.type):
        risky = pc.call_function("match_substring_regex", [column], pc.MatchSubstringOptions(r"^[=+\-@\t\r\x00]"))
        marked = pc.call_function("binary_join_element_wise", [pa.scalar("'"), column, pa.scalar("")])
        return pc.call_function("if_else", [risky, marked, column])
    if pa.types.is_nested(column.type):
        values = column.to_pylist(maps_as_pydicts="lossy") if pa.types.is_map(column.type) else column.to_pylist()
        return pa.array([json.dumps(value, ensure_ascii=False) if value else None for value in values], pa.string())
    return column


class _JsonRows:
    """One object a line. DuckDB writes it: its JSON keeps every digit of a decimal."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._connection = duckdb.connect()

    def write(self, part: pa.Table) -> None:
        self._connection.register("part", part)
        texts = self._connection.execute("SELECT to_json(part)::VARCHAR FROM part").fetchall()
        self._connection.unregister("part")
        self._file.writelines(f"{text}\n" for (text,) in texts)

    def close(self) -> None:
        self._file.close()
        self._connection.close()
