"""The tall layout: a record for each payer-plan; records in a row that differ only in payer columns are one charge."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Batch, Places
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


def read_tall(rows: Iterable[Rows], columns: Columns, places: Places) -> Iterator[Batch]:
    """Batches of charges and rates. A charge may go on in the next batch (`Batch.lead_records`).

    Where records are parts of an item (`Rows.parts`), it is whole within its batch and makes several charges where
    what is said of the charge changes from part to part.
    """
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
        if block.parts is not None:
            yield _batch(
                block, columns, places, rated=rated, notes=notes, fresh=_charges_of(block, columns, own, rated)
            )
            continue
        compared = [block.columns[i] for i in own] + [notes, _more(block)]
        fresh = _changes(compared, len(block))
        values = [column[0].as_py() for column in compared]
        fresh[0] = last is None or values != last
        last = [column[-1].as_py() for column in compared]
        yield _batch(block, columns, places, rated=rated, notes=notes, fresh=fresh)


def _items(block: Rows) -> Bools:
    """Where the next item begins."""
    return np.concatenate([[True], block.numbers[1:] != block.numbers[:-1]])[: len(block)]


def _charges_of(block: Rows, columns: Columns, own: list[int], rated: Bools) -> Bools:
    """Where the next charge of nested records begins; what no rate could carry begins one too."""
    unknown = {index for index, _ in columns.unknown}
    said = _changes([block.columns[index] for index in own if index not in unknown], len(block))
    anything = _changes([block.columns[index] for index in own] + [_more(block)], len(block))
    return _items(block) | said | (anything & ~rated)


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


def _batch(block: Rows, columns: Columns, places: Places, *, rated: Bools, notes: pa.Array, fresh: Bools) -> Batch:
    starts = np.flatnonzero(fresh)
    index = pa.array(starts)
    charges = Draft(len(starts))
    put_item(charges, columns, lambda at: block.columns[at].take(index))
    charges.put("generic_notes", notes.take(index))
    records = places.of_records(block.numbers[starts])
    charges.put("source_pos", records if block.parts is None else _inner(block, places, starts, records))
    charges.add_bits(block.bits[starts])
    if block.more is not None:
        keep_all(charges, block.more.take(index), "more")
    owners = np.cumsum(fresh) - 1
    with_rate = np.flatnonzero(rated)
    rates = _rates(block, columns, places, with_rate)
    if block.parts is not None:
        _keep_differing(rates, block, columns, starts[owners], with_rate)
        items = int(_items(block).sum())
        ones = np.ones(len(starts), np.int64)
        merged = len(starts) - items
        return Batch(charges=charges, rates=rates, owners=owners[with_rate], records=ones, items=items, merged=merged)
    return Batch(
        charges=charges,
        rates=rates,
        owners=owners[with_rate],
        records=np.diff(np.append(starts, len(block))),
        items=len(block),
        lead_records=int(starts[0]) if len(starts) else len(block),
        record_places=lambda some: places.of_records(block.numbers[some]).to_pylist(),
    )


def _inner(block: Rows, places: Places, starts: Ints, records: pa.Array) -> pa.Array:
    """An item's first charge stands where the item does, a further one where its first part does."""
    first = _items(block)[starts]
    parts = block.parts if block.parts is not None else np.full(len(block), -1)
    return places.of_rates(records, np.where(first, -1, parts[starts]))


def _keep_differing(rates: Draft, block: Rows, columns: Columns, begins: Ints, chosen: Ints) -> None:
    """What nobody knows of and differs from the charge's own goes to `extra` of the rate it stands beside."""
    of_charge, index = pa.array(begins), pa.array(chosen)
    beyond = [] if block.more is None else [(block.more, "more")]
    for column, label in [*((block.columns[at], label) for at, label in columns.unknown), *beyond]:
        if column.null_count < len(column):
            same = pc.equal(column, column.take(of_charge)).fill_null(False)
            keep_all(rates, pc.if_else(same, pa.scalar(None, pa.string()), column).take(index), label)


def _rates(block: Rows, columns: Columns, places: Places, chosen: Ints) -> Draft:
    rates = Draft(len(chosen))
    known = columns.known
    whole = len(chosen) == len(block)
    index = pa.array(chosen)

    def cell(name: str) -> pa.Array:
        column = block.columns[known[name]]
        return column if whole else column.take(index)

    records = places.of_records(block.numbers[chosen])
    rates.put("source_pos", records if block.parts is None else places.of_rates(records, block.parts[chosen]))
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
