from datetime import UTC, datetime, timedelta

import pytest

from glimmr.errors import UsageError
from glimmr.jobs.schedule import next_time, stands

_SUNDAY = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
_WEEK = timedelta(days=7)


def test_the_next_time_is_after_the_moment_never_at_it() -> None:
    assert next_time("0 3 * * 0", _SUNDAY - timedelta(seconds=1)) == _SUNDAY
    assert next_time("0 3 * * 0", _SUNDAY) == _SUNDAY + _WEEK
    assert next_time("0 3 * * 0", _SUNDAY + timedelta(milliseconds=300)) == _SUNDAY + _WEEK


def test_times_that_were_missed_are_not_made_up_for_one_by_one() -> None:
    assert next_time("0 3 * * *", _SUNDAY + timedelta(days=10, hours=1)) == _SUNDAY + timedelta(days=11)


@pytest.mark.parametrize(
    "text", ["", "weekly", "0 3 * *", "61 3 * * 0", "0 3 30 2 *", "0 0 3 * * 0", "0 3 * * 9", "0 3 * * 0 extra"]
)
def test_what_is_no_schedule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no schedule: .* 0 3 \* \* 0"):
        next_time(text, _SUNDAY)


def test_a_time_of_another_schedule_does_not_stand() -> None:
    assert stands("0 3 * * 0", _SUNDAY, _SUNDAY - timedelta(days=2))
    assert not stands("0 4 * * 0", _SUNDAY, _SUNDAY - timedelta(days=2))


def test_a_clock_set_back_over_a_time_that_came_does_not_make_it_come_again() -> None:
    """Sunday's scan has run, the clock goes back an hour: the time appointed for next week stands."""
    assert stands("0 3 * * 0", _SUNDAY + _WEEK, _SUNDAY - timedelta(hours=1))
    assert stands("*/5 * * * *", _SUNDAY + timedelta(minutes=5), _SUNDAY - timedelta(hours=1))


def test_a_time_appointed_under_a_clock_that_was_far_ahead_does_not_stand() -> None:
    assert not stands("0 3 * * 0", _SUNDAY + 50 * _WEEK, _SUNDAY)
