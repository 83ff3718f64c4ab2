"""From what a person types of a snapshot's id to the snapshot."""

import re
from typing import Any

from sqlalchemy import Connection, select

from glimmr.errors import UsageError
from glimmr.stores.catalog import urls_behind
from glimmr.stores.tables import snapshots

_ID = re.compile(r"[0-9a-f]{4,64}")
_MOST_SHOWN = 5
_NEAR = 4  # digits in common: what a slip of the hand leaves
_ids = snapshots.c.file_id


def find_snapshot(connection: Connection, given: str) -> dict[str, Any]:
    """The row of the snapshot whose id begins so, with a `url` that gave it (None: its address was removed).

    Raises UsageError: no id at all, of nothing, with those that look alike, or of several.
    """
    begins = given.strip().lower()
    if not _ID.fullmatch(begins):
        raise UsageError(f"{given} is no file id: that is the sha256 of bytes, or 4 or more of its first hex digits")
    found = connection.execute(select(snapshots).where(_ids.startswith(begins)).order_by(_ids).limit(_MOST_SHOWN + 1))
    rows = [dict(row) for row in found.mappings()]
    urls = urls_behind(connection, {row["file_id"] for row in rows})
    if len(rows) > 1:
        more = " …" if len(rows) > _MOST_SHOWN else ""
        listed = ", ".join(row["file_id"] for row in rows[:_MOST_SHOWN])
        raise UsageError(f"several file ids begin with {begins}: {listed}{more}; give more of its digits")
    if not rows:
        raise UsageError(f"no bytes with the file id {begins} ever came; {_alike(connection, begins)}")
    return rows[0] | {"url": urls.get(rows[0]["file_id"])}


def _alike(connection: Connection, begins: str) -> str:
    alike = connection.execute(
        select(_ids).where(_ids.startswith(begins[:_NEAR])).order_by(_ids).limit(_MOST_SHOWN)
    ).scalars()
    if near := list(alike):
        return f"did you mean {' or '.join(near)}?"
    return '`glimmr sql "SELECT file_id, url FROM files"` lists the published ones'
