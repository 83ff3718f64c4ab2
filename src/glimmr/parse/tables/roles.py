"""Which role each column of a legacy table has: by its name first, then by what stands under it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glimmr.parse.tables.amounts import NULL_TOKENS
from glimmr.parse.tables.insurers import names_an_insurer
from glimmr.parse.tables.vocabulary import Named, Role, named, words
from glimmr.parse.tables.words import LEGACY_SETTINGS

_NUMBER = re.compile(r"\(?-?\$?\s*-?(\d[\d,]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?\)?", re.ASCII)
_CODE = re.compile(r"[A-Z0-9][A-Z0-9.\-/ ]{0,15}", re.IGNORECASE | re.ASCII)
_MOSTLY = 0.6
_NEARLY_ALL = 0.8
_LONG_TEXT = 25  # characters: longer than any code


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sample: its name, what the name says, and what its cells look like."""

    index: int
    name: str
    says: Named
    filled: int  # cells that are neither blank nor a null token
    numbers: int
    priced: int  # numbers with a point or a dollar sign
    coded: int  # cells that could be codes
    settings: int  # cells that name a setting
    average_length: float

    @property
    def is_numeric(self) -> bool:
        """Whether most of its cells are numbers."""
        return self.numbers > 0 and self.numbers >= _MOSTLY * self.filled


def is_number(cell: str) -> bool:
    """Whether a cell is a number (`$1,234.50`, `(12)`)."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def looked_at(index: int, name: str, cells: Sequence[str]) -> Column:
    """A column with what is to be said of a sample of its cells."""
    filled = [text for cell in cells if (text := cell.strip()) and text.casefold() not in NULL_TOKENS]
    numbers = [text for text in filled if is_number(text)]
    return Column(
        index=index,
        name=name,
        says=named(name),
        filled=len(filled),
        numbers=len(numbers),
        priced=sum(1 for text in numbers if "." in text or "$" in text or "," in text),
        coded=sum(1 for text in filled if _CODE.fullmatch(text) and any(c.isdigit() for c in text)),
        settings=sum(1 for text in filled if text.casefold() in LEGACY_SETTINGS),
        average_length=sum(map(len, filled)) / max(1, len(filled)),
    )


def roles(columns: Sequence[Column]) -> dict[int, Named]:
    """Column index → what it is, content considered. Payers' own columns are `payer_columns`."""
    return {column.index: _by_content(column) for column in columns}


def _by_content(column: Column) -> Named:
    says = column.says
    if column.filled and column.settings >= _NEARLY_ALL * column.filled:
        return Named(Role.SETTING, 7)
    if says.role is Role.GROSS and says.weight <= 7:
        return _price_or_code(column)
    if says.role is Role.CODE and column.average_length > _LONG_TEXT and column.coded < 0.5 * column.filled:
        return Named(Role.DESCRIPTION, 4)
    return Named(Role.COUNTING) if says.role is Role.CODE_TYPE and column.is_numeric else says


def _price_or_code(column: Column) -> Named:
    """`charge` stands over prices, over codes or over names."""
    says = column.says
    if not column.filled or column.numbers:
        long_whole_numbers = column.is_numeric and column.priced == 0 and column.average_length >= 6
        is_code = long_whole_numbers and column.name.strip().casefold() == "charge"
        return Named(Role.CODE, 4, "CDM") if is_code else says
    if column.coded >= _NEARLY_ALL * column.filled:
        return Named(Role.CODE, 4, "CDM")
    return Named(Role.DESCRIPTION, 1) if column.average_length > 8 and says.weight <= 6 else says


def payer_columns(columns: Sequence[Column], found: dict[int, Named]) -> list[int]:
    """The columns that each hold one payer's rates.

    Those whose name is an insurer's, and the columns nobody knows between two of them or, when they hold money, beside
    them (PARSING.md: real tables name payers that no list knows). Text under an insurer's name is a rate too (`OPEN`).
    """
    free = {c.index for c in columns if _may_be_payer(c, found[c.index])}
    insurers = [c.index for c in columns if c.index in free and names_an_insurer(c.name)]
    negotiated = [c.index for c in columns if found[c.index].role is Role.NEGOTIATED]
    has_payer = any(found[c.index].role is Role.PAYER for c in columns)
    if not insurers:
        return negotiated if len(negotiated) > 1 and not has_payer else []
    if has_payer and len(insurers) < 2:
        return []
    by_index = {c.index: c for c in columns}
    chosen = set(insurers) | (free & set(range(insurers[0], insurers[-1])))
    for step, index in ((1, insurers[-1]), (-1, insurers[0])):
        while index + step in free and _is_like(by_index[index + step], by_index[index], found):
            index += step  # noqa: PLW2901 - walks on while columns are alike
            chosen.add(index)
    return sorted(chosen)


def _may_be_payer(column: Column, is_a: Named) -> bool:
    if is_a.role is Role.COUNTING or (is_a.role is Role.DESCRIPTION and is_a.weight <= 2):
        return names_an_insurer(column.name) and (column.numbers > 0 or not column.filled)
    return is_a.role in {Role.UNKNOWN, Role.NEGOTIATED} or (is_a.role is Role.GROSS and is_a.weight <= 6)


def _is_like(column: Column, beside: Column, found: dict[int, Named]) -> bool:
    """Whether a column beside a payer's is one too: numbers under an unknown name, or a name that ends alike."""
    if found[column.index].role is Role.UNKNOWN:
        return column.is_numeric and column.name != ""
    ends = [words(one.name)[-1:] for one in (column, beside)]
    return ends[0] == ends[1] != []
