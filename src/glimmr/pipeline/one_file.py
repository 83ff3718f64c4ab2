"""One file read by itself: no database, no ledger, but the same code in the same limited child as on the line."""

import os
import select
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from glimmr.download import NotModified, bring
from glimmr.errors import ChildError, FetchError, GlimmrError, NotReconciled, UsageError
from glimmr.jobs.job import Tell
from glimmr.model import FileReport, Finding
from glimmr.net import Client
from glimmr.parse import PARSER_VERSION
from glimmr.parse.rules.file_name import check_file_name
from glimmr.pipeline.in_thread import in_thread
from glimmr.pipeline.parse_step import read_in_child
from glimmr.query.flat import write_flat
from glimmr.retry import History, decide
from glimmr.settings import Settings
from glimmr.stores.blobs import fault

_TABLES = ("charges.parquet", "rates.parquet", "rejects.parquet")
_NO_MORE_TRIES = History(failures=99)
_LOOK_SECONDS, _PIECE_BYTES = 0.2, 1 << 20


async def read_one(
    settings: Settings, client: Client, source: str, to: Path | None, tell: Tell, *, is_folder: bool = False
) -> FileReport:
    """Read a path, an http(s) address, or `-` (stdin); write its tables into the folder, or the flat file, `to`.

    Missing folders are made when there is something to write. An address that gives nothing and a child that breaks end
    in a report, too. Cancelling stops the work and leaves no file. Raises UsageError when the path cannot be read or
    `to` cannot be written, a LocalFault.
    """
    near, started = _folder_near(to, is_folder=is_folder), time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".glimmr-", dir=near) as folder:
        scratch = Path(folder)
        path = None
        try:
            path, weak = await in_thread(lambda told: _bytes_of(source, client, scratch / "bytes", told), tell)
            report = _with(await read_in_child(path, scratch / "prices", None, settings, tell), *weak)
        except (FetchError, ChildError, NotReconciled) as error:
            report = _broken(error, path.stat().st_size if path else 0, time.monotonic() - started)
        if to is not None:
            await in_thread(lambda _: _deliver(scratch / "prices", to, report, is_folder=is_folder), tell)
    return report


async def check_one(settings: Settings, client: Client, source: str, tell: Tell) -> FileReport:
    """Read a file as `read_one` does, for what is wrong in it; a name that breaks CMS's rule is a finding, too."""
    report = await read_one(settings, client, source, None, tell)
    name = _name_of(source)
    wrong = check_file_name(name, report) if name and report.members else None
    return report if wrong is None else _with(report, wrong)


def _with(report: FileReport, *found: Finding) -> FileReport:
    """The report with findings about the file as a whole, which stand with its first member."""
    if not report.members:
        return report
    first, *others = report.members
    return replace(report, members=(replace(first, findings=(*first.findings, *found)), *others))


def _name_of(source: str) -> str | None:
    """The file name in a path or an address; standard input has none."""
    if source == "-":
        return None
    address = source.lower().startswith(("http://", "https://"))
    return unquote(urlsplit(source).path.rpartition("/")[2]) if address else Path(source).name


def _broken(error: GlimmrError, size_bytes: int, seconds: float) -> FileReport:
    """The report of a reading that gave none: it ends as a job on the line does after its last try."""
    verdict = decide(error, _NO_MORE_TRIES)
    return FileReport(
        file_id="",
        bytes=size_bytes,
        container=None,
        outcome=verdict.outcome,
        reason=verdict.reason,
        message=str(error),
        rows_in=0,
        items_out=0,
        charges=0,
        rates=0,
        rows_rejected=0,
        seconds=seconds,
        peak_rss_bytes=0,
        parser_version=PARSER_VERSION,
        members=(),
    )


def _folder_near(to: Path | None, *, is_folder: bool) -> Path | None:
    """A folder on the disk of `to`, so that what is read can be moved there; else None: the system's own."""
    if to is None:
        return None
    wanted = to if is_folder else to.parent
    try:
        near = next(folder for folder in (wanted, *wanted.parents) if folder.exists())
    except OSError as error:
        raise _not_made(to, error) from error
    if not near.is_dir():
        raise UsageError(f"--to {to}: the folder cannot be made: {near} is a file")
    if not os.access(near, os.W_OK):
        raise UsageError(f"--to {to}: nothing can be written there")
    return near


def _not_made(to: Path, error: OSError) -> UsageError:
    return UsageError(f"--to {to}: the folder cannot be made: {error.strerror}")


def _bytes_of(source: str, client: Client, spool: Path, tell: Tell) -> tuple[Path, list[Finding]]:
    """Where the bytes are now, and what is to be said of how they came."""
    if source == "-":
        _spool_stdin(spool, tell)
        return spool, []
    if source.lower().startswith(("http://", "https://")):
        fetched = bring(source, client=client, scratch=spool.parent, tell=tell)
        assert not isinstance(fetched, NotModified), "nothing was asked about conditionally"
        return Path(fetched.path), [Finding(code=code, severity="warning", count=1) for code in fetched.weaknesses]
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"{source}: there is no such file; give a path, an http(s) address, or - for stdin")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{source}: it may not be read")
    return path, []


def _spool_stdin(spool: Path, tell: Tell) -> None:
    """Never waits long for the next bytes, so that `tell` can stop it."""
    if not sys.stdin:
        raise UsageError("-: standard input is closed; give a path or an http(s) address")
    descriptor, came = sys.stdin.fileno(), 0
    try:
        with spool.open("wb") as file:
            while True:
                tell(bytes=came)
                if not select.select([descriptor], [], [], _LOOK_SECONDS)[0]:
                    continue
                piece = os.read(descriptor, _PIECE_BYTES)
                if not piece:
                    return
                came += file.write(piece)
    except OSError as error:
        raise fault(error, "standard input could not be kept") from error


def _deliver(prices: Path, to: Path, report: FileReport, *, is_folder: bool) -> None:
    """A folder holds afterwards what this reading gave and nothing else; a flat file needs charges."""
    given = [prices / name for name in _TABLES if (prices / name).exists()]
    if given if is_folder else report.charges:
        try:
            (to if is_folder else to.parent).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_made(to, error) from error
    if not is_folder:
        if report.charges:
            write_flat(prices / "charges.parquet", prices / "rates.parquet", to)
        return
    for name in _TABLES:
        (to / name).unlink(missing_ok=True)  # of an earlier reading
    for table in given:
        table.replace(to / table.name)
