"""What lies on the price table's shelf and no table version of the last day names: what a sweep finds."""

import re
from collections.abc import Collection, Iterator

from glimmr.price_table import TABLES
from glimmr.stores.lake_commit import RETENTION_HOURS, look
from glimmr.stores.lake_objects import LakeObjects

_LEFTOVER = re.compile(r"_delta_log/(_commit_.*\.tmp|.*#\d+)")  # what a killed commit leaves beside the log


def leftovers(objects: LakeObjects, older_than_seconds: float, keep: Collection[str]) -> Iterator[str]:
    """Objects nothing needs, as `<table>/<path>`; those of the file_ids in `keep` are left out.

    Charges come before rates: a price list half swept must not look like one without rates.
    """
    for table in TABLES:
        needed = _needed(objects, table)
        for found in objects.list(table):
            name = found.path.rsplit("/", 1)[-1]
            logged = found.path.startswith("_delta_log/")
            wanted = not _LEFTOVER.fullmatch(found.path) if logged else found.path in needed
            if not wanted and found.age_seconds >= older_than_seconds and name.partition("-")[0] not in keep:
                yield f"{table}/{found.path}"


def _needed(objects: LakeObjects, table: str) -> set[str]:
    view = look(objects, table)
    if view is None:
        return set()
    gone = set(view.delta.vacuum(0, dry_run=True, enforce_retention_duration=False))
    expired = set(view.delta.vacuum(RETENTION_HOURS, dry_run=True, enforce_retention_duration=False))
    return {active.path for active in view.active} | (gone - expired)
