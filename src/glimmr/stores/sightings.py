"""Which source named which address for which hospital, how each answered, and what that changed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, func, select, update

from glimmr.model import Sighting
from glimmr.stores.answers import is_heard
from glimmr.stores.catalog import price_file_id, upsert
from glimmr.stores.in_parts import in_parts
from glimmr.stores.tables import (
    address_changes,
    price_file_hospitals,
    price_files,
    sightings,
    source_answers,
)
from glimmr.stores.trust import OWN_WORD

_SAID = select(sightings.c.price_file_id, sightings.c.hospital_id, sightings.c.gone_at.is_(None)).where(
    sightings.c.source == bindparam("source"), sightings.c.place == bindparam("place")
)
_KNOWN = select(price_files.c.price_file_id).where(price_files.c.price_file_id.in_(bindparam("ids", expanding=True)))
_LINKED = select(price_file_hospitals.c.price_file_id, price_file_hospitals.c.hospital_id).where(
    price_file_hospitals.c.price_file_id.in_(bindparam("ids", expanding=True))
)
_GONE = (
    update(sightings)
    .where(
        sightings.c.source == bindparam("of_source"),
        sightings.c.place == bindparam("of_place"),
        sightings.c.price_file_id == bindparam("file"),
        sightings.c.hospital_id == bindparam("hospital"),
    )
    .values(gone_at=bindparam("moment"))
)
_STILL_NAMED = select(sightings.c.price_file_id).where(
    sightings.c.price_file_id.in_(bindparam("ids", expanding=True)), sightings.c.gone_at.is_(None)
)
_MOVE = (
    update(price_files)
    .where(
        price_files.c.price_file_id == bindparam("id"),
        ~exists().where(and_(sightings.c.price_file_id == price_files.c.price_file_id, sightings.c.gone_at.is_(None))),
    )
    .values(moved_to=bindparam("to"))
)
_MOVE_LINK = (
    update(price_file_hospitals)
    .where(
        price_file_hospitals.c.price_file_id == bindparam("file"),
        price_file_hospitals.c.hospital_id == bindparam("hospital"),
        ~exists().where(
            sightings.c.price_file_id == price_file_hospitals.c.price_file_id,
            sightings.c.hospital_id == price_file_hospitals.c.hospital_id,
            sightings.c.gone_at.is_(None),
        ),
    )
    .values(moved_to=bindparam("to"))
)
_STAYS = (
    update(price_files)
    .where(price_files.c.price_file_id.in_(bindparam("ids", expanding=True)), price_files.c.moved_to.is_not(None))
    .values(moved_to=None)
)
_LEFT = _LINKED.where(price_file_hospitals.c.moved_to.is_not(None))
_GUESSED = _LINKED.where(price_file_hospitals.c.match_method.not_in(OWN_WORD))
_SOURCES = (
    select(sightings.c.source, sightings.c.place, func.max(source_answers.c.asked_at))
    .outerjoin(
        source_answers,
        and_(source_answers.c.source == sightings.c.source, source_answers.c.place == sightings.c.place),
    )
    .where(sightings.c.price_file_id == bindparam("id"))
    .group_by(sightings.c.source, sightings.c.place)
)
_LAST_CHANGE = (
    select(address_changes.c.what)
    .where(address_changes.c.price_file_id == bindparam("id"))
    .order_by(address_changes.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an answer changed: addresses named (each once, in order), those among them that are new, and who left."""

    ids: list[str]
    new: set[str]
    updated: set[str]  # known addresses that have another hospital now
    gone: list[tuple[str, str]]  # address and hospital that are not named any more
    # former address and hospital → the address that took its place for this hospital
    moved: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    again: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # that are named after they were not


