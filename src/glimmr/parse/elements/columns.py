"""Items of CMS's JSON → charges and rates in columns."""

import itertools
from collections.abc import Sequence
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
_SHOWN = 5  # texts of a mark
_NAMES = ("payer_name", "plan_name")
_MODIFIERS = ("modifier_code", "modifiers")  # the published keys, the first wins
_LONGEST_PUBLISHED, _MONEY_PLACES = 14, 6
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


def _fields(objects: Sequence[Any]) -> dict[str, list[Any]]:
    """Every field of some structs as a column. One pass over all: three times as fast as a pass for each field."""
    if not objects:
        return {}
    names = type(objects[-1]).__struct_fields__
    if len(set(map(type, objects))) > 1:  # some were made before a key was learned
        return {name: [getattr(one, name, None) for one in objects] for name in names}
    values = list(itertools.chain.from_iterable(map(msgspec.structs.astuple, objects)))
    return {name: values[at :: len(names)] for at, name in enumerate(names)}


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
    return _texts(values)[0]


def _texts(values: Sequence[Any]) -> tuple[pa.Array, bool, bool]:
    """The same, and whether some were numbers, and some empty: most often none is, and nobody need look for them."""
    try:
        array, numbers = pa.array(values, pa.string()), False
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
        array = pa.array([v if v is None or isinstance(v, str) else str(v) for v in values], pa.string())
        numbers = True
    trimmed = blank_to_null(array)
    return trimmed, numbers, trimmed.null_count > array.null_count


def _published(values: Sequence[Any]) -> TextsOf:
    return lambda rows: pa.array(
        [v if isinstance(v := values[r], str) else repr(v) for r in rows.tolist()], pa.string()
    )


def _text(draft: Draft, name: str, values: Sequence[Any], *, may_lack: bool = True) -> None:
    """A column of text. Where there need be none an empty string is marked: it is neither a text nor left out."""
    column, numbers, empty = _texts(values)
    draft.put(name, column)
    if numbers:
        _mark_numbers(draft, name, values)
    if empty and may_lack:
        rows = np.flatnonzero([isinstance(value, str) and not value.strip() for value in values])
        draft.mark("GL-EMPTY-TEXT", name, rows, pa.repeat("", len(rows)))


def _mark_numbers(draft: Draft, name: str, values: Sequence[Any]) -> None:
    """Numbers where the schema wants a string."""
    rows = np.flatnonzero([value is not None and type(value) is not str for value in values])
    draft.mark("GL-JSON-TYPE", name, rows, texts([values[row] for row in rows.tolist()]))


def _money(draft: Draft, name: str, values: Sequence[Any], label: str, text_code: str = "GL-NUMBER-TEXT") -> None:
    amounts = of_numbers(values)
    if amounts.from_texts:
        valid = valid_mask(amounts.values)
        rows = np.flatnonzero([_is_text(value) for value in values] & valid)
        draft.mark(text_code, name, rows, pa.array([values[row] for row in rows.tolist()], pa.string()))
    if amounts.values.null_count < draft.rows or amounts.kept is not None or amounts.bits is not None:
        draft.money(name, amounts, label, _published(values))


def _is_text(value: Any) -> bool:
    """Whether a value was published as a string: long numbers were made strings while they were read."""
    return type(value) is str and len(value) <= _LONGEST_PUBLISHED and len(value.partition(".")[2]) <= _MONEY_PLACES


def _put_items(draft: Draft, items: list[Any], item_of: Ints, per_item: Ints) -> None:
    index = pa.array(item_of)
    draft.put("description", texts([item.description for item in items]).take(index))
    drugs = [item.drug_information for item in items]
    if any(drug is not None for drug in drugs):
        unit = [None if drug is None else drug.unit for drug in drugs]
        units = [unit[at] for at in item_of.tolist()]
        _money(draft, "drug_unit", units, "drug_information.unit", "GL-DRUG-UNIT-TEXT")
        numbers = np.flatnonzero([one is not None and type(one) is not str for one in units])
        shown = [str(units[at]) for at in numbers[:_SHOWN].tolist()]  # in 3.0 each is a number, and may be
        draft.mark("GL-DRUG-UNIT-NUMBER", "drug_unit", numbers, pa.array(shown, pa.string()))
        draft.put("drug_type", texts([None if drug is None else drug.type for drug in drugs]).take(index))
    codes = [code for item in items for code in item.code_information or ()]
    counts = np.fromiter((len(item.code_information or ()) for item in items), np.int64, len(items))
    begins = np.cumsum(counts) - counts
    # Every charge of an item repeats the item's code pairs.
    owners = np.repeat(np.arange(draft.rows), counts[item_of])
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts[item_of]) - counts[item_of], counts[item_of])
    pair = pa.array(begins[item_of][owners] + within)
    types = [c.type for c in codes]
    put_codes(draft, owners, texts([c.code for c in codes]).take(pair), texts(types).take(pair))
    small = {kind for kind in set(types) if isinstance(kind, str) and kind != kind.upper()}
    if small:
        at = np.flatnonzero([kind in small for kind in types])
        rows = np.unique(owners[np.isin(pair.to_numpy(), at)])
        draft.mark("GL-SPELLING", "codes", rows, pa.array([types[at[0]]], pa.string()))
    del per_item


def _put_charges(draft: Draft, charges: list[Any]) -> None:
    fields = _fields(charges)
    for key, name in _CHARGE_MONEY.items():
        _money(draft, name, fields[key], key)
    flag_min_over_max(draft)
    words.put_word(draft, "setting", texts(fields["setting"]), words.SETTINGS, "unknown_setting", exact=True)
    classes = texts(fields["billing_class"])
    words.put_word(draft, "billing_class", classes, words.BILLING_CLASSES, "unknown_billing_class")
    _text(draft, "generic_notes", fields["additional_generic_notes"])
    published = [one if one is not None else other for one, other in zip(*map(fields.get, _MODIFIERS), strict=True)]
    if any(published):
        draft.put("modifiers", pa.array([_modifiers(one) for one in published], TEXTS))
    uncoded = np.flatnonzero(valid_mask(draft.columns["code"])) if "code" in draft.columns else np.empty(0, np.int64)
    words.flag_modifier_rows(draft, uncoded)


def _modifiers(value: list[str] | str | None) -> list[str] | None:
    parts = [value] if isinstance(value, str) else value or []
    return [one for part in parts for one in words.split_modifiers(part)] or None


def _put_payers(rates: Draft, payers: list[Any]) -> None:
    if not payers:
        return
    fields = _fields(payers)
    for key, name in _PAYER_TEXT.items():
        _text(rates, name, fields[key], may_lack=key not in _NAMES)
    for key, name in _PAYER_MONEY.items():
        _money(rates, name, fields[key], _PUBLISHED.get(key, key))
    if "negotiated_percentage" in rates.columns:
        flag_fractions(rates)
    methods = texts(fields["methodology"])
    words.put_word(rates, "methodology", methods, words.METHODOLOGIES, "unknown_methodology", exact=True)
    counts, numbers, _ = _texts(fields["count"])
    words.put_counts(rates, counts, "count")
    if numbers:
        _mark_numbers(rates, "allowed_count", fields["count"])


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
