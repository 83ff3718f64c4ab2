"""What is known of hosts: turns at them, whether one rests, and how it wants to be asked."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

from glimmr.errors import (
    ConnectionRefused,
    ConnectionReset,
    ConnectTimeout,
    EmptyReply,
    FetchError,
    HeaderTimeout,
    HostRests,
    HttpError,
    NameLookupFailed,
    RateLimited,
    ServerError,
    Unavailable,
)
from glimmr.model import Pace, Standing
from glimmr.net import breaker, pace
from glimmr.net.breaker import GOOD
from glimmr.net.politeness import LocalPoliteness, Politeness, Waiting
from glimmr.retry import SERVER_WAIT_SECONDS

# What says something about a host, not about one file of it, and may pass by itself.
_ILL = (
    ConnectTimeout, ConnectionRefused, ConnectionReset, EmptyReply, HeaderTimeout, NameLookupFailed, ServerError,
    RateLimited, Unavailable,
)  # fmt: skip
_LOOK_UP_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0  # in a slot; who would wait longer is put off


class Book(Protocol):
    """Where what is known of hosts is written down. `stores` has one for all processes of a fleet."""

    def standing(self, host: str) -> Standing:
        """How a host stands, as far as is known here; may be a few seconds old while it stands well."""
        ...

    def change(self, host: str, change: Callable[[Standing], Standing]) -> Standing:
        """Apply a pure change to how it stands now, and return that: nobody else's change comes in between."""
        ...

    def ways(self, host: str) -> frozenset[str]:
        """The other ways of asking that helped before."""
        ...

    def remember(self, host: str, ways: Collection[str]) -> None:
        """These ways helped."""
        ...


class Hosts:
    """Asks the book before each request and tells it afterwards. `scale` stretches how long a host rests.

    A Crawl-delay is kept up to `crawl_delay_seconds`; 0: nobody looks into a robots.txt.
    """

    def __init__(
        self, politeness: Politeness, book: Book | None = None, *, scale: float = 1.0, crawl_delay_seconds: float = 0.0
    ) -> None:
        self._book = book or LocalBook()
        self._scale, self._crawl_delay_seconds = scale, crawl_delay_seconds
        self.turn, self.when_let_go = politeness.turn, politeness.when_let_go
        self.ways, self.remember = self._book.ways, self._book.remember

    def check(self, host: str) -> None:
        """Raises HostRests while a host is left alone; who comes first afterwards is the probe."""
        if not self._book.standing(host).is_open:
            return
        now, wait_seconds = time.time(), 0.0

        def ask(standing: Standing) -> Standing:
            nonlocal wait_seconds
            wait_seconds, after = breaker.may_ask(standing, now, scale=self._scale)
            return after

        self._book.change(host, ask)
        if wait_seconds:
            raise HostRests(f"{host} failed again and again: it is left alone", seconds=wait_seconds)

    def keep_pace(self, host: str, waiting: Waiting) -> None:
        """Wait until the next request may be sent. Raises HostRests when so many wait that it would take long."""
        wait_seconds = 0.0

        def queue(standing: Standing) -> Standing:
            nonlocal wait_seconds
            wait_seconds, after = pace.take(self._capped(standing.pace), time.time())
            return standing if wait_seconds > _LONGEST_WAIT_SECONDS else replace(standing, pace=after)

        if not self._capped(self._book.standing(host).pace).gap_seconds:
            return
        self._book.change(host, queue)
        if wait_seconds > _LONGEST_WAIT_SECONDS:
            raise HostRests(f"{host} wants a pause between two requests, and many wait", seconds=wait_seconds)
        until = time.monotonic() + wait_seconds
        while (left := until - time.monotonic()) > 0:
            waiting()
            time.sleep(min(left, _LOOK_UP_SECONDS))

    def takes_robots(self, host: str) -> bool:
        """Whether the caller is to look into its robots.txt: nobody has for a day. Nobody else is told to, then."""
        if not self._crawl_delay_seconds or not pace.is_robots_due(self._book.standing(host).pace, time.time()):
            return False
        now, taken = time.time(), False

        def take(standing: Standing) -> Standing:
            nonlocal taken
            taken = pace.is_robots_due(standing.pace, now)
            return replace(standing, pace=replace(standing.pace, robots_at=now)) if taken else standing

        self._book.change(host, take)
        return taken

    def wants(self, host: str, crawl_seconds: float) -> None:
        """So long a pause its robots.txt asks for."""
        now = time.time()

        def heed(standing: Standing) -> Standing:
            kept = self._capped(replace(standing.pace, crawl_seconds=crawl_seconds))
            return replace(standing, pace=replace(kept, next_at=max(kept.next_at, now + kept.crawl_seconds)))

        if crawl_seconds or self._book.standing(host).pace.crawl_seconds:
            self._book.change(host, heed)

    def _capped(self, wanted: Pace) -> Pace:
        return replace(wanted, crawl_seconds=min(wanted.crawl_seconds, self._crawl_delay_seconds))

    def look(self, host: str) -> None:
        """Raises HostRests while a host is left alone; who only looks does not become the probe."""
        wait_seconds, _ = breaker.may_ask(self._book.standing(host), time.time(), scale=self._scale)
        if wait_seconds:
            raise HostRests(f"{host} failed again and again: it is left alone", seconds=wait_seconds)

    def answered(self, host: str) -> None:
        """It answered as it should."""
        standing = self._book.standing(host)
        if standing.failures or standing.is_open or standing.pace.slower_seconds:
            now = time.time()
            self._book.change(host, lambda standing: self._after_success(standing, now))

    def _after_success(self, standing: Standing, now: float) -> Standing:
        after = breaker.after_success(standing, now)
        return replace(after, pace=pace.well(after.pace, scale=self._scale))

    def failed(self, host: str, error: FetchError) -> None:
        """It did not. What it said about one file is an answer, too."""
        now = time.time()
        if isinstance(error, RateLimited):
            scale = self._scale
            self._book.change(host, lambda at: replace(at, pace=pace.too_often(at.pace, scale=scale)))
        if isinstance(error, RateLimited | Unavailable) and error.retry_after_seconds is not None:
            least, most = SERVER_WAIT_SECONDS
            said = min(max(error.retry_after_seconds, least), most)
            self._book.change(host, lambda standing: breaker.after_wait(standing, now, said))
        elif isinstance(error, _ILL):
            self._book.change(host, lambda standing: breaker.after_failure(standing, now, scale=self._scale))
        elif isinstance(error, HttpError):
            self.answered(host)


class LocalBook:
    """What this process knows, in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standings: dict[str, Standing] = {}
        self._ways: dict[str, frozenset[str]] = {}

    def standing(self, host: str) -> Standing:
        """How a host stands."""
        with self._lock:
            return self._standings.get(host, GOOD)

    def change(self, host: str, change: Callable[[Standing], Standing]) -> Standing:
        """Apply a change."""
        with self._lock:
            self._standings[host] = after = change(self._standings.get(host, GOOD))
            return after

    def ways(self, host: str) -> frozenset[str]:
        """The ways that helped."""
        with self._lock:
            return self._ways.get(host, frozenset())

    def remember(self, host: str, ways: Collection[str]) -> None:
        """These ways helped."""
        with self._lock:
            self._ways[host] = frozenset(ways)


def local_hosts(connections_per_host: int) -> Hosts:
    """What one process alone needs."""
    return Hosts(LocalPoliteness(connections_per_host))
