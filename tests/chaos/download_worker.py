"""A process that only downloads, on a ledger that it shares with others: what tests/chaos/test_polite.py starts."""

import asyncio
import os
import sys
from contextlib import closing
from pathlib import Path

from glimmr.jobs.worker import work
from glimmr.net import Client
from glimmr.net.hosts import Hosts
from glimmr.pipeline import line
from glimmr.pipeline.download_step import DownloadStep
from glimmr.pipeline.heads import Heads
from glimmr.pipeline.parts import Parts
from glimmr.settings import Settings, load
from glimmr.stores.blobs import Blobs
from glimmr.stores.database import Database
from glimmr.stores.hosts import HostBook
from glimmr.stores.lake import Lake
from glimmr.stores.turns import FleetTurns


async def _download(settings: Settings, database: Database, client: Client, folder: Path) -> None:
    parts = Parts(
        settings=settings,
        database=database,
        blobs=Blobs(folder / "blobs"),
        lake=Lake(folder / "lake"),
        client=client,
        sources={},
        scratch=folder / f"scratch-{os.getpid()}",
        partials=folder / "partial",
        heads=Heads(settings, folder),
        alone=False,
    )
    await work(
        database,
        {"download": DownloadStep(parts)},
        {"download": settings.downloads},
        decide=line.decider(settings),
        until_idle=True,
        stop=asyncio.Event(),
        terms=line._terms(settings),
        alone=False,
    )


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    settings = load()
    with closing(Database(url)) as database:
        turns = FleetTurns(database, settings.connections_per_host, f"p{os.getpid()}")
        hosts = Hosts(turns, HostBook(database), scale=settings.retry_scale)
        with closing(turns), closing(Client(settings, hosts)) as client:
            asyncio.run(_download(settings, database, client, folder))


if __name__ == "__main__":
    main()
