"""What a source said, as every database takes it: without control characters, of a length that is meant. Pure."""

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

from glimmr.model import Found, Pointer, Skipped
from glimmr.scan.source import Said

# PostgreSQL takes no NUL, nobody takes half of a surrogate pair, and what else is here moves a terminal's cursor.
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff]+")
_LONGEST_TEXT = 4000  # characters
_LONGEST_URL = 2500  # bytes: PostgreSQL's index takes 2,704; the longest of 5,117 real addresses has 431
_ADDRESSES = frozenset(("url", "page_url", "hpt_url", "website"))


def storable(record: Said) -> Said:
    """The record with its texts so; one whose address is too long to be one is skipped for itself."""
    clean: Said = _clean(record, is_address=False)
    if isinstance(clean, Found | Pointer) and len(clean.url.encode()) > _LONGEST_URL:
        name = clean.hospital.name if isinstance(clean, Found) else clean.location_name
        return Skipped(record=name, reason="its address is longer than any that is meant")
    return clean


def _clean(value: Any, *, is_address: bool) -> Any:
    if isinstance(value, str):
        text = value if is_address else value[:_LONGEST_TEXT]
        return _CONTROL.sub("" if is_address else " ", text).strip() if _CONTROL.search(text) else text
    if isinstance(value, tuple):
        members: tuple[Any, ...] = value
        return tuple(_clean(one, is_address=is_address) for one in members)
    if is_dataclass(value) and not isinstance(value, type):
        before = {one.name: getattr(value, one.name) for one in fields(value)}
        after = {name: _clean(one, is_address=name in _ADDRESSES) for name, one in before.items()}
        changed = {name: one for name, one in after.items() if one != before[name]}
        return replace(value, **changed) if changed else value
    return value
