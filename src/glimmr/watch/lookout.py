"""Looks at every alert again and again, writes down what fires and clears, and sends the notices: once for a fleet."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from glimmr import events
from glimmr.errors import DatabaseFault, LocalFault
from glimmr.jobs import appointments
from glimmr.settings import Settings
from glimmr.stores import alerts as book
from glimmr.stores.alerts import DueNotice, Seen
from glimmr.stores.database import Connection, Database
from glimmr.watch import facts
from glimmr.watch.alerts import ALERTS, Alert
from glimmr.watch.channels import Channel
from glimmr.watch.health import Checkup, down
from glimmr.watch.notice import notice_of
from glimmr.watch.outage import Outage

EVERY_SECONDS = 30.0
_FORGOTTEN_SECONDS = 600.0  # nobody answers any more for what a machine said so long ago
_MOST_NOTICES = 100
_LOG = logging.getLogger(__name__)


def standing(database: Database, settings: Settings, checkup: Checkup) -> list[dict[str, Any]]:
    """Every alert whose condition holds now, since when, and whether it has fired; nothing is written or sent."""
    broken = down(checkup.look())
    now = database.read(appointments.now)
    known, opened = database.read(
        lambda connection: (facts.read(connection, settings, now, broken), book.opened(connection))
    )
    kept = {(one.name, one.subject): one for one in opened}
    told = list[dict[str, Any]]()
    for alert in ALERTS:
        others = {
            one.subject: one.text
            for one in opened
            if alert.local and one.name == alert.name and one.subject not in known.disks
        }
        for subject, text in (others | dict(alert.condition(known))).items():
            one = kept.get((alert.name, subject))
            since, fired_at = (one.seen_at, one.fired_at) if one else (None, None)
            told.append(
                {"alert": alert.name, "subject": subject, "severity": alert.severity, "seen": text, "act": alert.act}
                | {"since": since, "fired_at": fired_at}
            )
    return told


class Lookout(threading.Thread):
    """A worker's, in a thread of its own, so that no slow part and no slow mail server holds up work.

    The leading worker looks at everything, every other one at its own machine; what is open is in the database, so that
    who fires it is one, and a notice that could not be sent is tried again by whoever is there.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        channels: Sequence[Channel],
        checkup: Checkup,
        *,
        every_seconds: float = EVERY_SECONDS,
        clock: Callable[[Connection], datetime] = appointments.now,
    ) -> None:
        super().__init__(name="lookout", daemon=True)
        self._database, self._settings, self._clock = database, settings, clock
        self._channels = {channel.name: channel for channel in channels}
        self._checkup, self._every_seconds = checkup, every_seconds
        self._outage = Outage(channels)
        self._woken = threading.Event()
        self._leading = self._led = self._stopping = False

    def lead(self, leading: bool) -> None:
        """Say whether this worker leads now; nobody does while the database does not answer."""
        self._leading = leading

    def stop(self) -> None:
        """End soon."""
        self._stopping = True
        self._woken.set()

    def run(self) -> None:
        """Until stopped; a look that fails is followed by the next one."""
        while not self._stopping:
            self._woken.wait(self._every_seconds)
            if self._stopping:
                return
            try:
                self.look(everything=self._leading)
            except LocalFault as fault:
                _LOG.info("alerts are left for the next look: %s", fault)
            except Exception:  # noqa: BLE001 - whatever it was, the next look is due all the same
                _LOG.exception("the lookout stumbled; it looks again soon")

    def look(self, *, everything: bool = True) -> None:
        """Look once at every alert, or at this machine's, then send what is due. Raises a LocalFault."""
        broken = down(self._checkup.look(only=None if everything else ("database",)))
        if "database" in broken:
            if everything or self._led:
                self._outage.goes_on(broken["database"])
            raise DatabaseFault(broken["database"])
        self._led = everything
        if (over := self._outage.over()) is not None:
            self._remember(*over)
        self._judge(broken, everything=everything)
        self._send()

    def _judge(self, broken: Mapping[str, str], *, everything: bool) -> None:
        now = self._database.read(self._clock)
        if everything:
            known = self._database.read(lambda connection: facts.read(connection, self._settings, now, broken))
        else:
            known = facts.read_local(self._settings, now)
        judged = {alert: alert.condition(known) for alert in ALERTS if everything or alert.local}

        def work(connection: Connection) -> tuple[list[tuple[Alert, Seen]], list[tuple[Alert, Seen]]]:
            fired, cleared = list[tuple[Alert, Seen]](), list[tuple[Alert, Seen]]()
            for alert, seen in judged.items():
                book.see(connection, alert.name, seen, now)
                others = self._of_others(connection, alert, known.disks, now) if alert.local else []
                cleared += [(alert, one) for one in book.clear(connection, alert.name, [*seen, *others], now)]
                fired += [(alert, one) for one in book.fire(connection, alert.name, alert.for_seconds, now)]
            for alert, one in (*fired, *cleared):
                book.put_notices(connection, tuple(self._channels), notice_of(alert, one), now)
            book.forget_old(connection, now)
            return fired, cleared

        fired, cleared = self._database.write(work)
        for event, several in ((events.ALERT_FIRED, fired), (events.ALERT_CLEARED, cleared)):
            for alert, one in several:
                events.tell(event, alert=alert.name, subject=one.subject, severity=alert.severity, message=one.text)

    def _of_others(self, connection: Connection, alert: Alert, mine: Collection[str], now: datetime) -> list[str]:
        """What other processes say of their folders is theirs to clear, while they say anything."""
        since = now - timedelta(seconds=_FORGOTTEN_SECONDS)
        return [one for one in book.looked_at_since(connection, alert.name, since) if one not in mine]

    def _send(self) -> None:
        """Whatever is due, in order. A channel that fails has its other notices left for the next look."""
        left = set(self._channels)
        for _ in range(_MOST_NOTICES):
            if self._stopping or not left or (due := self._take(left)) is None:
                return
            fault = self._channels[due.channel].send(due.notice)
            self._end_try(due, fault)
            if fault is not None:
                _LOG.warning("an alert could not be sent (%s), and is tried again: %s", due.channel, fault)
                left.discard(due.channel)

    def _take(self, names: Collection[str]) -> DueNotice | None:
        return self._database.write(lambda connection: book.take_notice(connection, names, self._clock(connection)))

    def _end_try(self, due: DueNotice, fault: str | None) -> None:
        self._database.write(lambda connection: book.end_try(connection, due, fault, self._clock(connection)))

    def _remember(self, text: str, began_at: datetime) -> None:
        told: dict[str, Any] = {"name": "component_down", "subject": "database", "text": text}
        self._database.write(
            lambda connection: book.remember(connection, **told, since=began_at, now=datetime.now(UTC))
        )
