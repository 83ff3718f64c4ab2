"""Schedules and their jobs: where a worker keeps schedules, each has a job that waits for its next time."""

from collections.abc import Sequence

from glimmr.jobs import ledger
from glimmr.jobs.invariant import Invariant, Violation, reading, writing
from glimmr.pipeline.parts import Parts
from glimmr.pipeline.upkeep_step import keep_schedule, missing_schedules
from glimmr.settings import Settings
from glimmr.stores.database import Connection


def of(parts: Parts) -> list[Invariant]:
    """The invariant of schedules."""
    settings, database = parts.settings, parts.database
    return [
        Invariant(
            name="schedule_kept",
            text="a schedule has a job that waits for its next time, where a worker keeps schedules",
            cure="the job is put, for the next time of the schedule",
            find=reading(database, lambda connection, after, most: _missing(connection, settings, after)[:most]),
            repair=writing(database, lambda connection, subject: _put(connection, settings, subject)),
        )
    ]


def _missing(connection: Connection, settings: Settings, after: str) -> Sequence[Violation]:
    _, workers = ledger.free_slots(connection, settings.lease_seconds)
    if not workers["upkeep"]:
        return []
    return [
        Violation(task, f"the schedule `{task}` has no job that waits for its next time")
        for task in missing_schedules(connection, settings)
        if task > after
    ]


def _put(connection: Connection, settings: Settings, task: str) -> bool:
    if task not in missing_schedules(connection, settings):
        return False
    keep_schedule(connection, settings, task)
    return True