def see(
    connection: Connection, source: str, place: str, said: Sequence[Sighting], now: datetime, *, whole: bool = True
) -> Seen:
    """Write down what a source said of a place: nothing is deleted, and an answer that names nobody changes nothing.

    What it named before and names no more, though its answer is `whole`, is noted; where a hospital lost its one
    address there and got one other, that has moved for it, unless another source still names it; the address as such,
    when it has for all of its hospitals.
    """
    if not said:
        return Seen([], set(), set(), [])
    links = {(price_file_id(one.url), one.hospital.hospital_id): one for one in said}
    ids = list(dict.fromkeys(key for key, _ in links))
    known = set(_several(connection, _KNOWN, ids))
    linked = _pairs(connection, _LINKED, ids)
    rows = connection.execute(_SAID, {"source": source, "place": place}).all()
    before = {(file, hospital) for file, hospital, is_named in rows if is_named}
    over = {(file, hospital) for file, hospital, is_named in rows if not is_named}
    _write_addresses(connection, links, now)
    _write_links(connection, source, place, links, now)
    gone = sorted(before - links.keys()) if whole else []
    for file, hospital in gone:
        connection.execute(
            _GONE, {"of_source": source, "of_place": place, "file": file, "hospital": hospital, "moment": now}
        )
    seen = Seen(
        ids,
        {key for key in ids if key not in known},
        {file for file, hospital in links if file in known and (file, hospital) not in linked},
        gone,
        _moved(gone, [pair for pair in links if pair not in before]),
        sorted(over & links.keys()),
    )
    _note(connection, source, seen, links, now)
    for (former, hospital), to in seen.moved.items():
        connection.execute(_MOVE_LINK, {"file": former, "hospital": hospital, "to": to})
        if all(seen.moved.get(pair) == to for pair in gone if pair[0] == former):
            connection.execute(_MOVE, {"id": former, "to": to})
    return seen


