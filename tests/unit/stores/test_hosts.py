"""What is known of hosts is known to all processes on one database."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from glimmr.model import Pace, Standing
from glimmr.stores import turns as turning
from glimmr.stores.database import Database
from glimmr.stores.hosts import HostBook
from glimmr.stores.turns import FleetTurns


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


class StoppedError(Exception):
    pass


def slots(database: Database, host: str = "h") -> int:
    query = f"SELECT slots_in_use FROM hosts WHERE host = '{host}'"
    return database.read(lambda c: c.exec_driver_sql(query).scalar_one())


def test_how_a_host_stands_and_what_helped_is_known_to_the_next_process(database: Database) -> None:
    first, second = HostBook(database), HostBook(database)
    assert first.standing("h") == Standing()
    pace = Pace(crawl_seconds=2.5, slower_seconds=1.5, robots_at=1e9, next_at=4e9)
    standing = Standing(failures=0, since=0.0, until=4e9, opened=2, pace=pace)
    assert first.change("h", lambda _: standing) == standing
    first.remember("h", ["http1", "browser_headers"])
    assert second.standing("h") == standing
    assert second.ways("h") == {"http1", "browser_headers"}
    assert first.ways("h") == {"http1", "browser_headers"}
    assert second.ways("other") == frozenset()


def test_changes_of_many_at_once_all_count(database: Database) -> None:
    books = [HostBook(database) for _ in range(4)]

    def count(book: HostBook) -> None:
        for _ in range(10):
            book.change("h", lambda s: Standing(failures=s.failures + 1, since=1000.0))

    threads = [threading.Thread(target=count, args=(book,)) for book in books]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert HostBook(database).standing("h").failures == 40


def test_a_fleet_has_no_more_turns_at_a_host_than_one_process(database: Database) -> None:
    fleet = [FleetTurns(database, 2, f"p{n}") for n in range(3)]
    now, most, lock = [0], [0], threading.Lock()

    def ask(turns: FleetTurns) -> None:
        for _ in range(3):
            with turns.turn("h", lambda: None):
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                time.sleep(0.02)
                with lock:
                    now[0] -= 1

    threads = [threading.Thread(target=ask, args=(turns,)) for turns in fleet for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2
    for turns in fleet:
        turns.close()
    assert slots(database) == 0


def test_a_turn_lingers_for_the_next_request_of_its_process_and_then_its_idle_connection_is_closed_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turning, "_LINGER_SECONDS", 0.2)
    turns, closed, order = FleetTurns(database, 1, "p"), threading.Event(), list[tuple[str, int]]()

    def close_idle(host: str) -> None:
        order.append((host, slots(database)))
        closed.set()

    turns.when_let_go(close_idle)
    tokens = list[str]()
    for _ in range(2):
        with turns.turn("h", lambda: None):
            tokens += database.read(lambda c: c.exec_driver_sql("SELECT token FROM host_turns").scalars().all())
    assert tokens[0] == tokens[1]
    assert closed.wait(5)
    with pytest.raises(StoppedError), turns.turn("h", lambda: None):
        raise StoppedError  # nothing lingers after an error
    assert slots(database) == 0
    turns.close()
    assert order == [("h", 1), ("h", 1)]


def test_a_dead_process_holds_its_turns_no_longer_than_its_lease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, alive = FleetTurns(database, 1, "dead"), FleetTurns(database, 1, "alive")
    held = dead.turn("h", lambda: None)
    held.__enter__()
    dead.close()  # it beats no more
    waited = list[Any]()

    def pass_the_time() -> None:
        waited.append(1)
        database.write(lambda c: c.exec_driver_sql("UPDATE host_turns SET lease_until = 0"))

    monkeypatch.setattr(turning, "_LOOK_SECONDS", 0.01)
    with alive.turn("h", pass_the_time):
        assert slots(database) == 1
    assert len(waited) == 1
    alive.close()


def test_who_waits_for_a_turn_can_be_stopped(database: Database) -> None:
    first = FleetTurns(database, 1, "p")

    def stop() -> None:
        raise StoppedError

    with first.turn("h", stop), pytest.raises(StoppedError), first.turn("h", stop):
        raise AssertionError("there was no turn")
    first.close()
    assert slots(database) == 0
