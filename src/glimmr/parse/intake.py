"""What one member gives: its batches, rejects, findings and facts on their way to the price list and the report."""

from dataclasses import dataclass, field

from glimmr.model import Header
from glimmr.parse.batch import Batch
from glimmr.parse.findings import Findings
from glimmr.parse.limits import Enough, Limits
from glimmr.parse.price_list import PriceList
from glimmr.parse.rules.judge import Judge
from glimmr.parse.tables.draft import Draft

_PRICES = ("gross_charge", "discounted_cash", "min_negotiated", "max_negotiated")
_RATE_PRICES = (
    "negotiated_dollar", "negotiated_percentage", "negotiated_algorithm", "estimated_amount", "median_amount",
    "p10_amount", "p90_amount",
)  # fmt: skip


@dataclass(slots=True)
class Facts:
    """What a format found out about its member, field by field as it reads."""

    begins: int = 0  # the byte of the member where it was begun to be read
    format: str | None = None
    layout: str | None = None
    template_version: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header_row: int | None = None
    header: Header = field(default_factory=Header)
    columns: tuple[str, ...] = ()  # a table's column names


class Intake:
    """One member's way into the price list. Formats call `take`, `reject`, `rules`, `findings.add`, fill `facts`."""

    def __init__(self, price_list: PriceList, member: str | None, limits: Limits) -> None:
        self._price_list = price_list
        self.member = member
        self.limits = limits
        self.facts = Facts()
        self.findings = Findings()
        self.rules = Judge(self.findings)
        self.rows_in = 0
        self.items_out = 0
        self.rows_rejected = 0
        self.has_price = False
        self.stopped = False  # by Enough
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
        self.rules.batch(batch, self.facts.layout)
        self._price_list.add(batch, self.member)
        if self.limits.head_items is not None and self.rows_in >= self.limits.head_items:
            raise Enough

    def reject(self, position: str, reason: str, raw: str) -> None:
        """An item that gave no charge."""
        self.rows_in += 1
        self.rows_rejected += 1
        self.findings.add("GL-REJECTED", position, name=reason, value=raw)
        self._price_list.reject(self.member, position, reason, raw)

    def finish(self) -> None:
        """The member has ended."""
        self._price_list.close_charge()
        facts = self.facts
        if self.stopped:
            self.rules.stop(facts.header, facts.layout)
            return
        self.rules.finish(layout=facts.layout, kind=facts.format, delimiter=facts.delimiter, items=self.rows_in)


def _any(draft: Draft, names: tuple[str, ...]) -> bool:
    return any(draft.columns[name].null_count < draft.rows for name in names if name in draft.columns)
