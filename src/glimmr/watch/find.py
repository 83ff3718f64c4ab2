"""Hospitals found again by what people know of them, near misses told; and why one was found where it was, or not."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from glimmr.scan.names import name_words, plain
from glimmr.stores import register
from glimmr.stores.database import Connection
from glimmr.watch.hospitals import by_hospital, open_questions, said_about, seen_by, sites_of, told
from glimmr.watch.standing import stands, usable

_MOST_NEAR = 5
_LIKE = 0.75
_ASKED_ABOUT = {"cms_roster": "states", "pra": "states", "cms_hpt": "sites", "page": "sites"}
_NOT_ASKED = {
    "states": "it was not asked about {state} yet: `glimmr scan --state {state}`",
    "sites": "no site of this hospital is known, so none could be asked: `glimmr scan --domain hospital.org`",
    "site": "its site {site} was not asked yet by this source: `glimmr scan --domain {site}`",
}


def find(connection: Connection, text: str, state: str | None, limit: int) -> dict[str, Any]:
    """Hospitals that the text means by name, city, CCN, NPI or domain: at most `limit` of `total`.

    `near`: where there is none, names that are nearly so.
    """
    everybody = register.everybody(connection, state)
    found = _by_number(everybody, text) or _by_domain(everybody, text) or _by_words(everybody, text)
    near = [] if found else _near(everybody, text)
    shown = found[:limit]
    addresses = by_hospital(register.addresses_of(connection, [one["hospital_id"] for one in shown]))
    hospitals = [_short(one, addresses.get(one["hospital_id"], [])) for one in shown]
    return {
        "total": len(found),
        "hospitals": hospitals,
        "near": near,
        "open_questions": open_questions(connection),
    }


def explain(connection: Connection, ids: Collection[str], enabled: Sequence[str]) -> list[dict[str, Any]]:
    """Of each hospital: every source asked for it and what it said, every address and why it is current or not.

    `not_asked`: the `enabled` sources that were not, and what to do about it.
    """
    rows = {one["hospital_id"]: one for one in register.everybody(connection)}
    of = by_hospital(register.addresses_of(connection, ids))
    return [_explained(connection, rows[key], of.get(key, []), enabled) for key in ids]


def _explained(
    connection: Connection, row: Mapping[str, Any], addresses: Sequence[Mapping[str, Any]], enabled: Sequence[str]
) -> dict[str, Any]:
    answers = said_about(connection, row)
    asked = {one["source"] for one in answers}
    sites = sorted(sites_of(row))
    missing: dict[str, str] = {}
    for source in (one for one in enabled if one not in asked):
        about = _ASKED_ABOUT.get(source, "states")
        kind = "site" if about == "sites" and sites else about
        missing[source] = _NOT_ASKED[kind].format(state=row["state"] or "VT", site=sites[0] if sites else "")
    return {
        **told(row),
        "standing": stands(addresses)[0],
        "answers": answers,
        "not_asked": missing,
        "addresses": seen_by(connection, row["hospital_id"], addresses),
    }


def _short(row: Mapping[str, Any], addresses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    word, best = stands(addresses)
    shown = {name: row[name] for name in ("hospital_id", "ccn", "name", "city", "state", "npis", "domain")}
    return shown | {
        "exempt_reason": row["exempt_reason"],
        "files": usable(addresses),
        "standing": word,
        "as_of": best["last_updated_on"] if best else None,
    }


def _by_number(everybody: Iterable[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """By CCN, id or NPI. A spreadsheet drops the leading zero of a CCN; it is written with a dash, too."""
    number = text.strip().replace("-", "").casefold()
    ids = {text.strip().casefold(), number, number.zfill(6)}
    return [
        one
        for one in everybody
        if one["hospital_id"].casefold() in ids
        or (one["ccn"] or "").casefold() in ids
        or (number and number in (one["npis"] or "").split("|"))
    ]


def _by_domain(everybody: Iterable[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    given = text.strip().casefold()
    try:
        host = urlsplit(given if "//" in given else f"//{given}").hostname or ""
    except ValueError:
        return []
    domain = host.removeprefix("www.")
    return [one for one in everybody if domain in sites_of(one)] if "." in domain else []


def _by_words(everybody: Iterable[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Those whose names and town have every word, or one that begins so; names that are the very same first."""
    wanted = name_words(text)
    ranked = [(rank, one) for one in everybody if (rank := _rank(wanted, one)) is not None] if wanted else []
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def _rank(wanted: tuple[str, ...], row: Mapping[str, Any]) -> int | None:
    best: int | None = None
    town = name_words(row["city"] or "")
    for name in (row["name"], *(row["other_names"] or ())):
        words = name_words(name)
        if words == wanted:
            return 0
        if all(any(word.startswith(part) for word in (*words, *town)) for part in wanted):
            best = 1 if set(wanted) <= {*words, *town} else min(best or 2, 2)
    return best


def _near(everybody: Iterable[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Hospitals of which each word of the text is nearly one."""
    rows = list(everybody)
    words = {word for one in rows for name in (one["name"], one["city"] or "") for word in name_words(name)}
    known = sorted(words)
    meant = [difflib.get_close_matches(part, known, n=3, cutoff=_LIKE) for part in name_words(text)]
    close = plain(text)
    found = [
        one
        for one in rows
        if meant and all(set(near) & {*name_words(one["name"]), *name_words(one["city"] or "")} for near in meant)
    ]
    found.sort(key=lambda one: -difflib.SequenceMatcher(None, close, plain(one["name"])).ratio())
    return [{name: one[name] for name in ("hospital_id", "ccn", "name", "city", "state")} for one in found[:_MOST_NEAR]]
