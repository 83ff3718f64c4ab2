"""Hospitals as people ask for them: a list, and one with all that is known and who said it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from glimmr.errors import UsageError
from glimmr.jobs import ledger
from glimmr.model import Hospital
from glimmr.net import redact
from glimmr.scan.merge import site_of
from glimmr.scan.source import EVERYWHERE
from glimmr.stores import answers, catalog, register
from glimmr.stores.database import Connection
from glimmr.watch import report
from glimmr.watch.standing import age_days, is_fresh, standing, stands, usable, why

_LEAST_OF_AN_ID = 6  # letters: few hospitals have no CCN
_FIELDS = tuple(Hospital.__dataclass_fields__)
_SAID_OF_ADDRESS = (
    "location_name", "source", "match_method", "match_score", "verified_method", "verified_score", "outcome", "reason",
    "message", "next_try_at", "first_seen", "last_seen", "asked_at", "last_updated_on",
)  # fmt: skip


def listing(connection: Connection, state: str | None, *, missing_file: bool, limit: int) -> dict[str, Any]:
    """Hospitals with their files, the best outcome of these and the date the file gives itself; at most `limit`.

    `total` is how many there are of them, `exempt` how many of these need not publish. With `missing_file` only those
    without an address; the exempt ones stand last. `known`: how many there are with and without.
    """
    of = by_hospital(register.addresses(connection, state))
    rows = [_row(one, of.get(one["hospital_id"], [])) for one in register.everybody(connection, state)]
    known = len(rows)
    if missing_file:
        rows = sorted((one for one in rows if not one["files"]), key=lambda one: one["exempt_reason"] is not None)
    exempt = sum(one["exempt_reason"] is not None for one in rows)
    return {
        "total": len(rows),
        "exempt": exempt,
        "known": known,
        "hospitals": rows[:limit],
        "open_questions": open_questions(connection),
    }


def open_questions(connection: Connection) -> int:
    """How many questions to sources have no answer yet: until then what is missing may only be unknown."""
    return report.live(ledger.counts(connection), "scan")


def by_hospital(addresses: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The addresses of each hospital."""
    of = defaultdict[str, list[dict[str, Any]]](list)
    for one in addresses:
        of[one["hospital_id"]].append(one)
    return of


