"""What is known of hosts, for all processes that work together: how they stand, how they want to be asked."""

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Double, bindparam, literal, select, update

from glimmr.model import Pace, Standing
from glimmr.stores.catalog import upsert
from glimmr.stores.clock import moment
from glimmr.stores.database import Database
from glimmr.stores.tables import hosts

_FRESH_SECONDS = 5.0  # so long a process believes what it read of a host that stands well
_MOST_KNOWN = 1000
_PACE = (hosts.c.crawl_seconds, hosts.c.slower_seconds, hosts.c.robots_at, hosts.c.next_at)
_STANDING = (hosts.c.failures, hosts.c.failed_since, hosts.c.until, hosts.c.opened, hosts.c.alternates, *_PACE)
_HOST = select(*_STANDING).where(hosts.c.host == bindparam("name"))
_HOST_LOCKED = _HOST.with_for_update()
_RESTING = (
    select(hosts.c.host, hosts.c.until, hosts.c.opened)
    .where(hosts.c.until > moment(literal(0.0, Double())))
    .order_by(hosts.c.until.desc(), hosts.c.host)
    .limit(bindparam("most"))
)


class HostBook:
    """The table `hosts`. Any thread may use it. Its methods raise DatabaseFault when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[Standing, frozenset[str], float]] = {}

    def standing(self, host: str) -> Standing:
        """How a host stands; while it stands well, as it did a few seconds ago."""
        return self._look(host)[0]

    def ways(self, host: str) -> frozenset[str]:
        """The other ways of asking that helped."""
        return self._look(host)[1]

    def change(self, host: str, change: Callable[[Standing], Standing]) -> Standing:
        """Apply a pure change to how it stands now: nobody else's comes in between."""

        def work(connection: Connection) -> tuple[Standing, frozenset[str]]:
            upsert(connection, hosts, [{"host": host}])
            standing, ways = _read(connection, host, locked=True)
            after = change(standing)
            connection.execute(update(hosts).where(hosts.c.host == host).values(_row(after)))
            return after, ways

        after, ways = self._database.write(work)
        self._known[host] = (after, ways, time.monotonic())
        return after

    def remember(self, host: str, ways: Collection[str]) -> None:
        """These ways helped."""

        def work(connection: Connection) -> None:
            upsert(connection, hosts, [{"host": host, "alternates": sorted(ways)}], replace=("alternates",))

        self._database.write(work)
        self._known.pop(host, None)

    def _look(self, host: str) -> tuple[Standing, frozenset[str]]:
        known = self._known.get(host)
        if known is None or known[0].is_open or time.monotonic() - known[2] > _FRESH_SECONDS:
            found = self._database.read(lambda connection: _read(connection, host))
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()  # of most hosts it is believed no more
            self._known[host] = (*found, time.monotonic())
            return found
        return known[:2]


def resting(connection: Connection, most: int) -> list[dict[str, Any]]:
    """Hosts that are left alone now: `host`, `until` when, and how often they were `opened` in a row; longest first."""
    return [dict(row) for row in connection.execute(_RESTING, {"most": most}).mappings()]


def _read(connection: Connection, host: str, *, locked: bool = False) -> tuple[Standing, frozenset[str]]:
    row = connection.execute(_HOST_LOCKED if locked else _HOST, {"name": host}).one_or_none()
    if row is None:
        return Standing(), frozenset()
    pace = Pace(
        crawl_seconds=row.crawl_seconds,
        slower_seconds=row.slower_seconds,
        robots_at=_seconds(row.robots_at),
        next_at=_seconds(row.next_at),
    )
    standing = Standing(
        failures=row.failures, since=_seconds(row.failed_since), until=_seconds(row.until), opened=row.opened, pace=pace
    )
    return standing, frozenset(row.alternates or ())


def _row(standing: Standing) -> dict[str, object]:
    return {
        "breaker": "open" if standing.is_open else "closed",
        "failures": standing.failures,
        "failed_since": _moment(standing.since),
        "until": _moment(standing.until),
        "opened": standing.opened,
        "crawl_seconds": standing.pace.crawl_seconds,
        "slower_seconds": standing.pace.slower_seconds,
        "robots_at": _moment(standing.pace.robots_at),
        "next_at": _moment(standing.pace.next_at),
    }


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
