"""Several prices of one legacy record (inpatient and outpatient, two discounts): each is a charge of its own."""

import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Batch
from glimmr.parse.tables.amounts import Bools, Ints, blank_to_null, valid_mask
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.draft import Draft, Kept
from glimmr.parse.tables.header import Columns, Variant
from glimmr.parse.tables.items import flag_min_over_max, put_money
from glimmr.parse.tables.records import Rows

_ALIKE = ("description", "drug_type", "code", "code_type", "codes", "hcpcs", "ms_drg", "ndc", "rev_code",
          "billing_class", "modifiers", "source_pos")  # fmt: skip


def with_variants(batch: Batch, block: Rows, columns: Columns) -> Batch:
    """The batch with a charge for every further variant that says something the first does not.

    Equal prices of two settings are one charge of setting `both`. Rates and notes stay with the record's first charge.
    """
    if not columns.variants:
        return batch
    first = batch.charges
    settings = _settings(first, columns.variants[0])
    drafts, rows = [first], [np.arange(len(block))]
    for variant in columns.variants[1:]:
        present = _present(block, variant)
        same = present & _same(block, columns.variants[0], variant) if variant.setting else np.zeros_like(present)
        settings = pc.if_else(pa.array(same), pa.scalar("both"), settings)
        chosen = np.flatnonzero(present & ~same)
        if len(chosen):
            drafts.append(_draft(first, block, columns, variant, chosen))
            rows.append(chosen)
    if columns.variants[0].setting:
        first.put("setting", settings)
    if len(drafts) == 1:
        return batch
    return _merged(batch, drafts, rows)


def _settings(first: Draft, variant: Variant) -> pa.Array:
    published = first.columns.get("setting", pa.nulls(first.rows, pa.string()))
    return pc.coalesce(published, pa.scalar(variant.setting, pa.string()))


def _present(block: Rows, variant: Variant) -> Bools:
    present = np.zeros(len(block), np.bool_)
    for index in variant.money.values():
        present |= valid_mask(block.columns[index])
    return present


def _same(block: Rows, first: Variant, variant: Variant) -> Bools:
    """Where every price of a variant is the first's of the same role."""
    same = np.ones(len(block), np.bool_)
    for role, index in variant.money.items():
        if role not in first.money:
            return np.zeros(len(block), np.bool_)
        equal = pc.equal(block.columns[index], block.columns[first.money[role]]).fill_null(False)
        same &= equal.to_numpy(zero_copy_only=False) | ~valid_mask(block.columns[index])
    return same


def _draft(first: Draft, block: Rows, columns: Columns, variant: Variant, chosen: Ints) -> Draft:
    index = pa.array(chosen)
    draft = Draft(len(chosen))
    for name in _ALIKE:
        if name in first.columns:
            draft.put(name, first.columns[name].take(index))
    for role, at in variant.money.items():
        put_money(draft, role, block.columns[at].take(index), columns.names[at])
    if "setting" in first.columns or variant.setting:
        published = first.columns.get("setting", pa.nulls(first.rows, pa.string())).take(index)
        draft.put("setting", pa.repeat(pa.scalar(variant.setting), len(chosen)) if variant.setting else published)
    if variant.note:
        draft.put("generic_notes", blank_to_null(pa.repeat(pa.scalar(variant.note), len(chosen))))
    flag_min_over_max(draft)
    draft.flag(np.ones(draft.rows, np.bool_), "header_alias")
    draft.add_bits(block.bits[chosen])
    return draft


def _merged(batch: Batch, drafts: list[Draft], rows: list[Ints]) -> Batch:
    """All drafts as one, record by record; a record's first charge keeps its rates."""
    of_record = np.concatenate(rows)
    order = np.argsort(of_record, kind="stable")
    new_place = np.empty_like(order)
    new_place[order] = np.arange(len(order))
    merged = Draft(len(order))
    index = pa.array(order)
    names = dict.fromkeys(name for draft in drafts for name in draft.columns)
    for name in names:
        kind = next(draft.columns[name].type for draft in drafts if name in draft.columns)
        parts = [draft.columns.get(name, pa.nulls(draft.rows, kind)) for draft in drafts]
        merged.put(name, pa.concat_arrays(parts).take(index))
    merged.add_bits(np.concatenate([draft.all_bits() for draft in drafts])[order])
    begin = 0
    for draft in drafts:
        for kept in draft.kept:
            merged.kept.append(_moved(kept, new_place[kept.rows + begin]))
        begin += draft.rows
    firsts = new_place[: len(rows[0])]
    return Batch(
        charges=merged,
        rates=batch.rates,
        owners=firsts[batch.owners],
        records=np.ones(len(order), np.int64),
        items=batch.items,
        merged=len(order) - batch.items,
    )


def _moved(kept: Kept, rows: Ints) -> Kept:
    """The same texts at other rows (their order stays, as every draft is in record order)."""
    return Kept(rows, kept.labels, kept.texts, kept.flag)
