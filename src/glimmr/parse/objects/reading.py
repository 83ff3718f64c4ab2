"""A list of objects on its way to the price list: its tables one after another, with what the file says around it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from glimmr.errors import NoPriceTable
from glimmr.parse.elements.listing import Numbered, Rejected
from glimmr.parse.intake import Intake
from glimmr.parse.objects.facts import constants, header_of, is_place, merged
from glimmr.parse.objects.melted import unmelted
from glimmr.parse.objects.tables import as_text, tables
from glimmr.parse.tables.amounts import Ints
from glimmr.parse.tables.layouts import read_named
from glimmr.parse.tables.records import Rows
from glimmr.parse.tables.vocabulary import PRICES, named

_RAW_BYTES = 4096
_COMPARED = 5  # so many different hospitals are a comparison of them


class ObjectList:
    """Reads lists of objects; remembers whether one had prices."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._waiting: list[tuple[str, str, str]] = []  # rejects of a list that may have no prices at all
        self._passed: list[Ints] = []  # the numbers of the objects without prices
        self.refused: NoPriceTable | None = None  # the first list without a price
        self.has_table = False

    def read(self, parts: Iterable[Numbered | Rejected], prefix: str, context: Mapping[str, Any]) -> None:
        """Read one list. Positions are `prefix` and the number of the object; `context` is true of each of them."""
        self._passed = []
        taken = refused = False
        for names, rows in tables(self._items(parts, prefix, context)):
            has_prices = self._table(names, rows, prefix)
            taken, refused = taken or has_prices, refused or not has_prices
        if refused and not taken:
            self._waiting.clear()
        self._reject_waiting()
        if taken:  # some of the list had no price in any of their columns
            for number in (number for numbers in self._passed for number in numbers.tolist()):
                self._intake.reject(f"{prefix}{number}", "no_charges", "")

    def _table(self, names: list[str], rows: Iterator[Rows], prefix: str) -> bool:
        """Whether one table had prices."""
        first = next(rows)
        refusal = _refusal(names, first)
        if refusal is not None:
            return self._refuse(refusal, first, rows)
        said = constants(names, first)
        header = header_of(said)
        # A hospital's name under `name` is no description of what is priced.
        if header.hospital_name is not None:
            names = ["hospital_name" if said.get(name) == header.hospital_name else name for name in names]
        names, told = unmelted(names, rows, first)
        try:
            read_named(names, self._following(told), self._intake, prefix=prefix)
        except NoPriceTable as error:
            return self._refuse(error, first, rows)
        self.has_table = True
        self._intake.facts.header = merged(self._intake.facts.header, header)
        return True

    def _refuse(self, error: NoPriceTable, first: Rows, rows: Iterator[Rows]) -> bool:
        """It has no prices, whatever else it has."""
        self.refused = self.refused or error
        self._passed += [np.unique(one.numbers) for one in (first, *rows)]
        return False

    def _following(self, rows: Iterator[Rows]) -> Iterator[Rows]:
        for number, following in enumerate(rows):
            if number:  # the first were taken: these are prices
                self._reject_waiting()
            yield following

    def _items(
        self, parts: Iterable[Numbered | Rejected], prefix: str, context: Mapping[str, Any]
    ) -> Iterator[Numbered]:
        around = {key: text for key, value in context.items() if (text := as_text(value))}
        for part in parts:
            if isinstance(part, Rejected):
                raw = part.raw[:_RAW_BYTES].decode("utf-8", "replace")
                self._waiting.append((f"{prefix}{part.number}", part.reason, raw))
                continue
            numbers, items = part
            yield numbers, [around | item for item in items] if around else items

    def _reject_waiting(self) -> None:
        for position, reason, raw in self._waiting:
            self._intake.reject(position, reason, raw)
        self._waiting.clear()


def _refusal(names: Sequence[str], rows: Rows) -> NoPriceTable | None:
    """Why records with numbers are no price list all the same."""
    if all(named(name).role in PRICES for name in names):
        return NoPriceTable("records that say no item, only numbers", reason="foreign_json")
    for name, column in zip(names, rows.columns, strict=True):
        if is_place(name) and len(column) >= _COMPARED and len(column.unique()) > len(column) // 2:
            return NoPriceTable(
                f"a comparison of hospitals (each {name} once), not one's prices", reason="foreign_json"
            )
    return None
