"""Positions as people find them: `R5C7` is the cell G5 of a spreadsheet, `/sci/12` an item of the JSON document."""

import re

_CELL = re.compile(r"(.*!)?R(\d+)(?:C(\d+))?", re.DOTALL | re.ASCII)
_ITEM = re.compile(r"/sci/(\d+)(?:/sc/(\d+)(?:/p/(\d+))?)?(/.*)?", re.DOTALL | re.ASCII)


def cell_name(position: str) -> str:
    """`Sheet1!R5C7` → `Sheet1!G5`, `R5` → `row 5`, `/sci/1/sc/0` → the whole JSON pointer (RFC 6901)."""
    found = _CELL.fullmatch(position)
    if found:
        sheet, row, column = found.groups()
        return f"{sheet or ''}{letters(int(column))}{row}" if column else f"{sheet or ''}row {row}"
    item = _ITEM.fullmatch(position)
    if not item:
        return position
    keys = ("standard_charge_information", "standard_charges", "payers_information")
    path = "".join(f"/{key}/{number}" for key, number in zip(keys, item.groups()[:3], strict=True) if number)
    return path + (item[4] or "")


def letters(column: int) -> str:
    """The letters of a spreadsheet's column (from 1): 1 is A, 27 is AA."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
