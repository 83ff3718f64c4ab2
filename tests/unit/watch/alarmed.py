"""What alerts need to fire: a clock that goes as told, jobs that ended as told, channels that keep what they get."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from glimmr import settings
from glimmr.jobs import ledger
from glimmr.jobs.job import NewJob
from glimmr.jobs.tables import attempts, jobs
from glimmr.outcomes import Outcome
from glimmr.settings import Settings
from glimmr.stores.database import Connection, Database
from glimmr.watch.checks import stores
from glimmr.watch.health import Checkup, Seen
from glimmr.watch.lookout import Lookout

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday


@dataclass
class Kept:
    """A channel that keeps the notices, and fails while it is told to."""

    name: str = "kept"
    where: str = "memory"
    fault: str | None = None
    notices: list[Mapping[str, Any]] = field(default_factory=list)

    def send(self, notice: Mapping[str, Any]) -> str | None:
        if self.fault is None:
            self.notices.append(notice)
        return self.fault


class Watched:
    """A database and one lookout over it, at a moment that only goes on when told to."""

    def __init__(self, database: Database, data: Path) -> None:
        data.mkdir(exist_ok=True)
        self._numbers = itertools.count()
        self.database, self.now, self.kept = database, NOW, Kept()
        self.settings: Settings = settings.load(data=data)
        self.asked: dict[str, Callable[[], Seen]] = {"database": partial(stores.database, database)}
        self.lookout = self.another()

    def another(self, *channels: Any) -> Lookout:
        checkup = Checkup(self.asked)
        return Lookout(
            self.database, self.settings, channels or [self.kept], checkup, clock=lambda _connection: self.now
        )

    def look(self, after_seconds: float = 0.0) -> list[tuple[str, str]]:
        """Time goes on, somebody looks. The notices that were sent: (alert, fired or cleared)."""
        self.now += timedelta(seconds=after_seconds)
        before = len(self.kept.notices)
        self.lookout.look()
        return [(told["alert"], told["state"]) for told in self.kept.notices[before:]]

    def put(self, step: str, count: int = 1, **columns: Any) -> list[int]:
        """Jobs with these columns, whatever a ledger would have made of them."""

        def work(connection: Connection) -> list[int]:
            new = [NewJob(step=step, args={"n": next(self._numbers)}) for _ in range(count)]
            ids = sorted(ledger.enqueue(connection, new).values())
            given = {"created_at": self.now, "run_at": self.now} | columns
            connection.execute(jobs.update().where(jobs.c.id.in_(ids)).values(given))
            return ids

        return self.database.write(work)

    def ended(
        self, outcome: Outcome, count: int = 1, *, step: str = "parse", reason: str = "", ago: float = 1.0
    ) -> Any:
        when = self.now - timedelta(seconds=ago)
        state = "dead" if outcome in (Outcome.INTERNAL_ERROR, Outcome.POISON, Outcome.RESOURCES) else "done"
        return self.put(step, count, state=state, outcome=str(outcome), reason=reason, finished_at=when)

    def forget(self, job_id: int) -> None:
        self.database.write(lambda connection: connection.execute(jobs.delete().where(jobs.c.id == job_id)))

    def rescued(self, *, again_after_seconds: float) -> None:
        """A job whose worker died, and which began to run again so much later, now."""
        (job_id,) = self.put("parse", state="running", started_at=self.now, progressed_at=self.now, epoch=2)
        at = self.now - timedelta(seconds=again_after_seconds)
        row = {"job_id": job_id, "number": 1, "worker": "w", "ended_at": at, "ended_as": "rescued"}
        empty = {"reason": "", "message": "", "traceback": "", "bytes": 0, "rows": 0}
        self.database.write(lambda connection: connection.execute(attempts.insert().values(row | empty)))
