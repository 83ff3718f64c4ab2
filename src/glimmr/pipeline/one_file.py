"""One file read by itself: no database, no ledger, but the same code in the same limited child as on the line."""

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from glimmr.download import NotModified, bring
from glimmr.errors import UsageError
from glimmr.jobs.job import Tell
from glimmr.model import FileReport
from glimmr.net import Client
from glimmr.pipeline.parse_step import read_in_child
from glimmr.query.flat import write_flat
from glimmr.settings import Settings

_TABLES = ("charges.parquet", "rates.parquet", "rejects.parquet")


async def read_one(settings: Settings, client: Client, source: str, to: Path | None, tell: Tell) -> FileReport:
    """Read a path, an http(s) address, or `-` (stdin); write its tables into the folder, or the flat file, `to`.

    Raises UsageError when the path cannot be read or `to` cannot be written, a FetchError, a ChildError.
    """
    near = _folder_near(to)
    with tempfile.TemporaryDirectory(prefix=".glimmr-", dir=near) as folder:
        scratch = Path(folder)
        path = await asyncio.to_thread(_bytes_of, source, client, scratch / "bytes", tell)
        report = await read_in_child(path, scratch / "prices", None, settings, tell)
        if to is not None and report.charges:
            await asyncio.to_thread(_deliver, scratch / "prices", to)
    return report


def _folder_near(to: Path | None) -> Path | None:
    """A folder on the disk of `to`, so that what is read can be moved there; else None: the system's own."""
    if to is None:
        return None
    near = to.parent if to.suffix and not to.is_dir() else to
    try:
        near.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--to {to}: the folder cannot be made: {error.strerror}") from error
    if not os.access(near, os.W_OK):
        raise UsageError(f"--to {to}: nothing can be written there")
    return near


def _bytes_of(source: str, client: Client, spool: Path, tell: Tell) -> Path:
    if source == "-":
        with spool.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        return spool
    if source.lower().startswith(("http://", "https://")):
        fetched = bring(source, client=client, scratch=spool.parent, tell=tell)
        assert not isinstance(fetched, NotModified), "nothing was asked about conditionally"
        return Path(fetched.path)
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"{source}: there is no such file; give a path, an http(s) address, or - for stdin")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{source}: it may not be read")
    return path


def _deliver(prices: Path, to: Path) -> None:
    if to.suffix and not to.is_dir():
        write_flat(prices / "charges.parquet", prices / "rates.parquet", to)
        return
    for name in _TABLES:
        (to / name).unlink(missing_ok=True)  # of an earlier reading
        if (prices / name).exists():
            (prices / name).replace(to / name)
