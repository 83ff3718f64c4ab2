"""What became of asking an address, as it is told to who wants to know why something was found or not."""

from collections.abc import Sequence

from glimmr.errors import FetchError, Gone, HostRests, HttpError, NotFound
from glimmr.model import Finding, Tried
from glimmr.net import Reply, redact
from glimmr.retry import decide


def answered(url: str, reply: Reply, verdict: str, findings: Sequence[Finding] = ()) -> Tried:
    """It answered, and what the answer was."""
    shown, final = redact(url), redact(reply.final_url)
    return Tried(
        url=shown,
        answer=str(reply.status),
        verdict=verdict,
        final_url=final if final != shown else None,
        findings=tuple(findings),
    )


def failed(url: str, error: FetchError | HostRests) -> Tried:
    """It gave nothing, and why."""
    if isinstance(error, HttpError):
        answer = str(error.status)
    else:
        answer = "host_rests" if isinstance(error, HostRests) else decide(error).reason
    verdict = "missing" if isinstance(error, NotFound | Gone) else "failed"
    return Tried(url=redact(url), answer=answer, verdict=verdict)