def _row(hospital: Mapping[str, Any], addresses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    word, best = stands(addresses)
    return {
        **{name: hospital[name] for name in ("hospital_id", "ccn", "name", "city", "state", "exempt_reason")},
        "files": usable(addresses),
        "standing": word,
        "outcome": best["outcome"] if best else None,
        "reason": best["reason"] if best else None,
        "as_of": best["last_updated_on"] if best else None,
        "asked_at": best["asked_at"] if best else None,
    }


def one(connection: Connection, wanted: str, today: date) -> dict[str, Any]:
    """All that is known of one hospital. Raises UsageError, with near misses, when nobody has this CCN or id."""
    row = _meant(connection, wanted)
    key = row["hospital_id"]
    addresses = register.addresses_of(connection, [key])
    ids = [address["price_file_id"] for address in addresses]
    word, best = stands(addresses)
    dated = best["last_updated_on"] if best and best["current_file_id"] else None
    return {
        **told(row),
        "standing": word,
        "freshness": {
            "last_updated_on": dated,
            "age_days": age_days(dated, today),
            "fresh": is_fresh(dated, today) if dated else None,
        },
        "addresses": seen_by(connection, key, addresses),
        "snapshots": [
            {**snapshot, "is_current": bool(snapshot["is_current"])}
            for snapshot in register.snapshots_at(connection, ids)
        ],
        "history": history(connection, key, ids),
        "answers": said_about(connection, row),
    }


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A hospital's fields, and which source said what stands in each."""
    facts: dict[str, Any] = {name: row[name] for name in _FIELDS}
    return facts | {
        "other_names": row["other_names"] or [],
        "sources": row["sources"],
        "field_sources": {name: who for name, who in (row["field_sources"] or {}).items() if row[name] is not None},
    }


def _meant(connection: Connection, wanted: str) -> dict[str, Any]:
    text = wanted.strip()
    everybody = register.everybody(connection)
    ids = {text.casefold(), text.replace("-", "").zfill(6).casefold()}  # a spreadsheet drops the leading zero
    for row in everybody:
        if row["hospital_id"].casefold() in ids or (row["ccn"] or "").casefold() in ids:
            return row
    begin = [
        row for row in everybody if len(text) >= _LEAST_OF_AN_ID and row["hospital_id"].startswith(text.casefold())
    ]
    if len(begin) == 1:
        return begin[0]
    raise UsageError(f"no hospital has the CCN or id {wanted!r}: `glimmr find` finds them by name, city, NPI or domain")


def seen_by(connection: Connection, key: str, addresses: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The addresses of one hospital, redacted: who named each, how it stands and why, what the file's header says."""
    named = defaultdict[str, list[dict[str, Any]]](list)
    for sighting in register.sightings_of(connection, [key]):
        who = {name: sighting[name] for name in ("source", "place", "first_seen", "last_seen", "gone_at")}
        named[sighting["price_file_id"]].append(who)
    headers = register.headers(connection, {one["verified_by"] for one in addresses if one["verified_by"]})
    urls = catalog.urls_behind(connection, {one["moved_to"] for one in addresses if one["moved_to"]})
    return [
        {
            "url": redact(one["url"]),
            "page_url": redact(one["page_url"]) if one["page_url"] else None,
            "standing": standing(one),
            "why": why(one),
            **{name: one[name] for name in _SAID_OF_ADDRESS},
            "moved_to": redact(urls.get(one["moved_to"], "")) or None if one["moved_to"] else None,
            "header": _header(headers.get(one["verified_by"] or "")),
            "named_by": named[one["price_file_id"]],
        }
        for one in addresses
    ]


def _header(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Whom the file names that was asked whether it is this hospital's."""
    if said is None:
        return None
    return {"hospital_name": said["hospital_name"], "location_names": said["location_names"] or []}


def history(connection: Connection, key: str, ids: Collection[str]) -> list[dict[str, Any]]:
    """What happened to a hospital and its addresses, the oldest first; where one moved to, as an address.

    Of a hospital that was renamed, `detail` is its former name.
    """
    changes = register.history(connection, key, ids)
    to = {change["detail"] for change in changes if change["what"] == "moved"}
    urls = catalog.urls_behind(connection, {*ids, *to})
    return [
        {
            **{name: change[name] for name in ("at", "what", "source")},
            "url": redact(urls.get(change["price_file_id"], "")) or None,
            "detail": redact(urls.get(change["detail"], "")) if change["what"] == "moved" else change["detail"],
        }
        for change in changes
    ]


def said_about(connection: Connection, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The last answers of the sources that were asked about a hospital: its state, its site, a list that names it.

    `named`: how many addresses for this hospital the answer has; `lists_it`: whether the source knows the hospital.
    """
    sightings = register.sightings_of(connection, [row["hospital_id"]])
    places = {row["state"], EVERYWHERE, *sites_of(row)} | {one["place"] for one in sightings}
    named = Counter(_key(one) for one in sightings if one["gone_at"] is None)
    return [
        {**one, "named": named[_key(one)], "lists_it": one["source"] in row["sources"]}
        for one in answers.about(connection, places - {""})
    ]


def sites_of(row: Mapping[str, Any]) -> set[str]:
    """The domains of a hospital's own site."""
    site = site_of(Hospital(**{name: row[name] for name in _FIELDS}))
    return {domain for domain in (row["domain"], site) if domain}


def _key(answer: Mapping[str, Any]) -> tuple[str, str]:
    return answer["source"], answer["place"]
