"""What a list of JSON objects is, told by the first of them."""

import re
from enum import Enum, auto
from typing import Any

from glimmr.parse.elements.repair import decoded
from glimmr.parse.objects.signs import holds_items, is_item

_PAIR = re.compile(
    rb'[\s,]*"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*:\s*("[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s"{}\[\],]++)', re.DOTALL
)
_MOST_KEYS = 1000


class Kind(Enum):
    """What a list of objects is."""

    CMS = auto()  # CMS's items, whatever the list is called
    RECORDS = auto()
    DOCUMENTS = auto()  # objects that hold lists of items


def kind_of(raw: bytes) -> Kind:
    """What objects are of which `raw` is the first. A broken one tells nothing: it is one of the records."""
    first = _object(raw)
    if _is_cms_item(first):
        return Kind.CMS
    return Kind.DOCUMENTS if not is_item(first) and holds_items(first) else Kind.RECORDS


def has_lone_payers(raw: bytes) -> bool:
    """Whether an item has payers where its charges should be: that is no template of CMS's."""
    return any("payer_name" in charge for charge in _charges_of(_object(raw)))


def opens_item(data: bytes, at: int) -> bool:
    """Whether what a long object says before its first list or object is what an item says."""
    said: dict[str, Any] = {}
    at += 1
    while len(said) < _MOST_KEYS and (found := _PAIR.match(data, at)):
        said[text_of(found[1])] = found[2].decode("utf-8", "replace")
        at = found.end()
    return is_item(said)


def text_of(raw: bytes) -> str:
    """A key without its quotes."""
    try:
        return str(decoded(b'"' + raw + b'"'))
    except ValueError:
        return raw.decode("utf-8", "replace")


def _object(raw: bytes) -> dict[str, Any]:
    """An object; an empty one for anything else."""
    try:
        first = decoded(raw)
    except (ValueError, RecursionError):
        return {}
    return first if isinstance(first, dict) else {}


def _is_cms_item(one: dict[str, Any]) -> bool:
    charges = _charges_of(one)
    named = one.keys() & {"description", "code_information", "billing_code_information"}
    return bool(named and charges) and not any("payer_name" in charge for charge in charges)


def _charges_of(one: dict[str, Any]) -> list[dict[str, Any]]:
    inside = one.get("standard_charges")
    charges = [inside] if isinstance(inside, dict) else inside if isinstance(inside, list) else []
    return [charge for charge in charges if isinstance(charge, dict)]
