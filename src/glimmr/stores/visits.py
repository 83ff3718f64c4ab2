"""Visits: the n-th time that an address gave an answer. What a job does belongs to the visit that caused it."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from glimmr.stores.tables import fetches

Visit = tuple[str, int]
"""An address's id, and the number of its answer."""

_NEWEST = select(func.coalesce(func.max(fetches.c.seq), 0)).where(fetches.c.price_file_id == bindparam("key"))
_GAVE = select(fetches.c.price_file_id, fetches.c.seq).where(fetches.c.file_id == bindparam("file_id"))
_GAVE_LAST = _GAVE.where(fetches.c.price_file_id == bindparam("key")).order_by(fetches.c.seq.desc()).limit(1)
_LATEST_FIRST = (fetches.c.fetched_at.desc(), fetches.c.price_file_id, fetches.c.seq)
_GAVE_BEFORE = (
    _GAVE.where(fetches.c.fetched_at <= bindparam("until", type_=fetches.c.fetched_at.type))
    .order_by(*_LATEST_FIRST)
    .limit(1)
)
_LAST_OF_EACH = (
    select(fetches.c.price_file_id, func.max(fetches.c.seq).label("seq"))
    .where(fetches.c.file_id == bindparam("file_id"), fetches.c.price_file_id != bindparam("but"))
    .group_by(fetches.c.price_file_id)
    .order_by(fetches.c.price_file_id)
    .limit(bindparam("most"))
)


def also_gave(connection: Connection, file_id: str, but: Visit, most: int) -> list[Visit]:
    """The last visits in which other addresses gave these bytes, too."""
    rows = connection.execute(_LAST_OF_EACH, {"file_id": file_id, "but": but[0], "most": most})
    return [(row.price_file_id, row.seq) for row in rows]


def of_download(connection: Connection, price_file_id: str, *, answered: bool) -> Visit:
    """The visit of a download that just ended: its newest answer, or (not `answered`) the one that it tries to get."""
    return price_file_id, connection.execute(_NEWEST, {"key": price_file_id}).scalar_one() + (not answered)


def of_publishing(connection: Connection, price_file_id: str, file_id: str) -> Visit | None:
    """The last visit in which this address gave these bytes."""
    row = connection.execute(_GAVE_LAST, {"key": price_file_id, "file_id": file_id}).one_or_none()
    return (row.price_file_id, row.seq) if row else None


def of_parsing(connection: Connection, file_id: str, until: datetime) -> Visit | None:
    """The last visit before `until` in which any address gave these bytes: it put the job that reads them."""
    row = connection.execute(_GAVE_BEFORE, {"file_id": file_id, "until": until}).one_or_none()
    return (row.price_file_id, row.seq) if row else None
