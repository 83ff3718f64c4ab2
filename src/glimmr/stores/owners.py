"""Which hospitals an address is said to be of, and what the file's own header says to that."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, update

from glimmr.stores.catalog import upsert
from glimmr.stores.tables import price_file_hospitals, price_files
from glimmr.stores.trust import proven

_LINKS = price_file_hospitals
_UNVERIFIED = (
    select(
        _LINKS.c.price_file_id,
        _LINKS.c.hospital_id,
        _LINKS.c.location_name,
        _LINKS.c.source,
        _LINKS.c.match_method.label("method"),
    )
    .join(price_files, price_files.c.price_file_id == _LINKS.c.price_file_id)
    .where(
        or_(
            price_files.c.current_file_id == bindparam("file_id"),
            price_files.c.price_file_id == bindparam("price_file_id"),
        ),
        or_(_LINKS.c.verified_by.is_(None), _LINKS.c.verified_by != bindparam("file_id")),
    )
    .order_by(_LINKS.c.price_file_id, _LINKS.c.hospital_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An address is said to be of a hospital; `method` is how it is known who is meant (see `scan.match`)."""

    price_file_id: str
    hospital_id: str
    location_name: str | None
    source: str
    method: str | None


def unverified(connection: Connection, file_id: str, price_file_id: str | None) -> list[Link]:
    """What is said of the addresses that point at these bytes (and of the one given), not yet held against them."""
    rows = connection.execute(_UNVERIFIED, {"file_id": file_id, "price_file_id": price_file_id}).mappings()
    return [Link(**row) for row in rows]


def verified(connection: Connection, link: Link, file_id: str, method: str | None, score: float | None) -> None:
    """The header of these bytes was asked: what of it agreed, and how well; nothing (None) did."""
    connection.execute(
        update(_LINKS).where(_is(link)).values(verified_by=file_id, verified_method=method, verified_score=score)
    )


def give(connection: Connection, link: Link, hospital_id: str, file_id: str) -> None:
    """The address is of another hospital than was thought."""
    row = {
        "price_file_id": link.price_file_id,
        "hospital_id": hospital_id,
        "location_name": link.location_name,
        "source": link.source,
        "match_method": "source",
        "match_score": 1.0,
        "verified_by": file_id,
    }
    upsert(connection, _LINKS, [row])


def leave_for(connection: Connection, price_file_id: str, now: datetime) -> list[str]:
    """Hospitals that have moved to this address, which has prices of theirs, have none at their former ones any more.

    Returns the snapshots whose hospitals are others because of it.
    """
    left = (_LINKS.c.moved_to == price_file_id, _LINKS.c.gave_way_at.is_(None), _is_proven_at(price_file_id))
    before = (
        select(price_files.c.current_file_id)
        .join(_LINKS, _LINKS.c.price_file_id == price_files.c.price_file_id)
        .where(*left, price_files.c.current_file_id.is_not(None))
        .distinct()
        .order_by(price_files.c.current_file_id)
    )
    changed = list(connection.execute(before).scalars())
    connection.execute(update(_LINKS).where(*left).values(gave_way_at=now))
    return changed


def _is_proven_at(price_file_id: str) -> ColumnElement[bool]:
    """Whether the link's hospital is for sure among those that this address is of."""
    newer = _LINKS.alias("newer")
    hospitals = select(newer.c.hospital_id).where(newer.c.price_file_id == price_file_id, proven(newer))
    return _LINKS.c.hospital_id.in_(hospitals)


def _is(link: Link) -> ColumnElement[bool]:
    return and_(_LINKS.c.price_file_id == link.price_file_id, _LINKS.c.hospital_id == link.hospital_id)
