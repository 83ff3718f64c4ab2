"""The wide layout: payers stand in the header; each record is one charge with a rate per filled payer group."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Batch, Places
from glimmr.parse.tables import words
from glimmr.parse.tables.amounts import Bools, Ints, valid_mask
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.draft import Draft, TextsOf
from glimmr.parse.tables.header import Columns
from glimmr.parse.tables.items import keep_all, put_item, put_money
from glimmr.parse.tables.records import Rows
from glimmr.parse.tables.variants import with_variants

_MONEY = (
    "negotiated_dollar", "negotiated_percentage", "estimated_amount", "median_amount", "p10_amount", "p90_amount",
)  # fmt: skip
_TEXT = ("negotiated_algorithm", "payer_notes")


def read_wide(rows: Iterable[Rows], columns: Columns, places: Places) -> Iterator[Batch]:
    """Batches of charges and rates; rates stand in the order of the header within a record."""
    for block in rows:
        charges = Draft(len(block))
        put_item(charges, columns, block.columns.__getitem__)
        if "generic_notes" in columns.known:
            charges.put("generic_notes", block.columns[columns.known["generic_notes"]])
        records = places.of_records(block.numbers)
        if block.parts is not None:
            records = places.of_rates(records, block.parts)
        charges.put("source_pos", records)
        charges.add_bits(block.bits)
        if block.more is not None:
            keep_all(charges, block.more, "more")
        rates, owners = _rates(block, columns, records, places)
        items = len(block) if block.parts is None else len(np.unique(block.numbers))
        ones = np.ones(len(block), np.int64)
        merged = len(block) - items
        batch = Batch(charges=charges, rates=rates, owners=owners, records=ones, items=items, merged=merged)
        yield with_variants(batch, block, columns)


def _rates(block: Rows, columns: Columns, records: pa.Array, places: Places) -> tuple[Draft, Ints]:
    """One array per metric, payer group after payer group; then picked record after record."""
    groups = columns.groups
    rows = len(block)
    nothing = pa.nulls(rows, pa.string())
    filled = np.zeros((len(groups), rows), np.bool_)
    metrics: dict[str, pa.Array] = {}
    for metric in {name for group in groups for name in group.metrics}:
        cells = [block.columns[g.metrics[metric]] if metric in g.metrics else nothing for g in groups]
        if all(cell.null_count == rows for cell in cells):
            continue
        metrics[metric] = pa.concat_arrays(cells)
        filled |= valid_mask(metrics[metric]).reshape(len(groups), rows)
    owners, which = np.nonzero(filled.T)
    picked = pa.array(which * rows + owners)
    texts = {metric: cells.take(picked) for metric, cells in metrics.items()}
    rates = Draft(len(owners))
    _put_payer(rates, columns, which)
    first = [places.of_column(min(g.metrics.values()), columns.names[min(g.metrics.values())]) for g in groups]
    cells = pa.array(first, pa.string()).take(pa.array(which))
    rates.put("source_pos", pc.binary_join_element_wise(records.take(pa.array(owners)), cells, ""))
    rates.add_bits(block.bits[owners])
    _put_metrics(rates, columns, texts, which)
    return rates, owners


def _put_payer(rates: Draft, columns: Columns, which: Ints) -> None:
    groups = columns.groups
    group = pa.array(which)
    rates.put("payer_name", pa.array([g.payer for g in groups], pa.string()).take(group))
    rates.put("plan_name", pa.array([g.plan for g in groups], pa.string()).take(group))
    planless: Bools = np.array([g.plan is None for g in groups], np.bool_)
    if planless.any():
        rates.flag(planless[which], "header_no_plan")


def _put_metrics(rates: Draft, columns: Columns, texts: dict[str, pa.Array], which: Ints) -> None:
    for name in _TEXT:
        if name in texts:
            rates.put(name, texts[name])
    for name in _MONEY:
        if name in texts:
            put_money(rates, name, texts[name], _labels(columns, name, which))
    if "methodology" in texts:
        words.put_word(rates, "methodology", texts["methodology"], words.METHODOLOGIES, "unknown_methodology")
    if "allowed_count" in texts:
        words.put_counts(rates, texts["allowed_count"], _labels(columns, "allowed_count", which))


def _labels(columns: Columns, metric: str, which: Ints) -> TextsOf:
    """The published column name of a metric, for rates given by their rows."""
    names = [columns.names[g.metrics[metric]] if metric in g.metrics else "" for g in columns.groups]
    return lambda rows: pa.array([names[at] for at in which[rows].tolist()], pa.string())
