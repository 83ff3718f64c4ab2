"""The nouns of the engine room: a job to be written, a job that runs, what a step gives back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from glimmr.outcomes import Outcome
from glimmr.stores.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be enqueued. Two live jobs (ready or running) with one key are one."""

    step: str
    args: dict[str, Any] = field(default_factory=dict[str, Any])
    more_args: dict[str, Any] = field(default_factory=dict[str, Any])  # which do not make it another job
    host: str | None = None
    priority: int = 0  # higher runs first; the jobs that follow have it, too, unless they have one of their own
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
    """How a run ended well: its outcome, what to change in the catalog, the jobs that follow: one transaction.

    `apply` may itself return jobs that follow, when only the catalog can tell which. It runs again when the
    transaction is repeated, so it must have no effect but on the connection.
    """

    outcome: Outcome
    reason: str = ""
    message: str = ""
    apply: Callable[[Connection], Sequence[NewJob] | None] | None = None
    next: Sequence[NewJob] = ()
    bytes: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is written down when a run ends: where its job stands now, and the run's history row.

    `state` ready means it will run again, after `delay_seconds`; `charged` counts the run as a failed attempt,
    `stalled` as a worker's death. `ended_as` is the outcome, or `retry`, `rescued`, `handed_back`.
    """

    state: str
    ended_as: str
    outcome: Outcome | None = None
    reason: str = ""
    message: str = ""
    traceback: str = ""
    bytes: int = 0
    rows: int = 0
    delay_seconds: float = 0.0
    charged: bool = False
    stalled: bool = False


CANCELLED = Ending(
    state="cancelled",
    ended_as="cancelled",
    outcome=Outcome.CANCELLED,
    reason="operator",
    message="cancelled by an operator",
)
"""How a job ends that an operator stopped before it ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One ended run, from the history. `number` is its epoch."""

    number: int
    worker: str
    started_at: datetime | None
    ended_at: datetime
    ended_as: str
    reason: str
    message: str
    traceback: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The numbers a worker works by (the settings of the same names say what they mean)."""

    lease_seconds: float = 45.0
    max_stalls: int = 3
    max_attempts: int = 14
    connections_per_host: int = 2
    patience_seconds: float = 180.0
    stop_seconds: float = 5.0  # how long a run may take to notice that the worker stops
    last_seconds: float = 900.0  # how long a run may go on in a worker that has grown too big

    @property
    def beat_seconds(self) -> float:
        """How often leases are extended."""
        return min(10.0, self.lease_seconds / 3)

    @property
    def write_seconds(self) -> float:
        """The least time between two writes of a running job's row; each of them extends its lease."""
        return min(5.0, self.beat_seconds / 2)


@dataclass(frozen=True, slots=True)
class Due:
    """A job that may run now: what the dispatcher hands to an engine."""

    id: int
    step: str
    host: str | None


@dataclass(frozen=True, slots=True)
class Live:
    """A job that waits or runs: what it is about."""

    id: int
    step: str
    key: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A run the ledger says a worker holds."""

    id: int
    epoch: int
    cancel_requested: bool
    step: str


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

    def gave_up(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """The job ended badly and will not run again: write that down, in the transaction that ends the job."""
        ...

    def waits(self, connection: Connection, job: Job, outcome: Outcome, ending: Ending) -> None:
        """The job failed and will run again later: write down what is known so far, in the same transaction."""
        ...

    def again(self, connection: Connection, args: Mapping[str, Any]) -> Sequence[NewJob]:
        """An operator wants what an ended job did (or failed to do) done again: the jobs for it, none if it is moot.

        What has to be written down about it goes into the transaction that puts these jobs.
        """
        ...
