"""Looks at this machine: its disks and its clock."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from glimmr.jobs import figures
from glimmr.settings import Settings
from glimmr.stores.database import Database
from glimmr.stores.scratch import check_scratch, scratch_of
from glimmr.watch.health import Seen, Status, with_status

_LEAST_SHARE = 0.1
_CLOCKS_DIFFER_SECONDS, _CLOCKS_LIE_SECONDS = 5.0, 300.0


def disk(settings: Settings) -> Seen:
    """Data folder and scratch: writable, with space and room for more files."""
    check_scratch(settings)
    seen = Seen()
    for name, folder in (("data", settings.data), ("scratch", scratch_of(settings))):
        there = _existing(folder)
        share = free_share(there)
        free_bytes = shutil.disk_usage(there).free
        seen.observed[name] = {"folder": str(folder), "free_bytes": free_bytes, "free_ratio": round(share, 4)}
        if not os.access(there, os.W_OK | os.X_OK):
            seen = with_status(seen, Status.FAIL, f"nothing can be written in {there}")
        if free_bytes < settings.min_free_bytes:
            why = f"{free_bytes:,} bytes are free for {folder}, fewer than GLIMMR_MIN_FREE_BYTES"
            seen = with_status(seen, Status.FAIL, why)
        elif share < _LEAST_SHARE:
            seen = with_status(seen, Status.WARN, f"{share:.1%} of the disk of {folder} are free")
    return seen


def free_share(folder: Path) -> float:
    """The part of its disk that is free, of bytes or (where they are counted) of files, whichever is less."""
    told = os.statvfs(_existing(folder))
    shares = [told.f_bavail / told.f_blocks if told.f_blocks else 1.0]
    shares += [told.f_favail / told.f_files] if told.f_files else []
    return min(shares)


def clock(database: Database) -> Seen:
    """Wall time here beside the database's, and beside when the newest job was put."""
    asked_at = datetime.now(UTC)
    theirs, newest = database.read(figures.clock)
    heard_at = datetime.now(UTC)
    middle = asked_at + (heard_at - asked_at) / 2
    ahead_seconds = (middle - theirs).total_seconds()
    future_seconds = (newest - theirs).total_seconds() if newest else 0.0
    seen = Seen(observed={"ahead_of_database_seconds": round(ahead_seconds, 3)})
    if abs(ahead_seconds) > _CLOCKS_DIFFER_SECONDS:
        bad = abs(ahead_seconds) > _CLOCKS_LIE_SECONDS
        which = "ahead of" if ahead_seconds > 0 else "behind"
        why = f"this machine's clock is {abs(ahead_seconds):.0f} s {which} the database's"
        seen = with_status(seen, Status.FAIL if bad else Status.WARN, why)
    if future_seconds > _CLOCKS_DIFFER_SECONDS:
        why = f"the newest job was put {future_seconds:.0f} s in the future: the clock was set back"
        seen = with_status(seen, Status.WARN, why)
    return seen


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.absolute().parents) if one.exists())
