"""Scratch: the folder in which downloads grow and a process keeps what is half done."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from glimmr.errors import DiskFull, StorageFault, UsageError
from glimmr.settings import Settings

PARTIALS = "partial"
"""The folder in scratch that outlives processes."""
_GB = 10**9


def scratch_of(settings: Settings) -> Path:
    """In the data folder; or in GLIMMR_SCRATCH, a folder of this data folder's own: what is swept there is ours."""
    if settings.scratch is None:
        return settings.data / "scratch"
    mark = hashlib.sha256(os.fsencode(settings.data.resolve())).hexdigest()[:12]
    return settings.scratch / f"glimmr-{mark}"


def make_scratch(settings: Settings) -> None:
    """Make a scratch folder that the setting names, and prove that it takes files. Raises UsageError."""
    if settings.scratch is None:
        return
    folder = scratch_of(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"GLIMMR_SCRATCH: nothing can be written in {folder} ({error.strerror}): name a folder that can be made and"
            " written, or unset it to use the data folder"
        ) from error


def check_scratch(settings: Settings) -> int:
    """Bytes that are free there. Only looks. Raises StorageFault, DiskFull when no download could grow there.

    A folder that the setting names was made at the start; when it is gone, its disk is, and it is not made again on the
    disk below.
    """
    folder = scratch_of(settings)
    if settings.scratch is not None and not folder.is_dir():
        raise StorageFault(
            f"scratch {folder} (GLIMMR_SCRATCH) is gone: mount its disk, or make it again; the work goes on by itself"
        )
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise StorageFault(f"nothing can be written in scratch {folder}: mend that, and the work goes on by itself")
    free = shutil.disk_usage(there).free
    if free < settings.min_free_bytes:
        raise DiskFull(
            f"scratch {folder}: {free / _GB:.2f} GB are free, {settings.min_free_bytes / _GB:.2f} GB are to stay free;"
            " free some (or lower GLIMMR_MIN_FREE_BYTES), and the work goes on by itself"
        )
    return free
