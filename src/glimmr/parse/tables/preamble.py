"""What a price file says of itself: CSV rows 1 and 2, or the root keys of the JSON document."""

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from glimmr.model import Header
from glimmr.parse.tables.header import fold

# Both texts, 2.x affirmation and 3.0 attestation, begin so (CMS data dictionary).
_ATTESTATION = "to_the_best_of_its_knowledge_and_belief"
_SYNONYMS = {"hospital_location": "location_name", "hospital_locations": "location_name"}
_HOSPITAL = re.compile(r"hospital(?: name)?\s*:\s*(.+)", re.IGNORECASE)
_A_HOSPITAL = re.compile(r"\b(hospital|medical center|health ?care|clinic|infirmary)\b", re.IGNORECASE)
_EFFECTIVE = re.compile(
    r"(?:effective|as of|updat\w*|published|posted)(?:[^0-9a-z]|date|on|of|charges?|and|effective|prices?)*"
    r"([a-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,4}[-/]\d{1,2}[-/]\d{1,4})",
    re.IGNORECASE,
)
_LONGEST_LINE = 1000  # letters; longer ones are no title, and may be made to be slow to look through
_DATES = (
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%m/%d/%y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%B %d, %Y",
    "%B %d %Y",
    "%b %d, %Y",
    "%d-%b-%Y",
)


def iso_date(text: str | None) -> tuple[str | None, bool]:
    """A date as ISO 8601 when it is one (2026-04-01, 4/1/2026, …), else as published; and whether it is a date."""
    plain = (text or "").strip()
    if not plain:
        return None, False
    day = plain.split("T", maxsplit=1)[0].split(" 00:00", maxsplit=1)[0]
    for pattern in _DATES:
        try:
            found = datetime.strptime(day, pattern).date()  # noqa: DTZ007 - a calendar day has no time zone
        except ValueError:
            continue
        return (found.isoformat(), True) if date(1990, 1, 1) <= found <= date(2100, 1, 1) else (plain, False)
    return plain, False


def of_records(records: Sequence[Sequence[str]]) -> Header:
    """The header from the records before the table: a record of names and the record of values under it."""
    for names, values in itertools.pairwise(records):
        if names_general_data(names):
            return _of_pairs([fold(name) for name in names], names, values)
    return Header()


def names_general_data(cells: Sequence[str]) -> bool:
    """Whether a record names the general data elements, as CSV row 1 does."""
    return any(fold(cell) in {"hospital_name", "last_updated_on"} for cell in cells)


def of_prose(records: Sequence[Sequence[str]]) -> Header:
    """The header from the lines above a legacy table: `Hospital Name: X`, a line that names one, `Effective …`."""
    lines = [" ".join(cell.strip() for cell in record if cell.strip())[:_LONGEST_LINE] for record in records]
    named = [found for line in lines if (found := _HOSPITAL.match(line))]
    alone = [line for line in lines if _A_HOSPITAL.search(line) and len(line) < 100]
    dates = [found for line in lines if (found := _EFFECTIVE.search(line))]
    return Header(
        hospital_name=(named[0][1].strip() if named else alone[0] if alone else "") or None,
        last_updated_on=iso_date(dates[0][1].strip(" .)"))[0] if dates else None,
    )


def _of_pairs(folded: Sequence[str], names: Sequence[str], values: Sequence[str]) -> Header:
    found: dict[str, str] = {}
    state = None
    for key, name, value in zip(folded, names, values, strict=False):
        plain = value.strip()
        if key.startswith(_ATTESTATION):
            found["attestation"] = plain
        elif key.startswith("license_number"):
            found["license_number"] = plain
            state = name.partition("|")[2].strip().upper() or None
        elif plain:
            found.setdefault(_SYNONYMS.get(key, key), plain)
    return Header(
        hospital_name=found.get("hospital_name"),
        last_updated_on=iso_date(found.get("last_updated_on"))[0],
        version=found.get("version"),
        location_names=_parts(found.get("location_name")),
        addresses=_parts(found.get("hospital_address")),
        license_number=found.get("license_number") or None,
        license_state=None if state in {None, "[STATE]"} else state,
        type2_npis=_parts(found.get("type_2_npi")),
        attestation_confirmed=_truth(found.get("attestation")),
        attester_name=found.get("attester_name"),
        financial_aid_policy=found.get("financial_aid_policy"),
        contract_provisions=found.get("general_contract_provisions"),
    )


def of_document(root: Mapping[str, Any]) -> Header:
    """The header from the root keys of a JSON document."""
    license_information = _mapping(root.get("license_information"))
    attestation = _mapping(root.get("attestation") or root.get("affirmation"))
    confirmed = attestation.get("confirm_attestation", attestation.get("confirm_affirmation"))
    return Header(
        hospital_name=_text(root.get("hospital_name")),
        last_updated_on=iso_date(_text(root.get("last_updated_on")))[0],
        version=_text(root.get("version")),
        location_names=_texts(root.get("location_name") or root.get("hospital_location")),
        addresses=_texts(root.get("hospital_address")),
        license_number=_text(license_information.get("license_number")),
        license_state=_text(license_information.get("state")),
        type2_npis=_texts(root.get("type_2_npi")),
        attestation_confirmed=confirmed if isinstance(confirmed, bool) else _truth(_text(confirmed)),
        attester_name=_text(attestation.get("attester_name") or root.get("attester_name")),
        financial_aid_policy=_text(root.get("financial_aid_policy")),
        contract_provisions=_provisions(root.get("general_contract_provisions")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return value[0]  # some files wrap the one object into a list
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, dict):
        return None
    if isinstance(value, list):
        return " | ".join(filter(None, (_text(one) for one in value))) or None
    return str(value).encode("utf-8", "replace").decode("utf-8").strip() or None


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(filter(None, (_text(one) for one in value)))
    return _parts(_text(value))


def _provisions(value: Any) -> str | None:
    if isinstance(value, list):
        texts = [_text(one.get("provisions")) if isinstance(one, dict) else _text(one) for one in value]
        return " | ".join(filter(None, texts)) or None
    return _text(value)


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"\|", text or "") if part.strip())


def _truth(text: str | None) -> bool | None:
    folded = (text or "").strip().casefold()
    return True if folded in {"true", "yes", "y", "1"} else False if folded in {"false", "no", "n", "0"} else None
