"""Where a value stands: the cell of a table or the key of a JSON document, for a column of the price table."""

import re

from glimmr.parse.batch import Places
from glimmr.parse.tables.header import TEMPLATE_NAMES, Columns, Group

# Column of the price table → where it stands below the position of its charge or rate (CMS JSON schema).
_OF_ITEM = {
    "description": "description", "codes": "code_information", "drug_unit": "drug_information/unit",
    "drug_type": "drug_information/type",
}  # fmt: skip
_OF_CHARGE = {
    "setting": "setting", "billing_class": "billing_class", "gross_charge": "gross_charge",
    "discounted_cash": "discounted_cash", "min_negotiated": "minimum", "max_negotiated": "maximum",
    "generic_notes": "additional_generic_notes", "modifiers": "modifier_code",
}  # fmt: skip
_OF_PAYER = {
    "payer_name": "payer_name", "plan_name": "plan_name", "negotiated_dollar": "standard_charge_dollar",
    "negotiated_percentage": "standard_charge_percentage", "negotiated_algorithm": "standard_charge_algorithm",
    "methodology": "methodology", "estimated_amount": "estimated_amount", "median_amount": "median_amount",
    "p10_amount": "10th_percentile", "p90_amount": "90th_percentile", "allowed_count": "count",
    "payer_notes": "additional_payer_notes",
}  # fmt: skip
_CHARGE = re.compile(r"/sc/\d+$")
_COLUMN = re.compile(r"(?<=\d)C(\d+)$")


class Cells:
    """The cells of one table. Without `columns`: of CMS's JSON, or of a table whose columns are not known."""

    def __init__(self, columns: Columns | None = None, places: Places | None = None) -> None:
        self._columns = columns
        self._places = places or Places()
        self._groups: dict[int, Group] = {}
        for group in columns.groups if columns else ():
            self._groups.setdefault(min(group.metrics.values()), group)

    @property
    def of_template(self) -> bool:
        """Whether it is a table of CMS's whose header was judged."""
        return self._columns is not None

    def lacks(self, *names: str) -> bool:
        """Whether a CMS table has no such column at all: that is said once, of its header."""
        if self._columns is None:
            return False
        wanted = set(names)
        known = set(self._columns.known) | ({"codes"} if self._columns.codes else set())
        inside = {name for group in self._columns.groups for name in group.metrics}
        return not wanted & (known | inside)

    @property
    def lacks_code(self) -> bool:
        """Whether a `code|i|type` has no `code|i` beside it."""
        return any(code is None for code, _ in self._columns.codes.values()) if self._columns else False

    @property
    def lacks_type(self) -> bool:
        """Whether a `code|i` has no `code|i|type` beside it."""
        return any(kind is None for _, kind in self._columns.codes.values()) if self._columns else False

    def at(self, position: str, name: str) -> tuple[str, str]:
        """The cell of column `name` of the row at `position`, and what it is called there."""
        if self._columns is not None:
            return self._in_table(self._columns, position, name)
        if position.startswith("/sci/"):
            return _in_document(position, name)
        return position, TEMPLATE_NAMES.get(name, name)

    def _in_table(self, columns: Columns, position: str, name: str) -> tuple[str, str]:
        found = _COLUMN.search(position)
        record = position[: found.start()] if found else position
        index = columns.known.get("payer_notes" if name == "payer_notes" and "payer_notes" in columns.known else name)
        if index is None and name == "payer_notes":
            index = columns.known.get("generic_notes")  # the tall template has no other notes
        if found:
            group = self._groups.get(int(found[1]) - 1)
            index = group.metrics.get(name, index) if group else index
        if index is None:
            return position, TEMPLATE_NAMES.get(name, name)
        return record + self._places.of_column(index, columns.names[index]), columns.names[index]

    def of_column(self, position: str, index: int) -> tuple[str, str | None]:
        """The cell in column `index` (from 0) of the row at `position`, and what it is called there."""
        if self._columns is None:
            return position, None
        return position + self._places.of_column(index, self._columns.names[index]), self._columns.names[index]

    def labelled(self, position: str, label: str) -> str:
        """The cell under the published name `label` of the row at `position`."""
        if self._columns is None:
            return f"{position}/{label}" if position.startswith("/sci/") else position
        try:
            index = self._columns.names.index(label)
        except ValueError:
            return position
        return _COLUMN.sub("", position) + self._places.of_column(index, label)


def _in_document(position: str, name: str) -> tuple[str, str]:
    if name in _OF_ITEM:
        return f"{_CHARGE.sub('', position)}/{_OF_ITEM[name]}", _OF_ITEM[name].replace("/", ".")
    key = _OF_CHARGE.get(name) or _OF_PAYER.get(name, name)
    return f"{position}/{key}", key
