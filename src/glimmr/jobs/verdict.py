"""From how a run failed to what is written down: a pure function around `retry.decide`."""

import traceback
from collections.abc import Callable, Sequence

from glimmr.errors import BodyCut, ContentError, FetchError, FileRemoved, JobCancelled, ShuttingDown
from glimmr.jobs.job import Attempt, Ending, Job, Terms
from glimmr.outcomes import Outcome
from glimmr.retry import Class, Verdict

_TRACEBACK_CHARACTERS = 8_000
_MESSAGE_CHARACTERS = 1_000
_LONGEST_PAUSE_SECONDS = 60.0


Decide = Callable[[BaseException, Sequence[Attempt]], Verdict]


def ending_of(error: BaseException, job: Job, past: Sequence[Attempt], decide: Decide, terms: Terms) -> Ending:
    """How this run ends: handed back, cancelled, to be retried, or given up. Not for LeaseLost: that writes nothing."""
    message = (str(error) or type(error).__name__)[:_MESSAGE_CHARACTERS]
    if isinstance(error, JobCancelled):
        reason = "file_removed" if isinstance(error, FileRemoved) else "operator"
        return Ending(
            state="cancelled", ended_as="cancelled", outcome=Outcome.CANCELLED, reason=reason, message=message
        )
    verdict = decide(error, past)
    if isinstance(error, ShuttingDown) or verdict.klass is Class.LOCAL:
        pause_seconds = 0.0 if isinstance(error, ShuttingDown) else _pause_seconds(past, verdict.delay_seconds or 0.0)
        return Ending(state="ready", ended_as="handed_back", message=message, delay_seconds=pause_seconds)
    again = verdict.delay_seconds is not None and job.attempt < terms.max_attempts
    return Ending(
        state="ready" if again else "dead",
        ended_as="retry" if again else str(verdict.outcome),
        outcome=verdict.outcome,
        reason=verdict.reason,
        message=message,
        traceback=_traceback(error),
        bytes=error.size_bytes if isinstance(error, BodyCut) else 0,
        delay_seconds=verdict.delay_seconds or 0.0,
        charged=True,
    )


def _pause_seconds(past: Sequence[Attempt], first_seconds: float) -> float:
    """Longer each time the machine's own fault hits the same job in a row, since each time leaves a history row."""
    in_a_row = 0
    for attempt in reversed(past):
        if attempt.ended_as != "handed_back":
            break
        in_a_row += 1
    return min(first_seconds * 2 ** min(in_a_row, 10), max(first_seconds, _LONGEST_PAUSE_SECONDS))


def _traceback(error: BaseException) -> str:
    # What a server or a file did needs no traceback; its message says it.
    if isinstance(error, (FetchError, ContentError)):
        return ""
    return "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
