"""What stands above a further header: the general data of its section, or items of the section before it."""

import re
from collections.abc import Sequence

from glimmr.parse.tables import legacy, legacy_header
from glimmr.parse.tables.codes import CODE_TYPES
from glimmr.parse.tables.header import Columns, fold
from glimmr.parse.tables.preamble import iso_date, names_general_data
from glimmr.parse.tables.roles import is_number
from glimmr.parse.tables.words import LEGACY_SETTINGS, SETTINGS

_AMOUNTS = (
    "gross_charge", "discounted_cash", "min_negotiated", "max_negotiated", "negotiated_dollar", "negotiated_percentage",
    "estimated_amount", "median_amount", "p10_amount", "p90_amount",
)  # fmt: skip
_PRICE_IN_WORDS = re.compile(r"[$%]\s*\d|\d\s*%")  # `$1,200 per day`
_VERSION = re.compile(r"v?[1-3]\.\d{1,2}(\.\d{1,2})?", re.IGNORECASE | re.ASCII)


def general_data(columns: Columns, above: Sequence[Sequence[str]]) -> int | None:
    """From which of the records above a header its general data stand; None when they do not.

    From there on none is an item of the section before, whose columns these are, or begins a table of another kind.
    The values alone may have numbers where prices stand (a license, an edition): the names right above tell them.
    """
    begin = None
    for at in range(len(above) - 1, -1, -1):
        if _is_item(columns, above[at]) or _begins_a_table(above[at]):
            if not at or not _are_values(columns, above[at - 1], above[at]):
                break
        elif names_general_data(above[at]):
            begin = at
    return begin


def _begins_a_table(cells: Sequence[str]) -> bool:
    return legacy_header.names_prices(cells) and not names_general_data(cells)


def is_priced(columns: Columns, cells: Sequence[str]) -> bool:
    """Whether a number stands in a record where these columns have prices."""
    return bool(_priced(columns, cells))


def _priced(columns: Columns, cells: Sequence[str]) -> list[int]:
    """The columns of prices in which a record has a number."""
    filled = [at for at in _price_columns(columns) if at < len(cells) and cells[at]]
    return [at for at in filled if is_number(cells[at]) or _PRICE_IN_WORDS.search(cells[at])]


def _price_columns(columns: Columns) -> set[int]:
    if columns.legacy:
        return legacy.price_columns(columns)
    own = {columns.known[name] for name in _AMOUNTS if name in columns.known}
    return own | {group.metrics[name] for group in columns.groups for name in _AMOUNTS if name in group.metrics}


def _is_item(columns: Columns, cells: Sequence[str]) -> bool:
    """Whether a record says what only an item does: a price, a setting, or the type of its code."""
    return _says_what(columns, cells) or is_priced(columns, cells)


def _says_what(columns: Columns, cells: Sequence[str]) -> bool:
    settings = LEGACY_SETTINGS if columns.legacy else SETTINGS
    if _cell(cells, columns.known.get("setting")).casefold() in settings:
        return True
    return any(_cell(cells, code) and _cell(cells, kind).upper() in CODE_TYPES for code, kind in columns.codes.values())


def _cell(cells: Sequence[str], at: int | None) -> str:
    return cells[at].strip() if at is not None and at < len(cells) else ""


def _are_values(columns: Columns, names: Sequence[str], values: Sequence[str]) -> bool:
    """Whether a record that may be something else has the values of the names above it.

    Each number where prices stand has a name, and a date, an edition or a confirmation stands under its own elsewhere.
    """
    if not names_general_data(names) or _is_item(columns, names) or _says_what(columns, values):
        return False
    prices = _price_columns(columns)
    if not all(_cell(names, at) for at in _priced(columns, values)):
        return False
    return any(_is_value(fold(name), _cell(values, at)) for at, name in enumerate(names) if at not in prices)


def _is_value(name: str, value: str) -> bool:
    """Whether this is plainly the value of a general data element."""
    if name == "last_updated_on":
        return iso_date(value)[1]
    if name == "version":
        return _VERSION.fullmatch(value) is not None
    return name.startswith("to_the_best_of_its_knowledge") and value.casefold() in {"true", "false"}
