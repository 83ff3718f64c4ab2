"""The two small tables, `files` and `file_hospitals`: at most 16 Parquet objects each, however often they change.

A bucket is the first hex digit of a file_id. Changing the rows of one file_id writes its bucket anew (a few dozen kB at
5,000 files) and swaps the two objects in one commit: readers open 16 objects, and two writers meet only in one bucket.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glimmr.price_table import TABLES, schema
from glimmr.stores.lake_commit import Active, Change, Fence, View, commit
from glimmr.stores.lake_objects import LakeObjects
from glimmr.stores.lake_stats import add_action

Row = Mapping[str, Any]


def put_rows(objects: LakeObjects, table: str, file_id: str, rows: Sequence[Row], fence: Fence) -> bool:
    """Make `rows` all that `table` says of `file_id` (none: forget it). False when it says just that already."""
    wanted = typed(table, [{**row, "file_id": file_id} for row in rows])

    def decide(view: View) -> Change | None:
        bucket = [active for active in view.active if active.path.startswith(f"{file_id[0]}/")]
        held = _read(objects, table, bucket)
        ids = held["file_id"].to_pylist()
        mine = held.filter(pa.array([one == file_id for one in ids], pa.bool_()))
        others = held.filter(pa.array([one != file_id for one in ids], pa.bool_()))
        if mine.equals(wanted) and len(bucket) <= 1:
            return None
        return _rewrite(objects, table, file_id[0], bucket, pa.concat_tables([others, wanted]))

    return commit(objects, table, file_id, decide, fence)


def read_rows(objects: LakeObjects, table: str, active: Sequence[Active]) -> pa.Table:
    """All rows of a small table, ordered by file_id."""
    return _read(objects, table, active).sort_by("file_id")


def typed(table: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as the table's columns. Dates and times may be ISO 8601 text; a time without zone is UTC.

    Raises pa.ArrowInvalid for a value of a wrong type, ValueError for a missing one, KeyError for an unknown column.
    """
    columns = TABLES[table]
    unknown = {name for row in rows for name in row} - {column.name for column in columns}
    if unknown:
        raise KeyError(f"{table} has no column {sorted(unknown)}")
    arrays = [pa.array([_value(row.get(c.name), c.type) for row in rows], type=c.type) for c in columns]
    for column, array in zip(columns, arrays, strict=True):
        if array.null_count and not column.nullable:
            raise ValueError(f"{table}.{column.name} must not be NULL")
    return pa.table(arrays, schema=schema(columns))


def _value(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, str) and pa.types.is_date(kind):
        return date.fromisoformat(value)
    if isinstance(value, str) and pa.types.is_timestamp(kind):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _read(objects: LakeObjects, table: str, active: Sequence[Active]) -> pa.Table:
    target = schema(TABLES[table])
    parts = [objects.read(table, one.path).select(target.names).cast(target) for one in active]
    return pa.concat_tables([target.empty_table(), *parts]).combine_chunks()


def _rewrite(objects: LakeObjects, table: str, digit: str, old: Sequence[Active], rows: pa.Table) -> Change:
    if rows.num_rows == 0:
        return Change(remove=tuple(old))
    data = BytesIO()
    pq.write_table(rows.sort_by("file_id"), data, compression="zstd")
    path = f"{digit}/{uuid.uuid4().hex}.parquet"
    objects.write(table, path, data.getvalue())
    footer = pq.read_metadata(BytesIO(data.getvalue()))
    return Change(add=(add_action(path, len(data.getvalue()), footer, None),), remove=tuple(old), written=path)
