"""Papers that are large or binary, made when a test wants them. All hospitals, payers and prices are invented."""

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import openpyxl
import py7zr
import pyarrow as pa
import xlwt

from tests.unit.parse.papers import xlsx

Cells = Sequence[Sequence[Any]]

HEAD = ["description", "code|1", "code|1|type", "setting", "standard_charge|gross"]
PREAMBLE = "hospital_name,last_updated_on,version\nLarkspur Valley Hospital,2026-03-15,3.0.0\n"
GAUZE = ["Gauze", "A6216", "HCPCS", "outpatient", 2.5]
SLING = ["Sling", "A4565", "HCPCS", "outpatient", 12]
CHARGEMASTER = [
    ["Charge Code", "Description", "CPT/HCPCS", "Gross Charge"],
    [4001001, "Gauze pad", "A6216", 2.5],
    [4001002, "Sling arm", "A4565", 12],
    [4001003, "X-ray wrist", 73110, 140.25],
]


def csv_of(*records: Cells | Sequence[Any]) -> str:
    return "".join(",".join(str(cell) for cell in record) + "\n" for record in records)


CSV = (PREAMBLE + csv_of(HEAD, GAUZE, SLING)).encode()


def json_of(*records: Sequence[Any]) -> bytes:
    items = [
        {
            "description": description,
            "code_information": [{"code": code, "type": kind}],
            "standard_charges": [{"setting": setting, "gross_charge": gross}],
        }
        for description, code, kind, setting, gross in records
    ]
    root = {"hospital_name": "Larkspur Valley Hospital", "last_updated_on": "2026-03-15", "version": "3.0.0"}
    return json.dumps(root | {"standard_charge_information": items}).encode()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    return pa.compress(data, "zstd", asbytes=True)


def seven_zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return out.getvalue()


