"""Tables made by hypothesis, written in every layout, encoding and container there is."""

import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import py7zr
import pyarrow as pa
from hypothesis import strategies as st

from .papers import csv_text

Table = list[dict[str, Any]]

_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
# What every format can hold: no control characters but the line end, no half characters, none that XML forbids.
_ODD_LETTERS = [*'abé",;|\t\nx$%{}[]\\/<>&=', "'", "\u2013", "}],[{", '""', "null"]
_LETTERS = st.one_of(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"), exclude_characters="\ufeff"),
    st.sampled_from(_ODD_LETTERS),
)
WORD = st.lists(_LETTERS, min_size=1, max_size=12).map("".join).map(str.strip).filter(bool)
NAME = WORD.filter(lambda word: not set("|[]\n\t") & set(word))
_WHOLE = st.integers(0, 10**9).map(str)
NUMBER = st.one_of(
    st.integers(1, 10**6).map(str),
    st.decimals("0.01", "99999", places=2).map(str),
    st.decimals("0.000001", "99999", places=6).map(str),
    st.builds("{}.{}".format, _WHOLE, st.text("0123456789", min_size=1, max_size=28)),
    st.sampled_from(["0", "0.00", "-1", "-12.5", "999999999", "1e3", "379707196.05"]),
)
ODD = st.sampled_from(["$1,234.50", "1,234", "(5.25)", "N/A", "75% of BC", "$1,200 per day", "OPEN", "-", "007.5"])
AMOUNT = st.one_of(st.none(), NUMBER, NUMBER, NUMBER, ODD)
PAYER = st.fixed_dictionaries(
    {
        "negotiated_dollar": AMOUNT,
        "negotiated_percentage": st.one_of(st.none(), st.sampled_from(["70.5", "0.5", "100", "61.25"])),
        "negotiated_algorithm": st.one_of(st.none(), WORD),
        "methodology": st.sampled_from(["fee schedule", "case rate", "Percent of Total Billed Charges", "Barter"]),
        "estimated_amount": AMOUNT,
        "median_amount": AMOUNT,
        "p10_amount": AMOUNT,
        "p90_amount": AMOUNT,
        "count": st.sampled_from([None, "0", "1 through 10", "42", "few"]),
        "notes": st.one_of(st.none(), WORD),
    }
)
CODE = st.tuples(
    st.sampled_from(["70551", "99213-25", "j1100", "0409-4888-02", "470", "MSDRG-7", "0394T", "ü-1"]),
    st.sampled_from(["CPT", "HCPCS", "hcpcs", "NDC", "MS-DRG", "RC", "CDM", "LOCAL", "Mine", None]),
)
CHARGE = st.fixed_dictionaries(
    {
        "gross_charge": AMOUNT,
        "discounted_cash": AMOUNT,
        "min_negotiated": AMOUNT,
        "max_negotiated": AMOUNT,
        "billing_class": st.sampled_from([None, "facility", "Professional", "both", "odd"]),
        "modifiers": st.sampled_from([None, ["26"], ["TC", "50"]]),
        "notes": st.one_of(st.none(), WORD),
        "payers": st.dictionaries(st.integers(0, 3), PAYER, max_size=3),
    }
)
ITEM = st.fixed_dictionaries(
    {
        "description": WORD,
        "codes": st.lists(CODE, max_size=3),
        "drug_unit": st.one_of(st.none(), st.sampled_from(["1", "2.5", "10"])),
        "drug_type": st.sampled_from([None, "ML", "UN"]),
        "charges": st.dictionaries(
            st.sampled_from(["inpatient", "Outpatient", "both", "Clinic"]), CHARGE, min_size=1, max_size=2
        ),
    }
)


def _numbered(items: list[dict[str, Any]]) -> Table:
    """Items that no layout can take for one another; notes of a charge only where it has no payer (the tall layout
    has one column for both).
    """
    for at, item in enumerate(items):
        item["description"] = f"{at} {item['description']}"
        for charge in item["charges"].values():
            charge["notes"] = None if charge["payers"] else charge["notes"]
    return items


TABLES = st.tuples(
    st.lists(ITEM, min_size=1, max_size=4).map(_numbered),
    st.lists(st.tuples(NAME, NAME), min_size=4, max_size=4, unique=True),
)

_CHARGE_KEYS = {"gross_charge": "gross", "discounted_cash": "discounted_cash", "min_negotiated": "min",
                "max_negotiated": "max"}  # fmt: skip
