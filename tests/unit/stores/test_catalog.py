"""What is known of hospitals and addresses, on a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.expression import Executable

from glimmr.model import Fetched, Found, Hospital
from glimmr.stores import catalog, snapshots, tally
from glimmr.stores.database import Database
from tests.support.known import remember

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    built = Database(database_url)
    yield built
    built.close()


def found(name: str = "St. Mary", ccn: str = "470001", url: str = "http://a.test/x.csv", **more: str) -> Found:
    hospital = Hospital(hospital_id=ccn, ccn=ccn, name=name, state="VT", **more)
    return Found(hospital=hospital, url=url, source="listing")


def answer(database: Database, key: str, file_id: str, now: datetime = NOW) -> None:
    fetched = Fetched(path="k", file_id=file_id, size_bytes=3_000_000_000, http_status=200, final_url="u", etag='"e"')
    database.write(lambda connection: snapshots.remember_bytes(connection, fetched, "key"))
    database.write(lambda connection: snapshots.record_answer(connection, key, now, outcome="ok", fetched=fetched))


def test_what_a_later_scan_does_not_say_is_not_forgotten(database: Database) -> None:
    database.write(lambda c: remember(c, [found(city="Burlington")], NOW))
    database.write(lambda c: remember(c, [found(name="Saint Mary")], NOW + timedelta(days=1)))
    (owner,) = database.read(lambda c: snapshots.owners(c, "f", catalog.price_file_id("http://a.test/x.csv")))
    assert (owner["name"], owner["city"]) == ("Saint Mary", "Burlington")


def test_an_address_of_two_hospitals_is_one_address(database: Database) -> None:
    keys = database.write(lambda c: remember(c, [found(), found("Annex", "470002")], NOW))
    assert len(keys) == 1
    assert len(database.read(lambda c: snapshots.owners(c, "f", keys[0]))) == 2


def test_an_address_is_due_when_it_was_never_tried_or_its_time_has_come(database: Database) -> None:
    (key,) = database.write(lambda c: remember(c, [found()], NOW))

    def due(now: datetime, *, since: datetime | None = None) -> int:
        return len(database.read(lambda c: catalog.due(c, [key], now, since=since)))

    assert due(NOW) == 1
    database.write(lambda c: catalog.begin(c, [key]))
    assert due(NOW, since=NOW) == 0
    later = NOW + timedelta(days=7)
    database.write(lambda c: catalog.end(c, key, "gone", "not_found", message="", next_try_at=later))
    assert (due(NOW), due(later), due(NOW, since=NOW)) == (0, 1, 1)


def test_a_refresh_puts_an_address_once_whoever_names_it(database: Database) -> None:
    (key,) = database.write(lambda c: remember(c, [found()], NOW))
    database.write(lambda c: catalog.begin(c, [key], since=NOW))
    database.write(lambda c: catalog.end(c, key, "ok", "", message=""))
    began = [NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1)]
    assert [len(database.read(lambda c, at=at: catalog.due(c, [key], NOW, since=at))) for at in began] == [0, 0, 1]


def test_more_addresses_are_asked_after_than_one_statement_takes(database: Database) -> None:
    many = [found(url=f"http://a.test/{n}") for n in range(1201)]
    keys = database.write(lambda c: remember(c, many, NOW))
    due = database.read(lambda c: catalog.due(c, keys, NOW))
    assert [address.price_file_id for address in due] == keys


def test_the_latest_answer_counts_and_each_is_kept(database: Database) -> None:
    (key,) = database.write(lambda c: remember(c, [found()], NOW))
    database.write(lambda c: catalog.begin(c, [key]))
    for file_id in ("one", "two", "one"):
        answer(database, key, file_id)
    assert database.read(lambda c: snapshots.latest_file_id(c, key)) == "one"
    assert database.read(lambda c: snapshots.times_seen(c, key, "one")) == 2
    assert database.read(lambda c: snapshots.waiting_for(c, "one")) == [key]
    assert database.read(lambda c: snapshots.waiting_for(c, "two")) == []
    assert database.read(snapshots.wanted) == {"one"}


def test_a_file_of_three_gigabytes_has_its_size(database: Database) -> None:
    (key,) = database.write(lambda c: remember(c, [found()], NOW))
    answer(database, key, "one")
    assert database.read(tally.counts)["bytes"] == 3_000_000_000


def test_pointing_at_newer_bytes_names_the_former_ones(database: Database) -> None:
    (key,) = database.write(lambda c: remember(c, [found()], NOW))
    answer(database, key, "one")
    assert database.write(lambda c: snapshots.point(c, key, "one", NOW)) is None
    assert database.write(lambda c: snapshots.point(c, key, "one", NOW)) is None
    assert database.write(lambda c: snapshots.point(c, key, "two", NOW)) == "one"
    assert database.read(lambda c: snapshots.pointing_url(c, "one")) is None
    assert database.read(lambda c: snapshots.pointing_url(c, "two")) == "http://a.test/x.csv"


@pytest.mark.parametrize("module", [catalog, snapshots, tally], ids=lambda module: module.__name__)
def test_every_statement_is_postgresqls_too(module: ModuleType) -> None:
    statements = [value for value in vars(module).values() if isinstance(value, Executable)]
    for statement in statements:
        assert str(statement.compile(dialect=postgresql.dialect()))
