"""How an address stands towards a hospital it is said to be of, and how the hospital stands by its addresses. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from glimmr.outcomes import MEANINGS, Outcome

PRICES = "prices"
WAITING = "waiting"
NOBODY_KNOWS = "nobody_knows"
_RULED_OUT = ("other_hospital", "moved", "unlisted")
_FRESH_DAYS = 365  # 45 CFR 180.50(e): updated at least once a year
_WHY = {
    PRICES: "current: its prices are in the price table",
    "other_hospital": "the file's own header names others, not this hospital",
    "moved": "another address took its place",
    "unlisted": "no source names it any more",
    "unproven": "who is meant was told by likeness, and no header has confirmed it yet",
    WAITING: "nobody has brought it home yet",
    "not_published": "it was read, and its prices are not in the price table yet",
}


def standing(address: Mapping[str, Any]) -> str:
    """One word: `prices`, what rules the address out (`other_hospital`, `moved`, `unlisted`), or its outcome.

    `unproven` and `waiting` are those that nobody could judge yet. An address whose last answer was bad has `prices`
    while those it gave before are current.
    """
    if not address["believed"] and address["verified_by"] and not address["gave_way"]:
        return "other_hospital"
    if address["gave_way"] or (address["moved_to"] and not address["current_file_id"]):
        return "moved"
    if address["current_file_id"]:
        return PRICES if address["believed"] else "unproven"
    if address["was_named"] and not address["is_named"]:
        return "unlisted"
    if address["outcome"] is None:
        return WAITING
    return "not_published" if address["outcome"] in (Outcome.OK, Outcome.UNCHANGED) else address["outcome"]


def why(address: Mapping[str, Any]) -> str:
    """The same as a sentence."""
    word = standing(address)
    said = _WHY.get(word) or MEANINGS[Outcome(word)].text
    bad = address["outcome"] not in (None, Outcome.OK, Outcome.UNCHANGED)
    return f"{said}; its last answer: {address['outcome']} {address['reason']}" if word == PRICES and bad else said


def stands(addresses: Sequence[Mapping[str, Any]]) -> tuple[str, Mapping[str, Any] | None]:
    """How a hospital stands by all its addresses: as the best of them, which comes with it; or `nobody_knows`."""
    words = [(standing(one), one) for one in addresses]
    usable = [pair for pair in words if pair[0] not in _RULED_OUT]
    if not usable:
        return NOBODY_KNOWS, None
    return min(usable, key=lambda pair: (_rank(pair[0]), -_day(pair[1])))


def usable(addresses: Iterable[Mapping[str, Any]]) -> int:
    """How many of these addresses are not ruled out."""
    return sum(standing(one) not in _RULED_OUT for one in addresses)


def is_fresh(last_updated_on: str | None, today: date) -> bool:
    """Whether a file's own date is less than a year old, as the rule asks."""
    age = age_days(last_updated_on, today)
    return age is not None and age < _FRESH_DAYS


def age_days(last_updated_on: str | None, today: date) -> int | None:
    """How old a file is by its own date; None where it has none."""
    try:
        return (today - date.fromisoformat(last_updated_on or "")).days
    except ValueError:
        return None


def _rank(word: str) -> int:
    return {PRICES: 0, "not_published": 1, WAITING: 2, "unproven": 3}.get(word, 4)


def _day(address: Mapping[str, Any]) -> int:
    try:
        return date.fromisoformat(address["last_updated_on"] or "").toordinal()
    except ValueError:
        return 0
