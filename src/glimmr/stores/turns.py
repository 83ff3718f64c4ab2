"""Turns at a host for a whole fleet: rows with a lease, so that a process that dies holds none for ever."""

import logging
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Connection, Double, bindparam, delete, func, insert, literal, or_, select, update

from glimmr.errors import LocalFault
from glimmr.stores.catalog import upsert
from glimmr.stores.clock import lease_clock, lease_era
from glimmr.stores.database import Database
from glimmr.stores.tables import host_turns, hosts

_LEASE_SECONDS, _BEAT_SECONDS = 45.0, 10.0
_LOOK_SECONDS = 0.5
_LOG = logging.getLogger(__name__)

_AT_HOST = host_turns.c.host == bindparam("name")
_MINE = host_turns.c.token == bindparam("turn")
_LEASE_END = lease_clock(literal(_LEASE_SECONDS, Double()))
_LOCK = select(hosts.c.host).where(hosts.c.host == bindparam("name")).with_for_update()
_FORGET = delete(host_turns).where(
    _AT_HOST,
    or_(host_turns.c.lease_until < lease_clock(literal(0.0, Double())), host_turns.c.lease_era != lease_era()),
)
_COUNT = select(func.count()).select_from(host_turns).where(_AT_HOST)
_TAKE = insert(host_turns).values(
    host=bindparam("name"),
    holder=bindparam("who"),
    token=bindparam("turn"),
    lease_until=_LEASE_END,
    lease_era=lease_era(),
)
_HAVE = select(host_turns.c.id).where(_MINE)
_TELL = update(hosts).where(hosts.c.host == bindparam("name")).values(slots_in_use=_COUNT.scalar_subquery())
_GIVE_BACK = delete(host_turns).where(_MINE)
_BEAT = (
    update(host_turns)
    .where(host_turns.c.token.in_(bindparam("held", expanding=True)))
    .values(lease_until=_LEASE_END, lease_era=lease_era())
)


class FleetTurns:
    """At most `connections_per_host` connections to one host, counted over every process on this database.

    `holder` names this process. A turn is a row with a token of its own: an answer to its commit that is lost makes no
    second one, and one that could not be given back runs out. A thread extends the leases of those that are held.
    """

    def __init__(self, database: Database, connections_per_host: int, holder: str) -> None:
        self._database, self._limit, self._holder = database, connections_per_host, holder
        self._held: set[str] = set()
        self._leave = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="host turns", daemon=True)
        self._beating.start()

    @contextmanager
    def turn(self, host: str, waiting: Callable[[], None]) -> Generator[None]:
        """Wait for a turn at `host` and hold it for the length of the context. Raises DatabaseFault."""
        turn = uuid4().hex
        while not self._database.write(lambda connection: self._take(connection, host, turn)):
            waiting()
            time.sleep(_LOOK_SECONDS)
        self._held.add(turn)
        try:
            yield
        finally:
            self._held.discard(turn)
            self._give_back(host, turn)

    def close(self) -> None:
        """Extend no more leases."""
        self._leave.set()
        self._beating.join()

    def _take(self, connection: Connection, host: str, turn: str) -> bool:
        upsert(connection, hosts, [{"host": host}])
        connection.execute(_LOCK, {"name": host})
        if connection.execute(_HAVE, {"turn": turn}).first() is not None:
            return True
        connection.execute(_FORGET, {"name": host})
        if connection.execute(_COUNT, {"name": host}).scalar_one() >= self._limit:
            return False
        connection.execute(_TAKE, {"name": host, "who": self._holder, "turn": turn})
        connection.execute(_TELL, {"name": host})
        return True

    def _give_back(self, host: str, turn: str) -> None:
        def work(connection: Connection) -> None:
            connection.execute(_LOCK, {"name": host})
            connection.execute(_GIVE_BACK, {"turn": turn})
            connection.execute(_TELL, {"name": host})

        try:
            self._database.write(work)
        except LocalFault as fault:
            _LOG.warning("a turn at %s is given back when its lease runs out: %s", host, fault)

    def _beat(self) -> None:
        while not self._leave.wait(_BEAT_SECONDS):
            held = list(self._held)
            if not held:
                continue
            try:
                self._database.write(lambda connection, held=held: connection.execute(_BEAT, {"held": held}))
            except LocalFault as fault:
                _LOG.warning("turns at hosts: %s", fault)
