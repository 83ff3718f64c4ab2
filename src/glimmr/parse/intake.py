"""What one member gives: its batches, rejects, findings and facts on their way to the price list and the report."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from glimmr.model import Header
from glimmr.parse.batch import Batch
from glimmr.parse.findings import Findings, code_of_flag
from glimmr.parse.limits import Limits
from glimmr.parse.price_list import PriceList
from glimmr.parse.tables import flags
from glimmr.parse.tables.draft import Draft

_PRICES = ("gross_charge", "discounted_cash", "min_negotiated", "max_negotiated")
_RATE_PRICES = (
    "negotiated_dollar", "negotiated_percentage", "negotiated_algorithm", "estimated_amount", "median_amount",
    "p10_amount", "p90_amount",
)  # fmt: skip


@dataclass(slots=True)
class Facts:
    """What a format found out about its member, field by field as it reads."""

    format: str | None = None
    layout: str | None = None
    template_version: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header_row: int | None = None
    header: Header = field(default_factory=Header)


class Intake:
    """One member's way into the price list. Formats call `take`, `reject`, `findings.add` and fill `facts`."""

    def __init__(self, price_list: PriceList, member: str | None, limits: Limits) -> None:
        self._price_list = price_list
        self.member = member
        self.limits = limits
        self.facts = Facts()
        self.findings = Findings()
        self.rows_in = 0
        self.items_out = 0
        self.rows_rejected = 0
        self.has_price = False
        self._charges_before = price_list.charges
        self._rates_before = price_list.rates

    @property
    def charges(self) -> int:
        """Charges of this member so far."""
        return self._price_list.charges - self._charges_before

    @property
    def rates(self) -> int:
        """Rates of this member so far."""
        return self._price_list.rates - self._rates_before

    def take(self, batch: Batch) -> None:
        """Charges and rates of some items, all of which gave a charge."""
        self.rows_in += batch.items
        self.items_out += int(batch.records.sum()) + batch.lead_records - batch.merged
        self.has_price = self.has_price or _any(batch.charges, _PRICES) or _any(batch.rates, _RATE_PRICES)
        self._find(batch.charges)
        self._find(batch.rates)
        self._price_list.add(batch, self.member)

    def reject(self, position: str, reason: str, raw: str) -> None:
        """An item that gave no charge."""
        self.rows_in += 1
        self.rows_rejected += 1
        self.findings.add("GL-REJECTED", position, name=reason, value=raw)
        self._price_list.reject(self.member, position, reason, raw)

    def finish(self) -> None:
        """The member has ended."""
        self._price_list.close_charge()

    def _find(self, draft: Draft) -> None:
        """Each flag of a row is a finding."""
        if draft.bits is None:
            return
        everything = int(np.bitwise_or.reduce(draft.bits)) if draft.rows else 0
        for name in flags.names_of(everything):
            code = code_of_flag(name)
            rows = np.flatnonzero(draft.bits & flags.BIT[name])
            examples = rows[: max(0, self.findings.wanted(code))].tolist()
            for row in examples:
                label, text = _kept_at(draft, row, name)
                position = draft.columns["source_pos"][row].as_py()
                self.findings.add(code, position, name=label, value=text)
            if len(rows) > len(examples):
                self.findings.add(code, count=len(rows) - len(examples))


def _any(draft: Draft, names: tuple[str, ...]) -> bool:
    return any(draft.columns[name].null_count < draft.rows for name in names if name in draft.columns)


def _kept_at(draft: Draft, row: int, flag: str) -> tuple[str | None, str | None]:
    """The field and text behind a flag, where a text was kept for it."""
    for kept in draft.kept:
        if kept.flag is None or (flag in {"bad_count", "bad_number"} and kept.flag != flag):
            continue
        at = int(np.searchsorted(kept.rows, row))
        if at < len(kept.rows) and kept.rows[at] == row:
            label = kept.labels if isinstance(kept.labels, str) else kept.labels[at].as_py()
            text: pa.Scalar = kept.texts[at]
            return label, text.as_py()
    return None, None
