"""A hospital that leaves an address it shares with others: its prices are the new address's, once that has some."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from glimmr.model import Fetched, Found, Hospital
from glimmr.pipeline.moved import give_way
from glimmr.pipeline.scan_step import remember
from glimmr.scan import Scanned
from glimmr.stores import snapshots
from glimmr.stores.catalog import price_file_id
from glimmr.stores.database import Connection, Database
from glimmr.stores.tables import price_file_hospitals
from tests.unit.pipeline.stage import NOW

SHARED, OWN = "http://h.test/all.csv", "http://h.test/one.csv"
OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def say(database: Database, *said: tuple[str, str], day: int = 0) -> list[str]:
    """PRA names addresses with their hospitals; the snapshots that have other hospitals because of it."""
    found = tuple(
        Found(hospital=Hospital(hospital_id=ccn, ccn=ccn, name=ccn, state="VT"), url=url, source="pra")
        for url, ccn in said
    )
    moment = NOW + timedelta(days=day)
    return database.write(lambda c: remember(c, "pra", "VT", Scanned(found=found), moment)).changed


def has_prices(database: Database, url: str, file_id: str) -> list[str]:
    """The address has these prices from now on; the snapshots that have other hospitals because of it."""

    def work(connection: Connection) -> list[str]:
        fetched = Fetched(path="k", file_id=file_id, size_bytes=9, http_status=200, final_url=url)
        snapshots.remember_bytes(connection, fetched, "key")
        snapshots.point(connection, price_file_id(url), file_id, NOW)
        return give_way(connection, price_file_id(url), NOW)

    return database.write(work)


def owners(database: Database, file_id: str) -> list[str]:
    return [row["ccn"] for row in database.read(lambda c: snapshots.owners(c, file_id, None))]


def test_who_leaves_keeps_its_prices_until_the_new_address_has_some_and_the_others_keep_theirs(
    database: Database,
) -> None:
    say(database, (SHARED, "470001"), (SHARED, "470002"))
    has_prices(database, SHARED, OLD)
    say(database, (OWN, "470001"), (SHARED, "470002"), day=1)
    assert owners(database, OLD) == ["470001", "470002"]
    assert has_prices(database, OWN, NEW) == [OLD]
    assert (owners(database, OLD), owners(database, NEW)) == (["470002"], ["470001"])
    assert say(database, (SHARED, "470001"), (SHARED, "470002"), day=2) == [OLD, NEW]  # it comes back
    assert (owners(database, OLD), owners(database, NEW)) == (["470001", "470002"], [])


def test_who_leaves_for_an_address_that_has_prices_already_does_so_at_once(database: Database) -> None:
    say(database, (SHARED, "470001"), (SHARED, "470002"), (OWN, "470003"))
    has_prices(database, SHARED, OLD)
    has_prices(database, OWN, NEW)
    assert set(say(database, (OWN, "470001"), (SHARED, "470002"), (OWN, "470003"), day=1)) == {OLD, NEW}
    assert (owners(database, OLD), owners(database, NEW)) == (["470002"], ["470001", "470003"])


def test_who_moves_on_once_more_does_not_come_back_to_where_it_was_first(database: Database) -> None:
    last, newest = "http://h.test/last.csv", "c" * 64
    say(database, (SHARED, "470001"), (SHARED, "470002"))
    has_prices(database, SHARED, OLD)
    say(database, (OWN, "470001"), (SHARED, "470002"), day=1)
    has_prices(database, OWN, NEW)
    say(database, (last, "470001"), (SHARED, "470002"), day=2)
    assert (owners(database, OLD), owners(database, NEW)) == (["470002"], ["470001"])
    assert has_prices(database, last, newest) == [NEW]
    assert [owners(database, file_id) for file_id in (OLD, NEW, newest)] == [["470002"], [], ["470001"]]


def test_an_address_whose_header_has_not_named_the_hospital_takes_nothing_from_the_former_one(
    database: Database,
) -> None:
    say(database, (SHARED, "470001"), (SHARED, "470002"))
    has_prices(database, SHARED, OLD)
    say(database, (OWN, "470001"), (SHARED, "470002"), day=1)
    likeness = update(price_file_hospitals).where(price_file_hospitals.c.price_file_id == price_file_id(OWN))
    database.write(lambda c: c.execute(likeness.values(match_method="name+state")))
    assert has_prices(database, OWN, NEW) == []
    assert (owners(database, OLD), owners(database, NEW)) == (["470001", "470002"], [])
