"""Step `upkeep`: what is due by the clock. A schedule is one waiting job, and each run of it puts the next one."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from glimmr.errors import UsageError
from glimmr.jobs import appointments, recovery, selection
from glimmr.jobs.job import Ending, Job, NewJob, Result, Tell
from glimmr.jobs.retention import Retention, prune
from glimmr.jobs.schedule import next_time, stands
from glimmr.outcomes import Outcome
from glimmr.pipeline.keeping import free
from glimmr.pipeline.parts import Parts
from glimmr.pipeline.scan_job import scan_jobs
from glimmr.pipeline.scan_step import questions
from glimmr.places import PLACES
from glimmr.scan.places import place_code
from glimmr.settings import Settings
from glimmr.stores.database import Connection

_TASKS = ("scan", "prune")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # any moment shows whether a schedule can be understood


def upkeep_job(task: str) -> NewJob:
    """The one live job of a schedule."""
    return NewJob(step="upkeep", args={"task": task})


def check_schedules(settings: Settings) -> None:
    """Raises UsageError naming the setting whose schedule or states cannot be understood."""
    for name in (f"{task}_schedule" for task in _TASKS):
        try:
            if getattr(settings, name):
                next_time(getattr(settings, name), _EPOCH)
        except UsageError as error:
            raise UsageError(f"setting GLIMMR_{name.upper()}: {error}") from None
    _states(settings)


def keep_schedules(connection: Connection, settings: Settings) -> None:
    """See that each schedule has its waiting job at a time of its own, and one that is switched off has none.

    A time that has come while nobody worked stays: it is made up for, once.
    """
    for task in _TASKS:
        keep_schedule(connection, settings, task)


def keep_schedule(connection: Connection, settings: Settings, task: str) -> None:
    """The same for one schedule."""
    now = appointments.now(connection)
    cron, job = getattr(settings, f"{task}_schedule"), upkeep_job(task)
    waits = appointments.appointment(connection, job.key)
    if not cron:
        appointments.withdraw(connection, job.key)
    elif waits is None or (waits.attempt == 1 and waits.run_at > now and not stands(cron, waits.run_at, now)):
        appointments.appoint(connection, job, next_time(cron, now))


def missing_schedules(connection: Connection, settings: Settings) -> list[str]:
    """The schedules that are kept and have no live job, neither waiting nor running; in order."""
    kept = [task for task in sorted(_TASKS) if getattr(settings, f"{task}_schedule")]
    live = recovery.live_keys(connection, [upkeep_job(task).key for task in kept])
    return [task for task in kept if upkeep_job(task).key not in live]


class UpkeepStep:
    """The schedules' tasks as a step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, job: Job, tell: Tell) -> Result:
        """Put the scans that are due, or remove the jobs and bytes that nobody needs any more."""
        if job.args["task"] == "prune":
            removed = await asyncio.to_thread(
                prune, self._parts.database, _retention(self._parts.settings), remembered=("scan",), tell=tell
            )
            freed = await asyncio.to_thread(free, self._parts, tell)
            message = f"{removed:,} ended jobs removed, bytes of {freed.snapshots:,} snapshots deleted"
            return self._done(job, message, rows=removed, bytes=freed.bytes)
        asked = await asyncio.to_thread(self._parts.database.read, self._asked)
        scans = scan_jobs(asked, refresh=True)
        return self._done(job, f"{len(scans):,} scans put", next=scans)

    def _asked(self, connection: Connection) -> list[tuple[str, str]]:
        """Whom to ask about which place: as the setting says, else what was asked before."""
        if states := _states(self._parts.settings):
            return questions(self._parts.sources, states, everywhere=len(states) == len(PLACES))
        before = (args for args in selection.newest_args(connection, "scan") if args["source"] in self._parts.sources)
        return list(dict.fromkeys((args["source"], args["place"]) for args in before))

    def _done(self, job: Job, message: str, **more: Any) -> Result:
        def apply(connection: Connection) -> None:
            self._appoint_next(connection, job)

        return Result(outcome=Outcome.OK, message=message, apply=apply, **more)

    def _appoint_next(self, connection: Connection, job: Job) -> None:
        """After this run's time and after now: clocks go back, and nobody makes up for every time that was missed."""
        cron = getattr(self._parts.settings, f"{job.args['task']}_schedule")
        if cron:
            last = max(appointments.run_at(connection, job.id), appointments.now(connection))
            appointments.appoint(connection, upkeep_job(job.args["task"]), next_time(cron, last))

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """It is tried again before its next time."""

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """The time is lost; the next one comes."""
        del outcome, ending
        self._appoint_next(connection, job)

    def again(self, connection: Connection, args: Mapping[str, Any]) -> Sequence[NewJob]:
        """Do it now: its next time waits already, and is hastened."""
        del connection
        return [upkeep_job(args["task"])]


def _states(settings: Settings) -> list[str]:
    """Raises UsageError naming the setting, with the near miss."""
    given = settings.scan_states.strip()
    if given.lower() == "all":
        return list(PLACES)
    try:
        return [place_code(text) for text in given.split(",") if text.strip()]
    except UsageError as error:
        raise UsageError(f"setting GLIMMR_SCAN_STATES: {error}") from None


def _retention(settings: Settings) -> Retention:
    return Retention(
        seconds=settings.keep_jobs_seconds, most=settings.keep_jobs, failure_seconds=settings.keep_failures_seconds
    )
