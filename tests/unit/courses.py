"""What becomes of a job whose every attempt fails in the same way; and all the ways there are."""

from collections.abc import Iterator

from glimmr import errors
from glimmr.errors import GlimmrError
from glimmr.retry import History, Policy, Verdict, decide

STEADY = Policy(jitter=lambda: 1.0)
M, H, D = 60.0, 3600.0, 86400.0
SCHEDULE = [30.0, 2 * M, 8 * M, 30 * M, 2 * H, 6 * H, *[D] * 7]  # 13 more tries, then it is given up


def course(error: BaseException, policy: Policy = STEADY) -> tuple[list[float], Verdict]:
    """Every delay until it is given up, when the same error comes each time, and how it ends."""
    delays, reasons = list[float](), tuple[str, ...]()
    while True:
        verdict = decide(error, History(failures=len(reasons), reasons=reasons), policy)
        if verdict.delay_seconds is None:
            return delays, verdict
        assert len(delays) < 50, "it never ends"
        delays.append(verdict.delay_seconds)
        reasons += (verdict.reason,)


def leaves(kind: type[GlimmrError] = GlimmrError) -> Iterator[type[GlimmrError]]:
    """The kinds of error that have no finer ones."""
    below = [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    if not below:
        yield kind
    for one in below:
        yield from leaves(one)
