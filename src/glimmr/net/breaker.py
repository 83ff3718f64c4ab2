"""When a host is left alone for a while: a circuit breaker as pure functions of what it did and when.

closed --5 failures in 60 s--> open (30 s) --its time is over--> one probe --it fails--> open, twice as long
^                                                                 |
+----------------------------- it answers ------------------------+
"""

from dataclasses import replace

from glimmr.model import Standing

_FAILURES, _WINDOW_SECONDS = 5, 60.0
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 30.0, 600.0


GOOD = Standing()


def after_failure(standing: Standing, now: float, *, scale: float = 1.0) -> Standing:
    """It failed in a way that may pass. What was under way when it was sent to rest does not count again."""
    if standing.is_open:
        return standing if now < standing.until and not _is_probing(standing) else _rest(standing, now, scale)
    if now - standing.since > _WINDOW_SECONDS:
        standing = replace(standing, failures=0, since=now)
    standing = replace(standing, failures=standing.failures + 1)
    return standing if standing.failures < _FAILURES else _rest(standing, now, scale)


def after_success(standing: Standing, now: float) -> Standing:
    """It answered as it should. While it rests, that was an answer to somebody who had asked before."""
    if standing.until > now and not _is_probing(standing):
        return standing
    return replace(standing, failures=0, since=0.0, until=0.0, opened=0)


def after_wait(standing: Standing, now: float, seconds: float) -> Standing:
    """It said itself how long it wants to be left alone (429, 503)."""
    return replace(standing, failures=0, until=max(standing.until, now + seconds), opened=max(1, standing.opened))


def may_ask(standing: Standing, now: float, *, scale: float = 1.0) -> tuple[float, Standing]:
    """How many seconds to wait before it may be asked (0: now), and how it stands when it is.

    Whoever comes first after a rest is the probe: until that is answered, or for as long as it rested, nobody else is.
    """
    if not standing.is_open:
        return 0.0, standing
    if now < standing.until:
        return standing.until - now, standing
    return 0.0, replace(standing, until=now + _rest_seconds(standing.opened, scale), failures=_PROBING)


_PROBING = -1  # in `failures`, which count for nothing while it is open


def _is_probing(standing: Standing) -> bool:
    return standing.failures == _PROBING


def _rest(standing: Standing, now: float, scale: float) -> Standing:
    opened = standing.opened + 1
    return replace(standing, failures=0, since=0.0, until=now + _rest_seconds(opened, scale), opened=opened)


def _rest_seconds(opened: int, scale: float) -> float:
    return min(_FIRST_REST_SECONDS * 2 ** max(0, opened - 1), _LONGEST_REST_SECONDS) * scale
