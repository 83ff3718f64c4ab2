"""What alerts are judged by: one reading of the ledger and the catalog, of the parts beside them, and of the disks."""

import shutil
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from glimmr.jobs import vitals
from glimmr.jobs.vitals import Still
from glimmr.outcomes import Outcome
from glimmr.settings import Settings
from glimmr.stores import tally
from glimmr.stores.database import Connection
from glimmr.stores.scratch import scratch_of

STILL_SECONDS, RATE_SECONDS, DAY_SECONDS, TIMES_SECONDS = 1800.0, 900.0, 86_400.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is judged, at one moment."""

    now: datetime
    still: Sequence[Still] = ()
    ended_lately: Counter[Outcome] = field(default_factory=Counter[Outcome])  # in RATE_SECONDS
    ended_today: Counter[Outcome] = field(default_factory=Counter[Outcome])  # in DAY_SECONDS
    read_today: Sequence[Mapping[str, Any]] = ()  # files: `outcome, files, empty` (without a price), in DAY_SECONDS
    due: Counter[str] = field(default_factory=Counter[str])  # jobs that could run, by step
    served: frozenset[str] = frozenset()  # steps that a living worker does
    file_seconds: Sequence[float] = ()  # in TIMES_SECONDS
    recovery_seconds: Sequence[float] = ()
    last_scan_at: datetime | None = None
    scan_schedule: str = ""
    poison: Sequence[int] = ()  # jobs of the last day that nobody has put again
    shrunk: Sequence[int] = ()
    down: Mapping[str, str] = field(default_factory=dict[str, str])  # parts that do not do their work, and why
    disks: Mapping[str, float] = field(default_factory=dict[str, float])  # share that is free, by `host:folder`


def read(connection: Connection, settings: Settings, now: datetime, down: Mapping[str, str]) -> Facts:
    """The facts as of `now`; `down` are the parts that were found to be so."""

    def ago(seconds: float) -> datetime:
        return now - timedelta(seconds=seconds)

    day = ago(DAY_SECONDS)
    return Facts(
        now=now,
        still=vitals.still(connection, ago(STILL_SECONDS)),
        ended_lately=vitals.ended(connection, ago(RATE_SECONDS)),
        ended_today=vitals.ended(connection, vitals.complete_since(connection, day, settings.keep_jobs)),
        read_today=tally.read_since(connection, day),
        due=vitals.due(connection, now),
        served=frozenset(vitals.served(connection, ago(settings.lease_seconds))),  # three beats
        file_seconds=tally.file_seconds(connection, ago(TIMES_SECONDS)),
        recovery_seconds=vitals.recoveries(connection, ago(TIMES_SECONDS), now, settings.lease_seconds),
        last_scan_at=vitals.last_scan(connection),
        scan_schedule=settings.scan_schedule,
        poison=vitals.unresolved(connection, Outcome.POISON, "stalled", day),
        shrunk=vitals.unresolved(connection, Outcome.INCOMPLETE, "suspect_truncated", day),
        down=down,
        disks=_disks(settings),
    )


def read_local(settings: Settings, now: datetime) -> Facts:
    """What every process can say of its own machine."""
    return Facts(now=now, disks=_disks(settings))


def _disks(settings: Settings) -> dict[str, float]:
    there = [folder for folder in (scratch_of(settings), settings.data) if folder.exists()]
    by_disk = {folder.stat().st_dev: folder for folder in there}
    host = socket.gethostname()
    return {f"{host}:{folder.absolute()}": _free(folder) for folder in by_disk.values()}


def _free(folder: Path) -> float:
    usage = shutil.disk_usage(folder)
    return usage.free / usage.total if usage.total else 1.0
