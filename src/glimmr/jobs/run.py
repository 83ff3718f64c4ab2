"""One run of a job in this process: what it tells, and how it learns that it should stop. Any thread may call it."""

import threading
import time
from typing import Any

from glimmr import events
from glimmr.errors import GlimmrError
from glimmr.jobs.job import Job

_TELL_SECONDS = 0.25  # between two events of one run


class Run:
    """The `Tell` given to a step."""

    def __init__(self, job: Job, write_seconds: float) -> None:
        self.job, self._write_seconds = job, write_seconds
        self.stopped: GlimmrError | None = None
        self.ending = False  # its last transaction has begun: nobody may stop it any more
        self._lock = threading.Lock()
        self._progress: dict[str, Any] = {}
        self._unwritten = False
        self._began = self._written_at = time.monotonic()  # its claim wrote its row
        self._told_at = float("-inf")

    def __call__(self, **progress: Any) -> None:
        """Keep what the step says, and tell listeners now and then.

        Raises LeaseLost, JobCancelled or ShuttingDown when the run should stop; without arguments it only does that.
        """
        if self.stopped is not None:
            raise type(self.stopped)(*self.stopped.args)
        if not progress:
            return
        with self._lock:
            before, self._progress = self._progress, self._progress | progress
            self._unwritten = self._unwritten or self._progress != before  # the same again is no progress
            now = time.monotonic()
            due = now - self._told_at >= _TELL_SECONDS
            if due:
                self._told_at = now
        if due:
            events.tell(events.JOB_PROGRESSED, job=self.job.id, step=self.job.step, **self._progress)

    def seconds(self) -> float:
        """How long it has run."""
        return round(time.monotonic() - self._began, 3)

    def stop(self, why: GlimmrError) -> None:
        """Let the next `tell` raise `why`. The first reason stays."""
        if self.stopped is None and not self.ending:
            self.stopped = why

    def unwritten(self) -> dict[str, Any] | None:
        """The progress that should be written to the job's row now, or None."""
        with self._lock:
            now = time.monotonic()
            if not self._unwritten or now - self._written_at < self._write_seconds:
                return None
            self._unwritten, self._written_at = False, now
            return self._progress


class Runs:
    """The runs of one worker, and the jobs it is about to claim."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[tuple[int, int], Run] = {}
        self._claiming: set[int] = set()

    def claiming(self, job_id: int) -> None:
        """A claim is about to be made: until it is decided, the ledger may know more than this worker."""
        with self._lock:
            self._claiming.add(job_id)

    def claimed(self, job_id: int, run: Run | None) -> None:
        """The claim is decided."""
        with self._lock:
            if run is not None:
                self._runs[run.job.id, run.job.epoch] = run
            self._claiming.discard(job_id)

    def ended(self, run: Run) -> None:
        """The run is over."""
        with self._lock:
            self._runs.pop((run.job.id, run.job.epoch), None)

    def all(self) -> dict[tuple[int, int], Run]:
        """The runs, by job id and epoch."""
        with self._lock:
            return dict(self._runs)

    def knows(self, job_id: int, epoch: int) -> bool:
        """Whether this worker is at this run, or about to learn of it."""
        with self._lock:
            return (job_id, epoch) in self._runs or job_id in self._claiming
