"""Rows fit into any width, and what cannot be shown is left out by its rank."""

import pytest
from rich.cells import cell_len

from glimmr.cli.columns import Column, fitted

COLUMNS = (
    Column("id", 2, right=True),
    Column("what", takes_rest=True),
    Column("done", 1, right=True),
    Column("never"),
)
ROWS = [(7, "a name that is rather long", "12 %", ""), (1234, "short", "", None)]


def test_everything_is_shown_where_there_is_room_but_columns_without_values() -> None:
    assert fitted(COLUMNS, ROWS, 60) == [
        "  id  what                        done",
        "   7  a name that is rather long  12 %",
        "1234  short",
    ]


def test_the_column_that_takes_the_rest_is_cut_first_and_then_the_highest_rank_goes() -> None:
    assert fitted(COLUMNS, ROWS, 37)[1] == "   7  a name that is rather lo…  12 %"
    assert fitted(COLUMNS, ROWS, 35)[1] == "a name that is rather long  12 %"
    assert fitted(COLUMNS, ROWS, 30)[1] == "a name that is rather l…  12 %"
    assert fitted(COLUMNS, ROWS, 12)[1] == "a name that…"


@pytest.mark.parametrize("width", range(1, 60))
def test_no_line_is_wider_than_asked_whatever_it_holds(width: int) -> None:
    rows = [*ROWS, (1, "名前の長い病院の料金表", "1 %", "x"), (2, "\x1b[31mred\n", "", "y")]
    told = fitted(COLUMNS, rows, width)
    assert len(told) == 1 + len(rows)
    assert all(cell_len(line) <= width for line in told), told
    assert "\x1b" not in "".join(told)
