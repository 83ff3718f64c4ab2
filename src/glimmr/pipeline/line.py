"""The steps by name, a walk of the whole line until nothing is left to do, and a process that keeps at it."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from glimmr import __version__
from glimmr.download import sweep
from glimmr.jobs import ledger
from glimmr.jobs.invariant import Invariant, Violation
from glimmr.jobs.job import NewJob, Step, Terms
from glimmr.jobs.rescuer import Rescuer
from glimmr.jobs.rescues import rescues
from glimmr.jobs.rounds import Beside
from glimmr.jobs.steady import Steady, ahead_seconds
from glimmr.jobs.worker import work
from glimmr.pipeline.download_step import DownloadStep
from glimmr.pipeline.invariants import invariants
from glimmr.pipeline.invariants.leftovers import beginnings
from glimmr.pipeline.invariants.price_table import spared
from glimmr.pipeline.parse_step import ParseStep
from glimmr.pipeline.parts import Parts
from glimmr.pipeline.patience import decider
from glimmr.pipeline.publish_step import PublishStep
from glimmr.pipeline.scan_step import ScanStep
from glimmr.pipeline.upkeep_step import UpkeepStep, check_schedules, keep_schedules
from glimmr.settings import Settings
from glimmr.steps import BY_THE_CLOCK, ROOMS
from glimmr.stores.database import Connection


def steps(parts: Parts) -> dict[str, Step]:
    """The rooms as steps, in the order in which prices walk through them, and what is due by the clock."""
    return {
        "scan": ScanStep(parts),
        "download": DownloadStep(parts),
        "parse": ParseStep(parts),
        "publish": PublishStep(parts),
        "upkeep": UpkeepStep(parts),
    }


async def walk(parts: Parts, seeds: Sequence[NewJob], stop: asyncio.Event, rooms: Collection[str] = ROOMS) -> None:
    """Put the seeds, then run every job of these rooms that is due until none is left, or until `stop` is set.

    What follows in other rooms waits for who works there.
    """
    slots = {room: count for room, count in _slots(parts.settings).items() if room in rooms}
    await _work(parts, seeds, stop, until_idle=True, slots=slots, memory_bytes=None)


async def serve(parts: Parts, stop: asyncio.Event, *, drain: bool, beside: Beside | None = None) -> bool:
    """Run every job that is due, and (unless `drain`, which ends when none is left) keep the schedules.

    Until `stop` is set; or until this process has grown too big: then True, and it should be begun anew. Raises
    UsageError naming the schedule that cannot be understood.
    """
    settings = parts.settings
    slots = _slots(settings) if drain else _slots(settings) | {"upkeep": 1}
    check_schedules(settings)
    memory_bytes = settings.worker_memory_bytes or None
    return await _work(parts, [], stop, until_idle=drain, slots=slots, memory_bytes=memory_bytes, beside=beside)


async def _work(
    parts: Parts,
    seeds: Sequence[NewJob],
    stop: asyncio.Event,
    *,
    until_idle: bool,
    slots: Mapping[str, int],
    memory_bytes: int | None,
    beside: Beside | None = None,
) -> bool:
    settings = parts.settings
    if parts.alone:  # so nobody is publishing, and what lies about is of the dead
        await asyncio.to_thread(lambda: parts.lake.sweep(keep=spared(parts)))

    def begin(connection: Connection) -> None:
        ledger.heed_the_clock(connection, but=BY_THE_CLOCK)
        ledger.enqueue(connection, seeds)
        if "upkeep" in slots:
            keep_schedules(connection, settings)

    await asyncio.to_thread(parts.database.write, begin)
    await asyncio.to_thread(_sweep_beginnings, parts)
    too_big = await work(
        parts.database,
        steps(parts),
        slots,
        decide=decider(settings),
        until_idle=until_idle,
        stop=stop,
        terms=_terms(settings),
        engine=parts.engine,
        alone=parts.alone,
        version=__version__,
        invariants=invariants(parts),
        unrung=BY_THE_CLOCK,
        memory_bytes=memory_bytes,
        beside=beside,
    )
    if until_idle and not stop.is_set():
        await asyncio.to_thread(_sweep_beginnings, parts)
    return too_big


def _sweep_beginnings(parts: Parts) -> None:
    """Leave only the beginnings of files that somebody will go on with (`scratch_has_owner` sees to it later on)."""
    if parts.alone:
        sweep(parts.partials, beginnings(parts))


def everything(parts: Parts) -> list[Invariant]:
    """All that must be true: what the rescuer of a worker looks after, in its order."""
    known, terms = steps(parts), _terms(parts.settings)
    return [*rescues(parts.database, known, owner="doctor", terms=terms), *invariants(parts)]


def cure(parts: Parts) -> Callable[[Invariant, Violation], bool]:
    """Repairs as a worker's rescuer does. Where others are at work, nobody is called dead before that is sure."""
    repair, terms = Rescuer(parts.database, ()).repair, _terms(parts.settings)
    steady = Steady(terms)

    def beat() -> float:
        parts.database.write(lambda connection: ledger.beat(connection, "doctor", terms.lease_seconds))
        return parts.database.read(ahead_seconds)

    def once(invariant: Invariant, violation: Violation) -> bool:
        if invariant.by_time and not parts.alone:
            steady.prove(beat)
        return repair(invariant, violation)

    return once


def _slots(settings: Settings) -> dict[str, int]:
    """How many jobs of each room run at a time in this process."""
    return {
        "scan": settings.scans,
        "download": settings.downloads,
        "parse": settings.parses,
        "publish": settings.publishes,
    }


def _terms(settings: Settings) -> Terms:
    return Terms(
        lease_seconds=settings.lease_seconds,
        max_stalls=settings.max_stalls,
        max_attempts=settings.max_attempts,
        connections_per_host=settings.connections_per_host,
        patience_seconds=settings.patience_seconds,
    )
