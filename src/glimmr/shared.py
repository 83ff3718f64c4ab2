"""What the processes of a fleet share, and one process on a machine has to itself: bytes, prices, hosts, scratch."""

import os
import shutil
import socket
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from glimmr import fleet
from glimmr.errors import UsageError
from glimmr.net.hosts import Hosts
from glimmr.net.politeness import LocalPoliteness
from glimmr.settings import Settings
from glimmr.stores.blobs import Blobs
from glimmr.stores.database import Database
from glimmr.stores.folder_lock import FolderLock
from glimmr.stores.hosts import HostBook
from glimmr.stores.lake import Lake
from glimmr.stores.scratch import PARTIALS, scratch_of
from glimmr.stores.turns import FleetTurns


def blobs(settings: Settings) -> Blobs:
    """Where bytes are kept."""
    return Blobs(_shelf(settings, "blobs"), settings.store_timeout_seconds)


def lake(settings: Settings) -> Lake:
    """Where the price table is."""
    return Lake(_shelf(settings, "lake"), settings.store_timeout_seconds)


@contextmanager
def hosts(settings: Settings, database: Database) -> Generator[Hosts]:
    """What is known of the hosts that are asked; in a fleet all processes count as one."""
    book = HostBook(database)
    known = partial(Hosts, book=book, scale=settings.retry_scale, crawl_delay_seconds=settings.crawl_delay_seconds)
    if not fleet.is_fleet(settings):
        yield known(LocalPoliteness(settings.connections_per_host))
        return
    with closing(FleetTurns(database, settings.connections_per_host, f"{socket.gethostname()}-{os.getpid()}")) as turns:
        yield known(turns)


@contextmanager
def own_scratch(settings: Settings) -> Generator[Path]:
    """A scratch folder of this process alone, gone afterwards; those that dead processes left are swept away."""
    root = scratch_of(settings)
    mine = root / f"{socket.gethostname()}-{os.getpid()}"
    lock = FolderLock.take(mine)
    if lock is None:
        raise UsageError(f"another process works in {mine}: name another folder with --data")
    with lock:
        for other in root.iterdir():
            if other.is_dir() and not other.is_symlink() and other not in (mine, root / PARTIALS):
                _sweep(other)
        try:
            yield mine
        finally:
            shutil.rmtree(mine, ignore_errors=True)


def _sweep(folder: Path) -> None:
    lock = FolderLock.take(folder)
    if lock is not None:
        with lock:
            shutil.rmtree(folder, ignore_errors=True)


def _shelf(settings: Settings, name: str) -> str | Path:
    if not fleet.is_fleet(settings):
        return settings.data / name
    return f"{settings.store_url.rstrip('/')}/{name}"
