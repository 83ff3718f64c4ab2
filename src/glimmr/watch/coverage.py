"""How many of the hospitals that must publish are covered: per state and in total, against CMS's roster."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from glimmr.outcomes import MEANINGS, Outcome
from glimmr.stores import answers, register
from glimmr.stores.database import Connection
from glimmr.watch.hospitals import by_hospital, open_questions
from glimmr.watch.standing import NOBODY_KNOWS, PRICES, is_fresh, stands

_ROSTER = "cms_roster"


def coverage(connection: Connection, today: date) -> dict[str, Any]:
    """`states` and `total`: hospitals on CMS's roster, how many of them are exempt, and of the rest how many have what.

    `address` = `prices` + all of `without_prices` (how the best address of each stands); `must_publish` = `address` +
    `nobody_knows`. `percent` is `prices` of `must_publish`. `roster_read`: the places the roster was read of, and when.
    Hospitals that are not on the roster are only counted (`others`, and those with prices among them).
    """
    addresses = by_hospital(register.addresses(connection))
    by_state: dict[str, list[Mapping[str, Any]]] = {}
    for hospital in register.everybody(connection):
        by_state.setdefault(hospital["state"], []).append(hospital)
    states = [{"state": state, **_counted(rows, addresses, today)} for state, rows in sorted(by_state.items())]
    everybody = [hospital for rows in by_state.values() for hospital in rows]
    meanings = {word: MEANINGS[Outcome(word)].text for one in states for word in one["without_prices"] if _is(word)}
    return {
        "roster_read": answers.said_by(connection, _ROSTER),
        "states": states,
        "total": _counted(everybody, addresses, today),
        "meanings": meanings,
        "open_questions": open_questions(connection),
    }


def _counted(
    hospitals: Iterable[Mapping[str, Any]], addresses: Mapping[str, Sequence[Mapping[str, Any]]], today: date
) -> dict[str, Any]:
    roster = exempt = fresh = others = others_with_prices = 0
    words = Counter[str]()
    for hospital in hospitals:
        word, best = stands(addresses.get(hospital["hospital_id"], ()))
        if _ROSTER not in hospital["sources"]:
            others += 1
            others_with_prices += word == PRICES
            continue
        roster += 1
        if hospital["exempt_reason"]:
            exempt += 1
            continue
        words[word] += 1
        fresh += word == PRICES and best is not None and is_fresh(best["last_updated_on"], today)
    prices, nobody = words.pop(PRICES, 0), words.pop(NOBODY_KNOWS, 0)
    must = roster - exempt
    return {
        "roster": roster,
        "exempt": exempt,
        "must_publish": must,
        "address": must - nobody,
        "prices": prices,
        "fresh": fresh,
        "without_prices": dict(sorted(words.items())),
        "nobody_knows": nobody,
        "percent": round(100 * prices / must, 1) if must else None,
        "others": others,
        "others_with_prices": others_with_prices,
    }


def _is(word: str) -> bool:
    return word in list(Outcome)
