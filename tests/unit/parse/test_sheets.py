"""Workbooks: the same table gives the same cells whatever wrote it; odd ones are read or refused, never guessed."""

import datetime as dt
import io
import random
from typing import Any

import openpyxl
import pytest
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from glimmr.errors import ContentError
from glimmr.parse.sheets.numbers import plain
from glimmr.sniff import Kind, sniff

from . import books
from .books import MAKES, odd_xlsx, rows, sheets

TABLE = [
    ["code", "description", "price"],
    ["055", "MRI & <CT>", 1163.0],
    [],
    [None, "two\nlines", 0.1, True, False],
    [99213, " kept ", -5, 12345678901, 1234.5],
    [None, None, 1e16, None, 0.00277],
]
CELLS = [
    ["code", "description", "price"],
    ["055", "MRI & <CT>", "1163"],
    [],
    ["", "two\nlines", "0.1", "TRUE", "FALSE"],
    ["99213", " kept ", "-5", "12345678901", "1234.5"],
    ["", "", "10000000000000000", "", "0.00277"],
]


@pytest.mark.parametrize("make", MAKES)
def test_a_table_gives_the_same_cells_whatever_wrote_it(make: str) -> None:
    content = MAKES[make](Charges=TABLE, Empty=[], Notes=[["only this"]])
    got = sheets(content)
    assert [(sheet.name, sheet.format) for sheet, _ in got] == [("Charges", make), ("Empty", make), ("Notes", make)]
    assert [table for _, table in got] == [CELLS, [], [["only this"]]]


@pytest.mark.parametrize("make", ["xlsx", "xls", "xlsb", "ods"])
def test_another_reader_sees_the_same_cells_in_our_workbooks(make: str) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(MAKES[make](Charges=TABLE)))
    theirs = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert [cut([text_of(value) for value in row]) for row in theirs] == CELLS


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        ("xlsx", Kind.XLSX),
        ("xls", Kind.XLS),
        ("xlsb", Kind.XLSB),
        ("ods", Kind.OPENDOCUMENT),
        ("spreadsheetml", Kind.SPREADSHEETML),
    ],
)
def test_a_workbook_is_known_by_its_bytes(make: str, kind: Kind) -> None:
    assert sniff(MAKES[make](A=TABLE)) is kind


