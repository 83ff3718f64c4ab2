"""One door to SQL: `write` and `read` are one transaction each, repeated while the fault is the database's own."""

import logging
import os
import random
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, ExceptionContext, event, exc
from sqlalchemy.engine import URL, make_url

from glimmr.errors import DatabaseFault, DiskFull, LocalFault, UsageError
from glimmr.stores import clock

__all__ = ["Connection", "Database", "migrate", "sqlite_url"]

T = TypeVar("T")

_BUSY_TIMEOUT_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 5.0
_SQLITE_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
    }
)
_SQLITE_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_DEFAULT_READ_ONLY = "SELECT current_setting('default_transaction_read_only')"
# SQLSTATE classes: 08 connection, 53 resources, 57 operator intervention, 58 system error; 25006 read-only,
# 40001 and 40P01 serialization and deadlock, 55P03 lock not available (PostgreSQL manual, appendix A).
_READ_ONLY = "25006"
_POSTGRES_PASSING = ("08", "53", "57", "58", _READ_ONLY, "40001", "40P01", "55P03")
_POSTGRES_OPTIONS = "-c statement_timeout=60s -c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"
_POSTGRES_ARGUMENTS = {
    "connect_timeout": "3",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
# A refused connection carries no SQLSTATE, only the server's words: these do not pass by waiting.
_POSTGRES_REFUSALS = re.compile(
    r"FATAL: +(password authentication failed|(role|database) .* does not exist|no pg_hba\.conf entry|no password)"
    r"|no password supplied"
)


class Database:
    """SQLite or PostgreSQL by its URL. Opens connections as they are needed; any thread may use it.

    `patience_seconds` is how long a transaction is repeated while the database does not answer, is locked, read-only
    or full; None is for ever. `connections` is how many are kept; PostgreSQL may have to bear twice as many at a time.
    """

    def __init__(self, url: str, *, patience_seconds: float | None = 60.0, connections: int = 8) -> None:
        try:
            self.url = _with_driver(make_url(url))
        except exc.ArgumentError:
            raise UsageError("the database URL cannot be read; it looks like postgresql://user@host/name") from None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._patience_seconds = patience_seconds
        self._closing = threading.Event()
        self._file: tuple[int, int] | None = None  # of SQLite: which it was when it was first looked at
        if self.is_sqlite:
            opened = threading.Event()
            self._writer = _sqlite_engine(self.url, opened, writes=True)
            self._reader = _sqlite_engine(self.url, opened, writes=False)
            self._writing: AbstractContextManager[Any] = threading.Lock()
        else:
            self._writer = _postgresql_engine(self.url, connections)
            self._reader = self._writer.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
            self._writing = nullcontext()

    def write(self, work: Callable[[Connection], T], *, longest_pause_seconds: float = _LONGEST_PAUSE_SECONDS) -> T:
        """What `work` returns, its changes committed: all of them or none.

        `work` may run several times (each in a new transaction) and must have no other effect than on the connection;
        a lost answer to a commit repeats it too, so its statements must bear that. Raises DatabaseFault or DiskFull
        when the database's fault outlasts the patience; what `work` raises comes through, with everything undone.
        """
        return self._repeat(self._write_once, work, writes=True, longest_pause_seconds=longest_pause_seconds)

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, from one consistent view. Writing through it fails. Raises as `write`."""
        return self._repeat(self._read_once, work, writes=False)

    def check(self) -> float:
        """The seconds it takes to be answered, tried once and now. Raises DatabaseFault when it is not."""
        started = time.monotonic()
        try:
            self._read_once(lambda connection: connection.execute(sqlalchemy.text("SELECT 1")))
        except exc.SQLAlchemyError as error:
            said = getattr(error, "orig", None) or error  # without the statement, and a link to a library's pages
            raise DatabaseFault(f"the database at {self.url.render_as_string()} does not answer: {said}") from error
        self._must_be_the_same_file()
        return time.monotonic() - started

    def _must_be_the_same_file(self) -> None:
        """Whoever has a file open goes on to read and write it after it was moved away or deleted."""
        if not self.is_sqlite or not self.url.database:
            return
        path = Path(self.url.database)
        try:
            told = path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            lost = f"its file {path} is gone: put it back, or what is written from now on is lost"
            raise DatabaseFault(lost) from error
        self._file = self._file or (told.st_dev, told.st_ino)
        if self._file != (told.st_dev, told.st_ino):
            raise DatabaseFault(f"its file {path} is not the one that was opened: stop this process, and put that back")

    def must_take_writes(self) -> None:
        """Prove that it lets itself be written to, changing nothing. Raises as `write`."""

        def work(connection: Connection) -> None:
            connection.execute(sqlalchemy.text("DELETE FROM alembic_version WHERE 1 = 0"))
            # A connection that was used to read once asks for its right to write, and gets it where new ones do not.
            if not self.is_sqlite and connection.execute(sqlalchemy.text(_DEFAULT_READ_ONLY)).scalar() == "on":
                raise DatabaseFault("the database takes no writes: default_transaction_read_only is on")

        self.write(work)

    def connections(self) -> tuple[int, int] | None:
        """How many connections the server has, and how many it bears. None: there is no server."""
        if self.is_sqlite:
            return None
        count = "SELECT count(*), current_setting('max_connections')::int FROM pg_stat_activity"
        used, most = self.read(lambda connection: connection.execute(sqlalchemy.text(count)).one())
        return int(used), int(most)

    def own_connection(self) -> Connection:
        """A connection outside any transaction, for the caller to close: a lock that lasts as long as it does."""
        return self._writer.connect().execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close every connection; a transaction that waits to be repeated gives up."""
        self._closing.set()
        self._writer.dispose()
        self._reader.dispose()

    def _write_once(self, work: Callable[[Connection], T]) -> T:
        with self._writing, self._writer.begin() as connection:
            return work(connection)

    def _read_once(self, work: Callable[[Connection], T]) -> T:
        with self._reader.begin() as connection:
            return work(connection)

    def _repeat(
        self,
        once: Callable[[Callable[[Connection], T]], T],
        work: Callable[[Connection], T],
        *,
        writes: bool,
        longest_pause_seconds: float = _LONGEST_PAUSE_SECONDS,
    ) -> T:
        started, pause_seconds = time.monotonic(), 0.05
        while True:
            try:
                return once(work)
            except exc.SQLAlchemyError as error:
                fault, passing = classify(error)
                if fault is None or (not writes and is_read_only(error)):
                    raise
                waited = time.monotonic() - started
                patient = self._patience_seconds is None or waited < self._patience_seconds
                if self.is_sqlite and is_read_only(error):
                    self._writer.dispose()  # the file may have been put in the place of another
                if not (passing and patient) or self._closing.wait(pause_seconds * random.uniform(0.5, 1.5)):  # noqa: S311 - jitter
                    raise fault from error
                logging.getLogger(__name__).warning("the database does not answer for %.1f s: %s", waited, fault)
            pause_seconds = min(2 * pause_seconds, longest_pause_seconds)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def classify(error: exc.SQLAlchemyError) -> tuple[LocalFault | None, bool]:
    """Whether the fault is the database's own (else None), and whether it may pass by itself."""
    if isinstance(error, exc.TimeoutError):
        return DatabaseFault(f"no free database connection: {error}"), True
    if not isinstance(error, exc.DBAPIError):
        return None, False
    message = f"database: {error.orig}"
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _classify_sqlite(code & 0xFF, message)
    state = getattr(error.orig, "sqlstate", None)
    if state == "53100":
        return DiskFull(f"{message}; free some space, and it goes on by itself"), True
    if state is not None:
        return (DatabaseFault(message), True) if state.startswith(_POSTGRES_PASSING) else (None, False)
    return _classify_unstated(error, message)


def _classify_unstated(error: exc.DBAPIError, message: str) -> tuple[LocalFault | None, bool]:
    """After an outage psycopg's errors carry no SQLSTATE; the type and the state of the connection tell."""
    if _POSTGRES_REFUSALS.search(message):
        return DatabaseFault(message), False
    lost = error.connection_invalidated or isinstance(error, (exc.OperationalError, exc.InterfaceError))
    return (DatabaseFault(message), True) if lost and not isinstance(error.orig, sqlite3.Error) else (None, False)


def is_read_only(error: exc.SQLAlchemyError) -> bool:
    """Whether a write was refused as such. Through the door for reading that is a mistake of ours, not an outage."""
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_READONLY or getattr(cause, "sqlstate", None) == _READ_ONLY


def _classify_sqlite(code: int, message: str) -> tuple[LocalFault | None, bool]:
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"{message}; free some space, and it goes on by itself"), True
    if code in _SQLITE_BROKEN:
        hint = "put a copy back, or move glimmr.sqlite and its -wal and -shm away: the next run brings all home again"
        return DatabaseFault(f"{message}; {hint}"), False
    return (DatabaseFault(message), True) if code in _SQLITE_PASSING else (None, False)


