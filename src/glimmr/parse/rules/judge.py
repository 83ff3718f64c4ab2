"""The one door to CMS's rules: a member's header, batches and end pass through it on their way to the findings."""

from collections.abc import Mapping, Sequence
from typing import Any

from glimmr.model import Header
from glimmr.parse.batch import Batch, Places
from glimmr.parse.findings import Findings
from glimmr.parse.rules.cells import Cells
from glimmr.parse.rules.columns import Judged, check_document, check_table
from glimmr.parse.rules.edition import edition_of
from glimmr.parse.rules.flagged import Flagged
from glimmr.parse.rules.header import check_bare_root
from glimmr.parse.rules.prices import Prices
from glimmr.parse.rules.tally import Tally
from glimmr.parse.tables.header import Columns

_TEMPLATES = frozenset(("tall", "wide", "json"))


class Judge:
    """Judges one member. What rules of several editions find is counted; only that of its own edition is reported.

    So the header may come last (JSON), and no row is kept waiting for it.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._prices = Prices(Tally(findings))
        self._flagged = Flagged(findings)
        self._cells = Cells()
        self._follows_template = True
        self._layout: str | None = None  # of the table that is read

    def table(
        self, columns: Columns, above: Sequence[Sequence[str]], header: Header, *, number: int, places: Places
    ) -> None:
        """A table's header, before its rows: record `number` (from 1) and the records above it."""
        self._layout = columns.layout
        self._settle(check_table(columns, above, header, self._findings, number=number, places=places))

    def section(
        self,
        columns: Columns,
        above: Sequence[Sequence[str]],
        header: Header,
        *,
        number: int,
        first: int,
        places: Places,
    ) -> None:
        """A further header within a table, and the records `above` it from record `first` on.

        The file follows the edition of its first table that follows one.
        """
        edition = self._findings.edition
        self._layout = columns.layout
        self._settle(check_table(columns, above, header, self._findings, number=number, places=places, first=first))
        self._findings.edition = edition or self._findings.edition

    def document(self, root: Mapping[str, Any], header: Header) -> None:
        """The root of a JSON document of CMS's, after its items."""
        self._settle(check_document(root, header, self._prices.elements, self._findings))

    def _settle(self, judged: Judged) -> None:
        self._cells = judged.cells
        self._findings.edition = judged.edition
        self._follows_template = judged.edition is not None

    def batch(self, batch: Batch, layout: str | None) -> None:
        """Charges and rates of some items; `layout` as far as it is known (JSON: it is not yet)."""
        self._flagged.tell(batch, self._cells)
        layout = self._layout or layout or "json"
        if self._follows_template and layout in _TEMPLATES:
            self._prices.judge(batch, self._cells, layout=layout)

    def stop(self, header: Header, layout: str | None) -> None:
        """No more is read of the member: what was found so far stands, and what may still come is not missed."""
        if layout == "legacy":
            self._findings.add("GL-NOT-TEMPLATE", "file")
        elif self._findings.edition is None and layout == "json":
            self._findings.edition = edition_of(header.version, header.last_updated_on, self._prices.elements)

    def without_table(self, header: Header, kind: str | None) -> None:
        """The file has no table of items at all; a JSON document may lack its header, too."""
        self._findings.add("GL-NO-ITEMS", "file")
        if kind == "json":
            self._findings.edition = edition_of(header.version, header.last_updated_on, set())
            check_bare_root(header, self._findings.edition, self._findings)

    def finish(self, *, layout: str | None, kind: str | None, delimiter: str | None, items: int) -> None:
        """The member has ended. `kind` is its format, `items` how many were read."""
        findings = self._findings
        if layout is None:
            return
        if findings.edition is None:
            findings.add("GL-NOT-TEMPLATE", "file", value=f"a {layout} table" if layout != "legacy" else None)
            return
        if not items:
            findings.add("GL-NO-ITEMS", "file")
        elif not self._prices.negotiated:
            findings.add("GL-NO-PAYER-CHARGES", "file")
        if kind not in {"csv", "json"}:
            findings.add("GL-FILE-FORMAT", "file", value=kind)
        elif delimiter not in {None, ","}:
            findings.add("GL-DELIMITER", "file", value=delimiter)
