"""Addresses that are on their way or wait for a retry, and what is amiss with what addresses point at."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlalchemy import func as sql

from glimmr.outcomes import Outcome
from glimmr.stores.catalog import Address
from glimmr.stores.tables import fetches, price_files, snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """An address without an end, and the bytes it gave last (None: none so far, or their snapshot is gone)."""

    address: Address
    state: str
    next_try_at: datetime | None
    file_id: str | None
    blob_key: str | None
    bytes: int | None
    parser_version: str | None
    read_as: str | None  # the outcome of reading them
    charges: int | None


_ADDRESS = tuple(price_files.c[field.name] for field in fields(Address))
_LATER = fetches.alias("later")
_LATEST_SEQ = (
    select(sql.max(_LATER.c.seq))
    .where(_LATER.c.price_file_id == price_files.c.price_file_id, _LATER.c.file_id.is_not(None))
    .correlate(price_files)
    .scalar_subquery()
)
_UNDERWAY = select(
    *_ADDRESS,
    price_files.c.state,
    price_files.c.next_try_at,
    snapshots.c.file_id,
    snapshots.c.blob_key,
    snapshots.c.bytes,
    snapshots.c.parser_version,
    snapshots.c.outcome.label("read_as"),
    snapshots.c.charges,
).select_from(
    price_files.outerjoin(
        fetches, and_(fetches.c.price_file_id == price_files.c.price_file_id, fetches.c.seq == _LATEST_SEQ)
    ).outerjoin(snapshots, snapshots.c.file_id == fetches.c.file_id)
)
# An address that waits and was never tried is taken up by a scan, when there is room for it. The few are chosen before
# anything is joined to them.
_CHOSEN = (
    select(price_files.c.price_file_id)
    .where(
        price_files.c.state == bindparam("state"),
        or_(price_files.c.state != "waiting", price_files.c.outcome.is_not(None)),
        price_files.c.price_file_id > bindparam("after"),
    )
    .order_by(price_files.c.price_file_id)
    .limit(bindparam("most"))
    .subquery()
)
_PAGE = _UNDERWAY.where(price_files.c.price_file_id.in_(select(_CHOSEN.c.price_file_id))).order_by(
    price_files.c.price_file_id
)
_ONE = _UNDERWAY.where(price_files.c.price_file_id == bindparam("id")).with_for_update(of=price_files)


def page(connection: Connection, state: str, after: str, most: int) -> list[Underway]:
    """Addresses that are `working`, or `waiting` for another try, by id, from after that one on."""
    rows = connection.execute(_PAGE, {"state": state, "after": after, "most": most}).mappings()
    return [_underway(dict(row)) for row in rows]


def locked(connection: Connection, price_file_id: str) -> Underway | None:
    """One address, which nobody else changes until the transaction ends; None when its row is gone."""
    row = connection.execute(_ONE, {"id": price_file_id}).mappings().one_or_none()
    return _underway(dict(row)) if row else None


def _underway(row: dict[str, object]) -> Underway:
    address = Address(**{column.name: row.pop(column.name) for column in _ADDRESS})  # type: ignore[arg-type]
    return Underway(address=address, **row)  # type: ignore[arg-type]


# -- which rows there are ----------------------------------------------------------------------------------------

_KNOWN_ADDRESSES = select(price_files.c.price_file_id).where(
    price_files.c.price_file_id.in_(bindparam("ids", expanding=True))
)
_KNOWN_SNAPSHOTS = select(snapshots.c.file_id, snapshots.c.parser_version).where(
    snapshots.c.file_id.in_(bindparam("ids", expanding=True))
)


def known_addresses(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of these addresses that have a row."""
    return set(connection.execute(_KNOWN_ADDRESSES, {"ids": list(ids)}).scalars()) if ids else set()


def known_snapshots(connection: Connection, ids: Collection[str]) -> dict[str, str | None]:
    """Those of these snapshots that have a row, and the version of the parser that read them last."""
    return {row.file_id: row.parser_version for row in connection.execute(_KNOWN_SNAPSHOTS, {"ids": list(ids)})}


# -- what addresses point at -------------------------------------------------------------------------------------

_UNSOUND = (
    select(price_files.c.price_file_id)
    .outerjoin(snapshots, snapshots.c.file_id == price_files.c.current_file_id)
    .where(
        price_files.c.current_file_id.is_not(None),
        snapshots.c.published_at.is_(None),
        price_files.c.price_file_id > bindparam("after"),
    )
    .order_by(price_files.c.price_file_id)
    .limit(bindparam("most"))
)
_PUBLISHED = (
    select(snapshots.c.file_id)
    .join(fetches, fetches.c.file_id == snapshots.c.file_id)
    .where(
        fetches.c.price_file_id == bindparam("id"),
        snapshots.c.charges > 0,
        snapshots.c.outcome.in_([str(Outcome.OK), str(Outcome.INCOMPLETE)]),
        snapshots.c.published_at.is_not(None),  # else it was doubted (GL-SHRINK), or its publishing is under way
    )
    .order_by(fetches.c.seq.desc())
    .limit(1)
)
_POINT = (
    update(price_files).where(price_files.c.price_file_id == bindparam("id")).values(current_file_id=bindparam("to"))
)
_IS_PUBLISHED = select(snapshots.c.published_at.is_not(None)).where(snapshots.c.file_id == bindparam("id"))
_POINTING = select(price_files.c.price_file_id).where(price_files.c.current_file_id == bindparam("id"))


def unsound(connection: Connection, after: str, most: int) -> list[str]:
    """Addresses whose current snapshot has no row or was never published, from after that one on."""
    return list(connection.execute(_UNSOUND, {"after": after, "most": most}).scalars())


def was_published(connection: Connection, file_id: str) -> bool:
    """Whether the snapshot has a row, and was published."""
    return bool(connection.execute(_IS_PUBLISHED, {"id": file_id}).scalar())


def pointing(connection: Connection, file_id: str) -> list[str]:
    """The addresses whose current snapshot it is."""
    return sorted(connection.execute(_POINTING, {"id": file_id}).scalars())


def newest_published(connection: Connection, price_file_id: str) -> str | None:
    """The newest of the address's snapshots that has prices and was published before. None: there is none."""
    return connection.execute(_PUBLISHED, {"id": price_file_id}).scalar()


def point(connection: Connection, price_file_id: str, file_id: str | None) -> None:
    """Make the snapshot (None: none) the address's current one."""
    connection.execute(_POINT, {"id": price_file_id, "to": file_id})