def _with_driver(url: URL) -> URL:
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise UsageError(f"no database {url.get_backend_name()!r}; sqlite and postgresql are known")
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _sqlite_engine(url: URL, opened: threading.Event, *, writes: bool) -> Engine:
    """SQLite as it wants to be used: WAL, one writer, BEGIN IMMEDIATE for writes (a deferred one cannot wait).

    A file that was `opened` once is not made anew: an empty one would throw the log of a file that was moved away.
    """
    engine = sqlalchemy.create_engine(
        url,
        connect_args={"timeout": _BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        pool_size=1 if writes else 5,
        max_overflow=0 if writes else 20,
    )
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine, "do_connect")
    def _find(_dialect: object, _record: object, arguments: list[Any], keywords: dict[str, Any]) -> None:
        if url.database and opened.is_set():
            arguments[0] = f"{Path(url.database).absolute().as_uri()}?mode=rw"
            keywords["uri"] = True

    @event.listens_for(engine, "connect")
    def _prepare(raw: sqlite3.Connection, _record: object) -> None:
        opened.set()
        raw.isolation_level = None  # the driver would begin by itself, deferred and too late
        raw.execute(f"PRAGMA busy_timeout = {int(_BUSY_TIMEOUT_SECONDS * 1000)}")
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("PRAGMA synchronous = NORMAL")
        raw.execute("PRAGMA journal_mode = WAL" if writes else "PRAGMA query_only = ON")
        clock.teach_sqlite(raw)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgresql_engine(url: URL, connections: int) -> Engine:
    """No pre-ping: a connection that died is noticed by the transaction, and the whole transaction is repeated.

    What the URL's query says wins over our own options. Few connections: a server has 100 of them for a whole fleet.
    """
    asked = {name: str(value) for name, value in url.query.items()}
    ours = {"application_name": f"glimmr {socket.gethostname()} {os.getpid()}"[:63], **_POSTGRES_ARGUMENTS}
    options = f"{_POSTGRES_OPTIONS} {asked.pop('options', '')}".rstrip()
    engine = sqlalchemy.create_engine(
        url,
        connect_args={**ours, **asked, "options": options},
        pool_size=connections,
        max_overflow=connections,
        pool_timeout=10.0,
    )

    @event.listens_for(engine, "handle_error")
    def _leave(context: ExceptionContext) -> None:
        # A former primary: what answers at its address now may be another server. Every connection is made anew, those
        # that others use at this moment when they come back.
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True

    return engine


def is_migrated(database: Database) -> bool:
    """Whether there is a schema in it: a process killed at its first start may leave an empty file."""
    return database.read(lambda connection: sqlalchemy.inspect(connection).has_table("alembic_version"))


def migrate(database: Database) -> None:
    """Bring the schema to this version's, in one transaction; two processes may do it at once.

    Raises UsageError when the database was written by a newer Glimmr, DatabaseFault as `Database.write`.
    """
    # Alembic is slow to import and only this function needs it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(7166452)"))
        config = Config()
        folder = str(Path(__file__).parent / "migrations")
        config.set_main_option("script_location", folder.replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    try:
        database.write(upgrade)
    except CommandError as error:
        raise UsageError(f"the database belongs to another version of Glimmr: {error}") from None
