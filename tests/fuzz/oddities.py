"""Well-formed papers of odd content: any JSON value anywhere, any text in any cell, any element in any place."""

import csv
import io
import json
from typing import Any
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from tests.unit.parse.papers import xlsx

TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "N/A", "$1,234.50", "12.5", "1e5", "99213", "CPT", "inpatient", "Description", "Price", "Rate", "-",
         "Gross Charge", "standard_charge|gross", "standard_charge|min", "standard_charge|A|B|negotiated_dollar", "{",
         "code|1", "code|1|type", "payer_name", "Aetna", "Humana PPO", "Total", "Grand Total", "=SUM(A1)", "Inpatient",
         "999999999", "75% of charges", "[", '"', "a|b", "\n", "hospital_name", "version", "count|A|B", "modifiers",
         "setting", "0.1234567", "1 through 10"]
    ),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    st.decimals(allow_nan=True, allow_infinity=True, places=3).map(str),
)  # fmt: skip
_KEYS = st.one_of(
    st.sampled_from(
        ["description", "code_information", "code", "type", "standard_charges", "setting", "gross_charge", "minimum",
         "payers_information", "payer_name", "plan_name", "standard_charge_dollar", "count", "modifier_code", "version",
         "drug_information", "unit", "standard_charge_information", "hospital_name", "Price", "CPT", "items", "data",
         "license_information", "attestation", "general_contract_provisions", "modifier_information", "10th_percentile"]
    ),
    TEXTS,
)  # fmt: skip
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), TEXTS, st.just(10**400), st.just("\ud800")
)
VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=10
)


def _payer() -> dict[str, Any]:
    return {"payer_name": "Meadow Health", "plan_name": "Silver", "standard_charge_dollar": 4.5, "methodology": "other"}


def _item() -> dict[str, Any]:
    charge = {
        "setting": "both",
        "gross_charge": 5,
        "minimum": 1,
        "modifier_code": ["26"],
        "payers_information": [_payer()],
    }
    return {
        "description": "Sling",
        "code_information": [{"code": "A4565", "type": "HCPCS"}],
        "drug_information": {"unit": 1, "type": "ML"},
        "standard_charges": [charge, dict(charge)],
    }


def _document() -> dict[str, Any]:
    return {
        "hospital_name": "Larkspur",
        "version": "3.0.0",
        "location_name": ["x"],
        "license_information": {"license_number": "1", "state": "OR"},
        "attestation": {"attestation": "To the best", "confirm_attestation": True},
        "standard_charge_information": [_item(), _item(), _item()],
        "modifier_information": [{"code": "50", "modifier_payer_information": []}],
    }


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in pairs for place in [(value, key), *_places(inner)]]


def _replaced(changes: list[tuple[int, Any]]) -> dict[str, Any]:
    document = _document()
    for at, value in changes:
        places = _places(document)
        holder, key = places[at % len(places)]
        holder[key] = value
    return document


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


ODD_JSON = st.one_of(
    st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1, max_size=4).map(_replaced).map(_written),
    VALUES.map(_written),
    st.lists(VALUES, min_size=1, max_size=4).map(lambda values: b",\n".join(map(_written, values))),
    st.dictionaries(_KEYS, st.lists(st.dictionaries(_KEYS, _SCALARS, max_size=6), max_size=6), max_size=4).map(
        _written
    ),
)
_GRID = st.lists(st.lists(TEXTS, max_size=8), max_size=12)
HEADERS = [
    ["description", "code|1", "code|1|type", "setting", "standard_charge|gross", "payer_name", "plan_name",
     "standard_charge|negotiated_dollar", "standard_charge|methodology", "count", "drug_unit_of_measurement", "mine"],
    ["description", "modifiers", "code|1", "standard_charge|min", "standard_charge|max", "count|A|B", "billing_class",
     "standard_charge|A|B|methodology", "standard_charge|A|B|negotiated_percentage", "additional_payer_notes|A|B",
     "standard_charge|C|negotiated_dollar", "additional_generic_notes", "median_amount|A|B"],
    ["Charge Code", "Description", "CPT/HCPCS", "Inpatient Price", "Outpatient Price", "Aetna", "Humana PPO"],
    ["Description", "Charge"],
]  # fmt: skip


def _as_csv(above: list[list[str]], header: int, below: list[list[str]], delimiter: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([*above, HEADERS[header], *below])
    return out.getvalue().encode("utf-8", "replace")


ODD_CSV = st.builds(
    _as_csv, _GRID, st.integers(0, len(HEADERS) - 1), st.lists(st.lists(TEXTS, max_size=12), max_size=12),
    st.sampled_from(",\t;|"),
)  # fmt: skip
_XML_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=8) | st.sampled_from(
    ["12.5", "A4565"]
)
_CELLS = st.one_of(
    st.none(), st.integers(), st.floats(-1e15, 1e15), _XML_TEXT, st.sampled_from(["#N/A", "Total", "$5"])
)


def _as_workbook(header: int, rows: list[list[Any]], above: list[list[Any]]) -> bytes:
    return xlsx({"Form": above, "Prices": [*above, HEADERS[header], *rows]})


ODD_WORKBOOK = st.builds(
    _as_workbook, st.integers(0, len(HEADERS) - 1), st.lists(st.lists(_CELLS, max_size=9), max_size=9),
    st.lists(st.lists(_CELLS, max_size=5), max_size=4),
)  # fmt: skip
_NAMES = st.sampled_from(
    ["row", "Description", "CPT", "Price", "Aetna", "Rev", "_1_1_22_Fee", "a", "Row", "Cell", "Data"]
)


def _element(name: str, inner: list[str] | str, attribute: str) -> str:
    body = escape(inner) if isinstance(inner, str) else "".join(inner)
    return f'<{name} x="{escape(attribute, {chr(34): "&quot;"})}">{body}</{name}>'


_ELEMENTS = st.recursive(
    st.builds(_element, _NAMES, _XML_TEXT, _XML_TEXT),
    lambda inner: st.builds(_element, _NAMES, st.lists(inner, max_size=5), _XML_TEXT),
    max_leaves=30,
)
ODD_XML = st.lists(_ELEMENTS, max_size=5).map(lambda inner: f"<rows>{''.join(inner * 2)}</rows>".encode())
ODDITIES = {"json": ODD_JSON, "csv": ODD_CSV, "workbook": ODD_WORKBOOK, "xml": ODD_XML}
