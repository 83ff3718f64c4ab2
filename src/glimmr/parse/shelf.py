"""One Parquet file of a price list, written as a stream in constant memory, laid out for looking up one code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glimmr.price_table import Column, schema

_SPARE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Form:
    """How a table is laid out: rows of a row group, and the columns that are written in a special way.

    Row groups are what a reader reads or leaves. Amounts are no dictionary: so many differ that plain integers are
    smaller, and written faster. A Bloom filter (Parquet format, BloomFilter) tells of most row groups that a code is
    not in them; `ndv` is how many different codes a row group may have, `fpp` how often it is wrong. Filters, and the
    least and greatest values (`ranges`), stay in memory until the file is closed: only columns that are looked up have
    them, and those whose ranges the lake's log tells.
    """

    group_rows: int
    dictionaries: tuple[str, ...]
    ranges: tuple[str, ...]
    encodings: Mapping[str, str] = field(default_factory=dict[str, str])
    bloom_filters: Mapping[str, Any] = field(default_factory=dict[str, Any])


_CHARGE_GROUP_ROWS = 8192  # a charge is wide, and a lookup wants few of them
_RATE_GROUP_ROWS = 40_960
_FORMS = {
    "charges": Form(
        _CHARGE_GROUP_ROWS,
        (
            "file_id", "member", "description", "code", "code_type", "codes.list.element.code",
            "codes.list.element.type", "hcpcs", "ms_drg", "ndc", "rev_code", "setting", "billing_class",
            "modifiers.list.element", "drug_unit", "drug_type", "generic_notes", "extra.key_value.key",
            "extra.key_value.value", "flags.list.element", "records", "rates",
        ),
        ("charge_id", "code", "code_type", "hcpcs", "ms_drg", "ndc", "rev_code", "setting"),
        {"charge_id": "DELTA_BINARY_PACKED", "source_pos": "DELTA_BYTE_ARRAY"},
        {
            "code": {"ndv": _CHARGE_GROUP_ROWS, "fpp": 0.05},
            "hcpcs": {"ndv": _CHARGE_GROUP_ROWS, "fpp": 0.05},
            "ndc": {"ndv": 1000, "fpp": 0.05},  # it is enough to know the many row groups without drugs
            "ms_drg": {"ndv": 1000, "fpp": 0.05},
            "rev_code": {"ndv": 1000, "fpp": 0.05},
        },
    ),
    "rates": Form(
        _RATE_GROUP_ROWS,
        (
            "file_id", "payer_name", "plan_name", "negotiated_algorithm", "methodology", "allowed_count_min",
            "allowed_count_max", "payer_notes", "extra.key_value.key", "extra.key_value.value", "flags.list.element",
        ),
        ("charge_id", "rate_id", "payer_name", "plan_name"),
        {"charge_id": "DELTA_BINARY_PACKED", "rate_id": "DELTA_BINARY_PACKED", "source_pos": "DELTA_BYTE_ARRAY"},
    ),
    "rejects": Form(_RATE_GROUP_ROWS, ("file_id", "member", "reason"), ()),
}  # fmt: skip


class Shelf:
    """One Parquet file that appears under its name only when it is whole, and only when it has rows."""

    def __init__(self, folder: Path, name: str, columns: tuple[Column, ...]) -> None:
        self._form = _FORMS[name]
        self._path = folder / f"{name}.parquet"
        self._part = folder / f".{name}.parquet.part"
        self.schema = schema(columns)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows; full row groups are written."""
        if not batch.num_rows:
            return
        self.rows += batch.num_rows
        self._waiting.append(_alone(batch))
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= self._form.group_rows:
            self._write(self._waiting_rows - self._waiting_rows % self._form.group_rows)

    def _write(self, rows: int) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._part,
                self.schema,
                compression="zstd",
                compression_level=3,
                use_dictionary=list(self._form.dictionaries),  # pyright: ignore[reportArgumentType] - names are fine too
                column_encoding=self._form.encodings or None,
                bloom_filter_options=self._form.bloom_filters or None,
                store_decimal_as_integer=True,
                write_statistics=list(self._form.ranges),  # pyright: ignore[reportArgumentType] - names are fine too
            )
        table = pa.Table.from_batches(self._waiting, self.schema)
        self._writer.write_table(table.slice(0, rows), row_group_size=self._form.group_rows)
        rest = table.slice(rows)
        # The rest is copied, or a few rows would keep the whole block's memory.
        self._waiting = rest.combine_chunks().to_batches() if rest.num_rows else []
        self._waiting_rows = rest.num_rows

    def close(self) -> None:
        """Write what waits and give the file its name."""
        if self._waiting_rows:
            self._write(self._waiting_rows)
        if self._writer is not None:
            self._writer.close()
            self._part.replace(self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self._writer is not None:
            self._writer.close()
        self._part.unlink(missing_ok=True)


def _alone(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, copied when it looks into much larger arrays: while it waits it would keep them all in memory."""
    if batch.get_total_buffer_size() < 2 * batch.nbytes + _SPARE_BYTES:
        return batch
    return batch.take(pa.array(np.arange(batch.num_rows)))
