"""The rules for what a file says of itself: CSV rows 1 and 2, or the root keys of the JSON document."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from glimmr.model import Header
from glimmr.parse.elements.repair import Number
from glimmr.parse.findings import Findings
from glimmr.parse.rules import edition as editions
from glimmr.parse.tables.header import fold
from glimmr.parse.tables.preamble import iso_date, names_general_data
from glimmr.places import PLACES

_AFFIRMATION = (
    "To the best of its knowledge and belief, the hospital has included all applicable standard charge information in "
    "accordance with the requirements of 45 CFR 180.50, and the information encoded is true, accurate, and complete as "
    "of the date indicated."
)
_ATTESTATION = (
    "To the best of its knowledge and belief, this hospital has included all applicable standard charge information in "
    "accordance with the requirements of 45 CFR 180.50, and the information encoded is true, accurate, and complete as "
    "of the date in the file. This hospital has included all payer-specific negotiated charges in dollars that can be "
    "expressed as a dollar amount. For payer-specific negotiated charges that cannot be expressed as a dollar amount "
    "in the machine-readable file or not knowable in advance, the hospital attests that the payer-specific negotiated "
    "charge is based on a contractual algorithm, percentage or formula that precludes the provision of a dollar amount "
    "and has provided all necessary information available to the hospital for the public to be able to derive the "
    "dollar amount, including, but not limited to, the specific fee schedule or components referenced in such "
    "percentage, algorithm or formula."
)
_CSV_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{4}", re.ASCII)
_JSON_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ALWAYS = ("hospital_name", "last_updated_on", "version")
_LISTS = ("location_name", "hospital_location", "hospital_address", "type_2_npi")
_SETTINGS = frozenset(("inpatient", "outpatient", "both"))


def _required(edition: str) -> tuple[str, ...]:
    """The general data elements of an edition, but the license and the attestation."""
    if edition == "3.0":
        return (*_ALWAYS, "location_name", "hospital_address", "type_2_npi")
    return (*_ALWAYS, "hospital_location", "hospital_address")


def _sentence(edition: str) -> str:
    return _ATTESTATION if edition == "3.0" else _AFFIRMATION


def _words(text: str) -> str:
    return " ".join(text.split()).casefold()


class General:
    """The general data elements of a table: the record of names and the record of values under it."""

    def __init__(self, above: Sequence[Sequence[str]]) -> None:
        self.row = 0  # of the names, from 1
        self.cells: dict[str, tuple[int, str, str]] = {}  # folded name → (index, name, value); the first counts
        self.repeated: list[tuple[int, str]] = []
        for at, names in enumerate(above):
            if names_general_data(names):
                self.row = at + 1
                values = above[at + 1] if at + 1 < len(above) else ()
                self._take(names, values)
                break

    def _take(self, names: Sequence[str], values: Sequence[str]) -> None:
        for index, name in enumerate(names):
            key = fold(name)
            if not key:
                continue
            value = values[index].strip() if index < len(values) else ""
            if key.startswith("to_the_best_of_its_knowledge"):
                key = "attestation_text"
            elif key == "license_number" or key.startswith("license_number|"):
                key = "license"
            if key in self.cells:
                self.repeated.append((index, name))
            else:
                self.cells[key] = (index, name.strip(), value)

    @property
    def elements(self) -> set[str]:
        """The elements that tell the edition."""
        found = {key for key in self.cells if key in editions.ELEMENTS_3_0 | editions.ELEMENTS_BEFORE_3_0}
        if "attestation_text" in self.cells:
            text = _words(self.cells["attestation_text"][1])
            found |= {"attestation"} if text == _words(_ATTESTATION) else set()
            found |= {"affirmation"} if text == _words(_AFFIRMATION) else set()
        return found

    def value(self, key: str) -> str:
        """The value of an element, or nothing."""
        return self.cells[key][2] if key in self.cells else ""


class Place(Protocol):
    """How a cell of the table is called."""

    def __call__(self, row: int, index: int | None = None) -> str:
        """The position of a row (from 1), or of its cell `index` (from 0)."""
        ...


def check_general(general: General, edition: str, findings: Findings, place: Place) -> None:
    """The rules for CSV rows 1 and 2."""
    names_row = general.row or 1
    required = (*_required(edition), "license", "attestation_text") + (("attester_name",) if edition == "3.0" else ())
    shown = {"license": "license_number|[state]", "attestation_text": _sentence(edition)}
    for key in required:
        if key not in general.cells:
            findings.add("GL-HEADER-MISSING", place(names_row), name=shown.get(key, key))
        elif not general.cells[key][2] and key != "license":
            findings.add("GL-HEADER-BLANK", place(names_row + 1, general.cells[key][0]), name=shown.get(key, key))
    for index, name in general.repeated:
        findings.add("GL-DUPLICATE-COLUMN", place(names_row, index), name=name)
    date = general.value("last_updated_on")
    if date and not (_CSV_DATE.fullmatch(date) and iso_date(date)[1]):
        at = place(names_row + 1, general.cells["last_updated_on"][0])
        findings.add("GL-DATE", at, name="last_updated_on", value=date)
    _check_license(general, findings, place)
    if "attestation_text" in general.cells:
        _check_attestation(general, edition, findings, place)


def _check_license(general: General, findings: Findings, place: Place) -> None:
    if "license" not in general.cells:
        return
    index, name, _ = general.cells["license"]
    state = name.partition("|")[2].strip()
    if state.casefold() == "[state]":
        findings.add("GL-PLACEHOLDER", place(general.row, index), name=name)
    elif state.upper() not in PLACES:
        findings.add("GL-STATE", place(general.row, index), name="license_number", value=state)


def _check_attestation(general: General, edition: str, findings: Findings, place: Place) -> None:
    index, text, value = general.cells["attestation_text"]
    if _words(text) != _words(_sentence(edition)):
        findings.add("GL-ATTESTATION-TEXT", place(general.row, index), name="attestation", value=text)
    at = place(general.row + 1, index)
    if value.casefold() == "false":
        findings.add("GL-ATTESTATION-FALSE", at, name="attestation", value=value)
    elif value and value.casefold() != "true":
        findings.add("GL-ATTESTATION-VALUE", at, name="attestation", value=value)


def check_version(version: str | None, findings: Findings, position: str, elements: set[str]) -> None:
    """The version itself, and whether it is that of the elements the file has."""
    named = editions.of_version(version)
    if version and named is None:
        findings.add("GL-UNKNOWN-VERSION", position, name="version", value=version)
    elif named is not None and named != "3.0" and elements & editions.ELEMENTS_3_0:
        found = ", ".join(sorted(elements & editions.ELEMENTS_3_0))
        findings.add("GL-VERSION-MISMATCH", position, name="version", value=f"{version}, but it has: {found}")


def check_root(root: Mapping[str, Any], edition: str, findings: Findings) -> None:
    """The rules for the root keys of a JSON document."""
    for key in _required(edition):
        value = root.get(key)
        if value is None or value == []:
            findings.add("GL-HEADER-MISSING", f"/{key}", name=key)
        elif key in _LISTS:
            _check_texts(key, value, edition, findings)
        elif isinstance(value, str) and not value.strip():
            findings.add("GL-HEADER-BLANK", f"/{key}", name=key)
        elif not _is_text(value):
            findings.add("GL-JSON-TYPE", f"/{key}", name=key, value=f"{value!s} instead of a string")
    date = root.get("last_updated_on")
    if isinstance(date, str) and date.strip() and not (_JSON_DATE.fullmatch(date) and iso_date(date)[1]):
        findings.add("GL-DATE", "/last_updated_on", name="last_updated_on", value=date)
    _check_license_object(root.get("license_information"), findings)
    _check_attestation_object(root, edition, findings)
    _check_modifiers(root.get("modifier_information"), findings)


def check_bare_root(header: Header, edition: str, findings: Findings) -> None:
    """What a JSON document without items lacks of its header, of which only what could be read is known."""
    said = {
        "hospital_name": header.hospital_name,
        "last_updated_on": header.last_updated_on,
        "version": header.version,
        "location_name": header.location_names,
        "hospital_location": header.location_names,
        "hospital_address": header.addresses,
        "type_2_npi": header.type2_npis,
        "license_information": header.license_number or header.license_state,
        "attestation": header.attester_name if header.attestation_confirmed is None else "told",
    }
    required = (*_required(edition), "license_information", "attestation")
    for key in (key for key in required if not said[key]):
        name = "affirmation" if key == "attestation" and edition != "3.0" else key
        findings.add("GL-HEADER-MISSING", f"/{name}", name=name)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _check_texts(key: str, value: Any, edition: str, findings: Findings) -> None:
    """A list of strings, none of them empty (before 3.0 they may be)."""
    if not isinstance(value, list):
        findings.add("GL-JSON-TYPE", f"/{key}", name=key, value=f"{value!s} instead of a list")
        return
    for at, one in enumerate(value):
        if not _is_text(one):
            findings.add("GL-JSON-TYPE", f"/{key}/{at}", name=key, value=f"{one!s} instead of a string")
        elif not one.strip() and edition == "3.0":
            findings.add("GL-EMPTY-TEXT", f"/{key}/{at}", name=key, value="")


def _check_license_object(value: Any, findings: Findings) -> None:
    at = "/license_information"
    if value is None:
        findings.add("GL-HEADER-MISSING", at, name="license_information")
    elif not isinstance(value, dict):
        findings.add("GL-JSON-TYPE", at, name="license_information", value="no object")
    elif value.get("state") is None:
        findings.add("GL-HEADER-MISSING", f"{at}/state", name="state")
    elif str(value["state"]) not in PLACES:
        findings.add("GL-STATE", f"{at}/state", name="state", value=str(value["state"]))


def _check_attestation_object(root: Mapping[str, Any], edition: str, findings: Findings) -> None:
    key = "attestation" if edition == "3.0" else "affirmation"
    value = root.get(key)
    if not isinstance(value, dict):
        code = "GL-HEADER-MISSING" if value is None else "GL-JSON-TYPE"
        findings.add(code, f"/{key}", name=key, value=None if value is None else "no object")
        return
    text, confirmed = value.get(key), value.get(f"confirm_{key}")
    if text != _sentence(edition):
        code = "GL-HEADER-MISSING" if text is None else "GL-ATTESTATION-TEXT"
        findings.add(code, f"/{key}/{key}", name=key, value=None if text is None else str(text))
    if confirmed is None:
        findings.add("GL-HEADER-MISSING", f"/{key}/confirm_{key}", name=f"confirm_{key}")
    elif confirmed is False:
        findings.add("GL-ATTESTATION-FALSE", f"/{key}/confirm_{key}", name=f"confirm_{key}", value="false")
    elif confirmed is not True:
        findings.add("GL-ATTESTATION-VALUE", f"/{key}/confirm_{key}", name=f"confirm_{key}", value=str(confirmed))
    if edition == "3.0" and not str(value.get("attester_name") or "").strip():
        findings.add("GL-HEADER-MISSING", f"/{key}/attester_name", name="attester_name")


def _check_modifiers(value: Any, findings: Findings) -> None:
    """The root's list of modifiers: each has a code, a description and, for each payer-plan, what it does."""
    at = "/modifier_information"
    for number, one in enumerate(value if isinstance(value, list) else []):
        if not isinstance(one, dict):
            findings.add("GL-JSON-TYPE", f"{at}/{number}", name="modifier_information", value="no object")
            continue
        _check_strings(one, ("code", "description"), f"{at}/{number}", findings)
        payers = one.get("modifier_payer_information")
        if not isinstance(payers, list) or not payers:
            here = f"{at}/{number}/modifier_payer_information"
            findings.add("GL-MODIFIER-INFORMATION", here, name="modifier_payer_information")
        for place, payer in enumerate(payers if isinstance(payers, list) else []):
            here = f"{at}/{number}/modifier_payer_information/{place}"
            _check_strings(
                payer if isinstance(payer, dict) else {}, ("payer_name", "plan_name", "description"), here, findings
            )
        setting = one.get("setting")
        if setting is not None and not (isinstance(setting, str) and setting in _SETTINGS):
            findings.add("GL-MODIFIER-SETTING", f"{at}/{number}/setting", name="setting", value=str(setting))


def _check_strings(one: Mapping[str, Any], keys: Sequence[str], at: str, findings: Findings) -> None:
    for key in keys:
        value = one.get(key)
        if value is None or value == "":
            findings.add("GL-MODIFIER-INFORMATION", f"{at}/{key}", name=key)
        elif not _is_text(value):
            findings.add("GL-JSON-TYPE", f"{at}/{key}", name=key, value=f"{value!s} instead of a string")
