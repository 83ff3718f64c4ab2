"""When a schedule is due: cron text and a moment in, the next moment out. All times are UTC, so no hour comes twice."""

from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from glimmr.errors import UsageError

_FIELDS = 5
_AHEAD = timedelta(days=1)  # a clock may be set back by so much without a schedule's being called wrong


def next_time(cron: str, after: datetime) -> datetime:
    """The first time of `cron` (minute, hour, day, month, weekday) after a moment. Raises UsageError: it has none."""
    try:
        times = CronSim(cron, after)
        when = next(times, None) if len(cron.split()) == _FIELDS else None
    except CronSimError:
        when = None
    if when is None:
        raise UsageError(f"{cron!r} is no schedule: write minute, hour, day, month and weekday, like 0 3 * * 0")
    return when


def stands(cron: str, appointed: datetime, now: datetime) -> bool:
    """Whether a time that was appointed earlier is one of the schedule's, and not beyond the one after the next.

    A time that is further off was appointed under a clock that was ahead. After the next one, and a day more: a clock
    that was set back over a time that had come already must not make it come again.
    """
    of_schedule = next_time(cron, appointed - timedelta(seconds=1)) == appointed
    return of_schedule and appointed <= next_time(cron, next_time(cron, now)) + _AHEAD
