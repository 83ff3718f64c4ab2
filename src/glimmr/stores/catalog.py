"""What is known of hospitals and the addresses of their price files: plain functions of the caller's transaction."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Insert, Table, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from glimmr.stores.in_parts import MOST, in_parts
from glimmr.stores.tables import fetches, hospitals, price_file_hospitals, price_files
from glimmr.stores.trust import TRUSTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A price file's address, and what is known of its last answer."""

    price_file_id: str
    url: str
    outcome: str | None
    current_file_id: str | None
    etag: str | None
    last_modified: str | None
    source_bytes: int | None = None  # how large its source says it is


def price_file_id(url: str) -> str:
    """The id of an address: the same in every scan."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def upsert(
    connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]], *, replace: Iterable[str] = ()
) -> None:
    """Insert rows; where the primary key is there already, replace the columns named (none: leave the row as it is).

    A replaced column keeps its old value where the new one is NULL.
    """
    statement, left = _upsert(connection.dialect.name, table, tuple(replace)), iter(rows)
    while part := [dict(row) for row in islice(left, MOST)]:
        connection.execute(statement, part)


@cache
def _upsert(dialect: str, table: Table, replace: tuple[str, ...]) -> Insert:
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    keys = list(table.primary_key)
    if not replace:
        return statement.on_conflict_do_nothing(index_elements=keys)
    changes = {name: func.coalesce(statement.excluded[name], table.c[name]) for name in replace}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


# -- which addresses are due -------------------------------------------------------------------------------------------

_SHOWN = (
    hospitals.c.hospital_id,
    hospitals.c.ccn,
    hospitals.c.name,
    hospitals.c.city,
    hospitals.c.state,
    hospitals.c.zip,
)
_ADDRESS = (
    price_files.c.price_file_id,
    price_files.c.url,
    price_files.c.outcome,
    price_files.c.current_file_id,
    price_files.c.etag,
    price_files.c.last_modified,
    price_files.c.source_bytes,
)
_NEVER_TRIED = and_(price_files.c.state == "waiting", price_files.c.outcome.is_(None))
_TRY_AGAIN = and_(price_files.c.state == "done", price_files.c.next_try_at <= bindparam("now"))
_AMONG = price_files.c.price_file_id.in_(bindparam("ids", expanding=True))
_DUE = select(*_ADDRESS).where(_AMONG, or_(_NEVER_TRIED, _TRY_AGAIN))
_NOT_PUT_YET = or_(price_files.c.refreshed_at.is_(None), price_files.c.refreshed_at < bindparam("since"))
_REFRESH = select(*_ADDRESS).where(_AMONG, price_files.c.state != "working", _NOT_PUT_YET)


def due(connection: Connection, ids: Sequence[str], now: datetime, *, since: datetime | None = None) -> list[Address]:
    """Which of these addresses should be asked now: never tried, due again.

    In a refresh that began at `since` all that rest, but for those that it put already: several sources name one.
    """
    statement = _REFRESH if since else _DUE
    rows: dict[str, Address] = {}
    for part in in_parts(ids):
        given: dict[str, Any] = {"ids": part} | ({"since": since} if since else {"now": now})
        rows |= {row["price_file_id"]: Address(**row) for row in connection.execute(statement, given).mappings()}
    return [rows[key] for key in ids if key in rows]


_CURRENT_OWNERS = (
    select(price_files.c.current_file_id, price_files.c.price_file_id, *_SHOWN)
    .join(price_file_hospitals, price_file_hospitals.c.price_file_id == price_files.c.price_file_id)
    .join(hospitals, hospitals.c.hospital_id == price_file_hospitals.c.hospital_id)
    .where(_AMONG, price_files.c.current_file_id.is_not(None), TRUSTED)
)


def current_owners(connection: Connection, ids: Sequence[str]) -> dict[str, set[tuple[Any, ...]]]:
    """Whose the current snapshots of these addresses are, as the table `file_hospitals` shows it, by file_id."""
    owners: dict[str, set[tuple[Any, ...]]] = {}
    for part in in_parts(ids):
        for file_id, *owner in connection.execute(_CURRENT_OWNERS, {"ids": part}):
            owners.setdefault(file_id, set()).add(tuple(owner))
    return owners


_CURRENT_FILES = select(price_files.c.current_file_id).where(_AMONG, price_files.c.current_file_id.is_not(None))


def current_files(connection: Connection, ids: Collection[str]) -> set[str]:
    """The current snapshots of these addresses."""
    parts = in_parts(sorted(ids))
    return {file_id for part in parts for file_id in connection.execute(_CURRENT_FILES, {"ids": part}).scalars()}


# -- an address's life -------------------------------------------------------------------------------------------

_ONE_ADDRESS = select(*_ADDRESS).where(price_files.c.price_file_id == bindparam("id"))
_HOLD = (
    select(price_files.c.price_file_id)
    .where(price_files.c.price_file_id == bindparam("id"))
    .with_for_update(read=True, key_share=True)
)
_URL_OF_ADDRESS = select(price_files.c.price_file_id, price_files.c.url).where(_AMONG)
_URL_OF_BYTES = (
    select(fetches.c.file_id, func.min(price_files.c.url))
    .join_from(fetches, price_files)
    .where(fetches.c.file_id.in_(bindparam("ids", expanding=True)))
    .group_by(fetches.c.file_id)
)
_UNFINISHED = select(price_files.c.url).where(price_files.c.state.in_(("working", "waiting")))
_WORK = update(price_files).where(price_files.c.price_file_id == bindparam("id")).values(state="working")
_PUT = _WORK.values(refreshed_at=bindparam("since"))
_END = (
    update(price_files)
    .where(price_files.c.price_file_id == bindparam("id"))
    .values({name: bindparam("new_" + name) for name in ("state", "outcome", "reason", "message", "next_try_at")})
)


def address(connection: Connection, price_file_id: str) -> Address | None:
    """One address, or None when its row is gone."""
    row = connection.execute(_ONE_ADDRESS, {"id": price_file_id}).mappings().one_or_none()
    return Address(**row) if row else None


def hold(connection: Connection, price_file_id: str) -> bool:
    """Whether an address is known; if so, nobody removes it before this transaction ends."""
    return connection.execute(_HOLD, {"id": price_file_id}).first() is not None


def urls_behind(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """The address behind each of these ids of addresses or of bytes; of several that gave the same bytes, the first."""
    found: dict[str, str] = {}
    for part in in_parts(sorted(ids)):
        for statement in (_URL_OF_ADDRESS, _URL_OF_BYTES):
            found |= dict(connection.execute(statement, {"ids": part}).all())
    return found


def unfinished_urls(connection: Connection) -> list[str]:
    """The addresses that are being asked, or will be again before long."""
    return list(connection.execute(_UNFINISHED).scalars())


def begin(connection: Connection, ids: Sequence[str], *, since: datetime | None = None) -> None:
    """These addresses have a live job from now on; `since`: it is part of a refresh that began then."""
    if ids:
        more = {"since": since} if since else {}
        connection.execute(_PUT if since else _WORK, [{"id": key} | more for key in ids])


def end(
    connection: Connection,
    price_file_id: str,
    outcome: str,
    reason: str,
    *,
    message: str,
    next_try_at: datetime | None = None,
    state: str = "done",
) -> None:
    """How an address ended for now (`done`), or failed and will be tried again (`waiting`)."""
    values = {"state": state, "outcome": outcome, "reason": reason, "message": message, "next_try_at": next_try_at}
    connection.execute(_END, {"id": price_file_id} | {"new_" + name: value for name, value in values.items()})
