"""What the keys of an object say: whether it is an item, a payer's part of one, a code, or a map of payers."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from glimmr.parse.tables.insurers import names_an_insurer
from glimmr.parse.tables.vocabulary import PRICES, Role, named, words

_LOOKED_AT = 500
_VAGUE = frozenset(("name", "item", "id", "number", "service", "title", "key"))  # a hospital has these too
_PAYING = frozenset(
    ("payer", "payor", "insurer", "insurance", "carrier", "plan", "contract", "negotiated", "reimbursement", "rate")
)  # fmt: skip
_FIELDS = frozenset(
    ("min", "max", "minimum", "maximum", "gross", "cash", "price", "amount", "rate", "charge", "name", "payer", "payor",
     "plan", "percent", "percentage", "method", "methodology", "type", "code", "note", "date", "dollar", "id", "median",
     "negotiated", "description", "algorithm", "count", "fee", "unit", "setting", "class", "value", "currency", "low",
     "high", "average", "standard", "discounted", "total")
)  # fmt: skip


def _items(one: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The first keys and values: an object of more says nothing new with them."""
    return islice(one.items(), _LOOKED_AT)


def is_scalar(value: Any) -> bool:
    """Whether a value has no parts."""
    return not isinstance(value, dict | list)


def is_item(one: Mapping[str, Any]) -> bool:
    """Whether an object says what it is the price of: it has a description or a code."""
    return any(
        is_scalar(value)
        and value not in {None, ""}
        and named(key).role in {Role.DESCRIPTION, Role.CODE}
        and " ".join(words(key)) not in _VAGUE
        for key, value in _items(one)
    )


def holds_items(one: Mapping[str, Any], depth: int = 6) -> bool:
    """Whether somewhere in an object there is a list of items."""
    return depth > 0 and any(_has_items(value, depth) for _, value in _items(one))


def _has_items(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return holds_items(value, depth - 1)
    if not isinstance(value, list) or not value:
        return False
    if isinstance(value[0], list):
        return _has_items(value[0], depth - 1)
    return isinstance(value[0], dict) and (is_item(value[0]) or holds_items(value[0], depth - 1))


def is_priced(one: Mapping[str, Any]) -> bool:
    """Whether an object has a price of its own."""
    return any(is_scalar(value) and named(key).role in PRICES for key, value in _items(one))


def has_payer(one: Mapping[str, Any]) -> bool:
    """Whether an object names its payer or plan."""
    return any(
        is_scalar(value) and value is not None and named(key).role in {Role.PAYER, Role.PLAN}
        for key, value in _items(one)
    )


def is_part(one: Mapping[str, Any], *, of_priced: bool) -> bool:
    """Whether an object in a list inside an item is a payer's or a setting's part of it.

    It has a payer or a price. A list of other items with their prices (what comes with a treatment) is none when the
    item has a price itself.
    """
    if has_payer(one) or (is_priced(one) and not (of_priced and is_item(one))):
        return True
    lists = (value[0] for _, value in _items(one) if isinstance(value, list) and value)
    return any(isinstance(inner, dict) and is_part(inner, of_priced=of_priced) for inner in lists)


def is_code(one: Mapping[str, Any]) -> bool:
    """Whether an object is a code with its type."""
    if len(one) > 4:
        return False
    roles = [named(name).role for name in one]
    return roles.count(Role.CODE) == 1 and Role.CODE_TYPE in roles


def is_payer_map(key: str, one: Mapping[str, Any]) -> bool:
    """Whether the keys of an object are payers: `{"Aetna": 100, "Cigna": 90}` under `payers`."""
    if not one or not all(map(_may_be_rate, one.values())) or all(set(words(name)) <= set(words(key)) for name in one):
        return False
    fields = sum(1 for name in one if frozenset(words(name)) & _FIELDS and not names_an_insurer(name))
    return 2 * fields < len(one) and (bool(frozenset(words(key)) & _PAYING) or _insurers(one))


def _insurers(one: Mapping[str, Any]) -> bool:
    return len(one) >= 2 and 2 * sum(map(names_an_insurer, one)) >= len(one)


def _may_be_rate(value: Any) -> bool:
    """A price, or an object with what one payer pays and not who it is."""
    if isinstance(value, dict):
        return all(map(is_scalar, value.values())) and not has_payer(value)
    return not isinstance(value, list)
