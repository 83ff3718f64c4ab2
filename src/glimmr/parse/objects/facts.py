"""What foreign JSON and XML say of the file itself: whose prices, of when."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from glimmr.model import Header
from glimmr.parse.objects.signs import is_scalar
from glimmr.parse.tables import preamble
from glimmr.parse.tables.records import Rows
from glimmr.parse.tables.vocabulary import words

_HOSPITAL = frozenset(
    ("hospital name", "hospital", "facility name", "facility", "hospital facility", "entity", "entity name",
     "reporting entity name", "provider name", "organization name", "organization", "hospital facility name")
)  # fmt: skip
_UPDATED = frozenset(
    ("last updated on", "last updated", "last update on", "last update", "updated on", "update date", "date updated",
     "last updated date", "created date", "create date", "creation date", "file create date", "effective date",
     "as of date", "publish date", "published date", "created", "updated", "file date", "date")
)  # fmt: skip
_A_HOSPITAL = re.compile(
    r"\b(hospital|medical|health|healthcare|clinic|center|centre|infirmary|sanatorium)\b", re.IGNORECASE
)


def header_of(said: Mapping[str, Any]) -> Header:
    """A header from values by key, whatever the keys are called; the date as ISO 8601 where it is one."""
    header = preamble.of_document(said)
    inner = (value for value in said.values() if isinstance(value, dict))  # `{"File Summary": {"Hospital": …}}`
    said = {key: value for one in (*inner, said) for key, value in one.items()}
    texts = {" ".join(words(key)): str(value).strip() for key, value in said.items() if is_scalar(value) and value}
    name = header.hospital_name or next((texts[key] for key in texts if key in _HOSPITAL), None)
    named = texts.get("name", "")
    name = name or (named if _A_HOSPITAL.search(named) else None)
    return replace(header, hospital_name=name, last_updated_on=header.last_updated_on or _date(texts))


def _date(texts: Mapping[str, str]) -> str | None:
    for key, text in texts.items():
        day, is_date = preamble.iso_date(text.split(" ", maxsplit=1)[0] if text[:1].isdigit() else text)
        if key in _UPDATED and is_date:
            return day
    return None


def is_place(name: str) -> bool:
    """Whether a column of this name says which hospital it is about."""
    return " ".join(words(name)) in _HOSPITAL | {"hospital id", "provider id", "facility id", "ccn"}


def constants(names: Sequence[str], rows: Rows) -> dict[str, str]:
    """The columns that say the same in every one of some rows."""
    found: dict[str, str] = {}
    for name, column in zip(names, rows.columns, strict=True):
        if len(column) > 1 and column.null_count == 0 and " ".join(words(name)) in _HOSPITAL | _UPDATED | {"name"}:
            values = column.unique()
            if len(values) == 1:
                found[name] = values[0].as_py()
    return found


def merged(first: Header, second: Header) -> Header:
    """What the first header says, and what only the second one does."""
    given = {name: getattr(first, name) or getattr(second, name) for name in Header.__dataclass_fields__}
    return Header(**given)
