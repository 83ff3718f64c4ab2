"""A workbook whose sheets are parts of their own: what it names, and how each part gives rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from glimmr.parse.sheets.sheet import Row, Sheet, in_order


@dataclass(frozen=True, slots=True)
class Entry:
    """A sheet as the workbook lists it: its name and the part that holds it."""

    name: str
    part: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Book:
    """What a workbook says of its sheets. `rows` reads the rows of one part."""

    format: str
    entries: list[Entry]
    rows: Callable[[str], Iterator[Row]]

    def sheets(self) -> Iterator[Sheet]:
        """Every sheet, in the workbook's order."""
        for entry in self.entries:
            yield Sheet(entry.name, self.format, in_order(self.rows(entry.part)), entry.hidden)