def _moved(gone: Iterable[tuple[str, str]], fresh: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Where a hospital lost one address and got one: from which to which."""
    lost, got = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for pairs, by_hospital in ((gone, lost), (fresh, got)):
        for file, hospital in pairs:
            by_hospital[hospital].append(file)
    return {(files[0], key): got[key][0] for key, files in lost.items() if len(files) == 1 == len(got.get(key, ()))}


def _write_addresses(connection: Connection, links: Mapping[tuple[str, str], Sighting], now: datetime) -> None:
    rows = {
        file: {
            "price_file_id": file,
            "url": one.url,
            "source": one.source,
            "page_url": one.page_url,
            "source_bytes": one.size_bytes,
            "first_seen": now,
            "last_seen": now,
            "state": "waiting",
        }
        for (file, _), one in links.items()
    }
    upsert(connection, price_files, list(rows.values()), replace=("last_seen", "page_url", "source_bytes"))
    for part in in_parts(list(rows)):
        connection.execute(_STAYS, {"ids": part})


def _write_links(
    connection: Connection, source: str, place: str, links: Mapping[tuple[str, str], Sighting], now: datetime
) -> None:
    upsert(
        connection,
        price_file_hospitals,
        [
            {
                "price_file_id": file,
                "hospital_id": hospital,
                "location_name": one.location_name or one.hospital.name,
                "source": one.source,
                "match_method": one.method,
                "match_score": one.score,
            }
            for (file, hospital), one in links.items()
        ],
        replace=("location_name",),
    )
    files = list({file for file, _ in links})
    for pair in _pairs(connection, _LEFT, files) & links.keys():
        _change_link(connection, pair, moved_to=None, gave_way_at=None)
    # Who names the hospital itself says more than who came before and meant it by likeness.
    for pair in _pairs(connection, _GUESSED, files) & links.keys():
        if (one := links[pair]).method in OWN_WORD:
            _change_link(connection, pair, source=one.source, match_method=one.method, match_score=one.score)
    rows = [
        {
            "source": source,
            "place": place,
            "price_file_id": file,
            "hospital_id": hospital,
            "location_name": one.location_name,
            "first_seen": now,
            "last_seen": now,
            "gone_at": None,
        }
        for (file, hospital), one in links.items()
    ]
    upsert(connection, sightings, rows, replace=("last_seen", "location_name"))
    connection.execute(
        update(sightings)
        .where(
            sightings.c.source == source,
            sightings.c.place == place,
            sightings.c.last_seen == now,
            sightings.c.gone_at.is_not(None),
        )
        .values(gone_at=None)
    )


def _change_link(connection: Connection, pair: tuple[str, str], **values: Any) -> None:
    file, hospital = pair
    here = price_file_hospitals.c.price_file_id == file, price_file_hospitals.c.hospital_id == hospital
    connection.execute(update(price_file_hospitals).where(*here).values(**values))


def _note(
    connection: Connection, source: str, seen: Seen, links: Mapping[tuple[str, str], Sighting], now: datetime
) -> None:
    """The history: what is new, what is named no more, or again, what moved where."""
    first = dict(reversed(list(links)))
    rows: list[dict[str, Any]] = [
        {"price_file_id": file, "hospital_id": first[file], "what": "new", "detail": ""}
        for file in seen.ids
        if file in seen.new
    ]
    for file, hospital in seen.gone:
        to = seen.moved.get((file, hospital))
        what, detail = ("moved", to) if to else ("unlisted", "")
        rows.append({"price_file_id": file, "hospital_id": hospital, "what": what, "detail": detail})
    came = {(to, hospital) for (_, hospital), to in seen.moved.items()}
    rows += [
        {"price_file_id": file, "hospital_id": hospital, "what": "relisted", "detail": ""}
        for file, hospital in seen.again
        if (file, hospital) not in came
    ]
    if rows:
        connection.execute(address_changes.insert(), [row | {"at": now, "source": source} for row in rows])


def renamed(connection: Connection, source: str, former: Mapping[str, str], now: datetime) -> None:
    """Hospitals are called otherwise than `former` says, by the source that gave them that name."""
    rows = [{"hospital_id": key, "what": "renamed", "detail": name} for key, name in former.items()]
    if rows:
        connection.execute(address_changes.insert(), [row | {"at": now, "source": source} for row in rows])


def note(
    connection: Connection, price_file_id: str, what: str, now: datetime, *, detail: str = "", after: str | None = None
) -> None:
    """Something happened to an address that no source said, unless that was noted last; only `after` that, if given."""
    last = connection.execute(_LAST_CHANGE, {"id": price_file_id}).scalar()
    if last == what or (after is not None and last != after):
        return
    row = {"price_file_id": price_file_id, "what": what, "detail": detail, "at": now}
    connection.execute(address_changes.insert(), row)


def answered(connection: Connection, source: str, place: str, now: datetime, *, outcome: str, **facts: Any) -> None:
    """How a source answered, in place of its last answer. Without numbers it could not say: those it said stay."""
    said = outcome == "ok"
    row: dict[str, Any] = {
        "source": source,
        "place": place,
        "asked_at": now,
        "answered_at": now if said else None,
        "outcome": outcome,
        "reason": "",
        "message": "",
        "found": 0,
        "listed": 0,
        "new": 0,
        "new_hospitals": 0,
        "updated": 0,
        "updated_hospitals": 0,
        "skipped": {},
        "tried": [],
    } | facts
    kept = ("asked_at", "answered_at", "outcome", "reason", "message")
    counts = ("found", "listed", "new", "new_hospitals", "updated", "updated_hospitals")
    more = (*counts, "skipped", "tried") if said else ()
    upsert(connection, source_answers, [row], replace=(*kept, *more))


def answer(connection: Connection, source: str, place: str) -> dict[str, Any] | None:
    """The last answer of a source about a place, or None."""
    statement = select(source_answers).where(source_answers.c.source == source, source_answers.c.place == place)
    row = connection.execute(statement).mappings().one_or_none()
    return dict(row) if row else None


def asked_since(
    connection: Connection, source: str, places: Collection[str], moment: datetime, *, heard_since: datetime
) -> set[str]:
    """Those of these places that the source was asked about since then, or earlier where somebody answered."""
    statement = select(source_answers).where(
        source_answers.c.source == source,
        source_answers.c.place.in_(bindparam("ids", expanding=True)),
        source_answers.c.asked_at >= min(moment, heard_since),
    )
    found = (
        row for part in in_parts(sorted(places)) for row in connection.execute(statement, {"ids": part}).mappings()
    )
    return {row["place"] for row in found if row["asked_at"] >= moment or is_heard(dict(row))}


def who_named(connection: Connection, price_file_id: str) -> list[tuple[str, str, datetime | None]]:
    """The sources and places that ever named an address, and when each was asked last."""
    return [(source, place, at) for source, place, at in connection.execute(_SOURCES, {"id": price_file_id})]


def is_named(connection: Connection, price_file_id: str) -> bool:
    """Whether any source still names an address."""
    return connection.execute(_STILL_NAMED, {"ids": [price_file_id]}).first() is not None


def moved_to(connection: Connection, price_file_id: str) -> list[str]:
    """The addresses whose place this one has taken."""
    statement = select(price_files.c.price_file_id).where(price_files.c.moved_to == price_file_id)
    return list(connection.execute(statement).scalars())


def _several(connection: Connection, statement: Any, ids: Sequence[str]) -> list[str]:
    return [key for part in in_parts(ids) for key in connection.execute(statement, {"ids": part}).scalars()]


def _pairs(connection: Connection, statement: Any, ids: Sequence[str]) -> set[tuple[str, str]]:
    """Address and hospital of the links that these addresses have already, as `statement` chooses them."""
    return {
        (row.price_file_id, row.hospital_id)
        for part in in_parts(ids)
        for row in connection.execute(statement, {"ids": part})
    }
