"""The two Parquet files of a price list (and the rejects), written as a stream in constant memory."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glimmr.parse.batch import Batch
from glimmr.price_table import CHARGES, RATES, REJECTS, Column, schema

ROW_GROUP_ROWS = 20_480  # small enough that a lookup of one code reads little (PARSING.md §8)
_DICTIONARY = {
    "charges": (
        "file_id", "member", "description", "code", "code_type", "codes.list.element.code", "codes.list.element.type",
        "hcpcs", "ms_drg", "ndc", "rev_code", "setting", "billing_class", "modifiers.list.element", "drug_unit",
        "drug_type", "gross_charge", "discounted_cash", "min_negotiated", "max_negotiated", "generic_notes",
        "extra.key_value.key", "extra.key_value.value", "flags.list.element", "records", "rates",
    ),
    "rates": (
        "file_id", "payer_name", "plan_name", "negotiated_dollar", "negotiated_percentage", "negotiated_algorithm",
        "methodology", "estimated_amount", "median_amount", "p10_amount", "p90_amount", "allowed_count_min",
        "allowed_count_max", "payer_notes", "extra.key_value.key", "extra.key_value.value", "flags.list.element",
    ),
    "rejects": ("file_id", "member", "reason"),
}  # fmt: skip
_ENCODINGS = {
    "charges": {"charge_id": "DELTA_BINARY_PACKED", "source_pos": "DELTA_BYTE_ARRAY"},
    "rates": {"charge_id": "DELTA_BINARY_PACKED", "rate_id": "DELTA_BINARY_PACKED", "source_pos": "DELTA_BYTE_ARRAY"},
    "rejects": {},
}


class Shelf:
    """One Parquet file that appears under its name only when it is whole, and only when it has rows."""

    def __init__(self, folder: Path, name: str, columns: tuple[Column, ...]) -> None:
        self._path = folder / f"{name}.parquet"
        self._part = folder / f".{name}.parquet.part"
        self._name = name
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
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= ROW_GROUP_ROWS:
            self._write(self._waiting_rows - self._waiting_rows % ROW_GROUP_ROWS)

    def _write(self, rows: int) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._part,
                self.schema,
                compression="zstd",
                compression_level=3,
                use_dictionary=list(_DICTIONARY[self._name]),  # pyright: ignore[reportArgumentType] - names are fine too
                column_encoding=_ENCODINGS[self._name] or None,
                store_decimal_as_integer=True,
                write_statistics=True,
            )
        table = pa.Table.from_batches(self._waiting, self.schema)
        self._writer.write_table(table.slice(0, rows), row_group_size=ROW_GROUP_ROWS)
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


class PriceList:
    """Numbers charges and rates densely over the whole file and puts them on their shelves."""

    def __init__(self, folder: Path, file_id: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("charges", "rates", "rejects"):
            (folder / f"{name}.parquet").unlink(missing_ok=True)
        self._file_id = file_id
        self._charges = Shelf(folder, "charges", CHARGES)
        self._rates = Shelf(folder, "rates", RATES)
        self._rejects = Shelf(folder, "rejects", REJECTS)
        self._open: pa.RecordBatch | None = None  # the last charge: the next batch may add to it
        self.charges = 0
        self.rates = 0
        self.rejects = 0

    def add(self, batch: Batch, member: str | None) -> None:
        """Take a batch of one member."""
        first = self.charges
        columns = batch.charges.table(CHARGES)
        rows = batch.charges.rows
        counts = np.bincount(batch.owners + 1, minlength=rows + 1)
        self._continue(batch.lead_records, int(counts[0]))
        if rows:
            self.close_charge()
            columns["file_id"] = pa.repeat(pa.scalar(self._file_id), rows)
            columns["charge_id"] = pa.array(np.arange(first, first + rows))
            columns["member"] = pa.repeat(pa.scalar(member, pa.string()), rows)
            columns["records"] = pa.array(batch.records.astype(np.int32))
            columns["rates"] = pa.array(counts[1:].astype(np.int32))
            table = pa.RecordBatch.from_arrays(
                [columns[name] for name in self._charges.schema.names], schema=self._charges.schema
            )
            self._charges.add(table.slice(0, rows - 1))
            self._open = table.slice(rows - 1)
            self.charges += rows
        self._add_rates(batch, first)

    def _add_rates(self, batch: Batch, first: int) -> None:
        rows = batch.rates.rows
        if not rows:
            return
        columns = batch.rates.table(RATES)
        columns["file_id"] = pa.repeat(pa.scalar(self._file_id), rows)
        columns["charge_id"] = pa.array(batch.owners + first)
        columns["rate_id"] = pa.array(np.arange(self.rates, self.rates + rows))
        self._rates.add(
            pa.RecordBatch.from_arrays([columns[name] for name in self._rates.schema.names], schema=self._rates.schema)
        )
        self.rates += rows

    def _continue(self, records: int, rates: int) -> None:
        if not records and not rates:
            return
        if self._open is None:
            raise AssertionError("a batch goes on with a charge that was never begun")
        row = self._open
        for name, more in (("records", records), ("rates", rates)):
            at = self._charges.schema.get_field_index(name)
            value = pa.array([row.column(at)[0].as_py() + more], pa.int32())
            row = row.set_column(at, self._charges.schema.field(at), value)
        self._open = row

    def close_charge(self) -> None:
        """The last charge is whole: nothing will add to it (a member ends)."""
        if self._open is not None:
            self._charges.add(self._open)
            self._open = None

    def reject(self, member: str | None, position: str, reason: str, raw: str) -> None:
        """An item that is in no row, and why; `raw` is cut to 2 kB."""
        short = raw.encode("utf-8", "replace")[:2048].decode("utf-8", "ignore")
        self.rejects += 1
        values = {"file_id": self._file_id, "member": member, "position": position, "reason": reason, "raw": short}
        self._rejects.add(pa.RecordBatch.from_pylist([values], schema=self._rejects.schema))

    def close(self) -> None:
        """Everything is in: the files get their names."""
        self.close_charge()
        for shelf in (self._charges, self._rates, self._rejects):
            shelf.close()

    def abandon(self) -> None:
        """The work ends here: leave no partial file."""
        for shelf in (self._charges, self._rates, self._rejects):
            shelf.abandon()