_JSON_CHARGE = {"gross_charge": "gross_charge", "discounted_cash": "discounted_cash", "min_negotiated": "minimum",
                "max_negotiated": "maximum", "billing_class": "billing_class", "modifiers": "modifier_code",
                "notes": "additional_generic_notes"}  # fmt: skip
_JSON_PAYER = {
    "negotiated_dollar": "standard_charge_dollar", "negotiated_percentage": "standard_charge_percentage",
    "negotiated_algorithm": "standard_charge_algorithm", "methodology": "methodology",
    "estimated_amount": "estimated_amount", "median_amount": "median_amount", "p10_amount": "10th_percentile",
    "p90_amount": "90th_percentile", "count": "count", "notes": "additional_payer_notes",
}  # fmt: skip
_LEADING = {"estimated_amount": "estimated_amount", "median_amount": "median_amount", "p10_amount": "10th_percentile",
            "p90_amount": "90th_percentile", "count": "count", "notes": "additional_payer_notes"}  # fmt: skip
_MONEY = {*_CHARGE_KEYS, "drug_unit", "negotiated_dollar", "negotiated_percentage", *list(_LEADING)[:4]}


def as_json(table: Table, plans: list[tuple[str, str]], *, strings: bool = False, indent: int | None = None) -> str:
    """CMS's JSON; amounts as numbers, digit for digit, where they are such, or all as strings."""
    numbers: list[str] = []

    def said(key: str, value: Any) -> Any:
        if key not in _MONEY or value is None or strings or not _JSON_NUMBER.fullmatch(value):
            return value
        numbers.append(value)
        return f"\ue000{len(numbers) - 1}\ue000"

    items = []
    for item in table:
        charges = []
        for setting, charge in item["charges"].items():
            payers = [
                {"payer_name": plans[at][0], "plan_name": plans[at][1]}
                | {name: said(key, payer[key]) for key, name in _JSON_PAYER.items()}
                for at, payer in sorted(charge["payers"].items())
            ]
            charges.append(
                {"setting": setting, "payers_information": payers}
                | {name: said(key, charge[key]) for key, name in _JSON_CHARGE.items()}
            )
        drug = {"unit": said("drug_unit", item["drug_unit"]), "type": item["drug_type"]}
        codes = [{"code": code, "type": kind} for code, kind in item["codes"]]
        items.append(
            {"description": item["description"], "code_information": codes, "standard_charges": charges}
            | ({"drug_information": drug} if any(drug.values()) else {})
        )
    head = {"hospital_name": "Larkspur Valley Hospital", "last_updated_on": "2026-03-15", "version": "3.0.0"}
    text = json.dumps(head | {"standard_charge_information": items}, ensure_ascii=False, indent=indent)
    return re.sub('"\ue000(\\d+)\ue000"', lambda found: numbers[int(found[1])], text)


def _item_header(table: Table) -> list[str]:
    pairs = max(len(item["codes"]) for item in table)
    codes = [name for n in range(1, pairs + 1) for name in (f"code|{n}", f"code|{n}|type")]
    return [
        "description", *codes, "setting", "billing_class", "modifiers", "drug_unit_of_measurement",
        "drug_type_of_measurement", *(f"standard_charge|{name}" for name in _CHARGE_KEYS.values()),
    ]  # fmt: skip


def _item_cells(table: Table, item: dict[str, Any], setting: str, charge: dict[str, Any]) -> list[Any]:
    pairs = max(len(item["codes"]) for item in table)
    padded = [*item["codes"], *[(None, None)] * (pairs - len(item["codes"]))]
    modifiers = "|".join(charge["modifiers"]) if charge["modifiers"] else None
    return [
        item["description"], *(cell for pair in padded for cell in pair), setting, charge["billing_class"], modifiers,
        item["drug_unit"], item["drug_type"], *(charge[key] for key in _CHARGE_KEYS),
    ]  # fmt: skip


def tall_rows(table: Table, plans: list[tuple[str, str]]) -> list[list[Any]]:
    own = ("negotiated_dollar", "negotiated_percentage", "negotiated_algorithm", "methodology")
    header = [
        *_item_header(table), "payer_name", "plan_name", *(f"standard_charge|{name}" for name in own),
        *list(_LEADING.values())[:-1], "additional_generic_notes",
    ]  # fmt: skip
    rows = [header]
    for item in table:
        for setting, charge in item["charges"].items():
            cells = _item_cells(table, item, setting, charge)
            rows += [
                [*cells, *plans[at], *(payer[key] for key in (*own, *_LEADING))]
                for at, payer in sorted(charge["payers"].items())
            ]
            if not charge["payers"]:
                rows.append([*cells, *[None] * (len(header) - len(cells) - 1), charge["notes"]])
    return rows