def workbook(sheets: dict[str, Cells], *, hidden: Sequence[str] = ()) -> bytes:
    """An xlsx of these sheets; None is an empty cell."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
        sheet.sheet_state = "hidden" if title in hidden else "visible"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def old_workbook(sheets: dict[str, Cells]) -> bytes:
    """An xls (BIFF8)."""
    book = xlwt.Workbook()
    for title, rows in sheets.items():
        sheet = book.add_sheet(title)
        for at, row in enumerate(rows):
            for column, cell in enumerate(row):
                if cell is not None:
                    sheet.write(at, column, cell)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def macro_workbook(sheets: dict[str, Cells]) -> bytes:
    """An xlsm: the same parts under another content type."""
    plain, macro = "spreadsheetml.sheet.main+xml", "ms-excel.sheet.macroEnabled.main+xml"
    with zipfile.ZipFile(io.BytesIO(workbook(sheets))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    types = parts["[Content_Types].xml"].decode()
    full = f"application/vnd.openxmlformats-officedocument.{plain}"
    assert full in types
    parts["[Content_Types].xml"] = types.replace(full, f"application/vnd.{macro}").encode()
    return zipped(parts)


def _record(kind: int, data: bytes = b"") -> bytes:
    """A BIFF12 record (MS-XLSB 2.1.4): type and size in 7-bit groups, then its data."""
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = bytes([len(data)]) if len(data) < 0x80 else bytes([len(data) & 0x7F | 0x80, len(data) >> 7])
    return head + size + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def binary_workbook(title: str, rows: Cells) -> bytes:
    """An xlsb (MS-XLSB) of one sheet: strings (BrtCellSt) and doubles (BrtCellReal)."""
    body = _record(129) + _record(148, struct.pack("<4I", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)) + _record(145)
    for at, row in enumerate(rows):
        body += _record(0, struct.pack("<IIHHBI", at, 0, 300, 0, 0, 0))
        for column, cell in enumerate(row):
            where = struct.pack("<II", column, 0)
            if isinstance(cell, str):
                body += _record(6, where + _wide(cell))
            elif cell is not None:
                body += _record(5, where + struct.pack("<d", cell))
    sheet = body + _record(146) + _record(130)
    bundle = _record(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide(title))
    book = _record(131) + _record(153, bytes(12)) + _record(143) + bundle + _record(144) + _record(132)
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    types = (
        f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>'
        '<Override PartName="/xl/worksheets/sheet1.bin" ContentType="application/vnd.ms-excel.worksheet"/></Types>'
    )

    def related(kind: str, target: str) -> bytes:
        inner = f'<Relationship Id="rId1" Type="{office}/{kind}" Target="{target}"/>'
        return f'<Relationships xmlns="{package}/relationships">{inner}</Relationships>'.encode()

    return zipped(
        {
            "[Content_Types].xml": types.encode(),
            "_rels/.rels": related("officeDocument", "xl/workbook.bin"),
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": related("worksheet", "worksheets/sheet1.bin"),
            "xl/worksheets/sheet1.bin": sheet,
        }
    )


FORMS = {
    "Instructions": [
        ["Submit this form by July 1"],
        ["Step", "What to do"],
        [1, "Fill in the sheet"],
        [2, "Send it"],
    ],
    "Certification": [["Hospital", "Larkspur Valley Hospital"], ["Percent change", 4.5], ["Total", 1000]],
}


def cp1252_after_the_first_megabyte() -> bytes:
    filler = "".join(f"Item {n},{n},CDM,outpatient,{n}.25,{'padding ' * 8}\n" for n in range(12_000))
    assert len(filler) > 2**20
    odd = b"Knee brace \x96 left,L1830,HCPCS,outpatient,95.5,\n"
    rest = "".join(f"Late {n},{n},CDM,outpatient,{n}.25,Café\n" for n in range(5))
    return (PREAMBLE + csv_of([*HEAD, "additional_generic_notes"]) + filler).encode() + odd + rest.encode()


def blank_bulk() -> bytes:
    """A sheet saved down to its last formatted row: 200,000 blank records between four real ones."""
    first = csv_of(HEAD, GAUZE, SLING, ["Brace", "L1830", "HCPCS", "outpatient", 95])
    return (PREAMBLE + first + ",,,,\n" * 200_000 + csv_of(["Boot", "L4360", "HCPCS", "outpatient", 140])).encode()


def thousands_of_columns() -> bytes:
    """340 plans of nine columns each."""
    metrics = ("negotiated_dollar", "negotiated_percentage", "negotiated_algorithm", "methodology")
    after = ("median_amount", "10th_percentile", "90th_percentile", "count", "additional_payer_notes")
    names = [f"Payer {n}|Plan {n}" for n in range(340)]
    header = [*HEAD]
    for name in names:
        header += [f"standard_charge|{name}|{metric}" for metric in metrics] + [f"{metric}|{name}" for metric in after]
    full = [cell for n in range(340) for cell in (f"{n}.5", "", "", "fee schedule", n, "", "", 12, "")]
    return (
        PREAMBLE + csv_of(header, [*GAUZE, *full], [*SLING, *full[: 339 * 9], *[""] * 9], [*SLING, *[""] * 3060])
    ).encode()


def gzip_cut_short() -> bytes:
    """Stored blocks, so that what arrived before the cut is known to the byte: the third record lacks its end."""
    data = CSV + csv_of(["Brace", "L1830", "HCPCS", "outpatient", 95]).encode()
    return gzip.compress(data, 0)[: -(8 + len(",outpatient,95\n"))]


def gzip_of_several_members() -> bytes:
    return gzip.compress(CSV[:70]) + gzip.compress(CSV[70:]) + bytes(512)


def zip_with_a_password() -> bytes:
    """General purpose bit 0 in both headers (APPNOTE 4.4.4)."""
    data = bytearray(zipped({"prices.csv": CSV}))
    local, central = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
    data[local + 6] |= 1
    data[central + 8] |= 1
    return bytes(data)


def zip_with_a_damaged_member() -> bytes:
    """The second member's bytes are not those its CRC was made of."""
    damaged = zipped({"good.csv": CSV, "bad.csv": CSV.replace(b"Sling", b"Slimy")}, zipfile.ZIP_STORED)
    return damaged.replace(b"Slimy", b"Sling")


def nested(depth: int) -> bytes:
    data = zipped({"prices.csv": CSV})
    for level in range(depth - 1):
        data = zipped({f"level{level}.zip": data})
    return data


