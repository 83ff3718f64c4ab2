"""Builds what watches: the looks at every component, alerts, metrics, and the server that tells them."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from glimmr import fleet, shared
from glimmr.errors import UsageError
from glimmr.jobs.job import Terms
from glimmr.settings import Settings
from glimmr.steps import ROOMS
from glimmr.stores import alerts as book
from glimmr.stores.database import Database
from glimmr.watch import crash_points
from glimmr.watch.channels import channels
from glimmr.watch.checks import machine, stores, work
from glimmr.watch.health import Checkup, Health, Round, Seen
from glimmr.watch.lookout import Lookout, standing
from glimmr.watch.notice import trial
from glimmr.watch.redaction import Redactor

_LIMIT_SECONDS = 5.0
_FRESH_SECONDS = 5.0
_MOST_PAST = 50


def health(settings: Settings) -> tuple[Health, ...]:
    """How every component is, looked at once, now. Raises UsageError when there is nothing yet to look at."""
    _must_be_something(settings)
    with checkup(settings) as asks:
        return asks.look()


@contextmanager
def checkup(settings: Settings) -> Generator[Checkup]:
    """What looks at every component whenever it is told to, while in the block."""
    with _looking(settings) as database:
        yield _checkup(settings, database, _LIMIT_SECONDS)


def alerts(settings: Settings) -> dict[str, Any]:
    """The alerts whose condition holds now, those that are over, and the notices that could not be sent.

    Raises UsageError when there is nothing yet to look at, as `look_out`.
    """
    with _looking_out(settings) as database, checkup(settings) as asks:
        now = standing(database, settings, asks)
        over, undelivered = database.read(lambda c: (book.past(c, _MOST_PAST), book.undelivered(c)))
    return {"standing": now, "over": [asdict(one) for one in over], "undelivered": undelivered}


def look_out(settings: Settings) -> None:
    """Look at every alert once, as a worker does, and send what is due: for who has no worker that lives."""
    with (
        _looking_out(settings) as database,
        checkup(settings) as asks,
        crash_points.heeded(settings.crash_at),
    ):
        Lookout(database, settings, channels(settings), asks).look()


def try_channels(settings: Settings) -> list[dict[str, Any]]:
    """Send a test by each channel: `channel, where, fault` (None: it was sent). Raises UsageError: there is none."""
    found = channels(settings)
    if not found:
        raise UsageError("nobody would be told: set GLIMMR_ALERT_WEBHOOK, or GLIMMR_ALERT_MAIL and GLIMMR_SMTP_URL")
    return [{"channel": one.name, "where": one.where, "fault": one.send(trial())} for one in found]


@contextmanager
def ops(settings: Settings) -> Generator["Watch | None"]:
    """Look after everything, and answer, while in the block. None: the setting says `off`.

    Raises UsageError when the address cannot be listened at.
    """
    if settings.ops_address == "off":
        yield None
        return
    from glimmr.watch.ops import Ops  # noqa: PLC0415 - only who is watched needs what these bring
    from glimmr.watch.scrape import Scrape  # noqa: PLC0415 - as above

    with _looking(settings) as database:
        asks = _checkup(settings, database, min(_LIMIT_SECONDS, max(1.0, settings.health_seconds)))
        with (
            closing(Scrape(database, asks, settings, _terms(settings))) as scrape,
            closing(Ops(settings.ops_address, asks, scrape.text)) as server,
            closing(Round(asks, settings.health_seconds)) as round_,
        ):
            yield Watch(server.url, asks, server.beat, round_.start)


class Watch:
    """What the process that is watched has to do for it. `checkup` is for whoever else in it wants to look."""

    def __init__(self, url: str, checkup: Checkup, beat: Callable[[], None], start: Callable[[], None]) -> None:
        self.url, self.checkup, self._beat, self._start = url, checkup, beat, start

    @asynccontextmanager
    async def over(self) -> AsyncGenerator[None]:
        """Say once a second that this event loop runs, while in the block."""
        self._start()
        beating = asyncio.create_task(self._beats(), name="ops beat")
        try:
            yield
        finally:
            beating.cancel()

    async def _beats(self) -> None:
        while True:
            self._beat()
            await asyncio.sleep(1.0)


@contextmanager
def _looking(settings: Settings) -> Generator[Database]:
    """Connections of its own: a look must not wait behind the work, nor be repeated until it fits."""
    with closing(fleet.database(settings, patience_seconds=0.0, connections=2)) as database:
        yield database


@contextmanager
def _looking_out(settings: Settings) -> Generator[Database]:
    """What alerts are judged by and written down in, waited for as work does."""
    _must_be_something(settings)
    with closing(fleet.database(settings)) as database:
        if not database.read(book.is_kept):
            raise UsageError(
                "an older version wrote this database, which has no place for alerts: start `glimmr serve` or `worker`"
            )
        yield database


def _must_be_something(settings: Settings) -> None:
    """The owner of a folder whose rights are lost hears what is broken; anybody else, whom to ask."""
    fleet.must_be_something(settings)
    folder = settings.data
    if not fleet.is_fleet(settings) and not os.access(folder, os.W_OK) and folder.stat().st_uid != os.geteuid():
        raise UsageError(
            f"nothing can be written in {folder}, which is another user's, and looking at its parts needs that: ask as"
            " its owner, or who works there, at GLIMMR_OPS_ADDRESS (/healthz)"
        )


def _checkup(settings: Settings, database: Database, limit_seconds: float) -> Checkup:
    quick = settings.model_copy(update={"store_timeout_seconds": min(limit_seconds, settings.store_timeout_seconds)})
    terms, carrier = _terms(settings), "redis" if settings.redis_url else "database"
    asked: dict[str, Callable[[], Seen]] = {
        "database": partial(stores.database, database),
        "blobs": partial(stores.blobs, shared.blobs(quick)),
        "lake": partial(stores.lake, shared.lake(quick)),
        "engine": partial(work.engine, database, ROOMS, terms, carried_by=carrier),
        "workers": partial(work.workers, database, ROOMS, terms),
        "queues": partial(work.queues, database),
        "jobs": partial(work.jobs, database),
        "files": partial(work.files, database),
        "disk": partial(machine.disk, settings),
        "clock": partial(machine.clock, database),
    }
    if settings.redis_url:
        asked["redis"] = partial(stores.redis, partial(fleet.redis_status, settings))
    fresh_seconds = min(_FRESH_SECONDS, settings.health_seconds / 2)
    return Checkup(asked, limit_seconds=limit_seconds, fresh_seconds=fresh_seconds, hide=Redactor(settings).text)


def _terms(settings: Settings) -> Terms:
    return Terms(lease_seconds=settings.lease_seconds, connections_per_host=settings.connections_per_host)
