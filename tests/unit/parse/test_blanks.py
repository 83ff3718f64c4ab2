"""Whether cells have blanks around them, told by the bytes of their records."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimmr.parse.tables.blanks import is_trimmed


def _is_trimmed(text: str, delimiter: str = ",") -> bool:
    data = text.encode()
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == ord('"'))
    return is_trimmed(memoryview(data), quotes, text.count("\n") or 1, ord(delimiter))


@pytest.mark.parametrize(
    "text",
    [
        "a b,c\n",
        '"Main St, Austin","x"\n',
        '"Paid at OPPS, ""see contract""",2\n',
        '"""see"" it",2\n',
        ",,\n",
    ],
)
def test_text_without_blanks_at_the_edges_of_cells_need_not_be_trimmed(text: str) -> None:
    assert _is_trimmed(text)


@pytest.mark.parametrize(
    "text",
    [
        " a,b\n",
        "a ,b\n",
        "a, b\n",
        "a,b \n",
        "a,b\n c,d\n",
        '" a",b\n',
        '"a ",b\n',
        "a\tb,c\n",
        "a\xa0,b\n",
        "a,b ",
        '""" ""a ",b\n',
        '"a,  ",b\n',
    ],
)
def test_a_blank_at_the_edge_of_a_cell_is_seen(text: str) -> None:
    assert not _is_trimmed(text)


def test_a_line_end_inside_quotes_is_no_edge_that_can_be_judged() -> None:
    data = b'"a\n",b\n'
    assert not is_trimmed(memoryview(data), np.array([0, 3]), 1, ord(","))


def test_pieces_that_do_not_fit_into_the_cache_are_judged_as_one() -> None:
    filler = "x" * (128 * 1024 - 2)
    assert _is_trimmed(f"{filler}y z,{filler}\n")
    for text in (f"{filler}y, z\n", f"{filler}, z\n", f"{filler} ,z\n", f"{filler}y ,z\n"):
        assert not _is_trimmed(text)


@given(st.lists(st.lists(st.text('ab ,"', max_size=5), min_size=2, max_size=3), min_size=1, max_size=4))
def test_what_needs_no_trimming_is_the_same_when_trimmed(records: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(records)
    cells = [cell for record in records for cell in record]
    assert _is_trimmed(text.getvalue()) == all(cell == cell.strip() for cell in cells)
