"""Who a hospital is: CCNs as CMS writes them, and a stable id where there is none."""

import hashlib
import re

_NO_CCN = re.compile(r"[\s\"'=-]|\.0+$|,(?=[0-9]{3}$)")
_AS_NUMBER = re.compile(r"[0-9](\.[0-9]+)?E\+[0-9]{2}")
_ZIP = re.compile(r"([0-9]{3,5})(\.0+|-?[0-9]{4})?")
_NPI = re.compile(r"([0-9]{10})(\.0+)?")
_CCN = re.compile(r"[0-9]{2}[0-9A-Z][0-9]{2}[0-9A-Z]")
# Psychiatric and rehabilitation units and swing beds, by the kind of hospital that has them: short-stay, critical
# access, long-term, rehabilitation.
_UNITS = {"S": "0", "T": "0", "U": "0", "M": "1", "R": "1", "Z": "1", "W": "2", "Y": "3"}
_PLACEHOLDERS = {"", "n/a", "na", "none", "null", "unknown", "test", "-", "?", "undefined"}


def clean_ccn(text: str | None) -> str | None:
    """The CCN in CMS's form (six characters, zero-padded, may hold a letter), or None when the text is none.

    Source: CMS State Operations Manual §2779A, which writes 47-0001. Spreadsheets drop the leading zero, which is put
    back, write numbers in their ways (10,001, 10001.0, 1.0001E+04), and mark one that is text (an apostrophe, ="…").
    """
    value = _NO_CCN.sub("", (text or "").strip()).upper()
    value = (f"{float(value):.0f}" if _AS_NUMBER.fullmatch(value) else value).zfill(6)
    return value if _CCN.fullmatch(value) and value != "000000" else None


def clean_zip(text: str | None) -> str | None:
    """The five digits of a ZIP code whose zeros a spreadsheet may have dropped; what is no ZIP code stays as it is."""
    value = (text or "").strip()
    found = _ZIP.fullmatch(value)
    return found[1].zfill(5) if found else value or None


def clean_npi(text: str | None) -> str | None:
    """The ten digits of an NPI (45 CFR 162.406), or None when the text is none."""
    found = _NPI.fullmatch((text or "").strip())
    return found[1] if found else None


def parent_ccn(ccn: str) -> str:
    """The hospital a CCN belongs to: of a unit (its third character is a letter) that it is part of, else its own.

    Source: CMS State Operations Manual §2779A1.
    """
    series = _UNITS.get(ccn[2])
    return ccn if series is None else ccn[:2] + series + ccn[3:]


def is_name(text: str | None) -> bool:
    """Whether the text can be a hospital's name: something with letters that is no placeholder."""
    return says_something(text) and any(letter.isalpha() for letter in text or "")


def says_something(text: str | None) -> bool:
    """Whether a cell holds more than a placeholder such as `n/a`."""
    return (text or "").strip().casefold() not in _PLACEHOLDERS


def hospital_id(ccn: str | None, *facts: str | None) -> str:
    """The CCN, else an id derived from the facts (name, state, …) that is the same in every scan."""
    if ccn:
        return ccn
    folded = "|".join(" ".join((fact or "").casefold().split()) for fact in facts)
    return "x" + hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:15]
