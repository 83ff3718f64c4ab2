"""The rules for one charge by itself: description, setting, codes, drug."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from glimmr.parse.rules.cells import Cells
from glimmr.parse.tables.amounts import Bools, Ints, valid_mask
from glimmr.parse.tables.draft import Draft
from glimmr.parse.tables.flags import BIT

_DRUG_TYPES = frozenset(("GR", "ME", "ML", "UN", "F2", "EA", "GM"))
_TYPES_OF_3_0 = frozenset(("CMG", "MS-LTC-DRG"))
Broken = tuple[str, str, Bools]  # code, column, which charges


def present(draft: Draft, name: str) -> Bools:
    """Where something stands in a column, be it readable or not."""
    column = draft.columns.get(name)
    there = np.zeros(draft.rows, np.bool_) if column is None or column.null_count == draft.rows else valid_mask(column)
    unread = draft.unread.get(name)
    if unread is not None and len(unread):
        there = there.copy()
        there[unread] = True
    return there


def any_present(draft: Draft, names: tuple[str, ...]) -> Bools:
    """Where something stands in one of the columns."""
    there = np.zeros(draft.rows, np.bool_)
    for name in names:
        there |= present(draft, name)
    return there


class Charges:
    """What the rules ask of each charge. JSON (`strict`) has modifiers elsewhere: each of its items needs a code."""

    def __init__(self, draft: Draft, cells: Cells, *, strict: bool) -> None:
        self.draft = draft
        self.strict = strict
        flagged = draft.bits is not None and not strict
        bits = draft.bits if flagged and draft.bits is not None else np.zeros(draft.rows, np.int64)
        self.modifier: Bools = bits & BIT["modifier_row"] != 0
        self.priced = any_present(draft, ("gross_charge", "discounted_cash"))
        # Where a table has no such column, that was said of its header.
        self.low = present(draft, "min_negotiated") | cells.lacks("min_negotiated")
        self.high = present(draft, "max_negotiated") | cells.lacks("max_negotiated")
        self.noted = present(draft, "generic_notes")


def broken_by_items(facts: Charges, cells: Cells) -> Iterator[Broken]:
    """The rules that every record of a charge breaks or keeps alike."""
    draft = facts.draft
    if not cells.lacks("description"):
        yield "GL-DESCRIPTION-MISSING", "description", ~present(draft, "description")
    if not cells.lacks("setting"):
        yield "GL-SETTING-MISSING", "setting", ~present(draft, "setting") & ~facts.modifier
    has_unit, has_type = present(draft, "drug_unit"), present(draft, "drug_type")
    if not cells.lacks("drug_unit") and not cells.lacks("drug_type"):
        yield "GL-DRUG-PAIR", "drug_unit", has_type & ~has_unit
        yield "GL-DRUG-PAIR", "drug_type", has_unit & ~has_type
    yield "GL-DRUG-TYPE", "drug_type", _strange_drugs(draft, exact=facts.strict)
    yield from _broken_by_codes(facts, ~has_unit & ~has_type, cells)


def _strange_drugs(draft: Draft, *, exact: bool) -> Bools:
    """Which unit types are none of CMS's, who folds case in CSV, not in JSON (`exact`)."""
    column = draft.columns.get("drug_type")
    if column is None or column.null_count == draft.rows:
        return np.zeros(draft.rows, np.bool_)
    encoded = column.dictionary_encode()
    strange = [(text if exact else text.upper()) not in _DRUG_TYPES for text in encoded.dictionary.to_pylist()]
    return np.array([*strange, False], np.bool_)[_indices(encoded)]


def _indices(encoded: pa.DictionaryArray) -> Ints:
    """The indices of a dictionary array; its length where a value is null."""
    return encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)


def _broken_by_codes(facts: Charges, drugless: Bools, cells: Cells) -> Iterator[Broken]:
    draft = facts.draft
    lists = draft.columns.get("codes")
    if lists is None:
        return
    offsets = lists.offsets.to_numpy(zero_copy_only=False)
    counts = np.diff(offsets)
    if not cells.lacks("codes"):
        yield "GL-CODE-MISSING", "codes", (counts == 0) & ~facts.modifier
    pairs = lists.flatten()
    if not len(pairs):
        return
    codes, types = pairs.field("code"), pairs.field("type")
    owners = np.repeat(np.arange(draft.rows), counts)
    if types.null_count and not cells.lacks_type:
        yield "GL-CODE-WITHOUT-TYPE", "codes", _marked(owners[~valid_mask(types)], draft.rows)
    if codes.null_count and not cells.lacks_code:
        yield "GL-TYPE-WITHOUT-CODE", "codes", _marked(owners[~valid_mask(codes)], draft.rows)
    encoded = types.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    for code, wanted, among in (
        ("GL-NDC-WITHOUT-DRUG", frozenset(("NDC",)), drugless),
        ("GL-CODE-TYPE-3", _TYPES_OF_3_0, None),
    ):
        if wanted.isdisjoint(names) or (among is not None and cells.lacks("drug_unit", "drug_type")):
            continue
        which = np.array([*(name in wanted for name in names), False], np.bool_)[_indices(encoded)]
        rows = _marked(owners[which], draft.rows)
        yield code, "codes", rows if among is None else rows & among


def _marked(rows: Ints, size: int) -> Bools:
    mask = np.zeros(size, np.bool_)
    mask[rows] = True
    return mask
