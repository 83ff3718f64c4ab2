"""Hospitals and what is said of them, for who reads it: plain functions of the caller's transaction."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, select

from glimmr.stores.in_parts import in_parts
from glimmr.stores.tables import (
    address_changes,
    fetches,
    hospitals,
    price_file_hospitals,
    price_files,
    sightings,
    snapshots,
)
from glimmr.stores.trust import TRUSTED

_LINKS = price_file_hospitals
_ALL = select(hospitals).order_by(hospitals.c.state, hospitals.c.name, hospitals.c.hospital_id)
_IN_STATE = _ALL.where(hospitals.c.state == bindparam("state"))
_OF_SIGHTING = and_(
    sightings.c.price_file_id == _LINKS.c.price_file_id, sightings.c.hospital_id == _LINKS.c.hospital_id
)
_ASKED_AT = (
    select(func.max(fetches.c.fetched_at)).where(fetches.c.price_file_id == price_files.c.price_file_id)
).scalar_subquery()
_ADDRESSES = (
    select(
        _LINKS.c.hospital_id,
        _LINKS.c.price_file_id,
        _LINKS.c.location_name,
        _LINKS.c.source,
        _LINKS.c.match_method,
        _LINKS.c.match_score,
        _LINKS.c.verified_by,
        _LINKS.c.verified_method,
        _LINKS.c.verified_score,
        TRUSTED.label("believed"),
        _LINKS.c.gave_way_at.is_not(None).label("gave_way"),
        exists().where(_OF_SIGHTING).label("was_named"),
        exists().where(_OF_SIGHTING, sightings.c.gone_at.is_(None)).label("is_named"),
        price_files.c.url,
        price_files.c.page_url,
        price_files.c.state,
        price_files.c.outcome,
        price_files.c.reason,
        price_files.c.message,
        price_files.c.next_try_at,
        func.coalesce(_LINKS.c.moved_to, price_files.c.moved_to).label("moved_to"),
        price_files.c.current_file_id,
        price_files.c.first_seen,
        price_files.c.last_seen,
        _ASKED_AT.label("asked_at"),
        snapshots.c.last_updated_on,
        snapshots.c.hospital_name,
        snapshots.c.location_names,
    )
    .join(price_files, price_files.c.price_file_id == _LINKS.c.price_file_id)
    .outerjoin(snapshots, snapshots.c.file_id == price_files.c.current_file_id)
    .order_by(_LINKS.c.hospital_id, price_files.c.first_seen, price_files.c.url)
)
_ADDRESSES_IN_STATE = _ADDRESSES.join(hospitals, hospitals.c.hospital_id == _LINKS.c.hospital_id).where(
    hospitals.c.state == bindparam("state_of_hospital")
)
_AMONG = bindparam("ids", expanding=True)
_ADDRESSES_OF = _ADDRESSES.where(_LINKS.c.hospital_id.in_(_AMONG))
_SIGHTINGS = (
    select(sightings, price_files.c.url)
    .join(price_files, price_files.c.price_file_id == sightings.c.price_file_id)
    .where(sightings.c.hospital_id.in_(_AMONG))
    .order_by(sightings.c.first_seen, sightings.c.source, sightings.c.place)
)
_SNAPSHOTS = (
    select(
        fetches.c.price_file_id,
        fetches.c.fetched_at,
        fetches.c.file_id,
        snapshots.c.bytes,
        snapshots.c.format,
        snapshots.c.layout,
        snapshots.c.template_version,
        snapshots.c.last_updated_on,
        snapshots.c.charges,
        snapshots.c.rates,
        snapshots.c.outcome,
        snapshots.c.reason,
        (price_files.c.current_file_id == fetches.c.file_id).label("is_current"),
    )
    .join(snapshots, snapshots.c.file_id == fetches.c.file_id)
    .join(price_files, price_files.c.price_file_id == fetches.c.price_file_id)
    .where(fetches.c.price_file_id.in_(_AMONG), fetches.c.outcome == "ok")
    .order_by(fetches.c.fetched_at.desc(), fetches.c.price_file_id)
)
_CHANGE = select(
    address_changes.c.id,
    address_changes.c.at,
    address_changes.c.what,
    address_changes.c.source,
    address_changes.c.detail,
    address_changes.c.price_file_id,
)
_CHANGES = _CHANGE.where(address_changes.c.price_file_id.in_(_AMONG)).order_by(address_changes.c.id)
_RENAMED = _CHANGE.where(
    address_changes.c.hospital_id == bindparam("hospital_id"), address_changes.c.price_file_id.is_(None)
)
_HEADERS = select(snapshots.c.file_id, snapshots.c.hospital_name, snapshots.c.location_names).where(
    snapshots.c.file_id.in_(_AMONG)
)


def everybody(connection: Connection, state: str | None = None) -> list[dict[str, Any]]:
    """Every hospital that is known (of one state), in the order of states and names."""
    rows = connection.execute(_IN_STATE, {"state": state}) if state else connection.execute(_ALL)
    return [dict(row) for row in rows.mappings()]


def addresses(connection: Connection, state: str | None = None) -> list[dict[str, Any]]:
    """Every address that was ever said to be a hospital's (of one state), and how both stand.

    `believed`: the file's header does not speak against it; `is_named`: some source still says so; `gave_way`: for this
    hospital another address has the prices now.
    """
    statement, given = (_ADDRESSES_IN_STATE, {"state_of_hospital": state}) if state else (_ADDRESSES, {})
    return [dict(row) for row in connection.execute(statement, given).mappings()]


def addresses_of(connection: Connection, ids: Collection[str]) -> list[dict[str, Any]]:
    """As `addresses`, of these hospitals."""
    return list(_several(connection, _ADDRESSES_OF, ids))


def sightings_of(connection: Connection, ids: Collection[str]) -> list[dict[str, Any]]:
    """Which source named which address for these hospitals, about which place, from when to when."""
    return list(_several(connection, _SIGHTINGS, ids))


def snapshots_at(connection: Connection, price_file_ids: Collection[str]) -> list[dict[str, Any]]:
    """What was brought home from these addresses, the newest first."""
    return list(_several(connection, _SNAPSHOTS, price_file_ids))


def history(connection: Connection, hospital_id: str, price_file_ids: Collection[str]) -> list[dict[str, Any]]:
    """What happened to these addresses, and to the hospital's name, the oldest first."""
    renamed = map(dict, connection.execute(_RENAMED, {"hospital_id": hospital_id}).mappings())
    return sorted([*_several(connection, _CHANGES, price_file_ids), *renamed], key=lambda change: change["id"])


def headers(connection: Connection, file_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Whom these files name in their own headers."""
    return {row["file_id"]: row for row in _several(connection, _HEADERS, file_ids)}


def _several(
    connection: Connection, statement: Select[*tuple[Any, ...]], ids: Collection[str]
) -> Iterator[dict[str, Any]]:
    for part in in_parts(sorted(set(ids))):
        yield from map(dict, connection.execute(statement, {"ids": part}).mappings())
