"""Counts what breaks a rule in a batch, and finds the cells of the first few."""

from decimal import Decimal

import numpy as np
import pyarrow as pa

from glimmr.parse.batch import Batch
from glimmr.parse.findings import Findings
from glimmr.parse.rules.cells import Cells
from glimmr.parse.tables.amounts import Bools, Ints
from glimmr.parse.tables.draft import Draft


class Tally:
    """Puts broken rules into the findings. Counts are of source records, as a spreadsheet or CMS's validator counts."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def charges(self, code: str, name: str, broken: Bools, batch: Batch, cells: Cells) -> None:
        """Charges that break `code`: each of their records in this batch does."""
        if broken.any():
            self.counted(code, name, np.where(broken, batch.records, 0), batch, cells)

    def counted(self, code: str, name: str, counts: Ints, batch: Batch, cells: Cells) -> None:
        """How many records of each charge break `code`; where all of them do, each is a place to show."""
        total = int(counts.sum())
        if not total:
            return
        left = self._findings.wanted(code)
        for row in np.flatnonzero(counts)[: max(0, left)].tolist():
            some = left if counts[row] == batch.records[row] else 1
            for place in batch.places_of_charge(row, some)[:left]:
                position, label = cells.at(place, name)
                self._findings.add(code, position, name=label, value=value_of(batch.charges, name, row))
                left, total = left - 1, total - 1
        self.more(code, total)

    def rates(self, code: str, name: str, broken: Bools, batch: Batch, cells: Cells) -> None:
        """Rates that break `code`."""
        if broken.any():
            self.rows(code, name, np.flatnonzero(broken), batch.rates, cells)

    def lead(self, code: str, name: str, value: str | None, batch: Batch, cells: Cells) -> None:
        """Records of this batch whose charge, in the batch before, broke `code` with this value."""
        places = batch.places_of_lead(max(0, self._findings.wanted(code)))
        for place in places:
            position, label = cells.at(place, name)
            self._findings.add(code, position, name=label, value=value)
        self.more(code, batch.lead_records - len(places))

    def more(self, code: str, count: int) -> None:
        """So many more that break `code`, none of which is shown."""
        if count > 0:
            self._findings.add(code, count=count)

    def rows(
        self,
        code: str,
        name: str,
        rows: Ints,
        draft: Draft,
        cells: Cells,
        *,
        texts: pa.Array | None = None,
    ) -> None:
        """Rows of a draft that break `code` in column `name`; `texts` is what stands there, as far as it is given."""
        shown = rows[: max(0, self._findings.wanted(code))].tolist()
        for at, row in enumerate(shown):
            position, label = cells.at(draft.columns["source_pos"][row].as_py(), name)
            value = texts[at].as_py() if texts is not None and at < len(texts) else value_of(draft, name, row)
            self._findings.add(code, position, name=label, value=value)
        self.more(code, len(rows) - len(shown))


def value_of(draft: Draft, name: str, row: int) -> str | None:
    """What the table says at a row, as text; None where it says nothing."""
    column = draft.columns.get(name)
    if column is None:
        return None
    value = column[row].as_py()
    if value is None:
        return None
    if isinstance(value, list):
        pairs = (
            " ".join(str(part) for part in one.values() if part) if isinstance(one, dict) else one for one in value
        )
        return ", ".join(pairs) or None
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
