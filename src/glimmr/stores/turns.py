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
_LINGER_SECONDS = 0.5  # enough for the process's next job at that host, and short for who waits elsewhere
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

    A turn stays with its process for a moment after its use, and with it the idle connection: the next request there
    needs neither a transaction nor a handshake. Then whom `when_let_go` named closes that, and the turn is given back.
    """

    def __init__(self, database: Database, connections_per_host: int, holder: str) -> None:
        self._database, self._limit, self._holder = database, connections_per_host, holder
        self._held: set[str] = set()
        self._lingering: list[tuple[float, str, str]] = []  # until when, host, turn; the one used last comes last
        self._changed = threading.Condition()
        self._let_go: Callable[[str], None] = _nobody
        self._leave = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="host turns", daemon=True)
        self._beating.start()
        self._leaving = threading.Thread(target=self._give_back_in_time, name="idle turns", daemon=True)
        self._leaving.start()

    def when_let_go(self, close_idle: Callable[[str], None]) -> None:
        """Call that with the host before a turn is given back that had lingered."""
        self._let_go = close_idle

    @contextmanager
    def turn(self, host: str, waiting: Callable[[], None]) -> Generator[None]:
        """Wait for a turn at `host` and hold it for the length of the context. Raises DatabaseFault."""
        turn = self._wait_for(host, waiting)
        self._held.add(turn)
        try:
            yield
        except BaseException:
            self._let_go(host)  # its connection is closed, but perhaps it did not get so far as to use it
            self._give_back(host, turn)
            raise
        with self._changed:
            self._lingering.append((time.monotonic() + _LINGER_SECONDS, host, turn))
            self._changed.notify_all()

    def close(self) -> None:
        """Give back what lingers, and extend no more leases."""
        self._leave.set()
        with self._changed:
            self._changed.notify_all()
        self._leaving.join()
        self._beating.join()

    def _wait_for(self, host: str, waiting: Callable[[], None]) -> str:
        new = uuid4().hex
        while True:
            lingered = self._lingered(host)
            if lingered is not None:
                return lingered
            if self._database.write(lambda connection: self._take(connection, host, new)):
                return new
            waiting()
            with self._changed:
                self._changed.wait(_LOOK_SECONDS)

    def _lingered(self, host: str) -> str | None:
        """One that is still ours: after a time in which this process stood still, its lease may have run out."""
        with self._changed:
            now = time.monotonic()
            for place, (until, where, turn) in enumerate(self._lingering):
                if where == host and until > now:
                    del self._lingering[place]
                    return turn
        return None

    def _give_back_in_time(self) -> None:
        while True:
            with self._changed:
                now = float("inf") if self._leave.is_set() else time.monotonic()
                over = [one for one in self._lingering if one[0] <= now]
                self._lingering = [one for one in self._lingering if one[0] > now]
                if not over:
                    if self._leave.is_set():
                        return
                    self._changed.wait(self._lingering[0][0] - now if self._lingering else None)
            for _, host, turn in over:
                self._let_go(host)
                self._give_back(host, turn)

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

        self._held.discard(turn)
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


def _nobody(_: str) -> None:
    """There are no connections to close."""
