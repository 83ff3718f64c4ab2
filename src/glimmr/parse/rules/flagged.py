"""What was noted while a batch was read - flags of rows, marks, texts that are no values - as findings with cells."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Batch
from glimmr.parse.findings import Findings, code_of_flag
from glimmr.parse.rules.cells import Cells
from glimmr.parse.rules.tally import Tally, value_of
from glimmr.parse.tables import flags
from glimmr.parse.tables.amounts import NULL_TOKENS, Bools, micros
from glimmr.parse.tables.codes import CODE_TYPES
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.draft import Draft, Kept

_OF_RECORD = frozenset(("recoded", "nul_removed", "unbalanced_quote", "short_row", "long_row"))
_OF_HEADER = frozenset(("header_alias", "header_no_plan"))  # said once, of the header
_KEPT = frozenset(("bad_number", "bad_count"))
_COLUMN = {
    "unknown_setting": "setting", "unknown_methodology": "methodology", "unknown_billing_class": "billing_class",
    "pct_fraction": "negotiated_percentage", "min_gt_max": "min_negotiated",
    "modifier_row": "modifiers",
}  # fmt: skip
_MONEY = (
    "gross_charge", "discounted_cash", "min_negotiated", "max_negotiated", "negotiated_dollar",
    "negotiated_percentage", "estimated_amount", "median_amount", "p10_amount", "p90_amount", "drug_unit",
)  # fmt: skip
_PART = re.compile(r"(?<=\d)C\d+$")


@dataclass(frozen=True, slots=True)
class _Open:
    """A flag of a charge that may go on in the next batch: its finding, and what the cell adds to its record."""

    code: str
    column: str
    label: str | None
    text: str | None


class Flagged:
    """Turns what was noted in batches into findings, in source order."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._tally = Tally(findings)
        self._open: list[_Open] = []  # flags of the last charge: its records in the next batch have them, too

    def tell(self, batch: Batch, cells: Cells) -> None:
        """Everything noted in one batch."""
        charges, rates = batch.charges, batch.rates
        for noted in self._open:
            self._tell_lead(noted, batch)
        self._tell_flags(charges, batch, cells)
        if charges.rows:
            self._open = _left_open(charges, cells)
        self._tell_flags(rates, None, cells, records=_own_records(batch))
        for draft in (charges, rates):
            for mark in draft.marks:
                wanted = max(0, self._findings.wanted(mark.code))
                self._tally.rows(mark.code, mark.name, mark.rows, draft, cells, texts=mark.texts[:wanted])
            for kept in draft.kept:
                if kept.flag in _KEPT:
                    self._tell_null_tokens(kept, draft, cells)

    def _tell_lead(self, noted: _Open, batch: Batch) -> None:
        """A flag of the last charge of the batch before, for its records in this one."""
        places = batch.places_of_lead(max(0, self._findings.wanted(noted.code)))
        for place in places:
            self._findings.add(noted.code, place + noted.column, name=noted.label, value=noted.text)
        self._tally.more(noted.code, batch.lead_records - len(places))

    def _tell_flags(self, draft: Draft, batch: Batch | None, cells: Cells, *, records: Bools | None = None) -> None:
        """Each flag of a row is a finding. `batch`: that of charges, each of whose records has it.

        `records`: which rows are records of their own; a flag of the record is said only there.
        """
        if draft.bits is None or not draft.rows:
            return
        for name in flags.names_of(int(np.bitwise_or.reduce(draft.bits))):
            where = draft.bits & flags.BIT[name] != 0
            if name in _OF_HEADER and cells.of_template:
                continue
            if name in _OF_RECORD and records is not None:
                where &= records
            rows = np.flatnonzero(where)
            whole = None if name in _OF_RECORD else batch
            total = len(rows) if whole is None else int(whole.records[rows].sum())
            code = code_of_flag(name)
            wanted = max(0, self._findings.wanted(code))
            places = [(row, at) for row in rows[:wanted].tolist() for at in _places(draft, row, whole, wanted)]
            for row, at in places[:wanted]:
                position, label, text = _cell_of(draft, row, name, cells, at)
                self._findings.add(code, position, name=label, value=text)
            self._tally.more(code, total - len(places[:wanted]))

    def _tell_null_tokens(self, kept: Kept, draft: Draft, cells: Cells) -> None:
        """`N/A` and the like: no amount is lost, but CMS wants nothing there."""
        encoded = kept.texts.dictionary_encode()
        tokens = [str(text).strip().casefold() in NULL_TOKENS for text in encoded.dictionary.to_pylist()]
        if not any(tokens):
            return
        at = np.flatnonzero(np.array(tokens, np.bool_)[encoded.indices.to_numpy(zero_copy_only=False)])
        shown = at[: max(0, self._findings.wanted("GL-NULL-TOKEN"))].tolist()
        for place in shown:
            label = kept.labels if isinstance(kept.labels, str) else kept.labels[place].as_py()
            position = cells.labelled(draft.columns["source_pos"][int(kept.rows[place])].as_py(), label)
            self._findings.add("GL-NULL-TOKEN", position, name=label, value=kept.texts[place].as_py())
        self._tally.more("GL-NULL-TOKEN", len(at) - len(shown))


