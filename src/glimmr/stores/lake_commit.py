"""How a change enters a Delta table: exactly on the version it was decided on, or decided again."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, Transaction

from glimmr import events
from glimmr.errors import StorageFault
from glimmr.price_table import TABLES, schema
from glimmr.stores.lake_objects import LakeObjects

Fence = Callable[[], None]
"""Called right before every commit attempt; raises LeaseLost when the job belongs to another run by now."""

PARTITIONED: Mapping[str, list[str]] = {
    "charges": ["file_id"],
    "rates": ["file_id"],
    "files": [],
    "file_hospitals": [],
}
RETENTION_HOURS = 24
"""How long a replaced object stays readable: for who opened the table before, and for time travel."""

_ATTEMPTS = 80
_PAUSE_SECONDS = (0.005, 0.08)
_CONFIGURATION = {
    # Opening a table reads what was logged since the last checkpoint: 20 ms at 50, 30 ms at 100 (busy machine).
    "delta.checkpointInterval": "50",
    "delta.deletedFileRetentionDuration": f"interval {RETENTION_HOURS} hours",
    "delta.logRetentionDuration": f"interval {2 * RETENTION_HOURS} hours",
}


@dataclass(frozen=True, slots=True)
class Active:
    """An object the current version of a table names."""

    path: str
    size_bytes: int
    file_id: str | None  # of a partitioned table


@dataclass(frozen=True, slots=True)
class Change:
    """What to commit. `written` is an object made for this attempt alone: useless if the attempt fails."""

    add: tuple[AddAction, ...] = ()
    remove: tuple[Active, ...] = ()
    written: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One version of one table."""

    delta: DeltaTable
    active: tuple[Active, ...] = field(repr=False)


Decide = Callable[[View], Change | None]


def look(objects: LakeObjects, table: str) -> View | None:
    """The current version of a table, or None when there is no such table yet. Raises StorageFault, DeltaError."""
    try:
        delta = DeltaTable(objects.uri(table), storage_options=objects.delta_options)
    except TableNotFoundError:
        return None
    except DeltaError as error:
        if objects.folder is None:
            raise
        uri, first = objects.uri(table), str(error).partition("\n")[0][:300]
        raise StorageFault(
            f"the table {uri} cannot be opened; if its log was damaged, move {uri}/_delta_log elsewhere, and the next"
            f" run writes it anew ({first})"
        ) from error
    rows = pa.table(delta.get_add_actions(flatten=True))
    ids = rows["partition.file_id"].to_pylist() if PARTITIONED[table] else [None] * rows.num_rows
    listed = zip(rows["path"].to_pylist(), rows["size_bytes"].to_pylist(), ids, strict=True)
    return View(delta, tuple(Active(path, size, file_id) for path, size, file_id in listed))


def create(objects: LakeObjects, table: str) -> View:
    """The current version of a table, made now when there was none. Two makers at once end with one table."""
    failure: Exception | None = None
    for _ in range(3):
        view = look(objects, table)
        if view is not None:
            return view
        try:
            DeltaTable.create(
                objects.uri(table),
                schema(TABLES[table]),
                mode="ignore",
                partition_by=PARTITIONED[table] or None,
                configuration=_CONFIGURATION,
                storage_options=objects.delta_options,
            )
            events.tell(events.TABLE_MADE, table=table)
        except DeltaError as error:
            failure = error  # somebody else was faster: theirs is as good
            time.sleep(_pause_seconds(1))
    view = look(objects, table)
    if view is None:
        raise StorageFault(f"the table {objects.uri(table)} could not be made: {failure}") from failure
    return view


def commit(objects: LakeObjects, table: str, file_id: str, decide: Decide, fence: Fence) -> bool:
    """Commit what `decide` makes of the current version; False when it finds nothing to do.

    The library retries a commit on a version nobody has looked at, and takes the same application transaction twice.
    So its own retries are off: a commit lands on the version right after the one `decide` and `fence` saw, or not at
    all, and then both are asked again. Raises LeaseLost (from `fence`), StorageFault when others were always faster.
    """
    pending: str | None = None
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_pause_seconds(attempt))
        view = create(objects, table)
        if pending is not None:
            if any(active.path == pending for active in view.active):
                return True  # the failure was reported for a commit that had gone through
            objects.delete(table, pending)
        change = decide(view)
        if change is None:
            return False
        pending = change.written
        try:
            fence()
        except BaseException:
            if pending is not None:
                objects.delete(table, pending)
            raise
        if _attempt(objects, table, file_id, view, change):
            return True
    raise StorageFault(
        f"{objects.uri(table)} did not take {file_id[:12]} in {_ATTEMPTS} attempts: other writers were always faster"
    )


def _attempt(objects: LakeObjects, table: str, file_id: str, view: View, change: Change) -> bool:
    app_id = f"{table}/{file_id}"
    number = (view.delta.transaction_version(app_id) or 0) + 1
    now_ms = int(time.time() * 1000)
    removes = [_remove(active, now_ms) for active in change.remove]
    events.tell(events.CHANGE_DECIDED, table=table, file_id=file_id)
    try:
        view.delta.create_write_transaction(
            [*removes, *change.add],
            "append",
            schema(TABLES[table]),
            PARTITIONED[table] or None,
            commit_properties=CommitProperties(max_commit_retries=0, app_transactions=[Transaction(app_id, number)]),
        )
    except CommitFailedError:
        return False
    events.tell(events.CHANGE_LOGGED, table=table, file_id=file_id)
    objects.sync_log(table, view.delta.version() + 1)
    return True


def _pause_seconds(attempt: int) -> float:
    return random.uniform(*_PAUSE_SECONDS) * min(attempt, 8)  # noqa: S311 (spreads writers, hides nothing)


def _remove(active: Active, now_ms: int) -> RemoveAction:
    values: dict[str, str | None] = {"file_id": active.file_id} if active.file_id is not None else {}
    return RemoveAction(active.path, True, now_ms, active.size_bytes, values)
