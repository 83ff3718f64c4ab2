"""Who a hospital is: CCNs as CMS writes them, and a stable id where there is none."""

import hashlib
import re

_CCN = re.compile(r"[0-9]{2}[0-9A-Z][0-9]{2}[0-9A-Z]")
# Psychiatric and rehabilitation units and swing beds, by the kind of hospital that has them: short-stay, critical
# access, long-term, rehabilitation.
_UNITS = {"S": "0", "T": "0", "U": "0", "M": "1", "R": "1", "Z": "1", "W": "2", "Y": "3"}
_PLACEHOLDERS = {"", "n/a", "na", "none", "null", "unknown", "test", "-", "?", "undefined"}


def clean_ccn(text: str | None) -> str | None:
    """The CCN in CMS's form (six characters, zero-padded, may hold a letter), or None when the text is none.

    Source: CMS State Operations Manual §2779A, which writes 47-0001. Spreadsheets drop the leading zero, which is put
    back, and mark a number that is text with an apostrophe.
    """
    value = re.sub(r"\.0$", "", (text or "").strip()).lstrip("'").replace("-", "").upper().zfill(6)
    return value if _CCN.fullmatch(value) and value != "000000" else None


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
