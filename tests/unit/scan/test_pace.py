from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from glimmr.scan.pace import Limit, LocalDiary, Pace, after_one

HUNDRED = Limit(100, 180.0)


@given(st.lists(st.floats(0, 20), max_size=60), st.integers(1, 7), st.floats(0.5, 50))
def test_no_window_ever_holds_more_than_the_limit(gaps: list[float], requests: int, seconds: float) -> None:
    limit, taken, now, sent = Limit(requests, seconds), (), 0.0, list[float]()
    for gap in gaps:
        now += gap
        taken = after_one(taken, now, limit)
        sent.append(taken[-1])
        assert taken[-1] >= now
    assert sent == sorted(sent)
    assert all(late - early >= seconds * (1 - 1e-9) for early, late in zip(sent, sent[requests:], strict=False))


def test_nobody_waits_while_there_is_room() -> None:
    taken = ()
    for _ in range(100):
        taken = after_one(taken, 5.0, HUNDRED)
    assert set(taken) == {5.0}
    assert after_one(taken, 6.0, HUNDRED)[-1] == 185.0


def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_hours() -> None:
    taken = tuple(100_000.0 for _ in range(100))
    assert after_one(taken, 1000.0, HUNDRED)[-1] <= 1180.0


def test_all_who_share_a_diary_share_the_limit() -> None:
    diary = LocalDiary(clock=lambda: 0.0)
    members = [Pace("api", Limit(10, 60.0), diary) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        waits = sorted(pool.map(lambda number: members[number % 4].take(), range(40)))
    assert waits == [0.0] * 10 + [60.0] * 10 + [120.0] * 10 + [180.0] * 10
    assert Pace("another", Limit(10, 60.0), diary).take() == 0.0
