"""Who named which address, and what an answer changes: never more than it says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from glimmr.model import Hospital, Known, Sighting
from glimmr.stores import hospitals, sightings
from glimmr.stores.catalog import price_file_id
from glimmr.stores.database import Connection, Database
from glimmr.stores.sightings import Seen
from tests.support.audit import rows

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
A, B, C = (f"http://h.test/{name}.csv" for name in "abc")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def see(
    database: Database,
    *said: tuple[str, str],
    source: str = "pra",
    place: str = "VT",
    day: int = 0,
    whole: bool = True,
    method: str = "ccn",
) -> Seen:
    """An answer that names addresses with their hospitals."""
    told = [
        Sighting(
            hospital=Hospital(hospital_id=key, name=key, state="VT"), url=url, source=source, method=method, score=1
        )
        for url, key in said
    ]

    def work(connection: Connection) -> Seen:
        hospitals.write(connection, [Known(hospital=one.hospital, sources=(source,)) for one in told], NOW, {})
        return sightings.see(connection, source, place, told, NOW + timedelta(days=day), whole=whole)

    return database.write(work)


def test_who_names_a_hospital_itself_is_believed_though_another_meant_it_by_likeness_before(database: Database) -> None:
    def method() -> set[tuple[str, str]]:
        links = rows(database, "SELECT source, match_method FROM price_file_hospitals")
        return {(row["source"], row["match_method"]) for row in links}

    see(database, (A, "470001"), source="page", place="h.test", method="domain+name")
    assert method() == {("page", "domain+name")}
    see(database, (A, "470001"))
    assert method() == {("pra", "ccn")}
    see(database, (A, "470001"), source="page", place="h.test", method="domain+name", day=1)
    assert method() == {("pra", "ccn")}


def changes(database: Database) -> list[tuple[str, str, str]]:
    return [
        (row["price_file_id"], row["what"], row["detail"])
        for row in rows(database, "SELECT price_file_id, what, detail FROM address_changes ORDER BY id")
    ]


def moved_to(database: Database) -> dict[str, str]:
    query = "SELECT url, moved_to FROM price_files WHERE moved_to IS NOT NULL"
    return {row["url"]: row["moved_to"] for row in rows(database, query)}


def test_what_is_named_again_is_not_new(database: Database) -> None:
    assert see(database, (A, "1"), (B, "2")).new == {price_file_id(A), price_file_id(B)}
    again = see(database, (A, "1"), (B, "2"), day=1)
    assert (again.new, again.updated, again.gone) == (set(), set(), [])
    assert len(changes(database)) == 2


def test_an_address_that_has_another_hospital_too_is_updated(database: Database) -> None:
    see(database, (A, "1"))
    assert see(database, (A, "1"), (A, "2"), day=1).updated == {price_file_id(A)}


def test_an_answer_that_names_nobody_changes_nothing(database: Database) -> None:
    see(database, (A, "1"))
    before = rows(database, "SELECT * FROM sightings")
    assert see(database, day=1) == Seen([], set(), set(), [])
    assert rows(database, "SELECT * FROM sightings") == before
    assert len(changes(database)) == 1


def test_what_an_answer_may_only_not_have_reached_is_still_there(database: Database) -> None:
    see(database, (A, "1"), (C, "2"))
    assert see(database, (B, "1"), (C, "2"), day=1, whole=False).gone == []
    live = rows(database, "SELECT price_file_id FROM sightings WHERE gone_at IS NULL")
    assert {row["price_file_id"] for row in live} == {price_file_id(url) for url in (A, B, C)}
    assert moved_to(database) == {}


def test_an_address_that_gives_way_to_another_of_its_hospital_has_moved(database: Database) -> None:
    see(database, (A, "1"), (C, "2"))
    seen = see(database, (B, "1"), (C, "2"), day=1)
    assert seen.moved == {(price_file_id(A), "1"): price_file_id(B)}
    assert moved_to(database) == {A: price_file_id(B)}
    assert (price_file_id(A), "moved", price_file_id(B)) in changes(database)


def test_an_address_that_another_source_still_names_stays_where_it_is(database: Database) -> None:
    see(database, (A, "1"))
    see(database, (A, "1"), source="cms_hpt", place="h.test")
    see(database, (B, "1"), day=1)
    assert moved_to(database) == {}


def test_of_two_addresses_that_leave_for_one_it_is_not_said_which_has_moved(database: Database) -> None:
    see(database, (A, "1"), (B, "1"))
    seen = see(database, (C, "1"), day=1)
    assert seen.moved == {}
    assert sorted(seen.gone) == sorted([(price_file_id(A), "1"), (price_file_id(B), "1")])
    assert [what for _, what, _ in changes(database)][-2:] == ["unlisted", "unlisted"]


def test_an_address_that_is_named_again_has_that_in_its_history_once(database: Database) -> None:
    see(database, (A, "1"), (B, "2"))
    see(database, (B, "2"), day=1)
    for day in (2, 3):
        see(database, (A, "1"), (B, "2"), day=day)
    assert [what for key, what, _ in changes(database) if key == price_file_id(A)] == ["new", "unlisted", "relisted"]


def test_an_address_that_comes_back_has_not_moved_any_more(database: Database) -> None:
    see(database, (A, "1"))
    see(database, (B, "1"), day=1)
    see(database, (A, "1"), (B, "1"), day=2)
    assert moved_to(database) == {}
    live = rows(database, "SELECT price_file_id FROM sightings WHERE gone_at IS NULL")
    assert {row["price_file_id"] for row in live} == {price_file_id(A), price_file_id(B)}


def test_a_source_that_fails_keeps_the_numbers_it_could_say(database: Database) -> None:
    database.write(lambda c: sightings.answered(c, "pra", "VT", NOW, outcome="ok", found=7, skipped={"x": 1}))
    later = NOW + timedelta(days=1)
    failed = {"outcome": "unreachable", "reason": "server_error"}
    database.write(lambda c: sightings.answered(c, "pra", "VT", later, **failed))
    answer = database.read(lambda c: sightings.answer(c, "pra", "VT"))
    assert answer is not None
    assert (answer["outcome"], answer["found"], answer["skipped"]) == ("unreachable", 7, {"x": 1})
    assert (answer["asked_at"], answer["answered_at"]) == (later, NOW)


def left(database: Database) -> set[tuple[str, str]]:
    """Hospital and address of the links that the hospital has left."""
    query = "SELECT hospital_id, url FROM price_file_hospitals l JOIN price_files USING (price_file_id)"
    return {(row["hospital_id"], row["url"]) for row in rows(database, f"{query} WHERE l.moved_to IS NOT NULL")}


def test_of_several_hospitals_at_one_address_only_the_one_that_left_has_moved(database: Database) -> None:
    see(database, (A, "1"), (A, "2"))
    see(database, (B, "1"), (A, "2"), day=1)
    assert moved_to(database) == {}
    assert left(database) == {("1", A)}
    see(database, (A, "1"), (A, "2"), day=2)  # it comes back
    assert left(database) == {("1", B)}


def test_hospitals_that_leave_one_address_for_two_each_go_their_own_way(database: Database) -> None:
    see(database, (A, "1"), (A, "2"), (A, "3"))
    see(database, (B, "1"), (C, "2"), day=1)
    assert moved_to(database) == {}
    assert left(database) == {("1", A), ("2", A)}
    details = {(what, detail) for _, what, detail in changes(database) if what != "new"}
    assert details == {("moved", price_file_id(B)), ("moved", price_file_id(C)), ("unlisted", "")}


@pytest.mark.parametrize(
    ("answer", "outcome", "later"),
    [("404", "ok", {"h.test"}), ("connection_refused", "ok", set[str]()), ("200", "gone", set[str]())],
)
def test_a_site_counts_as_asked_for_a_day_where_somebody_answered_else_while_the_questions_last(
    database: Database, answer: str, outcome: str, later: set[str]
) -> None:
    tried = [{"url": "http://h.test/cms-hpt.txt", "answer": answer, "verdict": "failed"}]
    database.write(lambda c: sightings.answered(c, "cms_hpt", "h.test", NOW, outcome=outcome, tried=tried))

    def asked(began: datetime) -> set[str]:
        day_before = began - timedelta(days=1)
        return database.read(lambda c: sightings.asked_since(c, "cms_hpt", ["h.test"], began, heard_since=day_before))

    assert asked(NOW - timedelta(minutes=1)) == {"h.test"}  # by a question put with those that are asked now
    assert asked(NOW + timedelta(hours=1)) == later
    assert asked(NOW + timedelta(days=2)) == set()


@pytest.mark.long
def test_a_list_of_more_addresses_than_one_statement_takes_is_remembered(sqlite_database_url: str) -> None:
    built = Database(sqlite_database_url)
    own = Hospital(hospital_id="1", name="1", state="VT")
    told = [
        Sighting(hospital=own, url=f"http://h.test/{n}", source="listing", method="ccn", score=1) for n in range(33_000)
    ]

    def work(connection: Connection) -> None:
        hospitals.write(connection, [Known(hospital=own, sources=("listing",))], NOW, {})
        sightings.see(connection, "listing", "l.csv", told, NOW)

    built.write(work)
    assert rows(built, "SELECT count(*) AS count FROM sightings") == [{"count": 33_000}]
    built.close()