def text_of(value: Any) -> str:
    """A value as another reader gives it, as we would write it."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return plain(float(value))
    return "" if value is None else str(value)


def cut(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row.pop()
    return row


# Characters XML cannot carry, and what Excel writes for them (_x000D_), are left out.
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="\ufffe\uffff"), max_size=12
).filter(lambda text: "_x" not in text and not text.startswith("=") and text not in {"#N/A", "#REF!"})
VALUES = st.one_of(
    st.none(),
    TEXTS,
    st.booleans(),
    st.integers(-(10**15), 10**15),
    # openpyxl writes 16 digits of a double.
    st.floats(-1e300, 1e300).map(lambda number: float(f"{number:.15g}")),
    st.decimals(-(10**6), 10**6, places=2).map(float),
)
GRIDS = st.lists(st.lists(VALUES, max_size=6), max_size=8)


@settings(max_examples=40, deadline=None)
@given(GRIDS)
def test_any_sheet_reads_as_openpyxl_reads_it(table: list[list[Any]]) -> None:
    content = books.xlsx(A=table)
    book = openpyxl.load_workbook(io.BytesIO(content))
    theirs = [cut([text_of(value) for value in row]) for row in book["A"].iter_rows(values_only=True)]
    while theirs and not theirs[-1]:
        theirs.pop()
    assert rows(content) == theirs


@settings(max_examples=40, deadline=None)
@given(GRIDS)
def test_all_makes_agree_on_any_table(table: list[list[Any]]) -> None:
    # Numbers beyond what Excel holds, and blanks at the ends of a text, are not the same thing in every make.
    table = [[value.strip() if isinstance(value, str) else value for value in row] for row in table]
    read = {make: rows(write(A=table)) for make, write in MAKES.items()}
    assert all(cells == read["xlsx"] for cells in read.values())


@settings(max_examples=40, deadline=None)
@given(GRIDS)
def test_the_pattern_and_the_xml_parser_read_the_same(table: list[list[Any]]) -> None:
    parts = books.parts_of(books.xlsx(A=table))
    [name] = [name for name in parts if name.startswith("xl/worksheets/sheet")]
    regular = rows(books.zip_of(parts))
    parts[name] = parts[name].replace(b"<sheetData", b"<!-- no pattern --><sheetData")
    assert rows(books.zip_of(parts)) == regular


def test_a_sheet_that_turns_irregular_is_read_on_by_the_xml_parser() -> None:
    data = (
        '<row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="3"><c r="A3" t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c><c t="str"><v>&lt;&#x41;</v></c>'
        '</row><row r="4" ><c  r="B4"><v>2.50</v></c></row><row r="5"><c r="C5"><v>3</v></c></row>'
    )
    assert rows(odd_xlsx(data)) == [["1"], [], ["ab", "<A"], ["", "2.5"], ["", "", "3"]]


def test_types_of_cells_and_missing_references() -> None:
    data = (
        "<row><c><v>1163.0</v></c><c t='n'><v>1e3</v></c></row>"
        '<row><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c><c t="str"><f>A1&amp;"x"</f><v>055 &amp; more</v></c>'
        '<c t="d"><v>2024-01-31T00:00:00</v></c><c r="G2" t="inlineStr"><is><t>in_x000D_line</t></is></c></row>'
        '<row r="4"><c r="B4" t="s"><v>0</v></c><c r="D4" t="s"><v>1</v></c><c r="E4" s="9"/></row>'
    )
    strings = "<si><r><t>rich </t></r><r><rPr/><t>text</t></r><rPh><t>phonetic</t></rPh></si><si><t>shared</t></si>"
    expected = [
        ["1163", "1000"],
        ["TRUE", "#N/A", "055 & more", "2024-01-31", "", "", "in\rline"],
        [],
        ["", "rich text", "", "shared"],
    ]
    assert rows(odd_xlsx(data, strings=strings)) == expected
    assert rows(odd_xlsx("<!-- slowly -->" + data, strings=strings)) == expected
    assert rows(odd_xlsx(data, strings=strings, main=books.STRICT)) == expected


def test_a_prefix_for_every_element_is_no_obstacle() -> None:
    parts = books.odd_parts("")
    parts["xl/worksheets/part1.xml"] = (
        f'<x:worksheet xmlns:x="{books.MAIN}"><x:sheetData><x:row r="2"><x:c r="B2"><x:v>7</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>"
    )
    assert rows(books.zip_of(parts)) == [[], ["", "7"]]


def test_what_people_see_of_a_number() -> None:
    formats = (
        '<numFmt numFmtId="164" formatCode="000"/><numFmt numFmtId="165" formatCode="00000-0000-00"/>'
        '<numFmt numFmtId="166" formatCode="yyyy\\-mm\\-dd;@"/><numFmt numFmtId="167" formatCode="&quot;days&quot; 0"/>'
        '<numFmt numFmtId="168" formatCode="[Red]#,##0.00"/><numFmt numFmtId="169" formatCode="[h]:mm"/>'
    )
    ids = (0, 164, 165, 166, 167, 168, 169, 10, 14, 22)
    styles = "".join(f'<xf numFmtId="{number}"/>' for number in ids)
    values = (55, 55, 12345678901, 45292, 3, 1234.5, 1.5, 0.55, 45292, 45292.75)
    cells = "".join(f'<c s="{style}"><v>{value}</v></c>' for style, value in enumerate(values))
    more = '<c s="1"><v>55.5</v></c><c s="1"><v>-5</v></c><c s="8"><v>-1</v></c><c s="8"><v>1</v></c>'
    got = rows(odd_xlsx(f"<row>{cells}</row><row>{more}</row>", formats=formats, styles=styles))
    assert got == [
        ["55", "055", "12345-6789-01", "2024-01-01", "3", "1234.5", "1.5", "0.55", "2024-01-01", "2024-01-01T18:00:00"],
        ["55.5", "-5", "-1", "1900-01-01"],
    ]


def test_dates_may_count_from_1904() -> None:
    workbook = '<workbookPr date1904="1"/>'
    got = rows(odd_xlsx('<row><c s="0"><v>43830</v></c></row>', styles='<xf numFmtId="14"/>', workbook=workbook))
    assert got == [["2024-01-01"]]


def test_formats_of_an_xls_are_seen_too() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("A")
    sheet.write(0, 0, 55, xlwt.easyxf(num_format_str="000"))
    sheet.write(0, 1, dt.date(2024, 1, 1), xlwt.easyxf(num_format_str="YYYY-MM-DD"))
    sheet.write(0, 2, xlwt.Formula("1+1"))
    sheet.row(1).set_cell_error(0, 42)
    out = io.BytesIO()
    book.save(out)
    # xlwt computes nothing: its formula has no value yet.
    assert rows(out.getvalue()) == [["055", "2024-01-01"], ["#N/A"]]


def test_an_xls_whose_cells_were_written_column_by_column_is_read_row_by_row() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("A")
    for row in range(3):
        sheet.write(row, 0, f"a{row}")
        sheet.write(row, 1, row)
    out = io.BytesIO()
    book.save(out)
    shuffled = books.with_cells_in_column_order(out.getvalue())
    assert shuffled != out.getvalue()
    assert rows(shuffled) == rows(out.getvalue()) == [["a0", "0"], ["a1", "1"], ["a2", "2"]]


def test_texts_of_an_xls_go_on_where_a_record_is_full() -> None:
    wild = random.Random(3)
    texts = ["".join(wild.choice("aé中") for _ in range(wild.randint(0, 4000))) for _ in range(60)]
    assert rows(books.xls(A=[[text] for text in texts])) == [[text] if text else [] for text in texts]


def test_spreadsheetml_jumps_and_merges() -> None:
    body = (
        '<Styles><Style ss:ID="s1"><NumberFormat ss:Format="000"/></Style>'
        '<Style ss:ID="s2"><NumberFormat ss:Format="Standard"/></Style></Styles>'
        '<Worksheet ss:Name="A"><Table ss:ExpandedRowCount="9"><Column/>'
        '<Row ss:Index="3"><Cell ss:Index="2" ss:MergeAcross="2"><Data ss:Type="String">wide</Data></Cell>'
        '<Cell><Data ss:Type="Number">1163.50</Data></Cell></Row>'
        '<Row><Cell ss:StyleID="s1"><Data ss:Type="Number">55</Data></Cell>'
        '<Cell ss:StyleID="s2"><Data ss:Type="Number">45000</Data></Cell>'
        '<Cell><Data ss:Type="DateTime">2024-01-01T00:00:00.000</Data></Cell>'
        '<Cell><Data ss:Type="Error">#N/A</Data><Comment><Data>aside</Data></Comment></Cell></Row>'
        "</Table></Worksheet>"
    )
    assert rows(books.workbook_2003(body)) == [
        [],
        [],
        ["", "wide", "", "", "1163.5"],
        ["055", "45000", "2024-01-01", "#N/A"],
    ]


def test_spreadsheetml_in_any_encoding_and_with_forbidden_characters() -> None:
    text = books.workbook_2003(
        '<Worksheet ss:Name="A"><Table><Row><Cell><Data ss:Type="String">caf\u00e9</Data></Cell></Row></Table>'
        "</Worksheet>"
    ).decode()
    assert rows(text.encode("cp1252")) == [["caf\u00e9"]]
    assert rows(text.encode("utf-16")) == [["caf\u00e9"]]
    assert rows(b"\xef\xbb\xbf\n" + text.replace("caf", "c\x0bf").encode()) == [["c f\u00e9"]]


def test_ods_repeats_spaces_and_asides() -> None:
    body = (
        '<table:table table:name="A" table:style-name="off">'
        '<table:table-header-rows><table:table-row><table:table-cell table:number-columns-repeated="2"/>'
        '<table:table-cell office:value-type="string" table:number-columns-repeated="2"><text:p>a<text:s text:c="2"/>'
        "<text:span>b</text:span></text:p><office:annotation><text:p>aside</text:p></office:annotation>"
        "</table:table-cell></table:table-row></table:table-header-rows>"
        '<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>'
        '<table:table-row table:number-rows-repeated="2"><table:table-cell office:value-type="float" office:value="55">'
        '<text:p>055</text:p></table:table-cell><table:table-cell office:value-type="currency" office:value="1234.50">'
        '<text:p>$1,234.50</text:p></table:table-cell><table:table-cell office:value-type="date" '
        'office:date-value="2024-01-01"><text:p>1/1/24</text:p></table:table-cell>'
        '<table:table-cell table:number-columns-repeated="16000"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row></table:table>'
    )
    style = '<style:style style:name="off"><style:table-properties table:display="false"/></style:style>'
    ((sheet, table),) = sheets(books.odd_ods(body, style))
    assert sheet.hidden
    assert table == [["", "", "a  b", "a  b"], [], [], ["055", "1234.5", "2024-01-01"], ["055", "1234.5", "2024-01-01"]]


def test_an_error_ends_in_a_content_error_or_not_at_all() -> None:
    """Whatever is broken in a workbook, only a ContentError comes out, after the rows before it."""
    wild = random.Random(7)
    for make, write in MAKES.items():
        content = write(A=TABLE * 3, B=TABLE)
        for _ in range(120):
            broken = books.broken(content, wild)
            try:
                sheets(broken)
            except (ContentError, KeyError) as error:
                # KeyError: so broken that it is no workbook any more.
                assert isinstance(error, ContentError) or sniff(broken) not in books.BOOKS, make
