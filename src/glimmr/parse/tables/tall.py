"""The tall layout: a record for each payer-plan; records in a row that differ only in payer columns are one charge."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Batch, positions
from glimmr.parse.tables import words
from glimmr.parse.tables.amounts import Bools, Ints, valid_mask
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.draft import Draft
from glimmr.parse.tables.header import TALL_PAYER_COLUMNS, Columns
from glimmr.parse.tables.items import keep_all, put_item, put_money
from glimmr.parse.tables.records import Rows

_MONEY = (
    "negotiated_dollar", "negotiated_percentage", "estimated_amount", "median_amount", "p10_amount", "p90_amount",
)  # fmt: skip
_TEXT = ("payer_name", "plan_name", "negotiated_algorithm")


def read_tall(rows: Iterable[Rows], columns: Columns) -> Iterator[Batch]:
    """Batches of charges and rates. A charge may go on in the next batch (`Batch.lead_records`)."""
    known = columns.known
    makes_rate = [i for name, i in known.items() if name in TALL_PAYER_COLUMNS and name != "payer_notes"]
    payer = {i for name, i in known.items() if name in TALL_PAYER_COLUMNS}
    own = [i for i in range(len(columns.names)) if i not in payer and i != known.get("generic_notes")]
    last: list[str | None] | None = None
    for block in rows:
        rated = np.zeros(len(block), np.bool_)
        for index in makes_rate:
            rated |= valid_mask(block.columns[index])
        notes = _charge_notes(block, columns, rated)
        compared = [block.columns[i] for i in own] + [notes, _more(block)]
        fresh = _changes(compared, len(block))
        values = [column[0].as_py() for column in compared]
        fresh[0] = last is None or values != last
        last = [column[-1].as_py() for column in compared]
        yield _batch(block, columns, rated, notes, fresh)


def _more(block: Rows) -> pa.Array:
    return pa.nulls(len(block), pa.string()) if block.more is None else block.more


def _charge_notes(block: Rows, columns: Columns, rated: Bools) -> pa.Array:
    """The generic notes of records without a payer; those of a record with one are said of its rate."""
    if "generic_notes" not in columns.known:
        return pa.nulls(len(block), pa.string())
    texts = block.columns[columns.known["generic_notes"]]
    return pc.if_else(pa.array(rated), pa.scalar(None, pa.string()), texts) if rated.any() else texts


def _changes(compared: list[pa.Array], rows: int) -> Bools:
    """Where a record differs from the one before it, null being a value too."""
    fresh = np.zeros(rows, np.bool_)
    for column in compared:
        if column.null_count == rows or rows < 2:
            continue
        differs = pc.not_equal(column[1:], column[:-1])
        if column.null_count:
            valid = valid_mask(column)
            fresh[1:] |= differs.fill_null(False).to_numpy(zero_copy_only=False) | (valid[1:] != valid[:-1])
        else:
            fresh[1:] |= differs.to_numpy(zero_copy_only=False)
    return fresh


def _batch(block: Rows, columns: Columns, rated: Bools, notes: pa.Array, fresh: Bools) -> Batch:
    starts = np.flatnonzero(fresh)
    index = pa.array(starts)
    charges = Draft(len(starts))
    put_item(charges, columns, lambda at: block.columns[at].take(index))
    charges.put("generic_notes", notes.take(index))
    charges.put("source_pos", positions("R", pa.array(block.numbers[starts])))
    charges.add_bits(block.bits[starts])
    if block.more is not None:
        keep_all(charges, block.more.take(index), "more")
    owners = np.cumsum(fresh) - 1
    with_rate = np.flatnonzero(rated)
    return Batch(
        charges=charges,
        rates=_rates(block, columns, with_rate),
        owners=owners[with_rate],
        records=np.diff(np.append(starts, len(block))),
        items=len(block),
        lead_records=int(starts[0]) if len(starts) else len(block),
    )


def _rates(block: Rows, columns: Columns, chosen: Ints) -> Draft:
    rates = Draft(len(chosen))
    known = columns.known
    whole = len(chosen) == len(block)
    index = pa.array(chosen)

    def cell(name: str) -> pa.Array:
        column = block.columns[known[name]]
        return column if whole else column.take(index)

    rates.put("source_pos", positions("R", pa.array(block.numbers[chosen])))
    rates.add_bits(block.bits[chosen])
    for name in _TEXT:
        if name in known:
            rates.put(name, cell(name))
    for name in _MONEY:
        if name in known:
            put_money(rates, name, cell(name), columns.names[known[name]])
    if "methodology" in known:
        words.put_word(rates, "methodology", cell("methodology"), words.METHODOLOGIES, "unknown_methodology")
    if "allowed_count" in known:
        words.put_counts(rates, cell("allowed_count"), columns.names[known["allowed_count"]])
    _put_notes(rates, columns, cell)
    return rates


def _put_notes(rates: Draft, columns: Columns, cell: Callable[[str], pa.Array]) -> None:
    """A record's payer notes, else its generic notes; where it has both the generic ones go to `extra`."""
    notes = cell("generic_notes") if "generic_notes" in columns.known else None
    if "payer_notes" not in columns.known:
        if notes is not None:
            rates.put("payer_notes", notes)
        return
    own = cell("payer_notes")
    rates.put("payer_notes", own if notes is None else pc.coalesce(own, notes))
    if notes is not None:
        both = pc.if_else(own.is_valid(), notes, pa.scalar(None, pa.string()))
        keep_all(rates, both, columns.names[columns.known["generic_notes"]])
