"""Which edition of CMS's data dictionary a file follows: told by its version, its elements and its date."""

import re
from collections.abc import Collection

from glimmr.parse.tables.header import Columns

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.\d+)*", re.IGNORECASE | re.ASCII)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_VERSIONS = {("2", "0"): "2.0", ("2", "1"): "2.1", ("2", "2"): "2.2", ("3", "0"): "3.0"}
# The v2 README: drugs, modifiers and the estimated amount are "required beginning 1/1/2025".
_FROM_2_2 = "2025-01-01"
# Elements that tell the edition: columns of the price table, general data elements, root keys of JSON.
ELEMENTS_2_2 = frozenset(("estimated_amount", "drug_unit", "drug_type", "modifiers", "modifier_information"))
ELEMENTS_3_0 = frozenset(
    ("median_amount", "p10_amount", "p90_amount", "allowed_count", "location_name", "type_2_npi", "attester_name",
     "attestation")
)  # fmt: skip
ELEMENTS_BEFORE_3_0 = frozenset(("hospital_location", "affirmation", "estimated_amount"))


def of_version(text: str | None) -> str | None:
    """The edition a version names: `2.2.1` is 2.2; None when CMS has no such version."""
    found = _VERSION.fullmatch((text or "").strip())
    return _VERSIONS.get((found[1], found[2] or "0")) if found else None


def elements_of(columns: Columns) -> set[str]:
    """The columns of a CMS table, by their names in the price table."""
    return set(columns.known) | {name for group in columns.groups for name in group.metrics}


def edition_of(version: str | None, last_updated_on: str | None, elements: Collection[str]) -> str:
    """The edition whose rules a file that follows a template has to keep.

    `last_updated_on` counts where it is an ISO 8601 date. A version of 2.x on a file that has elements of 3.0 and none
    that 3.0 took away is the mistake itself. Every CSV of 2.x says 2.0.0: whether it is 2.2 is told by its elements, or
    its date.
    """
    named = of_version(version)
    has = set(elements)
    if named == "3.0" or (has & ELEMENTS_3_0 and (named is None or not has & ELEMENTS_BEFORE_3_0)):
        return "3.0"
    dated = _ISO.fullmatch(last_updated_on or "") is not None and (last_updated_on or "") >= _FROM_2_2
    if named == "2.2" or has & ELEMENTS_2_2 or dated:
        return "2.2"
    return named or "2.0"
