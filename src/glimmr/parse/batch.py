"""What a format hands over: some charges and their rates in columns."""

from dataclasses import dataclass

import pyarrow as pa

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


def positions(prefix: str, numbers: pa.Array) -> pa.Array:
    """`R1`, `R2`, … of an integer array."""
    return pc.binary_join_element_wise(prefix, numbers.cast(pa.string()), "")
