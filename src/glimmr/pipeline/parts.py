"""What the steps of the line work with: addresses of shelves and the web, opened per use."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from glimmr.jobs.engines import Engine
from glimmr.net import Client
from glimmr.pipeline.heads import Heads
from glimmr.scan import Source
from glimmr.settings import Settings
from glimmr.stores.blobs import Blobs
from glimmr.stores.database import Database
from glimmr.stores.lake import Lake


class Allowance:
    """How many addresses this run may still take up (`--limit`); without a limit, all."""

    def __init__(self, limit: int | None = None) -> None:
        self._left = limit
        self._lock = Lock()

    def take(self, wanted: int) -> int:
        """As many of `wanted` as are left."""
        with self._lock:
            if self._left is None:
                return wanted
            taken = min(wanted, self._left)
            self._left -= taken
            return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a step may reach; chosen and built by `app`."""

    settings: Settings
    database: Database
    blobs: Blobs
    lake: Lake
    client: Client
    sources: dict[str, Source]
    scratch: Path  # of this process alone
    partials: Path  # of all processes of this host: what unfinished downloads have so far
    heads: Heads  # in scratch, too
    engine: Engine | None = None  # None: this process looks for its jobs itself
    alone: bool = True  # no other process can be at work
    allowance: Allowance = field(default_factory=Allowance)


def utcnow() -> datetime:
    """Now, with its zone."""
    return datetime.now(UTC)