def _own_records(batch: Batch) -> Bools:
    """Which rates stand in a record of their own: of a tall charge's records, the first is the charge's."""
    rates = batch.rates
    own = np.zeros(rates.rows, np.bool_)
    if rates.bits is None or not rates.bits.any() or not batch.charges.rows:
        return own | (batch.owners < 0)
    places, first = rates.columns["source_pos"], batch.charges.columns["source_pos"]
    index = np.where(batch.owners < 0, 0, batch.owners)
    record = pc.replace_substring_regex(places, r"C\d+$", "")
    return (batch.owners < 0) | pc.not_equal(record, first.take(pa.array(index))).to_numpy(zero_copy_only=False)


def _left_open(charges: Draft, cells: Cells) -> list[_Open]:
    """What the flags of the last charge say of those of its records that come in the next batch."""
    if charges.bits is None:
        return []
    row = charges.rows - 1
    place = charges.columns["source_pos"][row].as_py()
    names = [name for name in flags.names_of(int(charges.bits[-1])) if name not in _OF_RECORD | _OF_HEADER]
    found = [(name, *_cell_of(charges, row, name, cells, place)) for name in names]
    return [_Open(code_of_flag(name), cell[len(place) :], label, text) for name, cell, label, text in found]


def _places(draft: Draft, row: int, batch: Batch | None, most: int) -> list[str]:
    """Where a row stands; of a charge, where its first records do."""
    return [draft.columns["source_pos"][row].as_py()] if batch is None else batch.places_of_charge(row, most)


def _cell_of(draft: Draft, row: int, flag: str, cells: Cells, position: str) -> tuple[str, str | None, str | None]:
    """Where a flag of the row at `position` comes from: cell, what it is called there, and what stands in it."""
    if flag in _OF_RECORD:
        return _PART.sub("", position), None, None
    label, text = _kept_at(draft, row, flag)
    if label is not None:
        return cells.labelled(position, label), label, text
    if flag == "unknown_code_type":
        return _code_type_of(draft, row, cells, position)
    name = _COLUMN.get(flag) or _money_at(draft, row, flag)
    if name is None or name not in draft.columns:
        return position, None, None
    cell, label = cells.at(position, name)
    text = "999999999" if flag == "sentinel_nine_nines" else value_of(draft, name, row)
    if flag == "min_gt_max":
        text = f"{text} > {value_of(draft, 'max_negotiated', row)}"
    return cell, label, text


def _code_type_of(draft: Draft, row: int, cells: Cells, position: str) -> tuple[str, str | None, str | None]:
    """The first of a row's code types that is not in CMS's list."""
    types = [pair["type"] for pair in draft.columns["codes"][row].as_py()]
    at = next(at for at, kind in enumerate(types) if kind is not None and kind not in CODE_TYPES)
    column = draft.code_column(row, at)
    cell, label = cells.at(position, "codes") if column is None else cells.of_column(position, column)
    return cell, label, types[at]


def _money_at(draft: Draft, row: int, flag: str) -> str | None:
    """The first money column that gave a row its flag."""
    for name in _MONEY:
        column = draft.columns.get(name)
        if column is None:
            continue
        if flag in {"zero_amount", "negative"} and column[row].is_valid:
            value = int(micros(column.slice(row, 1))[0])
            if (value == 0) if flag == "zero_amount" else (value < 0):
                return name
        unread = draft.unread.get(name)
        if flag == "sentinel_nine_nines" and unread is not None and row in unread:
            return name
    return None


def _kept_at(draft: Draft, row: int, flag: str) -> tuple[str | None, str | None]:
    """The published column name and text behind a flag, where a text was kept for it."""
    if flag not in _KEPT | {"rounded"}:
        return None, None
    wanted = "bad_number" if flag == "rounded" else flag
    for kept in draft.kept:
        if kept.flag != wanted:
            continue
        at = int(np.searchsorted(kept.rows, row))
        if at < len(kept.rows) and kept.rows[at] == row:
            text = kept.texts[at].as_py()
            if str(text).strip().casefold() in NULL_TOKENS:
                continue  # another column of the row is meant
            return kept.labels if isinstance(kept.labels, str) else kept.labels[at].as_py(), text
    return None, None
