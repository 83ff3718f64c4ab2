"""Small workbooks of every make, written by hand or by others' writers, and how their cells are read back."""

import io
import itertools
import random
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import openpyxl
import xlwt

from glimmr.parse.formats import BOOKS
from glimmr.parse.limits import Limits
from glimmr.parse.sheets.sheet import Sheet
from glimmr.parse.unpack import Stream
from glimmr.sniff import sniff

Value = str | int | float | bool | None
Rows = Sequence[Sequence[Value]]

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:"


def sheets(content: bytes, **limits: Any) -> list[tuple[Sheet, list[list[str]]]]:
    """Every sheet with its rows."""
    return [(sheet, list(sheet.rows)) for sheet in opened(content, **limits)]


def opened(content: bytes, **limits: Any) -> Any:
    """The sheets of a workbook, as they come."""
    file = io.BytesIO(content)
    return BOOKS[sniff(content)](Stream(file, None, file=file), Limits(**limits))


def rows(content: bytes, **limits: Any) -> list[list[str]]:
    """The rows of a workbook's only sheet."""
    ((_, only),) = sheets(content, **limits)
    return only


def xlsx(**tables: Rows) -> bytes:
    """A workbook as openpyxl writes it."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, table in tables.items():
        sheet = book.create_sheet(name)
        for row in table:
            sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xls(**tables: Rows) -> bytes:
    """A workbook as xlwt writes it."""
    book = xlwt.Workbook()
    for name, table in tables.items():
        sheet = book.add_sheet(name)
        for number, row in enumerate(table):
            for at, value in enumerate(row):
                if value is not None:
                    sheet.write(number, at, value)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zip_of(parts: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def odd_parts(
    *sheet_data: str, strings: str = "", formats: str = "", styles: str = "", workbook: str = "", main: str = MAIN
) -> dict[str, str | bytes]:
    """The parts of an xlsx made by hand: `sheet_data` are rows, `strings` items, `styles` xf elements."""
    listed = "".join(f'<sheet name="Sheet{i}" sheetId="{i}" r:id="r{i}"/>' for i, _ in enumerate(sheet_data, 1))
    relations = "".join(
        f'<Relationship Id="r{i}" Type="{_RELATIONS}/worksheet" Target="worksheets/part{i}.xml"/>'
        for i, _ in enumerate(sheet_data, 1)
    )
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r" Type="{_RELATIONS}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{_RELATIONS}">{workbook}<sheets>{listed}</sheets>'
        "</workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{relations}'
        f'<Relationship Id="s" Type="{_RELATIONS}/sharedStrings" Target="/xl/texts.xml"/>'
        f'<Relationship Id="t" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/texts.xml": f'<sst xmlns="{main}">{strings}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><numFmts>{formats}</numFmts><cellXfs>{styles}</cellXfs>'
        "</styleSheet>",
    }
    for i, data in enumerate(sheet_data, 1):
        parts[f"xl/worksheets/part{i}.xml"] = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<worksheet xmlns="{main}"><dimension ref="A1:XFD1048576"/>'
            f"<sheetData>{data}</sheetData><mergeCells/></worksheet>"
        )
    return parts


def odd_xlsx(*sheet_data: str, **more: str) -> bytes:
    """An xlsx made by hand."""
    return zip_of(odd_parts(*sheet_data, **more))


def spreadsheetml(**tables: Rows) -> bytes:
    """A workbook of Excel 2003 as XML."""

    def cell(value: Value) -> str:
        if value is None:
            return "<Cell/>"
        kind = "Boolean" if isinstance(value, bool) else "String" if isinstance(value, str) else "Number"
        text = str(int(value)) if isinstance(value, bool) else value if isinstance(value, str) else repr(value)
        return f'<Cell><Data ss:Type="{kind}">{escape(text)}</Data></Cell>'

    body = "".join(
        f"<Worksheet ss:Name={quoteattr(name)}><Table>"
        + "".join(f"<Row>{''.join(map(cell, row))}</Row>" for row in table)
        + "</Table></Worksheet>"
        for name, table in tables.items()
    )
    return workbook_2003(body)


def workbook_2003(body: str) -> bytes:
    return (
        '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n'
        '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        f'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">{body}</Workbook>'
    ).encode()


def ods(**tables: Rows) -> bytes:
    """A workbook of OpenDocument."""

    def cell(value: Value) -> str:
        if value is None:
            return "<table:table-cell/>"
        if isinstance(value, bool):
            return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(value).lower()}"/>'
        if isinstance(value, str):
            lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in value.split("\n"))
            return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>'
        return f'<table:table-cell office:value-type="float" office:value="{value!r}"/>'

    body = "".join(
        f"<table:table table:name={quoteattr(name)}>"
        + "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in table)
        + "</table:table>"
        for name, table in tables.items()
    )
    return odd_ods(body)


def odd_ods(body: str, styles: str = "", mimetype: str = "spreadsheet") -> bytes:
    spaces = " ".join(f'xmlns:{name}="{_OFFICE}{name}:1.0"' for name in ("office", "table", "text", "style"))
    return zip_of(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{mimetype}",
            "content.xml": f"<office:document-content {spaces}><office:automatic-styles>{styles}"
            f"</office:automatic-styles><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body>"
            "</office:document-content>",
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{_OFFICE}manifest:1.0"/>',
        }
    )


def record(kind: int, data: bytes = b"") -> bytes:
    """A record of xlsb ([MS-XLSB] 2.1.4)."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size, sizes = len(data), b""
    while True:
        sizes += bytes([size & 0x7F | (0x80 if size > 127 else 0)])
        size >>= 7
        if not size:
            return head + sizes + data


