"""Builds what watches: the looks at every component, metrics, and the server that tells both."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from urllib.parse import unquote, urlsplit

from glimmr import fleet
from glimmr.errors import UsageError
from glimmr.jobs.job import Terms
from glimmr.settings import Settings
from glimmr.stores.database import Database
from glimmr.watch.checks import machine, stores, work
from glimmr.watch.health import Checkup, Health, Round, Seen

_STEPS = ("scan", "download", "parse", "publish")  # what waits for its schedule waits for nobody
_LIMIT_SECONDS = 5.0
_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_KEY")
_SHORTEST_SECRET = 4  # letters: less would take words out of sentences


def health(settings: Settings) -> tuple[Health, ...]:
    """How every component is, looked at once, now. Raises UsageError when there is nothing yet to look at."""
    if not fleet.is_fleet(settings) and not (settings.data / "glimmr.sqlite").exists():
        raise UsageError(
            f"there is nothing in {settings.data} yet: `glimmr run --state VT` fills it, or name another --data"
        )
    with _looking(settings) as database:
        return _checkup(settings, database, _LIMIT_SECONDS).look()


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
        checkup = _checkup(settings, database, min(_LIMIT_SECONDS, max(1.0, settings.health_seconds)))
        with (
            closing(Scrape(database, checkup, settings, _terms(settings))) as scrape,
            closing(Ops(settings.ops_address, checkup, scrape.text)) as server,
            closing(Round(checkup, settings.health_seconds)) as round_,
        ):
            yield Watch(server.url, server.beat, round_.start)


class Watch:
    """What the process that is watched has to do for it."""

    def __init__(self, url: str, beat: Callable[[], None], start: Callable[[], None]) -> None:
        self.url, self._beat, self._start = url, beat, start

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


def _checkup(settings: Settings, database: Database, limit_seconds: float) -> Checkup:
    quick = settings.model_copy(update={"store_timeout_seconds": min(limit_seconds, settings.store_timeout_seconds)})
    terms, carrier = _terms(settings), "redis" if settings.redis_url else "database"
    asked: dict[str, Callable[[], Seen]] = {
        "database": partial(stores.database, database),
        "blobs": partial(stores.blobs, fleet.blobs(quick)),
        "lake": partial(stores.lake, fleet.lake(quick)),
        "engine": partial(work.engine, database, _STEPS, terms, carried_by=carrier),
        "workers": partial(work.workers, database, _STEPS, terms),
        "queues": partial(work.queues, database),
        "jobs": partial(work.jobs, database),
        "files": partial(work.files, database),
        "disk": partial(machine.disk, settings),
        "clock": partial(machine.clock, database),
    }
    if settings.redis_url:
        asked["redis"] = partial(stores.redis, partial(fleet.redis_status, settings))
    return Checkup(asked, limit_seconds=limit_seconds, hide=_hider(settings))


def _terms(settings: Settings) -> Terms:
    return Terms(lease_seconds=settings.lease_seconds, connections_per_host=settings.connections_per_host)


def _hider(settings: Settings) -> Callable[[str], str]:
    """Takes out of a text the passwords and keys that we were given."""
    urls = (settings.database_url, settings.redis_url, settings.store_url)
    given = [urlsplit(url).password or "" for url in urls] + [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    secrets = {form for one in given for form in (one, unquote(one)) if len(form) >= _SHORTEST_SECRET}

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    return hide
