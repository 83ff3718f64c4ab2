"""What a format hands over: some charges and their rates in columns."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from glimmr.model import storable
from glimmr.parse.tables.amounts import Ints
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.draft import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Charges and rates of some items, in source order.

    `owners` says for each rate which charge of this batch it belongs to (ascending; -1: the last charge of the batch
    before). `records` are the source records of each charge; `lead_records` more belong to the last charge of the
    batch before. `items` are the source items read for this batch; `merged` of its charges share their item with
    another one (JSON: an item with several settings).
    """

    charges: Draft
    rates: Draft
    owners: Ints
    records: Ints
    items: int
    lead_records: int = 0
    merged: int = 0
    record_places: Callable[[slice], list[str]] | None = None

    def places_of_charge(self, row: int, most: int) -> list[str]:
        """The positions of the first few records of a charge in this batch."""
        if self.record_places is None or self.records[row] == 1:
            return [self.charges.columns["source_pos"][row].as_py()]
        first = self.lead_records + int(self.records[:row].sum())
        return self.record_places(slice(first, first + min(most, int(self.records[row]))))

    def places_of_lead(self, most: int) -> list[str]:
        """The positions of the first few records that belong to the last charge of the batch before."""
        return [] if self.record_places is None else self.record_places(slice(0, min(most, self.lead_records)))


@dataclass(frozen=True, slots=True)
class Places:
    """How positions are written: records as `R1234` or `/items/12`, a payer's column as `C57` or by its `/name`."""

    prefix: str = "R"
    by_name: bool = False

    def of_records(self, numbers: Ints) -> pa.Array:
        """The positions of records."""
        return pc.binary_join_element_wise(storable(self.prefix), pa.array(numbers).cast(pa.string()), "")

    def of_rates(self, records: pa.Array, parts: Ints) -> pa.Array:
        """The positions of rates nested in records; a part of -1 is the record itself."""
        nested = pc.binary_join_element_wise(records, "/p/", pa.array(parts).cast(pa.string()), "")
        return pc.if_else(pa.array(parts < 0), records, nested)

    def of_column(self, index: int, name: str) -> str:
        """What is added to a record's position for its column `index` (from 0)."""
        if not self.by_name:
            return f"C{index + 1}"
        return "/" + storable(name).replace("~", "~0").replace("/", "~1")  # RFC 6901
