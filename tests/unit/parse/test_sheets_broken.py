"""Workbooks that are damaged, locked, hostile or enormous: what is whole is read, the rest is said."""

import resource
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr.errors import (
    Bomb,
    ContentError,
    CutShort,
    Encrypted,
    ForbiddenDtd,
    NotAPriceFile,
    UnpackedTooLarge,
    Unparseable,
)

from . import books
from .books import odd_parts, odd_xlsx, opened, rows, sheets, zip_of
from .papers import read

PRICES = [["code", "description", "gross charge"], ["99213", "Visit", 120.5], ["70551", "MRI", 1163.0]]


def until_it_breaks(content: bytes, **limits: int) -> tuple[list[list[str]], ContentError]:
    """The rows of the first sheet up to where it breaks, and why it does."""
    book = opened(content, **limits)
    sheet = next(book)
    got: list[list[str]] = []

    def taken() -> Iterator[list[str]]:
        for row in sheet.rows:
            got.append(row)
            yield row

    with pytest.raises(ContentError) as broken:
        list(taken())
    return got, broken.value


@pytest.mark.parametrize("slow", ["", "<!-- slowly -->"])
def test_a_sheet_cut_short_keeps_its_whole_rows(slow: str) -> None:
    parts = odd_parts(slow + "".join(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c></row>' for i in range(1, 200)))
    name = "xl/worksheets/part1.xml"
    data = parts[name]
    assert isinstance(data, str)
    parts[name] = data[: data.index("<v>150</v>") + 4]
    got, failure = until_it_breaks(zip_of(parts))
    assert got == [[str(i)] for i in range(1, 150)]
    assert (type(failure), failure.reason) == (CutShort, "truncated")


@pytest.mark.parametrize("make", ["xlsb", "ods", "spreadsheetml"])
def test_other_makes_cut_short_keep_their_whole_rows(make: str) -> None:
    table = [[f"text {i}", i] for i in range(300)]
    content = books.MAKES[make](A=table)
    if make == "spreadsheetml":
        content = content[: content.index(b"text 150") + 3]
    else:
        parts = books.parts_of(content)
        name = "content.xml" if make == "ods" else "xl/worksheets/sheet1.bin"
        parts[name] = parts[name][: len(parts[name]) // 2]
        content = zip_of(parts)
    got, failure = until_it_breaks(content)
    assert 100 < len(got) <= 200
    assert got == [[f"text {i}", str(i)] for i in range(len(got))]
    assert (type(failure), failure.reason) == (CutShort, "truncated")


def test_an_xls_whose_record_is_longer_than_the_file_keeps_the_rows_before() -> None:
    content = books.xls(A=[[f"text {i}", i + 0.12345] for i in range(50)])
    number = struct.pack("<d", 40.12345)
    at = content.index(number) - 6 - 4
    got, failure = until_it_breaks(content[:at] + struct.pack("<HH", 0x203, 0xFFFF) + content[at + 4 :])
    assert got == [[f"text {i}", f"{i}.12345"] for i in range(40)]
    assert isinstance(failure, CutShort)


def test_a_shared_text_that_is_missing_is_not_read_as_a_blank() -> None:
    data = '<row r="1"><c t="s"><v>0</v></c></row><row r="2"><c t="s"><v>1</v></c></row>'
    got, failure = until_it_breaks(odd_xlsx(data, strings="<si><t>here</t></si>"))
    assert got == [["here"]]
    assert isinstance(failure, CutShort)


def test_a_sheet_whose_part_is_missing_does_not_hide_the_others() -> None:
    parts = odd_parts("<row><c><v>1</v></c></row>", "<row><c><v>2</v></c></row>")
    del parts["xl/worksheets/part1.xml"]
    book = opened(zip_of(parts))
    with pytest.raises(Unparseable):
        list(next(book).rows)
    assert list(next(book).rows) == [["2"]]


DOCTYPE = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("part", ["xl/worksheets/part1.xml", "xl/texts.xml", "xl/workbook.xml", "xl/styles.xml"])
def test_a_document_type_is_refused_in_every_part(part: str) -> None:
    data = '<row><c t="s"><v>0</v></c></row>'
    parts = odd_parts(data, strings="<si><t>&b;</t></si>", styles='<xf numFmtId="1"/>')
    text = parts[part]
    assert isinstance(text, str)
    declaration = text.index("?>") + 2 if text.startswith("<?") else 0
    parts[part] = text[:declaration] + DOCTYPE + text[declaration:]
    with pytest.raises(ForbiddenDtd):
        sheets(zip_of(parts))


def test_a_document_type_is_refused_in_spreadsheetml_and_ods() -> None:
    text = books.spreadsheetml(A=[["x"]]).replace(b"<Workbook", DOCTYPE.encode() + b"<Workbook")
    with pytest.raises(ForbiddenDtd):
        sheets(text)
    parts = books.parts_of(books.ods(A=[["x"]]))
    parts["content.xml"] = DOCTYPE.encode() + parts["content.xml"]
    with pytest.raises(ForbiddenDtd):
        sheets(zip_of(parts))


def locked(content: bytes) -> bytes:
    """An xls whose second record says that the others are encrypted ([MS-XLS] 2.4.117)."""
    second = content.index(struct.pack("<HH", 0x809, 16)) + 20
    return content[:second] + struct.pack("<H", 0x2F) + content[second + 2 :]


def test_passwords_are_told(tmp_path: Path) -> None:
    with pytest.raises(Encrypted):
        sheets(locked(books.xls(A=[["x"]])))
    got = read(tmp_path, books.workbook_stream_as(books.xls(A=[["x"]]), "EncryptedPackage"))
    assert got.ended == ("unsafe", "encrypted")
    parts = books.parts_of(books.ods(A=[["x"]]))
    parts["META-INF/manifest.xml"] = b'<m xmlns="urn:m"><encryption-data/></m>'
    with pytest.raises(Encrypted):
        sheets(zip_of(parts))


def test_documents_that_are_no_workbooks_are_no_price_files() -> None:
    with pytest.raises(NotAPriceFile):
        sheets(books.workbook_stream_as(books.xls(A=[["x"]]), "Contents"))
    with pytest.raises(NotAPriceFile):
        sheets(books.odd_ods("", mimetype="text"))


def test_a_sheet_beyond_the_size_limit_stops() -> None:
    data = "".join(f'<row r="{i}"><c r="A{i}"><v>{i}</v></c></row>' for i in range(1, 40_000))
    got, failure = until_it_breaks(odd_xlsx(data), max_unpacked_bytes=1_000_000)
    assert isinstance(failure, UnpackedTooLarge)
    assert 0 < len(got) < 40_000


def test_a_sheet_that_unpacks_to_far_more_than_it_should_is_a_bomb() -> None:
    content = odd_xlsx("<row/>" * 400_000)
    _, failure = until_it_breaks(content, bomb_bytes=1_000_000, bomb_ratio=50)
    assert isinstance(failure, Bomb)


def test_an_ods_that_says_one_row_a_million_times_is_a_bomb() -> None:
    row = (
        '<table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384" '
        'office:value-type="string"><text:p>9</text:p></table:table-cell></table:table-row>'
    )
    content = books.odd_ods(f'<table:table table:name="A">{row}</table:table>')
    got, failure = until_it_breaks(content, bomb_bytes=1_000_000)
    assert isinstance(failure, Bomb)
    assert len(got) < 100


def test_a_row_without_end_is_refused() -> None:
    content = odd_xlsx("<row>" + "<c/>" * 600_000)
    got, failure = until_it_breaks(content, max_record_bytes=1_000_000)
    assert got == []
    assert isinstance(failure, Unparseable)


def test_numbers_of_rows_and_columns_beyond_a_sheet_are_not_believed() -> None:
    data = (
        '<row r="2000000"><c r="ZZZ1"><v>1</v></c></row><row r="3"><c r="C3"><v>2</v></c><c r="A3"><v>3</v></c></row>'
        '<row r="2"><c><v>4</v></c></row>'
    )
    assert rows(odd_xlsx(data)) == [["1"], [], ["3", "", "2"], ["4"]]


@pytest.mark.parametrize(
    "blank", ['<row r="{0}"><c r="A{0}" s="1"/><c r="B{0}" s="1"/></row>', '<row r="{0}" ht="15"/>']
)
def test_a_hundred_thousand_blank_rows_cost_no_memory(blank: str) -> None:
    filled = '<row r="1"><c r="A1"><v>1</v></c></row>'
    data = filled + "".join(blank.format(i) for i in range(2, 200_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = odd_xlsx(data)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    assert rows(content) == [["1"]]
    assert time.process_time() - began < 20
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - made) < max(60_000, made - before)


def test_every_sheet_is_a_member_with_its_own_outcome(tmp_path: Path) -> None:
    got = read(tmp_path, books.xls(Notes=[["Please read"], ["this first"]], Prices=[[], *PRICES]))
    assert got.ended == ("ok", "")
    assert [(m.member, m.format, m.outcome) for m in got.report.members] == [
        ("Notes", "xls", "no_price_table"),
        ("Prices", "xls", "ok"),
    ]
    assert [(c["member"], c["source_pos"], c["code"], str(c["gross_charge"])) for c in got.charges] == [
        ("Prices", "Prices!R3", "99213", "120.500000"),
        ("Prices", "Prices!R4", "70551", "1163.000000"),
    ]
    assert got.findings()["GL-MEMBER"] == 1


def test_a_workbook_in_an_archive_has_both_names(tmp_path: Path) -> None:
    content = zip_of({"a/book.xlsx": books.xlsx(Prices=PRICES), "b.xml": books.spreadsheetml(S=PRICES)})
    got = read(tmp_path, content)
    assert [m.member for m in got.report.members] == ["a/book.xlsx!Prices", "b.xml!S"]
    assert [c["source_pos"] for c in got.charges] == ["Prices!R2", "Prices!R3", "S!R2", "S!R3"]
    assert got.ended == ("ok", "")


@pytest.mark.parametrize("make", books.MAKES)
def test_prices_of_every_make_are_the_same(tmp_path: Path, make: str) -> None:
    got = read(tmp_path, books.MAKES[make](Prices=PRICES))
    assert got.ended == ("ok", "")
    assert [(c["code"], c["description"], str(c["gross_charge"])) for c in got.charges] == [
        ("99213", "Visit", "120.500000"),
        ("70551", "MRI", "1163.000000"),
    ]
    assert got.report.members[0].format == make


def test_a_hidden_sheet_is_read_and_told(tmp_path: Path) -> None:
    parts = books.parts_of(books.xlsx(Prices=PRICES, More=PRICES))
    # openpyxl says of every sheet how it is; only the second becomes hidden.
    first, second = parts["xl/workbook.xml"].split(b'name="More"')
    parts["xl/workbook.xml"] = first + b'name="More"' + second.replace(b'state="visible"', b'state="veryHidden"')
    got = read(tmp_path, zip_of(parts))
    assert got.ended == ("ok", "")
    assert got.report.charges == 4
    codes = [[finding.code for finding in member.findings] for member in got.report.members]
    assert ["GL-HIDDEN-SHEET" in found for found in codes] == [False, True]


def test_a_sheet_that_breaks_keeps_its_prices_and_says_so(tmp_path: Path) -> None:
    table = [PRICES[0], *([f"{i}", f"item {i}", i + 0.5] for i in range(10_000, 10_400))]
    content = books.spreadsheetml(Prices=table)
    got = read(tmp_path, content[: content.index(b"item 10300") + 4])
    assert got.ended == ("incomplete", "truncated")
    assert got.report.charges == 300
    assert got.findings()["GL-CUT"] == 1


def test_a_workbook_that_cannot_be_opened_has_one_report(tmp_path: Path) -> None:
    got = read(tmp_path, locked(books.xls(A=PRICES)))
    assert got.ended == ("unsafe", "encrypted")
    assert [(m.member, m.format, m.outcome) for m in got.report.members] == [(None, "xls", "unsafe")]


def test_more_sheets_than_members_allowed_are_refused(tmp_path: Path) -> None:
    got = read(tmp_path, books.spreadsheetml(A=PRICES, B=PRICES, C=PRICES), max_members=2)
    assert [m.outcome for m in got.report.members] == ["ok", "ok", "too_large"]
