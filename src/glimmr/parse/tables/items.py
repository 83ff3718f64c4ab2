"""The columns of `charges` that every CMS CSV layout has, from cells of text."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from glimmr.parse.tables import words
from glimmr.parse.tables.amounts import Ints, micros, of_texts, valid_mask
from glimmr.parse.tables.codes import put_codes, told_types
from glimmr.parse.tables.draft import Draft, Label, texts_of
from glimmr.parse.tables.header import Columns

Cell = Callable[[int], pa.Array]  # column index → the cells of that column, one for each row of the draft
_CHARGE_MONEY = ("gross_charge", "discounted_cash", "min_negotiated", "max_negotiated", "drug_unit")


def put_item(draft: Draft, columns: Columns, cell: Cell) -> None:
    """Everything of an item and its charge but notes, position and record flags."""
    known = columns.known
    for name in ("description", "drug_type"):
        if name in known:
            draft.put(name, cell(known[name]))
    for name in _CHARGE_MONEY:
        if name in known:
            put_money(draft, name, cell(known[name]), columns.names[known[name]])
    if "setting" in known:
        settings = words.LEGACY_SETTINGS if columns.legacy else words.SETTINGS
        words.put_word(draft, "setting", cell(known["setting"]), settings, "unknown_setting")
    if "billing_class" in known:
        texts = cell(known["billing_class"])
        words.put_word(draft, "billing_class", texts, words.BILLING_CLASSES, "unknown_billing_class")
    if "modifiers" in known:
        words.put_modifiers(draft, cell(known["modifiers"]))
    put_code_columns(draft, columns, cell)
    for index, label in columns.unknown:
        keep_all(draft, cell(index), label)
    if columns.aliased:
        draft.flag(np.ones(draft.rows, np.bool_), "header_alias")
    flag_min_over_max(draft)


def put_money(draft: Draft, name: str, texts: pa.Array, label: Label) -> None:
    """A money column of `draft` from texts."""
    if texts.null_count < len(texts):
        draft.money(name, of_texts(texts), label, texts_of(texts))
        if name == "negotiated_percentage":
            flag_fractions(draft)


def flag_fractions(draft: Draft) -> None:
    """A percentage of 1 or less is perhaps a fraction (CMS: 70.5, not .705)."""
    percentages = draft.columns["negotiated_percentage"]
    values = micros(percentages)
    draft.flag(valid_mask(percentages) & (values > 0) & (values <= 10**6), "pct_fraction")


def flag_min_over_max(draft: Draft) -> None:
    """The minimum must not be above the maximum."""
    low, high = draft.columns.get("min_negotiated"), draft.columns.get("max_negotiated")
    if low is None or high is None or low.null_count == len(low) or high.null_count == len(high):
        return
    draft.flag(valid_mask(low) & valid_mask(high) & (micros(low) > micros(high)), "min_gt_max")


def keep_all(draft: Draft, texts: pa.Array, label: Label) -> None:
    """Texts of a column nobody knows go to `extra` wherever there are some."""
    if texts.null_count < len(texts):
        rows = np.flatnonzero(valid_mask(texts))
        draft.keep(rows, label, texts.take(pa.array(rows)))


def put_code_columns(draft: Draft, columns: Columns, cell: Cell) -> None:
    """The pairs `code|i`, `code|i|type`, in the order of i."""
    rows = draft.rows
    nothing = pa.nulls(rows, pa.string())
    ordered = sorted(
        columns.codes.items(), key=lambda pair: (not pair[0].isdigit(), int(pair[0]) if pair[0].isdigit() else 0)
    )
    codes = [nothing if code is None else cell(code) for _, (code, _) in ordered]
    types = [nothing if kind is None else cell(kind) for _, (_, kind) in ordered]
    for at, (key, _) in enumerate(ordered):
        if key in columns.code_types:
            types[at] = told_types(codes[at], columns.code_types[key])
    owners = np.empty(0, np.int64)
    code_texts = type_texts = pa.array([], pa.string())
    if ordered and rows:
        filled = np.stack([valid_mask(c) | valid_mask(t) for c, t in zip(codes, types, strict=True)])
        owners, pair = np.nonzero(filled.T)
        told = np.array([-1 if kind is None else kind for _, (_, kind) in ordered])
        draft.code_pairs = owners, told[pair]
        chosen = pa.array(pair * rows + owners)
        code_texts = pa.concat_arrays(codes).take(chosen)
        type_texts = pa.concat_arrays(types).take(chosen)
    put_codes(draft, owners, code_texts, type_texts)
    coded: Ints = np.unique(owners)
    words.flag_modifier_rows(draft, coded)
