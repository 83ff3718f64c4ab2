"""Items of CMS's JSON → charges and rates in columns."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Batch
from glimmr.parse.elements.shapes import Shapes
from glimmr.parse.tables import words
from glimmr.parse.tables.amounts import Ints, blank_to_null, of_numbers, valid_mask
from glimmr.parse.tables.codes import put_codes
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.draft import Draft, TextsOf
from glimmr.parse.tables.items import flag_fractions, flag_min_over_max
from glimmr.price_table import TEXTS

_CHARGE_MONEY = {
    "gross_charge": "gross_charge", "discounted_cash": "discounted_cash", "minimum": "min_negotiated",
    "maximum": "max_negotiated",
}  # fmt: skip
_PAYER_TEXT = {
    "payer_name": "payer_name", "plan_name": "plan_name", "standard_charge_algorithm": "negotiated_algorithm",
    "additional_payer_notes": "payer_notes",
}  # fmt: skip
_PAYER_MONEY = {
    "standard_charge_dollar": "negotiated_dollar", "standard_charge_percentage": "negotiated_percentage",
    "estimated_amount": "estimated_amount", "median_amount": "median_amount", "p10": "p10_amount", "p90": "p90_amount",
}  # fmt: skip
_PUBLISHED = {"p10": "10th_percentile", "p90": "90th_percentile"}


def read_items(numbers: Sequence[int], items: list[Any], shapes: Shapes) -> Batch:
    """A batch of items; `numbers` are theirs in their table, ascending."""
    charges = [charge for item in items for charge in item.standard_charges]
    per_item = np.fromiter((len(item.standard_charges) for item in items), np.int64, len(items))
    payers = [payer for charge in charges for payer in charge.payers_information or ()]
    per_charge = np.fromiter((len(charge.payers_information or ()) for charge in charges), np.int64, len(charges))
    item_of = np.repeat(np.arange(len(items)), per_item)
    charge_of = np.repeat(np.arange(len(charges)), per_charge)
    places = _places("/sci/", pa.array(np.asarray(numbers, np.int64)[item_of]), "/sc/", _within(per_item))
    draft = Draft(len(charges))
    draft.put("source_pos", places)
    _put_items(draft, items, item_of, per_item)
    _put_charges(draft, charges)
    _put_learned_of_items(draft, shapes, items, item_of)
    _put_learned(draft, shapes.learned["charge"], charges)
    rates = Draft(len(payers))
    rates.put("source_pos", _places("", places.take(pa.array(charge_of)), "/p/", _within(per_charge)))
    _put_payers(rates, payers)
    _put_learned(rates, shapes.learned["payer"], payers)
    # An item with several settings is several charges but one source item: only its first charge counts it.
    return Batch(
        charges=draft,
        rates=rates,
        owners=charge_of,
        records=np.ones(len(charges), np.int64),
        items=len(items),
        merged=len(charges) - len(items),
    )


def _column(objects: Sequence[Any], attribute: str) -> list[Any]:
    return list(map(attrgetter(attribute), objects))


def _learned_column(objects: Sequence[Any], at: int) -> list[Any]:
    """The values of the learned key number `at`; an object made before the key was learned has none."""
    return [getattr(one, f"u{at}", None) for one in objects]


def _within(counts: Ints) -> pa.Array:
    """0, 1, … within each group of so many."""
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    return pa.array(np.arange(int(counts.sum())) - starts)


def _places(prefix: str, outer: pa.Array, between: str, inner: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(
        *((prefix,) if prefix else ()), outer.cast(pa.string()), between, inner.cast(pa.string()), ""
    )


def texts(values: Sequence[Any]) -> pa.Array:
    """Strings without outer blanks; empty ones are null; numbers are written as text."""
    try:
        array = pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
        array = pa.array([v if v is None or isinstance(v, str) else str(v) for v in values], pa.string())
    return array if array.null_count == len(array) else blank_to_null(array)


def _published(values: Sequence[Any]) -> TextsOf:
    return lambda rows: pa.array(
        [v if isinstance(v := values[r], str) else repr(v) for r in rows.tolist()], pa.string()
    )


def _money(draft: Draft, name: str, values: Sequence[Any], label: str) -> None:
    amounts = of_numbers(values)
    if amounts.values.null_count < draft.rows or amounts.kept is not None or amounts.bits is not None:
        draft.money(name, amounts, label, _published(values))


def _put_items(draft: Draft, items: list[Any], item_of: Ints, per_item: Ints) -> None:
    index = pa.array(item_of)
    draft.put("description", texts([item.description for item in items]).take(index))
    drugs = [item.drug_information for item in items]
    if any(drug is not None for drug in drugs):
        unit = [None if drug is None else drug.unit for drug in drugs]
        _money(draft, "drug_unit", [unit[at] for at in item_of.tolist()], "drug_information.unit")
        draft.put("drug_type", texts([None if drug is None else drug.type for drug in drugs]).take(index))
    codes = [code for item in items for code in item.code_information or ()]
    counts = np.fromiter((len(item.code_information or ()) for item in items), np.int64, len(items))
    begins = np.cumsum(counts) - counts
    # Every charge of an item repeats the item's code pairs.
    owners = np.repeat(np.arange(draft.rows), counts[item_of])
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts[item_of]) - counts[item_of], counts[item_of])
    pair = pa.array(begins[item_of][owners] + within)
    put_codes(draft, owners, texts([c.code for c in codes]).take(pair), texts([c.type for c in codes]).take(pair))
    del per_item


def _put_charges(draft: Draft, charges: list[Any]) -> None:
    for key, name in _CHARGE_MONEY.items():
        _money(draft, name, _column(charges, key), key)
    flag_min_over_max(draft)
    words.put_word(draft, "setting", texts([c.setting for c in charges]), words.SETTINGS, "unknown_setting")
    classes = texts([c.billing_class for c in charges])
    words.put_word(draft, "billing_class", classes, words.BILLING_CLASSES, "unknown_billing_class")
    draft.put("generic_notes", texts([c.additional_generic_notes for c in charges]))
    modifiers = [_modifiers(c.modifier_code if c.modifier_code is not None else c.modifiers) for c in charges]
    draft.put("modifiers", pa.array(modifiers, TEXTS))
    uncoded = np.flatnonzero(valid_mask(draft.columns["code"])) if "code" in draft.columns else np.empty(0, np.int64)
    words.flag_modifier_rows(draft, uncoded)


def _modifiers(value: list[str] | str | None) -> list[str] | None:
    parts = [value] if isinstance(value, str) else value or []
    return [one for part in parts for one in words.split_modifiers(part)] or None


def _put_payers(rates: Draft, payers: list[Any]) -> None:
    for key, name in _PAYER_TEXT.items():
        rates.put(name, texts(_column(payers, key)))
    for key, name in _PAYER_MONEY.items():
        _money(rates, name, _column(payers, key), _PUBLISHED.get(key, key))
    if "negotiated_percentage" in rates.columns:
        flag_fractions(rates)
    methods = texts(_column(payers, "methodology"))
    words.put_word(rates, "methodology", methods, words.METHODOLOGIES, "unknown_methodology")
    words.put_counts(rates, texts(_column(payers, "count")), "count")


def _put_learned(draft: Draft, keys: list[str], objects: Sequence[Any]) -> None:
    """Keys nobody knows go to `extra`, as text or as JSON."""
    for at, key in enumerate(keys):
        raw = _learned_column(objects, at)
        rows = np.array(
            [row for row, value in enumerate(raw) if value is not None and bytes(value) != b"null"], np.int64
        )
        if len(rows):
            draft.keep(rows, key, pa.array([_plain(bytes(raw[row])) for row in rows.tolist()], pa.string()))


def _put_learned_of_items(draft: Draft, shapes: Shapes, items: list[Any], item_of: Ints) -> None:
    """Every charge of an item has the item's unknown keys; those inside codes and drugs as `code_information.key`."""
    learned = shapes.learned
    if learned["item"]:
        _put_learned(draft, learned["item"], [items[at] for at in item_of.tolist()])
    for level, name in (("code", "code_information"), ("drug", "drug_information")):
        for at, key in enumerate(learned[level]):
            inner = [getattr(item, name) for item in items]
            lists = [one if isinstance(one, list) else [one] for one in inner]
            raw = [[bytes(v) for v in _learned_column(ones, at) if v is not None] for ones in lists]
            joined = [b"[" + b", ".join(found) + b"]" if len(found) > 1 else b"".join(found) for found in raw]
            rows = np.flatnonzero([bool(joined[at]) for at in item_of.tolist()])
            kept = [_plain(joined[item_of[row]]) for row in rows.tolist()]
            draft.keep(rows, f"{name}.{key}", pa.array(kept, pa.string()))


def _plain(raw: bytes) -> str:
    """The text of a JSON value: a string without its quotes, anything else as it stands."""
    if raw.startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return raw.decode("utf-8", "replace")
