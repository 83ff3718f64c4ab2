"""The rules for charges and rates, batch by batch, in columns: what must stand beside what."""

from dataclasses import dataclass, field

import numpy as np

from glimmr.parse.batch import Batch
from glimmr.parse.rules.cells import Cells
from glimmr.parse.rules.items import Charges, any_present, broken_by_items, present
from glimmr.parse.rules.tally import Tally, value_of
from glimmr.parse.tables.amounts import Bools, Ints
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.draft import Draft

_NEGOTIATED = ("negotiated_dollar", "negotiated_percentage", "negotiated_algorithm")
_OPEN_ENDED = ("negotiated_percentage", "negotiated_algorithm")
_ALLOWED = (("GL-MEDIAN-MISSING", "median_amount"), ("GL-P10-MISSING", "p10_amount"), ("GL-P90-MISSING", "p90_amount"))
_TELLING = (
    ("drug_unit", "drug_unit"), ("drug_type", "drug_type"), ("estimated_amount", "estimated_amount"),
    ("median_amount", "median_amount"), ("p10_amount", "p10_amount"), ("p90_amount", "p90_amount"),
    ("allowed_count_min", "allowed_count"),
)  # fmt: skip
_ITEM_LEVEL = frozenset(("description", "codes", "drug_unit", "drug_type"))

_Broken = tuple[str, str, str | None]  # code, column, what stands there


@dataclass(slots=True)
class _Open:
    """What a charge leaves for those of its records that come in the next batch."""

    modifier: bool = False
    bare: bool = False  # it has neither gross charge nor cash price, and is no modifier
    silent: bool = False  # a modifier without notes
    unbounded: bool = False  # it lacks a minimum or maximum
    broken: list[_Broken] = field(default_factory=list[_Broken])


