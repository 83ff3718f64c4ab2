"""What the ledger should say, in plain Python: a job's life by the rules, without SQL, threads or clocks of its own."""

from dataclasses import dataclass, field

from glimmr.jobs.job import Ending, Job, NewJob

LEASE_SECONDS, FRESH_SECONDS, MAX_STALLS, PER_HOST = 45.0, 5.0, 2, 1
LONGEST_SECONDS = 10 * LEASE_SECONDS + 300.0  # nobody gives a lease that ends later: the clock of leases was set back


@dataclass
class Row:
    """One job as its row should be, and its ended runs: (epoch, worker, ended as)."""

    new: NewJob
    run_at: float
    created_at: float
    started_at: float | None = None
    state: str = "ready"
    attempt: int = 1
    stalls: int = 0
    epoch: int = 0
    owner: str | None = None
    lease_until: float | None = None
    cancel_requested: bool = False
    history: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        return self.state in {"ready", "running"}


@dataclass
class Model:
    """`wall` is the time of day, which somebody may set; `lease` that of leases, which goes on (but a server's)."""

    wall: float
    lease: float
    rows: dict[int, Row] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)

    def is_live(self, key: str) -> bool:
        return any(row.is_live and row.new.key == key for row in self.rows.values())

    def may_start(self, row: Row) -> bool:
        busy = sum(one.state == "running" and one.new.host == row.new.host for one in self.rows.values())
        return (
            row.state == "ready"
            and row.run_at <= self.wall
            and not row.cancel_requested
            and row.new.step not in self.paused
            and (row.new.host is None or busy < PER_HOST)
        )

    def start(self, row: Row, owner: str) -> None:
        row.state, row.owner, row.epoch = "running", owner, row.epoch + 1
        row.started_at, row.lease_until = self.wall, self.lease + LEASE_SECONDS

    def holds(self, job: Job) -> bool:
        row = self.rows[job.id]
        return (row.state, row.owner, row.epoch) == ("running", job.owner, job.epoch)

    def end(self, row: Row, ending: Ending) -> None:
        assert row.owner is not None
        row.history.append((row.epoch, row.owner, ending.ended_as))
        row.state, row.owner, row.lease_until = ending.state, None, None
        if ending.state == "ready":
            row.attempt += ending.charged
            row.stalls += ending.stalled
            row.run_at = min(row.run_at, self.wall) if ending.stalled else self.wall + ending.delay_seconds

    def beat(self, owner: str) -> set[tuple[int, int]]:
        mine = {job_id: row for job_id, row in self.rows.items() if row.owner == owner}
        for row in mine.values():
            assert row.lease_until is not None
            if not self.lease + LEASE_SECONDS - FRESH_SECONDS <= row.lease_until <= self.lease + LEASE_SECONDS:
                row.lease_until = self.lease + LEASE_SECONDS
        return {(job_id, row.epoch) for job_id, row in mine.items()}

    def tick(self, rescuer: str) -> None:
        """Waiting jobs that somebody cancelled end; leases that ran out end their runs."""
        for row in self.rows.values():
            if row.state == "ready" and row.cancel_requested:
                self.start(row, rescuer)
                self.end(row, Ending(state="cancelled", ended_as="cancelled"))
        for row in self.rows.values():
            if row.lease_until is not None and not self.lease <= row.lease_until <= self.lease + LONGEST_SECONDS:
                poison = row.stalls + 1 > MAX_STALLS
                again = Ending(state="ready", ended_as="rescued", stalled=True)
                self.end(row, Ending(state="dead", ended_as="poison") if poison else again)

    def heed_the_clock(self) -> None:
        """What was written under a clock that was ahead by more than five minutes runs now."""
        for row in self.rows.values():
            if row.state == "ready" and max(row.created_at, row.started_at or 0.0) > self.wall + 300.0:
                row.run_at = row.created_at = self.wall
                row.started_at = None
