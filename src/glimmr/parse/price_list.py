"""The charges and rates of a price list, numbered densely over the whole file, on their way to their Parquet files."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from glimmr.model import storable
from glimmr.parse.batch import Batch
from glimmr.parse.shelf import Shelf
from glimmr.price_table import CHARGES, RATES, REJECTS


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
        self._rejects.add(pa.RecordBatch.from_pylist([storable(values)], schema=self._rejects.schema))

    def close(self) -> None:
        """Everything is in: the files get their names."""
        self.close_charge()
        for shelf in (self._charges, self._rates, self._rejects):
            shelf.close()

    def abandon(self) -> None:
        """The work ends here: leave no partial file."""
        for shelf in (self._charges, self._rates, self._rejects):
            shelf.abandon()
