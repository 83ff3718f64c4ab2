"""Generated price files of any size: the same content as JSON, tall CSV or wide CSV, a pure function of the seed."""

import gzip
import itertools
import json
import random
import string
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

LAYOUTS = ("json", "tall", "wide")
_LOOP_BYTES = 128_000_000
WORDS = [
    "CATHETER,GUIDE",
    "WIRE",
    "STENT",
    "IMPLANT",
    "SCREW",
    "CORTICAL",
    "MRI",
    "BRAIN",
    "W/O",
    "CONTRAST",
    "LAB",
    "PANEL",
    "METABOLIC",
    "ROOM",
    "BOARD",
]
METHODS = ["fee schedule", "case rate", "percent of total billed charges", "per diem"]
ITEM = [
    "description",
    "code|1",
    "code|1|type",
    "code|2",
    "code|2|type",
    "setting",
    "billing_class",
    "drug_unit_of_measurement",
    "drug_type_of_measurement",
    "modifiers",
    "standard_charge|gross",
    "standard_charge|discounted_cash",
    "standard_charge|min",
    "standard_charge|max",
]
TALL = [
    "payer_name",
    "plan_name",
    "standard_charge|negotiated_dollar",
    "standard_charge|negotiated_percentage",
    "standard_charge|negotiated_algorithm",
    "standard_charge|methodology",
    "median_amount",
    "10th_percentile",
    "90th_percentile",
    "count",
    "additional_generic_notes",
]
HEAD = [
    ["hospital_name", "last_updated_on", "version", "location_name", "hospital_address", "license_number|TX"],
    ["Bench General Hospital", "2026-04-01", "3.0.0", "Bench General", "1 Main St, Austin, TX", "1234"],
]


Plans = list[tuple[str, str]]


def plans(count: int) -> Plans:
    """So many payer-plans."""
    return [(f"Payer {p} Health", plan) for p in range(count) for plan in ("PPO", "HMO", "Medicare Advantage")][:count]


PLANS = plans(40)


