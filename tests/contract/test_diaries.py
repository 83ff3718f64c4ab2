"""What every diary of paces must do, that of a fleet with processes of its own."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from glimmr.scan.pace import Diary, Limit, LocalDiary, Pace
from glimmr.stores.database import Database
from glimmr.stores.paces import PaceBook

LIMIT = Limit(5, 60.0)
_TAKE = """
import sys
from glimmr.scan.pace import Limit, Pace
from glimmr.stores.database import Database
from glimmr.stores.paces import PaceBook
database = Database(sys.argv[1])
pace = Pace("api", Limit(5, 60.0), PaceBook(database))
for _ in range(10):
    pace.take()
database.close()
"""


@pytest.fixture(params=["local", "sqlite", "postgresql"])
def diaries(request: pytest.FixtureRequest) -> Callable[[], Diary]:
    """What each member of those who share a pace has."""
    if request.param == "local":
        one = LocalDiary()
        return lambda: one
    database = Database(request.getfixturevalue(f"{request.param}_database_url"))
    request.addfinalizer(database.close)
    return lambda: PaceBook(database)


def moments(diary: Diary, name: str = "api") -> tuple[float, ...]:
    return diary.change(name, lambda taken, _: taken)[0]


def test_all_who_share_a_diary_share_the_limit(diaries: Callable[[], Diary]) -> None:
    members = [Pace("api", LIMIT, diaries()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        waits = sorted(pool.map(lambda number: members[number % 4].take(), range(20)))
    assert [round(wait / 60) for wait in waits] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    assert Pace("another", LIMIT, diaries()).take() == 0.0
    taken = moments(diaries())
    assert len(taken) == LIMIT.requests
    assert all(earlier <= later for earlier, later in pairwise(taken))


def test_what_a_change_raises_leaves_the_diary_as_it_was(diaries: Callable[[], Diary]) -> None:
    Pace("api", LIMIT, diaries()).take()
    before = moments(diaries())
    with pytest.raises(ZeroDivisionError):
        diaries().change("api", lambda _taken, _now: (1 / 0,))
    assert moments(diaries()) == before


def test_two_processes_share_one_limit_on_one_database(database_url: str) -> None:
    running = [subprocess.Popen([sys.executable, "-c", _TAKE, database_url]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    database = Database(database_url)
    try:
        taken = moments(PaceBook(database))
        wait = Pace("api", LIMIT, PaceBook(database)).take()
    finally:
        database.close()
    assert len(taken) == LIMIT.requests
    assert 200 < wait <= 240  # twenty were taken before, five in a minute
