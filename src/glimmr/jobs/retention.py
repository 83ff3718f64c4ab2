"""How long ended jobs are kept, and the batches in which they go; their attempts go with them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Double, bindparam, delete, func, literal, select

from glimmr.jobs.tables import ENDED, jobs
from glimmr.outcomes import Outcome
from glimmr.stores.clock import moment
from glimmr.stores.database import Connection, Database

_BATCH = 1000
_NO_FAILURES = (Outcome.OK, Outcome.UNCHANGED, Outcome.CANCELLED)

_OF_OUTCOME = (ENDED, jobs.c.outcome == bindparam("outcome"))
# When the oldest of the newest ones ended: what ended before it is one too many.
_OLDEST_OF_THE_NEWEST = (
    select(jobs.c.finished_at)
    .where(*_OF_OUTCOME)
    .order_by(jobs.c.finished_at.desc())
    .offset(bindparam("most"))
    .limit(1)
)
_LONG_AGO = select(moment(-bindparam("seconds", type_=Double())))
_newest = (
    select(func.max(jobs.c.id)).where(jobs.c.step.in_(bindparam("remembered", expanding=True))).group_by(jobs.c.key)
)
_OLD = (
    select(jobs.c.id)
    .where(
        *_OF_OUTCOME, jobs.c.finished_at < bindparam("before", type_=jobs.c.finished_at.type), jobs.c.id.not_in(_newest)
    )
    .order_by(jobs.c.finished_at, jobs.c.id)
    .limit(literal(_BATCH))
)
_REMOVE = delete(jobs).where(jobs.c.id.in_(_OLD), ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Jobs that did not fail are kept so long, and no more than so many of each outcome; failures so long."""

    seconds: float
    most: int
    failure_seconds: float


def prune(database: Database, kept: Retention, *, remembered: Collection[str], tell: Callable[..., None]) -> int:
    """Remove ended jobs that are not kept any longer. Returns how many. Raises as `Database.write` and `tell` do.

    The newest job of each key stays for the steps that are `remembered`. A transaction takes a thousand at most, so
    that nobody waits for it.
    """
    removed = 0
    for outcome in Outcome:
        given: dict[str, Any] = {"outcome": outcome.value, "remembered": list(remembered)}
        while count := database.write(lambda connection, given=given: _remove(connection, kept, given)):
            removed += count
            tell(removed=removed)
    return removed


def _remove(connection: Connection, kept: Retention, given: dict[str, Any]) -> int:
    is_failure = given["outcome"] not in _NO_FAILURES
    seconds = kept.failure_seconds if is_failure else kept.seconds
    before = connection.execute(_LONG_AGO, {"seconds": seconds}).scalar_one()
    if not is_failure:
        most = connection.execute(_OLDEST_OF_THE_NEWEST, given | {"most": kept.most - 1}).scalar()
        before = max(before, most) if most is not None else before
    return connection.execute(_REMOVE, given | {"before": before}).rowcount
