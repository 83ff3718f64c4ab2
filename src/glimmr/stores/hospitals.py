"""What is known of hospitals, whoever said it: plain functions of the caller's transaction."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from glimmr.model import Hospital, Known
from glimmr.stores.catalog import upsert
from glimmr.stores.in_parts import in_parts
from glimmr.stores.tables import address_changes, hospitals, price_file_hospitals, sightings, snapshots
from glimmr.stores.trust import proven

_FIELDS = tuple(one.name for one in fields(Hospital))
_WRITTEN = tuple(c.name for c in hospitals.c if c.name != "hospital_id")
_ALL = select(hospitals)
_NUMBER = select(func.count()).select_from(hospitals)
_BY_ID = _ALL.where(hospitals.c.hospital_id.in_(bindparam("ids", expanding=True))).order_by(hospitals.c.hospital_id)
_IN_STATES = _ALL.where(hospitals.c.state.in_(bindparam("states", expanding=True)))
_AT_DOMAIN = _ALL.where(
    or_(
        hospitals.c.domain == bindparam("domain"),
        hospitals.c.hospital_id.in_(select(sightings.c.hospital_id).where(sightings.c.place == bindparam("domain"))),
    )
)
_UNIDENTIFIED = _IN_STATES.where(hospitals.c.ccn.is_(None))
_LICENCES = (
    select(price_file_hospitals.c.hospital_id, snapshots.c.license_state, snapshots.c.license_number)
    .join(snapshots, snapshots.c.file_id == price_file_hospitals.c.verified_by)
    .join(hospitals, hospitals.c.hospital_id == price_file_hospitals.c.hospital_id)
    .where(
        price_file_hospitals.c.verified_method.is_not(None),
        snapshots.c.license_number.is_not(None),
        hospitals.c.state.in_(bindparam("states", expanding=True)),
        func.json_array_length(snapshots.c.location_names) == 1,
    )
)


_OTHER = price_file_hospitals.alias("other")
_DENIED = (
    select(price_file_hospitals.c.price_file_id)
    .join(_OTHER, _OTHER.c.price_file_id == price_file_hospitals.c.price_file_id)
    .where(
        _OTHER.c.hospital_id == bindparam("former"),
        price_file_hospitals.c.hospital_id == bindparam("hospital"),
        price_file_hospitals.c.verified_by.is_not(None),
        ~proven(price_file_hospitals),
    )
)


def by_id(connection: Connection, ids: Collection[str], *, hold: bool = False) -> dict[str, Known]:
    """What is known of these; with `hold`, nobody else changes them before the transaction ends."""
    statement = _BY_ID.with_for_update() if hold else _BY_ID
    parts = in_parts(sorted(ids))
    return {row.hospital_id: _known(row) for part in parts for row in connection.execute(statement, {"ids": part})}


def in_states(connection: Connection, states: Collection[str]) -> list[Known]:
    """Those of some states."""
    return [_known(row) for row in connection.execute(_IN_STATES, {"states": sorted(states)})]


def number(connection: Connection) -> int:
    """How many hospitals are known."""
    return connection.execute(_NUMBER).scalar_one()


def at_domain(connection: Connection, domain: str) -> list[Known]:
    """Those whose site lies there, or whose prices its cms-hpt.txt named before."""
    return [_known(row) for row in connection.execute(_AT_DOMAIN, {"domain": domain})]


def unidentified(connection: Connection, states: Collection[str]) -> list[Known]:
    """Those of some states that have no CCN."""
    return [_known(row) for row in connection.execute(_UNIDENTIFIED, {"states": sorted(states)})]


def licences(connection: Connection, states: Collection[str]) -> dict[str, set[tuple[str, str]]]:
    """Hospital → licences (state and number) that files of that hospital alone state."""
    stated: dict[str, set[tuple[str, str]]] = {}
    for key, state, number in connection.execute(_LICENCES, {"states": sorted(states)}):
        stated.setdefault(key, set()).add((state, number))
    return stated


def add(connection: Connection, known: Iterable[Known], now: datetime, domains: dict[str, str | None]) -> None:
    """As `write` those who are not there yet; of one that another transaction is adding, what that one says stays."""
    upsert(connection, hospitals, _rows(known, now, domains))


def write(connection: Connection, known: Iterable[Known], now: datetime, domains: dict[str, str | None]) -> None:
    """Write down all that is known of these; `domains` are those of their sites."""
    upsert(connection, hospitals, _rows(known, now, domains), replace=_WRITTEN)


def _rows(known: Iterable[Known], now: datetime, domains: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    for one in known:
        yield {
            **asdict(one.hospital),
            "other_names": list(one.other_names),
            "sources": sorted(one.sources),
            "field_sources": one.field_sources,
            "domain": domains.get(one.hospital.hospital_id),
            "updated_at": now,
        }


def identify(connection: Connection, former: str, hospital_id: str, method: str, score: float) -> list[str]:
    """The hospital of the derived id `former` is that of `hospital_id`, which is known by likeness (see `scan.match`).

    Returns the addresses whose owner changed, which their files' headers are to be asked about; none, and nothing is
    changed, where a header has denied it before.
    """
    if connection.execute(_DENIED, {"former": former, "hospital": hospital_id}).first() is not None:
        return []
    links = connection.execute(
        select(price_file_hospitals).where(price_file_hospitals.c.hospital_id == former)
    ).mappings()
    as_likeness = {"match_method": method, "match_score": score, "verified_by": None, "verified_method": None}
    moved = [{**row, "hospital_id": hospital_id, **as_likeness} for row in links]
    upsert(connection, price_file_hospitals, moved)
    seen = connection.execute(select(sightings).where(sightings.c.hospital_id == former)).mappings()
    upsert(connection, sightings, [{**row, "hospital_id": hospital_id} for row in seen])
    for table in (price_file_hospitals, sightings):
        connection.execute(delete(table).where(table.c.hospital_id == former))
    connection.execute(
        update(address_changes).where(address_changes.c.hospital_id == former).values(hospital_id=hospital_id)
    )
    connection.execute(delete(hospitals).where(hospitals.c.hospital_id == former))
    return [str(row["price_file_id"]) for row in moved]


def _known(row: Any) -> Known:
    facts: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
    return Known(
        hospital=Hospital(**facts),
        other_names=tuple(row.other_names or ()),
        sources=tuple(row.sources),
        field_sources=dict(row.field_sources or {}),
    )
