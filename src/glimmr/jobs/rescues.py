"""The engine room's own invariants: runs with live leases, cancelled jobs that end, workers that live."""

from collections.abc import Callable, Mapping

from glimmr.jobs import ledger, recovery
from glimmr.jobs.endings import end_apart, tell_end
from glimmr.jobs.invariant import Count, Invariant, Repair, Violation, reading, writing
from glimmr.jobs.job import CANCELLED, Ending, Job, Step, Terms
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database

_RESCUE_SECONDS = 1.0
_SILENT_LEASES = 3


def rescues(database: Database, steps: Mapping[str, Step], *, owner: str, terms: Terms) -> list[Invariant]:
    """What must be true of jobs and workers. `owner` is who takes a waiting job to end it."""

    def expired(connection: Connection, after: str, most: int) -> list[Violation]:
        found = ledger.expired(connection, terms.lease_seconds)
        known = [job for job in found if job.step in steps and job.id > int(after or 0)]
        return [Violation(str(job.id), f"{job.step} job {job.id}: {_ran_out(job)}") for job in known[:most]]

    def to_cancel(connection: Connection, after: str, most: int) -> list[Violation]:
        found = ledger.to_cancel(connection, steps.keys(), after=int(after or 0), most=most)
        return [Violation(str(due.id), f"{due.step} job {due.id} is cancelled and still waits") for due in found]

    def rescue(connection: Connection, subject: str) -> tuple[Job, Ending] | None:
        job = ledger.lost_run(connection, int(subject), terms.lease_seconds)
        return None if job is None else (job, _rescued(job, terms.max_stalls))

    def cancel(connection: Connection, subject: str) -> tuple[Job, Ending] | None:
        job = ledger.seize(connection, int(subject), owner=owner, lease_seconds=terms.lease_seconds)
        return None if job is None else (job, CANCELLED)

    return [
        Invariant(
            name="cancelled_job_ends",
            text="a waiting job that was cancelled has ended",
            cure="the job ends as `cancelled`",
            find=reading(database, to_cancel),
            repair=_ending(database, steps, cancel),
            every_seconds=_RESCUE_SECONDS,
        ),
        Invariant(
            name="live_lease",
            text="a running job has a worker that lives: its lease has not run out",
            cure="the job is ready again, with a stall counted; after too many stalls it is `poison`",
            find=reading(database, expired),
            repair=_ending(database, steps, rescue),
            every_seconds=_RESCUE_SECONDS,
            by_time=True,
        ),
        _live_workers(database, terms),
    ]


def _live_workers(database: Database, terms: Terms) -> Invariant:
    silence_seconds = _SILENT_LEASES * terms.lease_seconds

    def silent(connection: Connection, after: str, most: int) -> list[Violation]:
        names = recovery.silent_workers(connection, silence_seconds, after=after, most=most)
        return [
            Violation(name, f"worker {name} has said nothing for more than {silence_seconds:.0f} s") for name in names
        ]

    return Invariant(
        name="live_worker",
        text="a worker in the list of workers has beaten within three lease lengths",
        cure="its row is removed; a worker that was only frozen signs in again with its next beat",
        find=reading(database, silent),
        repair=writing(database, lambda connection, name: recovery.forget_worker(connection, name, silence_seconds)),
        by_time=True,
    )


def hand_back_of_the_dead(database: Database) -> int:
    """Give back every running job at once; only for who knows that no other worker can be alive."""

    def work(connection: Connection) -> list[tuple[Job, Ending]]:
        ledger.forget_workers(connection)
        ending = Ending(state="ready", ended_as="handed_back", message="its worker is dead")
        return [(job, ending) for job in ledger.running(connection) if ledger.end(connection, job, ending)]

    ended = database.write(work)
    for job, ending in ended:
        tell_end(job, ending)
    return len(ended)


def _ending(
    database: Database, steps: Mapping[str, Step], ends: Callable[[Connection, str], tuple[Job, Ending] | None]
) -> Repair:
    """A repair that ends a run, with what its step has to write about that."""

    def repair(violation: Violation, count: Count) -> bool:
        return end_apart(database, steps, lambda connection: ends(connection, violation.subject), count)

    return repair


def _ran_out(job: Job) -> str:
    return f"the lease of run {job.epoch} ({job.owner}) ran out: its worker died or was cut off"


def _rescued(job: Job, max_stalls: int) -> Ending:
    if job.stalls + 1 > max_stalls:
        return Ending(
            state="dead",
            ended_as=str(Outcome.POISON),
            outcome=Outcome.POISON,
            reason="stalled",
            message=f"{_ran_out(job)}; that was the {job.stalls + 1}th time",
        )
    return Ending(state="ready", ended_as="rescued", message=_ran_out(job), stalled=True)