def items(seed: int, offered: Plans) -> Iterator[dict[str, Any]]:
    """Endless items with a charge and some of the payer-plans each."""
    chance = random.Random(seed)
    number = 0
    while True:
        number += 1
        gross = round(chance.lognormvariate(5, 1.5), 2)
        payers = []
        for payer, plan in chance.sample(offered, chance.randint(0, len(offered) // 2)):
            dollar = round(gross * chance.uniform(0.2, 0.9), chance.choice((2, 2, 2, 4)))
            count = chance.choice(("0", "1 through 10", "23"))
            payers.append(
                {
                    "payer_name": payer,
                    "plan_name": plan,
                    "standard_charge_dollar": dollar,
                    "methodology": chance.choice(METHODS),
                    "count": count,
                    **(
                        {"median_amount": dollar, "10th_percentile": dollar, "90th_percentile": dollar}
                        if count == "23"
                        else {}
                    ),
                    **(
                        {"additional_payer_notes": 'Paid at 140 % of OPPS, "see contract"'}
                        if chance.random() < 0.1
                        else {}
                    ),
                }
            )
        dollars = [p["standard_charge_dollar"] for p in payers]
        yield {
            "description": " ".join(chance.sample(WORDS, 5)) + f" {number}",
            "code_information": [
                {"code": str(chance.randint(10000, 99999)), "type": "CPT"},
                {"code": f"{chance.randint(1, 999):04}", "type": "RC"},
            ],
            "standard_charges": [
                {
                    "gross_charge": gross,
                    "discounted_cash": round(gross * 0.6, 2),
                    "setting": "outpatient",
                    "billing_class": "facility",
                    **({"minimum": min(dollars), "maximum": max(dollars)} if dollars else {}),
                    **({"payers_information": payers} if payers else {}),
                }
            ],
        }


def parts(layout: str, seed: int = 1, offered: Plans | None = None) -> tuple[str, Iterator[str], str]:
    """A file's beginning, its endless items as text, and its end: CMS 3.0 as `json`, `tall` or `wide`."""
    offered = PLANS if offered is None else offered
    source = items(seed, offered)
    if layout == "json":
        head = {"hospital_name": "Bench General Hospital", "last_updated_on": "2026-04-01", "version": "3.0.0"}
        begin = json.dumps(head)[:-1] + ', "standard_charge_information": [' + json.dumps(next(source))
        return begin, (",\n" + json.dumps(item) for item in source), "]}"
    if layout == "tall":
        return _head(ITEM + TALL), ("".join(map(_line, _tall_rows(item))) for item in source), ""
    metrics = [name.replace("@", f"{payer}|{plan}") for payer, plan in offered for name in WIDE]
    header = [*ITEM, *metrics, "additional_generic_notes"]
    return _head(header), (_line(_wide_row(item, offered)) for item in source), ""


def write(path: Path, layout: str, size_bytes: int, *, offered: Plans | None = None) -> None:
    """A file of about `size_bytes`, every item another."""
    begin, source, end = parts(layout, offered=offered)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(begin)
        for number, text in enumerate(source):
            file.write(text)
            if number % 100 == 0 and file.tell() > size_bytes:
                break
        file.write(end)


def write_looped(path: Path, layout: str, size_bytes: int, *, offered: Plans | None = None) -> None:
    """A gzip of about `size_bytes` inside, whose middle (128 MB of items) is repeated: it takes little room.

    A gzip may have many members, read as one stream (RFC 1952): the middle is compressed once and written again and
    again.
    """
    begin, source, end = parts(layout, offered=offered)
    middle: list[str] = []
    size = 0
    for text in source:
        middle.append(text)
        size += len(text)
        if size > _LOOP_BYTES:
            break
    packed = gzip.compress("".join(middle).encode(), 1)
    with path.open("wb") as file:
        file.write(gzip.compress(begin.encode()))
        for _ in range(max(1, size_bytes // size)):
            file.write(packed)
        file.write(gzip.compress(end.encode()))


def write_workbook(path: Path, row_count: int, *, offered: Plans | None = None) -> None:
    """An xlsx whose only sheet has so many rows of the tall layout: texts shared, numbers as such, as Excel writes it.

    It is written as it is made; only the distinct texts are held, which stand in a part of their own behind the sheet.
    """
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    texts: dict[str, int] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="b" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Prices" sheetId="1" r:id="p"/></sheets>'
            "</workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="p" Type="{office}/worksheet" Target="prices.xml"/>'
            f'<Relationship Id="s" Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        )
        with archive.open("xl/prices.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'<worksheet xmlns="{main}"><sheetData>'.encode())
            for number, cells in enumerate(_workbook_rows(row_count, PLANS if offered is None else offered), 1):
                sheet.write(_workbook_row(number, cells, texts).encode())
            sheet.write(b"</sheetData></worksheet>")
        with archive.open("xl/sharedStrings.xml", "w") as shared:
            shared.write(f'<sst xmlns="{main}">'.encode())
            for text in texts:
                shared.write(f"<si><t>{escape(text)}</t></si>".encode())
            shared.write(b"</sst>")


def _workbook_rows(count: int, offered: Plans) -> Iterator[list[Any]]:
    rows = (row for item in items(1, offered) for row in _tall_rows(item))
    return itertools.islice(itertools.chain((*HEAD, ITEM + TALL), rows), count)


def _workbook_row(number: int, cells: list[Any], texts: dict[str, int]) -> str:
    parts = [f'<row r="{number}">']
    for letter, cell in zip(string.ascii_uppercase, cells, strict=False):  # 25 columns
        if isinstance(cell, str):
            if cell:
                parts.append(f'<c r="{letter}{number}" t="s"><v>{texts.setdefault(cell, len(texts))}</v></c>')
        else:
            parts.append(f'<c r="{letter}{number}"><v>{cell!r}</v></c>')
    return "".join((*parts, "</row>"))


WIDE = [
    "standard_charge|@|negotiated_dollar",
    "standard_charge|@|negotiated_percentage",
    "standard_charge|@|negotiated_algorithm",
    "standard_charge|@|methodology",
    "median_amount|@",
    "10th_percentile|@",
    "90th_percentile|@",
    "count|@",
    "additional_payer_notes|@",
]
_METRICS = [
    "standard_charge_dollar",
    "standard_charge_percentage",
    "standard_charge_algorithm",
    "methodology",
    "median_amount",
    "10th_percentile",
    "90th_percentile",
    "count",
    "additional_payer_notes",
]


def _head(header: list[str]) -> str:
    return "".join(map(_line, (*HEAD, header)))


def _line(cells: list[Any]) -> str:
    texts = [str(cell) for cell in cells]
    return ",".join('"' + t.replace('"', '""') + '"' if "," in t or '"' in t else t for t in texts) + "\n"


def _item_cells(item: dict[str, Any]) -> list[Any]:
    charge = item["standard_charges"][0]
    codes = [cell for code in item["code_information"] for cell in (code["code"], code["type"])]
    prices = [charge.get(key, "") for key in ("gross_charge", "discounted_cash", "minimum", "maximum")]
    return [item["description"], *codes, charge["setting"], charge["billing_class"], "", "", "", *prices]


def _tall_rows(item: dict[str, Any]) -> Iterator[list[Any]]:
    start = _item_cells(item)
    payers = item["standard_charges"][0].get("payers_information", [])
    for payer in payers:
        yield start + [payer.get(key, "") for key in ("payer_name", "plan_name", *_METRICS)]
    if not payers:
        yield start + [""] * len(TALL)


def _wide_row(item: dict[str, Any], offered: Plans) -> list[Any]:
    payers = {(p["payer_name"], p["plan_name"]): p for p in item["standard_charges"][0].get("payers_information", [])}
    cells = [payers.get(pair, {}).get(metric, "") for pair in offered for metric in _METRICS]
    return [*_item_cells(item), *cells, ""]
