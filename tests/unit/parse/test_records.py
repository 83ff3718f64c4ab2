"""Delimited text becomes the same rows wherever its blocks are cut, and every mess of quotes has one reading."""

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glimmr.parse.tables import records
from glimmr.parse.tables.flags import names_of
from glimmr.parse.tables.records import Records
from glimmr.parse.text import Text, TextBlock

from .papers import BLOCKS, csv_text

CELL = st.text(st.sampled_from(list("ab1,\" \n'é$")), max_size=6)


def rows_of(
    text: str | bytes, width: int, block_bytes: int = 4 * 2**20, delimiter: str = ","
) -> tuple[list[list[str | None]], list[int], list[list[str]], Records]:
    data = text.encode() if isinstance(text, str) else text
    reader = Records(delimiter, width, 1, limit_bytes=8 * 2**20)
    cells: list[list[str | None]] = []
    numbers: list[int] = []
    flags: list[list[str]] = []
    for rows in reader.read(Text(io.BytesIO(data), block_bytes)):
        cells += [list(row) for row in zip(*(column.to_pylist() for column in rows.columns), strict=True)]
        numbers += rows.numbers.tolist()
        flags += [names_of(bits) for bits in rows.bits.tolist()]
    return cells, numbers, flags, reader


@settings(deadline=None)
@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8), st.sampled_from([3, 5, 16, 4096]))
def test_any_table_reads_back_whatever_the_block_size(table: list[list[str]], block_bytes: int) -> None:
    cells, numbers, _, _ = rows_of(csv_text(table), 3, block_bytes)
    true = [(at, [cell.strip() or None for cell in row]) for at, row in enumerate(table, 1)]
    kept = [(at, row) for at, row in true if any(row)]
    assert cells == [row for _, row in kept]
    assert numbers == [at for at, _ in kept]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_blank_records_are_dropped_but_numbered(block_bytes: int) -> None:
    cells, numbers, flags, _ = rows_of('a,b\n\n,\n"x\ny",2\n  , \nc,d\n', 2, block_bytes)
    assert cells == [["a", "b"], ["x\ny", "2"], ["c", "d"]]
    assert numbers == [1, 4, 6]
    assert flags == [[], [], []]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_short_and_long_rows_are_fitted_and_flagged(block_bytes: int) -> None:
    cells, numbers, flags, _ = rows_of("a,b,c\n1,2\n1,2,3,,\n1,2,3,4,5\nx,y,z\n", 3, block_bytes)
    assert cells == [["a", "b", "c"], ["1", "2", None], ["1", "2", "3"], ["1", "2", "3"], ["x", "y", "z"]]
    assert numbers == [1, 2, 3, 4, 5]
    assert flags == [[], ["short_row"], [], ["long_row"], []]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_a_quote_that_is_never_closed_swallows_no_other_record(block_bytes: int) -> None:
    text = 'a,b,c\n1,"NAIL 5"" x 6,3\n4,"5,6\n7,8,9\n"x ""y""",2,3\n'
    cells, numbers, flags, _ = rows_of(text, 3, block_bytes)
    assert [row[0] for row in cells] == ["a", "1", "4", "7", 'x "y"']
    assert numbers == [1, 2, 3, 4, 5]
    assert ["unbalanced_quote" in flag for flag in flags] == [False, True, True, False, False]
    assert cells[2] == ["4", "5", "6"]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_quotes_inside_plain_cells_are_part_of_them(block_bytes: int) -> None:
    cells, _, flags, _ = rows_of('TUBE 5" x 6",b\n7,"8"\n', 2, block_bytes)
    assert cells == [['TUBE 5" x 6"', "b"], ["7", "8"]]
    assert flags == [[], []]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_text_behind_a_closing_quote_flags_its_record_and_blanks_do_not(block_bytes: int) -> None:
    cells, _, flags, _ = rows_of('"MRI 5" tube,b\n"c" ,"d"\t\n"e ""f"" ",g"h"\n', 2, block_bytes)
    assert cells == [["MRI 5 tube", "b"], ["c", "d"], ['e "f"', 'g"h"']]
    assert flags == [["unbalanced_quote"], [], []]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_records_that_lost_nul_bytes_are_flagged(block_bytes: int) -> None:
    data = "a\0,b\r\nM\0RI\0,\0c\n\nd,é\n".encode() + '"x\0\ry",é\r'.encode("cp1252") + b'f,g"h\0"\ni,j\n' + bytes(9)
    cells, numbers, flags, _ = rows_of(data, 2, block_bytes)
    assert cells == [["a", "b"], ["MRI", "c"], ["d", "é"], ["x\ny", "é"], ["f", 'g"h"'], ["i", "j"]]
    assert numbers == [1, 2, 4, 5, 6, 7]
    assert [("nul_removed" in found) for found in flags] == [True, True, False, True, True, False]
    assert ["recoded" in found for found in flags] == [False, False, False, True, False, False]


def test_recoded_lines_flag_their_records_only() -> None:
    data = "a,é\n".encode() + b'"x\n' + "é".encode("cp1252") + b'",2\nc,d\n'
    _, numbers, flags, _ = rows_of(data, 2)
    assert numbers == [1, 2, 3]
    assert flags == [[], ["recoded"], []]


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_a_last_record_without_line_end_is_whole_when_it_is_as_wide_as_the_header(block_bytes: int) -> None:
    cells, _, _, reader = rows_of("a,b\nc,d", 2, block_bytes)
    assert cells == [["a", "b"], ["c", "d"]]
    assert reader.last_cut is None


@pytest.mark.parametrize("tail", ["c,d", 'c,"d', 'c,d,"e\nf'])
@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_a_last_record_that_is_cut_is_told_and_not_read(block_bytes: int, tail: str) -> None:
    cells, _, _, reader = rows_of("a,b,c\n" + tail, 3, block_bytes)
    assert cells == [["a", "b", "c"]]
    assert reader.last_cut == (2, tail)


@settings(deadline=None)
@given(st.text(st.sampled_from(list('a",\n1;')), max_size=60), st.sampled_from([1, 3, 8, 4096]))
def test_any_text_gives_rows_and_no_exception(text: str, block_bytes: int) -> None:
    rows_of(text, 3, block_bytes)


def physical(text: str) -> Iterator[TextBlock]:
    yield TextBlock(text.encode())


def test_a_regular_block_reads_as_the_csv_module_does() -> None:
    text = csv_text([[f"d{i}", f'"{i}", "b"', "x\ny" if i % 3 else "", str(i)] for i in range(500)])
    cells, *_ = rows_of(text, 4)
    assert cells == [[cell or None for cell in row] for row in csv.reader(io.StringIO(text))]


@pytest.mark.parametrize("quoted", ["", '"'])
def test_records_beyond_what_is_made_at_a_time_are_all_read(monkeypatch: pytest.MonkeyPatch, quoted: str) -> None:
    monkeypatch.setattr(records, "_MOST_CELLS", 30)
    monkeypatch.setattr(records, "_FEWEST_RECORDS", 3)
    text = "".join(f"{i},x{quoted}\n\n" for i in range(200)) + "\n" * 500 + "7,8,9\n"
    reader = Records(",", 3, 1, limit_bytes=1000)
    rows = list(reader.read([TextBlock(text.encode())]))
    assert [number for one in rows for number in one.numbers.tolist()] == [*range(1, 401, 2), 901]
    cells = [cell for one in rows for cell in one.columns[0].to_pylist()]
    assert cells == [*map(str, range(200)), "7"]
    assert all(len(one) <= 20 for one in rows)
