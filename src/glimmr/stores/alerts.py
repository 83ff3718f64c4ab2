"""Which alerts are open, since when, and the notices of them that are to be sent: once for a whole fleet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from glimmr.stores.tables import OPEN, alert_notices, alerts

_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 30, 3600
_GIVEN_UP = timedelta(days=1)
_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert that is open or was: `fired_at` None while its condition does not yet hold for long enough."""

    id: int
    name: str
    subject: str
    text: str
    seen_at: datetime
    looked_at: datetime
    fired_at: datetime | None
    cleared_at: datetime | None


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A notice that is to be sent now by whoever holds this."""

    id: int
    channel: str
    notice: dict[str, Any]
    made_at: datetime
    tries: int


def is_kept(connection: Connection) -> bool:
    """Whether this database has a place for alerts: an older version's has none until a worker of this one starts."""
    return connection.dialect.has_table(connection, alerts.name)


def see(connection: Connection, name: str, seen: Mapping[str, str], now: datetime) -> None:
    """Write down that the alert's condition holds, for each subject with what was seen of it."""
    for subject, text in seen.items():
        opened = _INSERT[connection.dialect.name](alerts).values(
            name=name, subject=subject, text=text, seen_at=now, looked_at=now
        )
        kept = {"text": text, "looked_at": now}
        connection.execute(
            opened.on_conflict_do_update(index_elements=[alerts.c.name, alerts.c.subject], index_where=OPEN, set_=kept)
        )


def fire(connection: Connection, name: str, for_seconds: float, now: datetime) -> list[Seen]:
    """The alert's subjects whose condition holds for so long: they fire from now on, each is given to one caller."""
    ripe = (alerts.c.name == name, OPEN, alerts.c.fired_at.is_(None))
    since = now - timedelta(seconds=for_seconds)
    fired = update(alerts).where(*ripe, alerts.c.seen_at <= since).values(fired_at=now).returning(*alerts.c)
    return sorted((Seen(*row) for row in connection.execute(fired)), key=lambda one: one.id)


def clear(connection: Connection, name: str, but: Collection[str], now: datetime) -> list[Seen]:
    """The alert's subjects that fired and are not among these any more; what never fired is forgotten."""
    gone = (alerts.c.name == name, OPEN, alerts.c.subject.not_in(but))
    connection.execute(delete(alerts).where(*gone, alerts.c.fired_at.is_(None)))
    cleared = update(alerts).where(*gone).values(cleared_at=now).returning(*alerts.c)
    return sorted((Seen(*row) for row in connection.execute(cleared)), key=lambda one: one.id)


def looked_at_since(connection: Connection, name: str, since: datetime) -> list[str]:
    """The open subjects of the alert that somebody has looked at since then."""
    return list(
        connection.execute(
            select(alerts.c.subject).where(alerts.c.name == name, OPEN, alerts.c.looked_at > since)
        ).scalars()
    )


def opened(connection: Connection) -> list[Seen]:
    """The alerts that are open, oldest first."""
    found = select(alerts).where(OPEN).order_by(alerts.c.id)
    return [Seen(*row) for row in connection.execute(found)]


def past(connection: Connection, most: int) -> list[Seen]:
    """The alerts that fired and do so no longer, newest first."""
    found = select(alerts).where(alerts.c.cleared_at.is_not(None)).order_by(alerts.c.id.desc()).limit(most)
    return [Seen(*row) for row in connection.execute(found)]


def remember(connection: Connection, name: str, subject: str, text: str, *, since: datetime, now: datetime) -> None:
    """Write down an alert that fired and cleared while nothing could be written."""
    past_one = {"seen_at": since, "looked_at": now, "fired_at": since, "cleared_at": now}
    connection.execute(insert(alerts).values(name=name, subject=subject, text=text, **past_one))


def put_notices(connection: Connection, channels: Sequence[str], notice: Mapping[str, Any], now: datetime) -> None:
    """A notice for each of these channels, to be sent now."""
    for channel in channels:
        row = {"channel": channel, "notice": dict(notice), "made_at": now, "tries": 0, "try_at": now}
        connection.execute(insert(alert_notices).values(row))


def take_notice(connection: Connection, channels: Collection[str], now: datetime) -> DueNotice | None:
    """The first notice that is due on one of these channels, for this caller alone.

    Should he die over it, another tries again after a while.
    """
    about = (
        alert_notices.c.id,
        alert_notices.c.channel,
        alert_notices.c.notice,
        alert_notices.c.made_at,
        alert_notices.c.tries,
    )
    first = (
        select(*about)
        .where(alert_notices.c.try_at <= now, alert_notices.c.channel.in_(channels))
        .order_by(alert_notices.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(first).one_or_none()
    if row is None:
        return None
    found = DueNotice(*row)
    again_at = now + timedelta(seconds=min(_BACKOFF_SECONDS * 2**found.tries, _LONGEST_BACKOFF_SECONDS))
    mine = update(alert_notices).where(alert_notices.c.id == found.id)
    connection.execute(mine.values(try_at=again_at, tries=found.tries + 1))
    return found


def end_try(connection: Connection, due: DueNotice, fault: str | None, now: datetime) -> None:
    """The notice was sent (no fault), or why it was not; after a day nobody tries any more."""
    mine = update(alert_notices).where(alert_notices.c.id == due.id, alert_notices.c.sent_at.is_(None))
    if fault is None:
        connection.execute(mine.values(sent_at=now, try_at=None, fault=None))
        return
    over = {"try_at": None} if now - due.made_at > _GIVEN_UP else {}
    connection.execute(mine.values(fault=fault, **over))


def undelivered(connection: Connection) -> list[dict[str, Any]]:
    """The notices that could not be sent (so far): `channel, tries, fault, made_at, try_at`, oldest first."""
    columns = (alert_notices.c[name] for name in ("channel", "tries", "fault", "made_at", "try_at"))
    found = select(*columns).where(alert_notices.c.sent_at.is_(None), alert_notices.c.fault.is_not(None))
    return [dict(row) for row in connection.execute(found.order_by(alert_notices.c.id)).mappings()]


def forget_old(connection: Connection, now: datetime) -> None:
    """Remove what is over for long."""
    connection.execute(delete(alerts).where(alerts.c.cleared_at < now - _KEPT))
    connection.execute(delete(alert_notices).where(alert_notices.c.made_at < now - _KEPT))
