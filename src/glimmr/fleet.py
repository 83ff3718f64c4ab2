"""What the three URLs mean: one machine or a fleet, and where the database and jobs' messages then are."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glimmr.errors import StorageFault, UsageError
from glimmr.jobs.engines import Engine
from glimmr.settings import Settings
from glimmr.stores.database import Database, sqlite_url

_WHAT = {
    "database_url": "the PostgreSQL all its processes share",
    "store_url": "where all of them keep bytes and prices: an object store's URL, or a folder all of them see",
}


def is_fleet(settings: Settings) -> bool:
    """Whether several processes work together. Raises UsageError naming the setting that is missing or wrong.

    A fleet needs PostgreSQL and a shared store. With Redis one process looks for work for all; without it each does.
    """
    given = [name for name in ("database_url", "redis_url", "store_url") if getattr(settings, name)]
    if not given:
        return False
    if settings.database_url and not settings.database_url.startswith("postgresql"):
        raise UsageError("GLIMMR_DATABASE_URL is not a fleet's: it looks like postgresql://user@host/name")
    for name, what in _WHAT.items():
        if name not in given:
            raise UsageError(
                f"{_names(given)} {'is' if len(given) == 1 else 'are'} set, so this is a fleet, and a fleet needs"
                f" {_names([name])}, too: {what} (or unset {_names(given)} to work on one machine)"
            )
    return True


def must_be_something(settings: Settings) -> None:
    """Raises UsageError when there is no database on this machine yet to look into."""
    if not is_fleet(settings) and not (settings.data / "glimmr.sqlite").exists():
        raise nothing_yet(settings)


def nothing_yet(settings: Settings) -> UsageError:
    """What to do where nothing was begun."""
    return UsageError(
        f"there is nothing in {settings.data} yet: `glimmr run --state VT` fills it, or name another --data"
    )


def database(settings: Settings, **how: Any) -> Database:
    """The fleet's PostgreSQL, or the file in the data folder. Raises UsageError when it cannot be one."""
    if not is_fleet(settings):
        return Database(sqlite_url(settings.data / "glimmr.sqlite"), **how)
    with _installed("GLIMMR_DATABASE_URL"):
        return Database(settings.database_url, **how)


def must_be_mounted(settings: Settings) -> None:
    """Raise StorageFault when a fleet's store is a folder that is not there: to readers it would look empty."""
    folder = settings.store_url.removeprefix("file://")
    if is_fleet(settings) and "://" not in folder and not Path(folder).is_dir():
        raise StorageFault(
            f"the store {folder} (GLIMMR_STORE_URL) is not there: mount it, or let `glimmr run` make it the first time"
        )


def engine(settings: Settings) -> Engine | None:
    """What brings this process its jobs; None: it looks into the ledger itself. Raises UsageError."""
    if not settings.redis_url or not is_fleet(settings):
        return None
    with _installed("GLIMMR_REDIS_URL"):
        from glimmr.jobs.engines.docket import DocketEngine  # noqa: PLC0415 - slow, and only a fleet has it
    return DocketEngine(
        settings.redis_url,
        family=settings.redis_family,
        timeout_seconds=settings.redis_timeout_seconds,
        max_connections=settings.redis_max_connections,
    )


def redis_status(settings: Settings) -> dict[str, Any] | None:
    """What Redis says of itself and of every connection of ours, asked now; None: there is none. Raises UsageError."""
    if not settings.redis_url or not is_fleet(settings):
        return None
    with _installed("GLIMMR_REDIS_URL"):
        from glimmr.jobs.engines.address_family import look_up_only  # noqa: PLC0415 - as `engine`
        from glimmr.jobs.engines.redis_health import RedisHealth  # noqa: PLC0415 - as `engine`

    async def ask() -> dict[str, Any]:
        look_up_only(settings.redis_family, settings.redis_url)
        health = RedisHealth(
            settings.redis_url, client_name="glimmr-status", timeout_seconds=settings.redis_timeout_seconds
        )
        try:
            return asdict(await health.check())
        finally:
            await health.close()

    return asyncio.run(ask())


@contextmanager
def _installed(name: str) -> Generator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"{name} needs what is not installed ({error.name}): glimmr[fleet]") from None


def _names(settings_names: list[str]) -> str:
    return " and ".join(f"GLIMMR_{name.upper()}" for name in settings_names)
