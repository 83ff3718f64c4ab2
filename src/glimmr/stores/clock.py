"""Moments and leases in SQL: one expression for both databases, each reading the clock that can be trusted there.

A moment is wall time. A lease is measured on SQLite by the machine's time since boot, which nobody sets, together with
the boot's id (a lease of an earlier boot has run out); on PostgreSQL by the server's wall time, the only clock that all
machines share: that somebody set it is noticed (`jobs.steady`).
"""

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Double, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from glimmr.stores.tables import UtcTime

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class moment(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The wall time `seconds` from now."""

    name = "moment"
    type = UtcTime()
    inherit_cache = True


class lease_clock(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """The time `seconds` from now on the leases' clock, in seconds."""

    name = "lease_clock"
    type = Double()
    inherit_cache = True


class lease_era(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """What the leases' clock counts from: the boot's id on SQLite; on PostgreSQL always the same."""

    name = "lease_era"
    type = String()
    inherit_cache = True


# The subquery is evaluated once a statement; a bare function would be called for every row.
@compiles(moment, "sqlite")
def _moment_sqlite(element: moment, compiler: Any, **options: Any) -> str:
    return f"(SELECT glimmr_moment({compiler.process(element.clauses, **options)}))"


@compiles(lease_clock, "sqlite")
def _lease_clock_sqlite(element: lease_clock, compiler: Any, **options: Any) -> str:
    return f"(SELECT glimmr_lease_clock({compiler.process(element.clauses, **options)}))"


@compiles(lease_era, "sqlite")
def _lease_era_sqlite(element: lease_era, compiler: Any, **options: Any) -> str:
    del element, compiler, options
    return "(SELECT glimmr_lease_era())"


# statement_timestamp() is stable within a statement, so that an index can answer `run_at <= moment(0)`.
@compiles(moment, "postgresql")
def _moment_postgresql(element: moment, compiler: Any, **options: Any) -> str:
    return f"(statement_timestamp() + make_interval(secs => {compiler.process(element.clauses, **options)}))"


@compiles(lease_clock, "postgresql")
def _lease_clock_postgresql(element: lease_clock, compiler: Any, **options: Any) -> str:
    after = compiler.process(element.clauses, **options)
    return f"(extract(epoch from statement_timestamp())::float8 + {after})"


@compiles(lease_era, "postgresql")
def _lease_era_postgresql(element: lease_era, compiler: Any, **options: Any) -> str:
    del element, compiler, options
    return "'server'"


def boot_seconds() -> float:
    """Seconds since the machine booted, sleep included where the system tells it."""
    return time.clock_gettime(_BOOT_CLOCK)


def boot_id() -> str:
    """The id of this boot; where the system has none, one word (leases then outlive a reboot by their length)."""
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else "boot"


def teach_sqlite(connection: sqlite3.Connection) -> None:
    """Give a SQLite connection the functions these expressions call."""
    era = boot_id()
    connection.create_function("glimmr_moment", 1, _moment_text)
    connection.create_function("glimmr_lease_clock", 1, lambda after: boot_seconds() + after)
    connection.create_function("glimmr_lease_era", 0, lambda: era)


def _moment_text(after_seconds: float) -> str:
    # Exactly SQLAlchemy's text of a moment on SQLite: texts are compared.
    when = datetime.now(UTC) + timedelta(seconds=after_seconds)
    return when.replace(tzinfo=None).isoformat(" ", "microseconds")