def wide(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<I", len(data) // 2) + data


def xlsb(**tables: Rows) -> bytes:
    """A binary workbook: texts shared, whole numbers as RK, others as doubles."""
    strings: list[str] = []

    def cell(at: int, value: Value) -> bytes:
        head = struct.pack("<II", at, 0)
        if value is None:
            return record(1, head)
        if isinstance(value, bool):
            return record(4, head + bytes([value]))
        if isinstance(value, str):
            strings.append(value)
            return record(7, head + struct.pack("<I", len(strings) - 1))
        if isinstance(value, int) and abs(value) < 2**29:
            return record(2, head + struct.pack("<i", value << 2 | 2))
        return record(5, head + struct.pack("<d", value))

    parts: dict[str, str | bytes] = {}
    listed, relations = b"", ""
    for i, (name, table) in enumerate(tables.items(), 1):
        data = b"".join(
            record(0, struct.pack("<I", number)) + b"".join(cell(at, value) for at, value in enumerate(row))
            for number, row in enumerate(table)
        )
        extent = record(148, struct.pack("<IIII", 0, len(table), 0, 20))
        parts[f"xl/worksheets/sheet{i}.bin"] = record(129) + extent + record(145) + data + record(146) + record(130)
        listed += record(156, struct.pack("<II", 0, i) + wide(f"r{i}") + wide(name))
        relations += f'<Relationship Id="r{i}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{i}.bin"/>'
    items = b"".join(record(19, b"\0" + wide(text)) for text in strings)
    parts["xl/sharedStrings.bin"] = record(159, struct.pack("<II", len(strings), len(strings))) + items + record(160)
    return xlsb_package(parts, listed, relations)


def xlsb_package(parts: Mapping[str, str | bytes], listed: bytes, relations: str) -> bytes:
    return zip_of(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r" '
            f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.bin"/></Relationships>',
            "xl/workbook.bin": record(131) + record(153, bytes(12)) + record(143) + listed + record(144) + record(132),
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{_PACKAGE}">{relations}<Relationship Id="s" '
            f'Type="{_RELATIONS}/sharedStrings" Target="sharedStrings.bin"/></Relationships>',
            **parts,
        }
    )


MAKES = {"xlsx": xlsx, "xls": xls, "xlsb": xlsb, "ods": ods, "spreadsheetml": spreadsheetml}


def parts_of(content: bytes) -> dict[str, Any]:
    """The parts of a package, by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def broken(content: bytes, wild: random.Random) -> bytes:
    """A workbook with some bytes changed, or cut short; in a package, those of one of its parts."""
    if content.startswith(b"PK") and wild.random() < 0.9:
        parts = parts_of(content)
        name = wild.choice([name for name, data in parts.items() if data and name != "mimetype"])
        return zip_of(parts | {name: broken(parts[name], wild)})
    if wild.random() < 0.3:
        return content[: wild.randrange(len(content))]
    data = bytearray(content)
    for _ in range(wild.randint(1, 8)):
        data[wild.randrange(len(data))] = wild.randrange(256)
    return bytes(data)


def with_cells_in_column_order(content: bytes) -> bytes:
    """An xls of one small sheet whose cell records stand column by column, as they were set."""
    begin = content.rindex(struct.pack("<HH", 0x809, 16))
    at, cells, places = begin, list[bytes](), list[tuple[int, int]]()
    while True:
        kind, size = struct.unpack_from("<HH", content, at)
        if kind in {0x203, 0x27E, 0xFD}:
            cells.append(content[at : at + 4 + size])
            places.append((at, at + 4 + size))
        if kind == 0x0A:
            break
        at += 4 + size
    first, last = places[0][0], places[-1][1]
    others = [content[end:start] for (_, end), (start, _) in itertools.pairwise(places)]
    ordered = sorted(cells, key=lambda cell: struct.unpack_from("<HH", cell, 4)[::-1])
    return content[:first] + b"".join(others) + b"".join(ordered) + content[last:]


def workbook_stream_as(content: bytes, name: str) -> bytes:
    """An xls whose workbook stream has another name in the compound file's directory ([MS-CFB] 2.6.4)."""
    at = content.index("Workbook".encode("utf-16-le"))
    field = name.encode("utf-16-le").ljust(64, b"\0") + struct.pack("<H", 2 * len(name) + 2)
    return content[:at] + field + content[at + len(field) :]