def word_document() -> bytes:
    return zipped(
        {"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"<Relationships/>", "word/document.xml": b"<w/>"}
    )


TALL_BOOK = [
    ["hospital_name", "last_updated_on", "version"],
    ["Larkspur Valley Hospital", "2026-03-15", "3.0.0"],
    [*HEAD, "payer_name", "plan_name", "standard_charge|negotiated_dollar", "standard_charge|methodology"],
    [*GAUZE, "Meadow Health", "Silver", 1.75, "fee schedule"],
    [*GAUZE, "Fern Mutual", "Gold", 1.5, "fee schedule"],
    [None],
    [*SLING, None, None, None, None],
]
TWO_HOSPITALS = {
    "Larkspur Valley": CHARGEMASTER,
    "Fernhollow": [CHARGEMASTER[0], [5001001, "Knee brace", "L1830", 95.5], [5001002, "Walking boot", "L4360", 140]],
}
FLOATS = [
    ["Description", "CPT/HCPCS", "Gross Charge"],
    ["Sum of floats", "A6216", 0.1 + 0.2],
    ["Whole", "A4565", 1200.0],
    ["Small", "L1830", 0.00277],
    ["Error", "L4360", "#N/A"],
    ["Large", "E0572", 379707196.05],
]

BUILDERS: dict[str, Callable[[], bytes]] = {
    "cp1252_after_the_first_megabyte": cp1252_after_the_first_megabyte,
    "blank_bulk": blank_bulk,
    "thousands_of_columns": thousands_of_columns,
    "gzip_cut_short": gzip_cut_short,
    "gzip_of_several_members": gzip_of_several_members,
    "gzip_of_json": lambda: gzip.compress(json_of(GAUZE, SLING)),
    "bzip2": lambda: bz2.compress(CSV),
    "xz": lambda: lzma.compress(CSV),
    "zstd": lambda: zstd(CSV),
    "tar_of_two": lambda: tarred({"a.csv": CSV, "._a.csv": b"noise", "b/b.json": json_of(GAUZE)}),
    "tar_in_gzip": lambda: gzip.compress(tarred({"a.csv": CSV})),
    "seven_zip": lambda: seven_zip({"a.csv": CSV}),
    "zip_of_two_with_noise_of_macos": lambda: zipped(
        {
            "a.csv": CSV,
            "__MACOSX/._a.csv": b"noise",
            "._b.json": b"noise",
            ".DS_Store": b"noise",
            "b.json": json_of(GAUZE),
        }
    ),
    "zip_with_a_leaflet": lambda: zipped({"readme.pdf": b"%PDF-1.7 leaflet", "prices.csv": CSV}),
    "zip_of_nothing_but_a_leaflet": lambda: zipped({"readme.pdf": b"%PDF-1.7 leaflet"}),
    "zip_in_zip_in_zip": lambda: nested(3),
    "zip_too_deep": lambda: nested(5),
    "zip_with_too_many_members": lambda: zipped({f"{n}.csv": CSV for n in range(5)}),
    "zip_with_a_password": zip_with_a_password,
    "zip_with_a_damaged_member": zip_with_a_damaged_member,
    "zip_bomb": lambda: zipped({"a.csv": CSV + b",,,,\n" * 2_000_000}),
    "zip_with_a_workbook_inside": lambda: zipped({"cdm.xlsx": workbook({"CDM": CHARGEMASTER})}),
    "workbook_instead_of_a_zip": lambda: workbook({"CDM": CHARGEMASTER}),
    "cms_tall_in_a_workbook": lambda: workbook({"Charges": TALL_BOOK}),
    "forms_before_the_chargemaster": lambda: workbook(FORMS | {"CDM": CHARGEMASTER}),
    "workbook_of_forms_only": lambda: workbook(FORMS),
    "one_hospital_a_sheet": lambda: workbook(TWO_HOSPITALS),
    "hidden_sheet": lambda: workbook(TWO_HOSPITALS, hidden=["Fernhollow"]),
    "floats_of_a_workbook": lambda: xlsx({"CDM": FLOATS}),
    "xls_workbook": lambda: old_workbook({"CDM": CHARGEMASTER}),
    "xlsm_workbook": lambda: macro_workbook({"CDM": CHARGEMASTER}),
    "xlsb_workbook": lambda: binary_workbook("CDM", CHARGEMASTER),
    "word_document": word_document,
}
