"""How runs end in the database: fence, job, history row and what the step has to say, in one transaction."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from glimmr import events
from glimmr.errors import LeaseLost, LocalFault
from glimmr.jobs import ledger
from glimmr.jobs.job import Ending, Job, NewJob, Result, Step, Terms
from glimmr.jobs.verdict import Decide, ending_of
from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection, Database

_LOG = logging.getLogger(__name__)


def good_end(result: Result) -> Ending:
    """How a run ends that gave a result."""
    return Ending(
        state="cancelled" if result.outcome is Outcome.CANCELLED else "done",
        ended_as=str(result.outcome),
        outcome=result.outcome,
        reason=result.reason,
        message=result.message,
        bytes=result.bytes,
        rows=result.rows,
    )


def finish(connection: Connection, job: Job, result: Result) -> dict[int, NewJob]:
    """A run that gave a result: fence, domain change, following jobs. Returns those that were written, by id."""
    if not ledger.end(connection, job, good_end(result)):
        return {}
    following = [*result.next]
    if result.apply is not None:
        following += result.apply(connection) or ()
    if following:
        priority = ledger.priority(connection, job.id)  # somebody may have changed it since the claim
        following = [replace(new, priority=new.priority or priority) for new in following]
    ids = ledger.enqueue(connection, following)
    _tell_written(job, result.outcome)
    return {ids[new.key]: new for new in following if new.key in ids}


def fail(connection: Connection, job: Job, error: BaseException, *, step: Step, decide: Decide, terms: Terms) -> Ending:
    """A run that raised `error`: handed back, to be retried, cancelled or given up; the step writes down which."""
    past = ledger.history(connection, job.id, before_epoch=job.epoch)
    ending = ending_of(error, job, past, decide, terms)
    end_with_step(connection, job, ending, step)
    return ending


def end_with_step(connection: Connection, job: Job, ending: Ending, step: Step) -> None:
    """Any end that is not good, and what the step has to write about it."""
    if not ledger.end(connection, job, ending):
        return
    if ending.state != "ready":
        assert ending.outcome is not None, "a job that will not run again has an outcome"
        step.gave_up(connection, job, ending.outcome, ending)
    elif ending.charged:
        assert ending.outcome is not None, "a failure has the outcome it would end with"
        step.waits(connection, job, ending.outcome, ending)
    _tell_written(job, ending.ended_as)


Ends = Callable[[Connection], tuple[Job, Ending] | None]
"""What run is to be ended now, and how, with its row locked; None when there is nothing to end any more."""


def end_apart(
    database: Database, steps: Mapping[str, Step], ends: Ends, also: Callable[[Connection], None] | None = None
) -> bool:
    """End a run nobody works on any more, with what its step has to write about that, in a transaction of its own.

    `also` is done in the same one. A step that cannot write down the end of its job holds up neither it nor others.
    False: there was nothing to end. Raises a LocalFault.
    """

    def once(*, with_step: bool) -> tuple[Job, Ending] | None:
        def work(connection: Connection) -> tuple[Job, Ending] | None:
            if (found := ends(connection)) is None:
                return None
            job, ending = found
            if with_step:
                end_with_step(connection, job, ending, steps[job.step])
            else:
                ledger.end(connection, job, ending)
            if also is not None:
                also(connection)
            return found

        return database.write(work)

    try:
        done = once(with_step=True)
    except LeaseLost:
        return False
    except LocalFault:
        raise
    except Exception as bug:  # noqa: BLE001 - a job must end even when its step cannot say that it did
        _LOG.exception("a step's own ending failed; its job ends without it: %s", broken("it", bug).message)
        done = once(with_step=False)
    if done:
        tell_end(*done)
    return done is not None


def broken(error: BaseException | str, bug: Exception) -> Ending:
    """The end of a job whose step cannot even write down that it failed: a bug, said aloud."""
    return Ending(
        state="dead",
        ended_as=str(Outcome.INTERNAL_ERROR),
        outcome=Outcome.INTERNAL_ERROR,
        reason="unclassified",
        message=f"its end ({error}) could not be written down: {bug!r}",
    )


def _tell_written(job: Job, ended_as: str) -> None:
    """The only event inside a transaction: told again when that is repeated, and perhaps of what is then undone."""
    events.tell(events.JOB_WRITTEN, **facts(job), ended_as=ended_as)


def tell_end(job: Job, ending: Ending, seconds: float | None = None) -> None:
    """Tell the listeners how a run ended, after the commit; and how long it took, if it was a run of this process."""
    if ending.state == "ready":
        event = events.JOB_RETRIED if ending.charged else events.JOB_HANDED_BACK
        event = events.JOB_RESCUED if ending.stalled else event
    else:
        event = events.JOB_GAVE_UP if ending.state == "dead" else events.JOB_FINISHED
    told: Mapping[str, Any] = {
        "state": ending.state,
        "ended_as": ending.ended_as,
        "outcome": ending.outcome,
        "reason": ending.reason,
        "message": ending.message,
        "bytes": ending.bytes,
        "rows": ending.rows,
        "delay_seconds": ending.delay_seconds,
        "seconds": seconds,
    }
    events.tell(event, **facts(job), **told)
    if event is events.JOB_HANDED_BACK and ending.delay_seconds:  # nobody is to blame, so somebody must be told
        _LOG.warning("%s job %d waits %.0f s: %s", job.step, job.id, ending.delay_seconds, ending.message)


def facts(job: Job) -> dict[str, Any]:
    """What every event about a run says of it."""
    return {
        "job": job.id,
        "step": job.step,
        "args": job.args,
        "host": job.host,
        "attempt": job.attempt,
        "epoch": job.epoch,
        "stalls": job.stalls,
        "worker": job.owner,
    }
