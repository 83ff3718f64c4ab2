"""Reads a simulated file with csv and json alone, as PRICE_TABLE.md says charges and rates are counted."""

import csv
import gzip
import io
import json
import re
import zipfile
from decimal import Decimal
from typing import Any

from glimmr.world import digest
from glimmr.world.truth import Counts

PRIORITY = [{"HCPCS", "CPT"}, {"MS-DRG"}, {"APR-DRG"}, {"APC"}, {"NDC"}, {"RC"}, {"CDM"}, {"LOCAL"}]


def read(data: bytes) -> Counts:
    """Counts and digest of a file as served."""
    items = charges = rates = 0
    rows: list[tuple[Any, ...]] = []
    for member in _members(data):
        text = _decode(member)
        read_one = _json if text.lstrip().startswith("{") else _csv
        count, found = read_one(text)
        items += count
        charges += len(found)
        for head, of_payers in found:
            rates += len(of_payers)
            rows += [(*head, *rate) for rate in of_payers] or [(*head, *[None] * 13)]
    return Counts(items, charges, rates, digest(rows))


def _members(data: bytes) -> list[bytes]:
    if data[:2] == b"\x1f\x8b":
        return [gzip.decompress(data)]
    if data[:2] == b"PK":
        archive = zipfile.ZipFile(io.BytesIO(data))
        return [archive.read(name) for name in archive.namelist() if not name.startswith("__MACOSX")]
    return [data]


def _decode(data: bytes) -> str:
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    decoded = []
    for line in lines:
        try:
            decoded.append(line.decode())
        except UnicodeDecodeError:
            decoded.append(line.decode("cp1252"))
    return "\n".join(decoded)


def _number(text: str | None) -> Decimal | None:
    text = (text or "").replace("$", "").replace(",", "")
    if not re.fullmatch(r"\d+(\.\d+)?", text) or text == "999999999":
        return None
    return Decimal(text)


def _primary(pairs: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    for kinds in PRIORITY:
        for code, kind in pairs:
            if kind.upper() in kinds:
                return code, kind.upper()
    return None, None


def _count(text: str | None) -> tuple[int | None, int | None]:
    numbers = [int(number) for number in re.findall(r"\d+", text or "")]
    return (numbers[0], numbers[-1]) if numbers else (None, None)


def _rate(get: Any) -> tuple[Any, ...]:
    return (
        get("payer") or None,
        get("plan") or None,
        _number(get("dollar")),
        _number(get("percentage")),
        get("algorithm") or None,
        (get("methodology") or "").lower() or None,
        _number(get("estimated")),
        _number(get("median")),
        _number(get("p10")),
        _number(get("p90")),
        *_count(get("count")),
        get("notes") or None,
    )


def _json(text: str) -> tuple[int, list[Any]]:
    document = json.loads(text, parse_float=str, parse_int=str)
    names = {
        "payer": "payer_name",
        "plan": "plan_name",
        "dollar": "standard_charge_dollar",
        "percentage": "standard_charge_percentage",
        "algorithm": "standard_charge_algorithm",
        "methodology": "methodology",
        "estimated": "estimated_amount",
        "median": "median_amount",
        "p10": "10th_percentile",
        "p90": "90th_percentile",
        "count": "count",
        "notes": "additional_payer_notes",
    }
    found = []
    for item in document["standard_charge_information"]:
        primary = _primary([(pair["code"], pair["type"]) for pair in item["code_information"]])
        for charge in item["standard_charges"]:
            amounts = [_number(charge.get(name)) for name in ("gross_charge", "discounted_cash", "minimum", "maximum")]
            head = (item["description"], *primary, charge["setting"].lower(), *amounts)
            payers = charge.get("payers_information", [])
            found.append((head, [_rate(lambda name, payer=payer: payer.get(names[name])) for payer in payers]))
    return len(document["standard_charge_information"]), found


def _csv(text: str) -> tuple[int, list[Any]]:
    records = list(csv.reader(io.StringIO(text, newline="")))
    folded = [[re.sub(r"\s*\|\s*", "|", cell.strip()) for cell in record] for record in records[:10]]
    place = next(at for at, record in enumerate(folded) if any(cell.startswith("standard_charge|") for cell in record))
    header = [cell if "|" in cell else cell.lower() for cell in folded[place]]
    body = [dict(zip(header, record, strict=True)) for record in records[place + 1 :] if any(record)]
    if "payer_name" in header:
        return len(body), _tall(body)
    return len(body), [(_head(record), _wide_rates(record)) for record in body]


def _head(record: dict[str, str]) -> tuple[Any, ...]:
    pairs = [(record[f"code|{i}"], record[f"code|{i}|type"]) for i in (1, 2, 3) if record[f"code|{i}"]]
    amounts = [_number(record[f"standard_charge|{name}"]) for name in ("gross", "discounted_cash", "min", "max")]
    return (record["description"], *_primary(pairs), record["setting"].lower(), *amounts)


_TALL = {
    "payer": "payer_name",
    "plan": "plan_name",
    "dollar": "standard_charge|negotiated_dollar",
    "percentage": "standard_charge|negotiated_percentage",
    "algorithm": "standard_charge|negotiated_algorithm",
    "methodology": "standard_charge|methodology",
    "estimated": "estimated_amount",
    "median": "median_amount",
    "p10": "10th_percentile",
    "p90": "90th_percentile",
    "count": "count",
}


def _tall(body: list[dict[str, str]]) -> list[Any]:
    found: list[Any] = []
    last = None
    for record in body:
        key = {name: cell for name, cell in record.items() if name not in {*_TALL.values(), "additional_generic_notes"}}
        if key != last:
            found.append((_head(record), []))
            last = key
        if any(record.get(name) for name in _TALL.values()):
            named = {name: record.get(column) for name, column in _TALL.items()}
            found[-1][1].append(_rate((named | {"notes": record["additional_generic_notes"]}).get))
    return found


def _wide_rates(record: dict[str, str]) -> list[Any]:
    payers: dict[tuple[str, str], dict[str, str]] = {}
    short = {
        "negotiated_dollar": "dollar",
        "negotiated_percentage": "percentage",
        "negotiated_algorithm": "algorithm",
        "methodology": "methodology",
        "estimated_amount": "estimated",
        "median_amount": "median",
        "10th_percentile": "p10",
        "90th_percentile": "p90",
        "count": "count",
        "additional_payer_notes": "notes",
    }
    for name, cell in record.items():
        parts = name.split("|")
        if len(parts) < 2 or parts[0] == "code" or (parts[0] == "standard_charge" and len(parts) == 2):
            continue
        metric = parts.pop() if parts[0] == "standard_charge" else parts[0]
        payer, plan = parts[1], parts[2] if len(parts) > 2 else ""
        payers.setdefault((payer, plan), {})[short[metric]] = cell
    return [
        _rate((cells | {"payer": payer, "plan": plan}).get)
        for (payer, plan), cells in payers.items()
        if any(cells.values())
    ]
