"""Jobs that wait for a time of their own: one live job per schedule, whose time is kept by the database's clock."""

from dataclasses import dataclass
from datetime import datetime

from glimmr.jobs import ledger
from glimmr.jobs import statements as sql
from glimmr.jobs.job import NewJob
from glimmr.stores.database import Connection


@dataclass(frozen=True, slots=True)
class Appointment:
    """When a waiting job runs, and which attempt of it that is."""

    run_at: datetime
    attempt: int


def now(connection: Connection) -> datetime:
    """The time by the clock that all appointments are made by."""
    return connection.execute(sql.NOW).scalar_one()


def appoint(connection: Connection, new: NewJob, when: datetime) -> None:
    """Let the one waiting job of this key run at a given time; it is written where none is live yet."""
    ledger.enqueue(connection, [new])
    connection.execute(sql.APPOINT, {"waiting_key": new.key, "when": when})


def appointment(connection: Connection, key: str) -> Appointment | None:
    """The waiting job of this key; None: none waits."""
    row = connection.execute(sql.APPOINTMENT, {"waiting_key": key}).one_or_none()
    return Appointment(*row) if row else None


def withdraw(connection: Connection, key: str) -> None:
    """Let there be no waiting job of this key."""
    connection.execute(sql.STRIKE, {"waiting_key": key})


def run_at(connection: Connection, job_id: int) -> datetime:
    """The time at which a job's last run was due."""
    return connection.execute(sql.RUN_AT, {"job_id": job_id}).scalar_one()