class Prices:
    """Judges batches in source order.

    `elements` are the columns so far that tell the edition; `negotiated` says whether any payer has a charge.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._open = _Open()
        self.elements: set[str] = set()
        self.negotiated = False

    def judge(self, batch: Batch, cells: Cells, *, layout: str) -> None:
        """Every rule on one batch of a CMS layout: `tall`, `wide` or `json`.

        Records of a tall file are judged one by one, as CMS's validator does. A payer in JSON needs name, plan and
        methodology even without a charge.
        """
        self._note_elements(batch)
        facts = Charges(batch.charges, cells, strict=layout == "json")
        broken = self._judge_items(batch, facts, cells, by_item=layout == "json")
        bare = ~facts.priced & ~facts.modifier
        silent = facts.modifier & ~facts.noted
        unbounded = ~(facts.low & facts.high) & ~facts.modifier
        whole = self._judge_records if layout == "tall" else self._judge_whole
        whole(batch, facts, cells, bare=bare, silent=silent, unbounded=unbounded)
        if batch.rates.rows:
            self._judge_rates(batch, facts, cells, layout=layout)
        if batch.charges.rows:
            ends = (bool(mask[-1]) for mask in (facts.modifier, bare, silent, unbounded))
            self._open = _Open(*ends, broken=broken)

    def _note_elements(self, batch: Batch) -> None:
        for name, element in _TELLING:
            for draft in (batch.charges, batch.rates):
                column = draft.columns.get(name)
                if column is not None and (column.null_count < len(column) or len(draft.unread.get(name, ()))):
                    self.elements.add(element)

    def _judge_items(self, batch: Batch, facts: Charges, cells: Cells, *, by_item: bool) -> list[_Broken]:
        """The rules that all records of a charge keep or break; gives those its last charge breaks."""
        for code, name, value in self._open.broken:
            self._tally.lead(code, name, value, batch, cells)
        last: list[_Broken] = []
        if not batch.charges.rows:
            return last
        for code, name, mask in broken_by_items(facts, cells):
            if by_item and name in _ITEM_LEVEL and mask.any():
                mask = mask & _first_of_item(batch.charges, mask)  # noqa: PLW2901
            self._tally.charges(code, name, mask, batch, cells)
            if mask[-1]:
                last.append((code, name, value_of(batch.charges, name, batch.charges.rows - 1)))
        return last

    def _judge_records(
        self, batch: Batch, facts: Charges, cells: Cells, *, bare: Bools, silent: Bools, unbounded: Bools
    ) -> None:
        """Tall: each record is judged with what its charge has."""
        rates, opened = batch.rates, self._open
        negotiated = any_present(rates, _NEGOTIATED)
        noted = negotiated | present(rates, "payer_notes")
        with_rate = np.bincount(batch.owners + 1, minlength=batch.charges.rows + 1)
        for code, name, charges, of_open, kept in (
            ("GL-ITEM-WITHOUT-CHARGE", "gross_charge", bare, opened.bare, negotiated),
            ("GL-MODIFIER-EMPTY", "generic_notes", silent, opened.silent, noted),
        ):
            if not charges.any() and not of_open:
                continue
            own = _of_owners(batch, charges, of_open)
            self._tally.rates(code, name, own & ~kept, batch, cells)
            self._tally.counted(code, name, np.where(charges, batch.records - with_rate[1:], 0), batch, cells)
            if of_open:
                self._tally.more(code, batch.lead_records - int(with_rate[0]))
        if unbounded.any() or opened.unbounded:
            broken = _of_owners(batch, unbounded, opened.unbounded) & present(rates, "negotiated_dollar")
            self._tally.rates("GL-DOLLAR-WITHOUT-MIN-MAX", "min_negotiated", broken, batch, cells)
        del facts

    def _judge_whole(
        self, batch: Batch, facts: Charges, cells: Cells, *, bare: Bools, silent: Bools, unbounded: Bools
    ) -> None:
        """Wide and JSON: a charge is judged with all its rates, which stand in the same batch."""
        rates = batch.rates
        for code, name, charges, notes in (
            ("GL-ITEM-WITHOUT-CHARGE", "gross_charge", bare, ()),
            ("GL-MODIFIER-EMPTY", "generic_notes", silent, ("payer_notes",)),
        ):
            if charges.any():
                kept = _having(any_present(rates, (*_NEGOTIATED, *notes)), batch)
                self._tally.charges(code, name, charges & ~kept, batch, cells)
        if unbounded.any():
            broken = unbounded & _having(present(rates, "negotiated_dollar"), batch)
            for name, mask in (("min_negotiated", broken & ~facts.low), ("max_negotiated", broken & facts.low)):
                self._tally.charges("GL-DOLLAR-WITHOUT-MIN-MAX", name, mask, batch, cells)

    def _judge_rates(self, batch: Batch, facts: Charges, cells: Cells, *, layout: str) -> None:
        rates = batch.rates
        plain = np.ones(rates.rows, np.bool_)
        if facts.modifier.any() or self._open.modifier:
            plain = ~_of_owners(batch, facts.modifier, self._open.modifier)
        negotiated = any_present(rates, _NEGOTIATED) & plain
        self.negotiated = self.negotiated or bool(negotiated.any())
        needs = plain if layout == "json" else negotiated
        for code, name in (
            ("GL-PAYER-MISSING", "payer_name"),
            ("GL-PLAN-MISSING", "plan_name"),
            ("GL-METHODOLOGY-MISSING", "methodology"),
        ):
            missing = needs & ~present(rates, name)
            self._missing(code, name, missing, batch, cells)
        if layout != "wide":
            named = plain & present(rates, "payer_name") & present(rates, "plan_name")
            self._missing("GL-PAYER-WITHOUT-CHARGE", "negotiated_dollar", named & ~negotiated, batch, cells)
        noted = present(rates, "payer_notes")
        if "methodology" in rates.columns and not noted.all():
            other = pc.equal(rates.columns["methodology"], "other").fill_null(False).to_numpy(zero_copy_only=False)
            self._tally.rates("GL-OTHER-WITHOUT-NOTES", "payer_notes", plain & other & ~noted, batch, cells)
        if layout == "json":  # a table's column is told once, of its header
            estimated = present(rates, "estimated_amount")
            self._tally.rates("GL-ESTIMATE-IN-3", "estimated_amount", estimated, batch, cells)
        self._judge_allowed(batch, plain, noted, cells)

    def _judge_allowed(self, batch: Batch, plain: Bools, noted: Bools, cells: Cells) -> None:
        """What a percentage or an algorithm needs beside it: an estimate (2.2), allowed amounts (3.0)."""
        rates = batch.rates
        zero = _zero_counts(rates)
        self._tally.rates("GL-ZERO-COUNT-WITHOUT-NOTES", "payer_notes", plain & zero & ~noted, batch, cells)
        open_ended = plain & any_present(rates, _OPEN_ENDED)
        if not open_ended.any():
            return
        lonely = open_ended & ~present(rates, "negotiated_dollar") & ~present(rates, "estimated_amount")
        self._missing("GL-ESTIMATE-MISSING", "estimated_amount", lonely, batch, cells)
        self._missing("GL-COUNT-MISSING", "allowed_count", open_ended & ~_counted(rates), batch, cells)
        for code, name in _ALLOWED:
            self._missing(code, name, open_ended & ~zero & ~present(rates, name), batch, cells)

    def _missing(self, code: str, name: str, broken: Bools, batch: Batch, cells: Cells) -> None:
        """A value is missing; where the table has no such column that was said of its header."""
        if not cells.lacks(name):
            self._tally.rates(code, name, broken, batch, cells)


def _of_owners(batch: Batch, charges: Bools, of_open: bool) -> Bools:
    """What is true of its charge, for each rate: -1 is the last charge of the batch before."""
    return np.append(charges, of_open)[batch.owners]


def _having(rates: Bools, batch: Batch) -> Bools:
    """Which charges have such a rate."""
    having = np.zeros(batch.charges.rows, np.bool_)
    having[batch.owners[rates]] = True
    return having


def _first_of_item(charges: Draft, mask: Bools) -> Bools:
    """Of these JSON charges, those that are the first of their item: what an item lacks is said once."""
    rows: Ints = np.flatnonzero(mask)
    first = np.zeros(charges.rows, np.bool_)
    places = charges.columns["source_pos"].take(rows)
    first[rows] = pc.ends_with(places, "/sc/0").to_numpy(zero_copy_only=False)
    return first


def _zero_counts(rates: Draft) -> Bools:
    column = rates.columns.get("allowed_count_max")
    if column is None or column.null_count == rates.rows:
        return np.zeros(rates.rows, np.bool_)
    return column.fill_null(-1).to_numpy(zero_copy_only=False) == 0


def _counted(rates: Draft) -> Bools:
    """Where something stands as count, be it readable or not."""
    counted = present(rates, "allowed_count_min").copy()
    for kept in rates.kept:
        if kept.flag == "bad_count":
            counted[kept.rows] = True
    return counted