def wide_rows(table: Table, plans: list[tuple[str, str]]) -> list[list[Any]]:
    own = ("negotiated_dollar", "negotiated_percentage", "negotiated_algorithm", "methodology")
    header = [*_item_header(table), "additional_generic_notes"]
    for payer, plan in plans:
        header += [f"standard_charge|{payer}|{plan}|{name}" for name in own]
        header += [f"{name}|{payer}|{plan}" for name in _LEADING.values()]
    rows = [header]
    for item in table:
        for setting, charge in item["charges"].items():
            cells = [*_item_cells(table, item, setting, charge), charge["notes"]]
            for at in range(len(plans)):
                payer = charge["payers"].get(at)
                cells += [payer[key] if payer else None for key in (*own, *_LEADING)]
            rows.append(cells)
    return rows


def as_csv(rows: list[list[Any]], delimiter: str = ",", ends: str = "\n", quoting: int = 0) -> str:
    out = csv_text(
        [["" if cell is None else cell for cell in row] for row in rows], delimiter=delimiter, quoting=quoting
    )
    if ends == "\n":
        return out
    # Only the ends of records change: a line end inside a cell is content.
    inside = False
    parts = []
    for part in re.split('(["\n])', out):
        inside ^= part == '"'
        parts.append(ends if part == "\n" and not inside else part)
    return "".join(parts)


def as_workbook(rows: list[list[Any]]) -> bytes:
    """An xlsx by openpyxl: numbers where their double says the same, text otherwise."""
    book = openpyxl.Workbook()
    sheet = book.active
    for at, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            if value is None:
                continue
            cell = sheet.cell(at, column)
            is_number = bool(_JSON_NUMBER.fullmatch(value)) and len(value) < 15 and f"{float(value)!r}" == value
            cell.value = float(value) if is_number else value
            cell.data_type = "n" if is_number else "s"  # or `=x` would be a formula
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zipped(data: bytes, name: str = "folder/prices") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._prices", b"noise")
        archive.writestr(name, data)
    return out.getvalue()


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("folder/prices")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def seven_zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 1}]) as archive:
        archive.writestr(data, "folder/prices")
    return out.getvalue()


def turning(text: str) -> bytes:
    """UTF-8 for the first half of its lines, cp1252 after it."""
    first, second = _halves(text)
    return first.encode() + second.encode("cp1252")


def _halves(text: str) -> tuple[str, str]:
    lines = re.split("(?<=\n)", text)
    return "".join(lines[: len(lines) // 2]), "".join(lines[len(lines) // 2 :])


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gz": gzip.compress,
    "zip": zipped,
    "zip in zip": lambda data: zipped(zipped(data), "inner.zip"),
    "gz in zip": lambda data: zipped(gzip.compress(data)),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
    "tar": tarred,
    "tar in gz": lambda data: gzip.compress(tarred(data)),
    "7z": seven_zipped,
    "7z in zip": lambda data: zipped(seven_zipped(data)),
}
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8-sig": lambda text: text.encode("utf-8-sig"),
    "utf-16-le": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "utf-16-be": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-16-le without BOM": lambda text: text.encode("utf-16-le"),
    "utf-16-be without BOM": lambda text: text.encode("utf-16-be"),
    "cp1252": lambda text: text.encode("cp1252"),
    "utf-8, then cp1252": turning,
}


def can_be_told(text: str, encoding: str) -> bool:
    """Whether `text` can be written so, and the bytes say which encoding it is.

    In cp1252 no line may read as UTF-8 by chance; UTF-16 without a BOM is known by the NULs of its ASCII letters.
    """
    if "without BOM" in encoding:
        head = text[:2048]
        return sum(map(str.isascii, head)) > 0.75 * len(head) and sum(not ord(c) % 256 for c in head) < 0.03 * len(head)
    if "cp1252" not in encoding:
        return True
    try:
        lines = (_halves(text)[1] if encoding != "cp1252" else text).encode("cp1252").split(b"\n")
    except UnicodeEncodeError:
        return False
    return not any(_is_utf8(line) and not line.isascii() for line in lines)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
