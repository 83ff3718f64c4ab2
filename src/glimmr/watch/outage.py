"""The one alert that cannot be written down: the database is away. Who led last tells it, from memory."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from glimmr import events
from glimmr.watch.alerts import ALERTS
from glimmr.watch.channels import Channel
from glimmr.watch.notice import notice

_ALERT = next(alert for alert in ALERTS if alert.name == "component_down")
_LOG = logging.getLogger(__name__)


class Outage:
    """For one process, and one thread of it."""

    def __init__(self, channels: Sequence[Channel], elapsed: Callable[[], float] = time.monotonic) -> None:
        self._channels, self._elapsed = channels, elapsed
        self._since: float | None = None
        self._began_at = datetime.now(UTC)
        self._fired = False
        self._text = ""
        self._untold = list[tuple[Channel, str]]()  # what is still to be said, and by which channel

    def goes_on(self, why: str) -> None:
        """The database does not answer (still)."""
        now = self._elapsed()
        if self._since is None:
            self._since, self._began_at = now, datetime.now(UTC)
        self._text = f"the database is down: {why}"
        if not self._fired and now - self._since >= _ALERT.for_seconds:
            self._fired = True
            self._say("fired", events.ALERT_FIRED)
        self._send()

    def over(self) -> tuple[str, datetime] | None:
        """It answers. What is to be written down of an outage that fired: what it was, and since when."""
        fired, self._fired, self._since = self._fired, False, None
        if fired:
            self._say("cleared", events.ALERT_CLEARED)
        self._send()
        return (self._text, self._began_at) if fired else None

    def _say(self, state: str, event: events.Event) -> None:
        self._untold += [(channel, state) for channel in self._channels]
        events.tell(event, alert=_ALERT.name, subject="database", severity=_ALERT.severity, message=self._text)

    def _send(self) -> None:
        """In order; what could not be sent is tried again with the next look."""
        untold, self._untold = self._untold, []
        failed = set[str]()
        for channel, state in untold:
            since = self._began_at.isoformat(timespec="seconds")
            told = notice(_ALERT, state, subject="database", seen=self._text, since=since)
            fault = "it failed just now" if channel.name in failed else channel.send(told)
            if fault is not None:
                _LOG.warning("an alert could not be sent (%s), and is tried again: %s", channel.name, fault)
                failed.add(channel.name)
                self._untold.append((channel, state))
