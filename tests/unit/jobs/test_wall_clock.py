import time

from glimmr.jobs.wall_clock import WallClock


class Clock:
    """A clock that can be set."""

    ahead_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


def test_a_clock_that_is_set_back_is_noticed_once() -> None:
    clock = Clock()
    watched = WallClock(clock)
    assert not watched.is_doubtful()
    clock.ahead_seconds = -3600.0
    assert watched.is_doubtful()
    assert not watched.is_doubtful()


def test_a_clock_that_is_set_forward_or_a_little_back_is_nobodys_business() -> None:
    clock = Clock()
    watched = WallClock(clock)
    for clock.ahead_seconds in (3600.0, 86_400.0, 86_390.0):
        assert not watched.is_doubtful()
