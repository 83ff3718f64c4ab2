"""Small price files written by hand, and how they are read back."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow.parquet as pq

from glimmr.model import FileReport
from glimmr.parse import Limits, parse

PREAMBLE = (
    "hospital_name,last_updated_on,version,location_name,hospital_address,license_number|CA,"
    '"To the best of its knowledge and belief, this hospital has …",attester_name\n'
    "West Mercy,4/1/2026,3.0.0,West Mercy|East Mercy,1 Main St,50056,TRUE,Leigh\n"
)
TALL = (
    "description,code|1,code|1|type,setting,standard_charge|gross,standard_charge|discounted_cash,payer_name,plan_name,"
    "standard_charge|negotiated_dollar,standard_charge|methodology,additional_generic_notes\n"
)
WIDE = (
    "description,code|1,code|1|type,setting,standard_charge|gross,"
    "standard_charge|Aetna|PPO|negotiated_dollar,standard_charge|Aetna|PPO|methodology,additional_payer_notes|Aetna|PPO,"
    "standard_charge|Cigna|negotiated_dollar,count|Cigna,standard_charge|min\n"
)
BLOCKS = (1, 2, 3, 7, 64, 1000, 4 * 2**20)  # bytes: block boundaries everywhere


class Read:
    """A parsed file: its report and rows as dictionaries."""

    def __init__(self, report: FileReport, folder: Path) -> None:
        self.report = report
        self.charges, self.rates, self.rejects = (
            pq.read_table(folder / f"{name}.parquet").to_pylist() if (folder / f"{name}.parquet").exists() else []
            for name in ("charges", "rates", "rejects")
        )

    @property
    def ended(self) -> tuple[str, str]:
        return self.report.outcome, self.report.reason

    @property
    def member(self) -> Any:
        (member,) = self.report.members
        return member

    def findings(self) -> dict[str, int]:
        return {finding.code: finding.count for member in self.report.members for finding in member.findings}


def read(folder: Path, content: bytes | str, **limits: Any) -> Read:
    """Parse `content` in `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder / "paper"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    to = folder / "out"
    return Read(parse(path, to, limits=Limits(**limits)), to)


def document(items: list[Any], **root: Any) -> str:
    """A CMS JSON document."""
    head = {"hospital_name": "West Mercy", "last_updated_on": "2026-04-01", "version": "3.0.0"}
    return json.dumps(head | root | {"standard_charge_information": items})


def item(description: str = "MRI", *payers: dict[str, Any], **charge: Any) -> dict[str, Any]:
    """A JSON item with one charge."""
    more = {"payers_information": list(payers)} if payers else {}
    return {
        "description": description,
        "code_information": [{"code": "70551", "type": "CPT"}],
        "standard_charges": [{"setting": "outpatient", **charge, **more}],
    }


def csv_text(rows: list[list[Any]], **options: Any) -> str:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", **options).writerows(rows)
    return out.getvalue()


def xlsx(sheets: dict[str, Sequence[Sequence[Any]]]) -> bytes:
    """A small xlsx (ISO 29500) as Excel writes it: numbers with every digit of their double, text inline."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.sheet.main+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        + "".join(f'<sheet name="{escape(t)}" sheetId="{n}" r:id="rId{n}"/>' for n, t in enumerate(sheets, 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + "".join(
            f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        + "</Relationships>",
    }
    for n, rows in enumerate(sheets.values(), 1):
        body = "".join(
            f'<row r="{at}">' + "".join(_cell(f"{_letters(c)}{at}", cell) for c, cell in enumerate(row)) + "</row>"
            for at, row in enumerate(rows, 1)
        )
        parts[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + text)
    return out.getvalue()


def _cell(where: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        if value.startswith("#") and value.isupper():
            return f'<c r="{where}" t="e"><v>{value}</v></c>'
        return f'<c r="{where}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{where}"><v>{value!r}</v></c>'


def _letters(column: int) -> str:
    """`A` of 0, `AA` of 26."""
    text = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        text = chr(65 + digit) + text
    return text
