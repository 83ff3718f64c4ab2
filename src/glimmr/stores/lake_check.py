"""Whether the price table is whole: what vanished from the shelf, or was cut short there, is told by its size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glimmr.stores.lake_commit import Active, Change, View, commit, look
from glimmr.stores.lake_objects import LakeObjects
from glimmr.stores.lake_rows import read_rows

_SMALL = ("files", "file_hospitals")
_Sound = Callable[[Active], bool]


@dataclass(frozen=True, slots=True)
class Check:
    """What was found, by file_id.

    `intact`: the row in `files`, and all that belongs to it, in the log and on the shelf. `lost`: the log names an
    object of charges or rates that is not there whole.
    """

    intact: frozenset[str]
    lost: frozenset[str]


def check(objects: LakeObjects, file_id: str | None = None) -> Check:
    """Look at the price table, or at what concerns one file_id of it."""
    files = _rows(objects, "files", file_id)
    owned = {row["file_id"] for row in _rows(objects, "file_hospitals", file_id)}
    lost: set[str] = set()
    paths: dict[str, dict[str, set[str]]] = {"charges": {}, "rates": {}}  # table → file_id → what is named and there
    for table, there in paths.items():
        view = look(objects, table)
        sound = _sound(objects, table, one_by_one=file_id is not None)
        for active in view.active if view else ():
            if active.file_id is None or file_id not in (None, active.file_id):
                continue
            if sound(active):
                there.setdefault(active.file_id, set()).add(active.path)
            else:
                lost.add(active.file_id)
    intact = {
        row["file_id"]
        for row in files
        if row["file_id"] in owned - lost
        and _named(paths["charges"], row)
        and (not row["rates"] or _named(paths["rates"], row))
    }
    return Check(frozenset(intact), frozenset(lost))


def forget_lost(objects: LakeObjects) -> None:
    """Take out of the log of `files` and `file_hospitals` the objects that are not there whole: nobody can read on.

    Whose rows they were is not known; the file_ids are not intact any more, and are published again.
    """
    for table in _SMALL:

        def decide(view: View, table: str = table) -> Change | None:
            sound = _sound(objects, table, one_by_one=True)
            lost = tuple(active for active in view.active if not sound(active))
            return Change(remove=lost) if lost else None

        commit(objects, table, "lost-objects", decide, lambda: None)


def lost_rows(objects: LakeObjects) -> list[str]:
    """The objects of the small tables that the log names and that are not there whole, as `<table>/<path>`."""
    lost: list[str] = []
    for table in _SMALL:
        view, sound = look(objects, table), _sound(objects, table, one_by_one=True)
        lost += [f"{table}/{active.path}" for active in (view.active if view else ()) if not sound(active)]
    return lost


def _rows(objects: LakeObjects, table: str, file_id: str | None) -> list[dict[str, Any]]:
    view = look(objects, table)
    if view is None:
        return []
    bucket = [active for active in view.active if file_id is None or active.path.startswith(f"{file_id[0]}/")]
    return [row for row in read_rows(objects, table, bucket).to_pylist() if file_id in (None, row["file_id"])]


def _named(there: dict[str, set[str]], row: dict[str, Any]) -> bool:
    ending = f"/{row['file_id']}-{row['parser_version']}.parquet"
    return any(path.endswith(ending) for path in there.get(row["file_id"], ()))


def _sound(objects: LakeObjects, table: str, *, one_by_one: bool) -> _Sound:
    """Whether an object is there, whole; thousands are asked for in one listing."""
    if one_by_one:
        return lambda active: _size_bytes(objects, table, active.path) == active.size_bytes
    sizes = {found.path: found.size_bytes for found in objects.list(table)}
    return lambda active: sizes.get(active.path) == active.size_bytes


def _size_bytes(objects: LakeObjects, table: str, path: str) -> int | None:
    try:
        return objects.size_bytes(table, path)
    except FileNotFoundError:
        return None
