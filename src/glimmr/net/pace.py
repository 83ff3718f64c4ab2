"""How long a host is left alone between two requests, as pure functions: what its robots.txt asks for, and its 429s."""

from dataclasses import replace

from glimmr.model import Pace

_DAY_SECONDS = 86_400.0
_FIRST_SECONDS, _LONGEST_SECONDS = 1.0, 60.0  # between two requests, for a host that says "too many"
_EASING, _NOTHING_SECONDS = 0.9, 0.5


def take(pace: Pace, now: float) -> tuple[float, Pace]:
    """How many seconds to wait with the next request, and the pace once it has its place."""
    at = max(now, pace.next_at)
    return at - now, replace(pace, next_at=at + pace.gap_seconds)


def too_often(pace: Pace, *, scale: float = 1.0) -> Pace:
    """It said that we ask too often (429): half as often from now on."""
    slower = min(max(_FIRST_SECONDS * scale, 2 * pace.gap_seconds), _LONGEST_SECONDS * scale)
    return replace(pace, slower_seconds=slower)


def well(pace: Pace, *, scale: float = 1.0) -> Pace:
    """It answered as it should: a little more often again."""
    eased = pace.slower_seconds * _EASING
    return replace(pace, slower_seconds=eased if eased > _NOTHING_SECONDS * scale else 0.0)


def is_robots_due(pace: Pace, now: float) -> bool:
    """Whether nobody has looked into its robots.txt for a day."""
    return not 0 <= now - pace.robots_at < _DAY_SECONDS
