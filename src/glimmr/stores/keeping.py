"""Which snapshots' bytes are kept, by GLIMMR_KEEP_BYTES: plain functions of the caller's transaction."""

from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, or_, select, union_all, update

from glimmr.stores.tables import fetches, price_files, snapshots

Keep = Literal["all", "previous", "current", "none"]

_LATER = fetches.alias("later")
_LATEST = select(fetches.c.file_id).where(
    fetches.c.seq
    == select(func.max(_LATER.c.seq))
    .where(_LATER.c.price_file_id == fetches.c.price_file_id, _LATER.c.file_id.is_not(None))
    .correlate(fetches)
    .scalar_subquery()
)
# Whoever works on an address, or will soon, may want the bytes it gave last; so may a human those that were never
# published.
_AT_WORK = _LATEST.join(price_files, price_files.c.price_file_id == fetches.c.price_file_id).where(
    price_files.c.state == "working"
)
_UNPUBLISHED = _LATEST.join(snapshots, snapshots.c.file_id == fetches.c.file_id).where(
    snapshots.c.published_at.is_(None)
)
_CURRENT = select(price_files.c.current_file_id.label("file_id")).where(price_files.c.current_file_id.is_not(None))
_FORMER = (
    select(
        fetches.c.file_id,
        func.row_number()
        .over(partition_by=fetches.c.price_file_id, order_by=func.max(fetches.c.seq).desc())
        .label("place"),
    )
    .join(price_files, price_files.c.price_file_id == fetches.c.price_file_id)
    .join(snapshots, snapshots.c.file_id == fetches.c.file_id)
    .where(
        snapshots.c.published_at.is_not(None),
        or_(price_files.c.current_file_id.is_(None), price_files.c.current_file_id != fetches.c.file_id),
    )
    .group_by(fetches.c.price_file_id, fetches.c.file_id)
    .subquery()
)
_PREVIOUS = select(_FORMER.c.file_id).where(_FORMER.c.place == 1)
_KEPT: dict[Keep, tuple[Select[str], ...]] = {
    "previous": (_AT_WORK, _LATEST, _CURRENT, _PREVIOUS),
    "current": (_AT_WORK, _LATEST, _CURRENT),
    "none": (_AT_WORK, _UNPUBLISHED),
}


def _unkept(keep: Keep) -> ColumnElement[bool]:
    kept = union_all(*_KEPT[keep]).subquery()
    return snapshots.c.bytes_removed_at.is_(None) & snapshots.c.file_id.not_in(select(kept.c.file_id))


_PAGES = {
    keep: select(snapshots.c.file_id)
    .where(_unkept(keep), snapshots.c.file_id > bindparam("after"))
    .order_by(snapshots.c.file_id)
    .limit(bindparam("most"))
    for keep in _KEPT
}
_ONES = {keep: select(snapshots.c.bytes).where(_unkept(keep), snapshots.c.file_id == bindparam("id")) for keep in _KEPT}
_REMOVED = (
    update(snapshots).where(snapshots.c.file_id == bindparam("id")).values(bytes_removed_at=bindparam("removed_at"))
)


def unkept(connection: Connection, keep: Keep, after: str, most: int) -> list[str]:
    """Snapshots whose bytes may go, in order, from after that one on."""
    if keep == "all":
        return []
    return list(connection.execute(_PAGES[keep], {"after": after, "most": most}).scalars())


def unkept_bytes(connection: Connection, keep: Keep, file_id: str) -> int | None:
    """The size of one snapshot's bytes if they may go."""
    return None if keep == "all" else connection.execute(_ONES[keep], {"id": file_id}).scalar()


def removed(connection: Connection, file_id: str, now: datetime) -> None:
    """Its bytes are not on the shelf any more, on purpose."""
    connection.execute(_REMOVED, {"id": file_id, "removed_at": now})
