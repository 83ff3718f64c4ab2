"""Files that keep every rule of their edition, made to be broken in one place."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from glimmr.parse.rules.header import _AFFIRMATION, _ATTESTATION

from .papers import read

Record = dict[str, str]
ITEM: Record = {
    "description": "MRI", "code|1": "70551", "code|1|type": "CPT", "modifiers": "", "setting": "outpatient",
    "drug_unit_of_measurement": "", "drug_type_of_measurement": "", "standard_charge|gross": "100",
    "standard_charge|discounted_cash": "90", "standard_charge|min": "50", "standard_charge|max": "80",
}  # fmt: skip
PAYER: Record = {
    "payer_name": "Aetna", "plan_name": "PPO", "standard_charge|negotiated_dollar": "60",
    "standard_charge|negotiated_percentage": "", "standard_charge|negotiated_algorithm": "",
    "standard_charge|methodology": "fee schedule",
}  # fmt: skip
ALLOWED: Record = {"median_amount": "", "10th_percentile": "", "90th_percentile": "", "count": ""}
ESTIMATE: Record = {"estimated_amount": ""}
NOTES: Record = {"additional_generic_notes": ""}


def general(edition: str) -> Record:
    """Rows 1 and 2 of a CSV."""
    common = {"hospital_name": "West Mercy", "last_updated_on": "2026-04-01", "version": "2.0.0"}
    where = {"hospital_address": "1 Main St", "license_number|CA": "50056"}
    if edition == "3.0":
        new = {"type_2_npi": "0000000001", _ATTESTATION: "true", "attester_name": "Leigh"}
        return common | {"version": "3.0.0", "location_name": "West"} | where | new
    return common | {"hospital_location": "West"} | where | {_AFFIRMATION: "true"}


def tall_record(edition: str = "3.0", **more: str) -> Record:
    """A record of the tall template."""
    return ITEM | PAYER | (ALLOWED if edition == "3.0" else ESTIMATE) | NOTES | more


def wide_record(edition: str = "3.0", **more: str) -> Record:
    """A record of the wide template, with one payer."""
    own = {f"standard_charge|Aetna|PPO|{name.partition('|')[2]}": value for name, value in list(PAYER.items())[2:]}
    amounts = {f"{name}|Aetna|PPO": value for name, value in (ALLOWED if edition == "3.0" else ESTIMATE).items()}
    return ITEM | own | amounts | {"additional_payer_notes|Aetna|PPO": ""} | NOTES | more


def csv_of(above: Record, *records: Record, delimiter: str = ",", columns: Record | None = None) -> str:
    """A CSV of general data and records; `columns` renames some columns (to nothing: leaves them out)."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(list(above))
    writer.writerow(list(above.values()))
    names = [name for name in records[0] if (columns or {}).get(name, name)]
    writer.writerow([(columns or {}).get(name, name) for name in names])
    writer.writerows([record[name] for name in names] for record in records)
    return out.getvalue()


def tall(*records: Record, edition: str = "3.0", **options: Any) -> str:
    """A tall CSV."""
    return csv_of(general(edition), *(records or (tall_record(edition),)), **options)


def wide(*records: Record, edition: str = "3.0", **options: Any) -> str:
    """A wide CSV."""
    return csv_of(general(edition), *(records or (wide_record(edition),)), **options)


def root(edition: str = "3.0") -> dict[str, Any]:
    """The root of a JSON document without its items."""
    license_information = {"license_number": "50056", "state": "CA"}
    common = {"hospital_name": "West Mercy", "last_updated_on": "2026-04-01", "hospital_address": ["1 Main St"]}
    if edition == "3.0":
        attestation = {"attestation": _ATTESTATION, "confirm_attestation": True, "attester_name": "Leigh"}
        new = {"version": "3.0.0", "location_name": ["West"], "type_2_npi": ["0000000001"], "attestation": attestation}
        return common | new | {"license_information": license_information}
    affirmation = {"affirmation": _AFFIRMATION, "confirm_affirmation": True}
    old = {"version": "2.2.0", "hospital_location": ["West"], "affirmation": affirmation}
    return common | old | {"license_information": license_information}


def payer(**more: Any) -> dict[str, Any]:
    """A payer of a JSON charge; a value of None leaves the key out."""
    given = {"payer_name": "Aetna", "plan_name": "PPO", "standard_charge_dollar": 60, "methodology": "fee schedule"}
    return {key: value for key, value in (given | more).items() if value is not None}


def charge(*payers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A JSON charge; a value of None leaves the key out."""
    given = {"setting": "outpatient", "gross_charge": 100, "minimum": 50, "maximum": 80}
    payers = payers or (payer(),)
    whole = given | {"payers_information": list(payers)} | more
    return {key: value for key, value in whole.items() if value is not None}


def item(*charges: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A JSON item; a value of None leaves the key out."""
    codes = [{"code": "70551", "type": "CPT"}]
    whole = {"description": "MRI", "code_information": codes, "standard_charges": list(charges or (charge(),))} | more
    return {key: value for key, value in whole.items() if value is not None}


def document(*items: dict[str, Any], edition: str = "3.0", **more: Any) -> str:
    """A JSON document; a value of None leaves a root key out."""
    whole = root(edition) | more | {"standard_charge_information": list(items or (item(),))}
    return json.dumps({key: value for key, value in whole.items() if value is not None})


def found(folder: Path, text: str | bytes, **limits: Any) -> dict[str, int]:
    """The findings of severity error or warning: code → count."""
    report = read(folder, text, **limits).report
    return {f.code: f.count for m in report.members for f in m.findings if f.severity != "info"}


def first(folder: Path, text: str, code: str) -> tuple[str, str | None, str | None]:
    """Position, field and value of the first example of a code."""
    report = read(folder, text).report
    example = next(f.examples[0] for m in report.members for f in m.findings if f.code == code)
    return example.position, example.field, example.value
