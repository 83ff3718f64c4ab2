"""The nouns of the engine room: a job to be written, a job that runs, what a step gives back."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be enqueued. Two live jobs (ready or running) with one key are one."""

    step: str
    args: dict[str, Any] = field(default_factory=dict[str, Any])
    host: str | None = None
    priority: int = 0  # higher runs first
    delay_seconds: float = 0.0

    @property
    def key(self) -> str:
        """What makes it the same job as another: the step and its arguments."""
        return f"{self.step}:{json.dumps(self.args, sort_keys=True, separators=(',', ':'))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of a job: what to do, and the promise (owner, epoch) under which it may write."""

    id: int
    step: str
    args: dict[str, Any]
    host: str | None
    priority: int
    attempt: int  # 1 for the first run that can fail
    stalls: int
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run ended well: its outcome, what to change in the catalog, and the jobs that follow, in one transaction."""

    outcome: Outcome
    reason: str = ""
    message: str = ""
    apply: Callable[[Connection], None] | None = None
    next: Sequence[NewJob] = ()
    bytes: int = 0
    rows: int = 0


class Tell(Protocol):
    """The progress callable given to a step: throttled, kept in the job's row, and where a cancel is noticed.

    Raises LeaseLost or JobCancelled or ShuttingDown when the run should stop.
    """

    def __call__(self, **progress: Any) -> None:
        """Say how far the run is, e.g. `tell(bytes=…, total=…)`."""
        ...


class Step(Protocol):
    """One kind of work. Raises a GlimmrError when it fails; `retry` decides what happens then."""

    async def run(self, job: Job, tell: Tell) -> Result:
        """Do the work once. Running it twice must be harmless."""
        ...

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, reason: str, message: str) -> None:
        """The job ended badly and will not run again: write that down, in the transaction that ends the job."""
        ...

    def waits(self, connection: Connection, job: Job, outcome: Outcome, reason: str, delay_seconds: float) -> None:
        """The job failed and will run again later: write down what is known so far, in the same transaction."""
        ...
