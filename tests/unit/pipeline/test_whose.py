"""Whose prices a snapshot holds: likeness is believed when the header agrees; and two scans at once both count."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glimmr.jobs.job import Result
from glimmr.model import Found, Hospital, Known, Listed, Sighting
from glimmr.outcomes import Outcome
from glimmr.pipeline.scan_job import scan_job
from glimmr.pipeline.scan_step import ScanStep, remember
from glimmr.pipeline.whose import settle
from glimmr.scan import Scanned
from glimmr.scan.sources.cms_hpt import CmsHpt
from glimmr.scan.sources.listing import Listing
from glimmr.stores import catalog, hospitals, sightings, snapshots
from glimmr.stores.catalog import price_file_id
from glimmr.stores.database import Connection, Database
from glimmr.stores.tables import snapshots as snapshots_table
from tests.support.audit import rows
from tests.unit.pipeline.stage import FILE_ID, NOW, finish, parts_of, running

URL = "http://h.test/a.csv"
GRACE = Hospital(
    hospital_id="470004", ccn="470004", name="GRACE COTTAGE HOSPITAL", state="VT", address="185 GRAFTON RD", zip="05353"
)
OTHER = Hospital(hospital_id="470005", ccn="470005", name="NORTH COUNTRY HOSPITAL", state="VT", zip="05855")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def settled(database: Database, method: str, header: dict[str, object]) -> list[dict[str, object]]:
    """The links of an address that is said to be Grace Cottage's, held against bytes with this header."""
    meant = Sighting(
        hospital=GRACE, url=URL, source="cms_hpt", method=method, score=0.7, location_name="Northern Clinic"
    )
    both = [Known(hospital=one, sources=("cms_roster",)) for one in (GRACE, OTHER)]

    def work(connection: Connection) -> None:
        hospitals.write(connection, both, NOW, {})
        sightings.see(connection, "cms_hpt", "h.test", [meant], NOW)
        catalog.upsert(
            connection, snapshots_table, [{"file_id": FILE_ID, "blob_key": "k", "bytes": 1, "first_fetched": NOW}]
        )
        connection.execute(snapshots_table.update().values(**header))

    database.write(work)
    settle(database, FILE_ID, price_file_id(URL))
    return rows(
        database,
        "SELECT hospital_id, match_method, verified_by, verified_method FROM price_file_hospitals ORDER BY hospital_id",
    )


NAMED = {"location_names": ["Grace Cottage Hospital"], "addresses": ["185 Grafton Road, Townshend, VT 05353"]}
ANOTHER = {"location_names": ["Northern Clinic"], "addresses": ["1 Elm St, Newport, VT 05855"], "license_state": "VT"}


def test_a_likeness_with_which_the_header_agrees_is_verified(database: Database) -> None:
    (link,) = settled(database, "name+state", NAMED)
    assert link["hospital_id"] == "470004"
    assert (link["verified_by"], link["verified_method"]) == (FILE_ID, "name+address")


def test_a_likeness_that_the_header_denies_gives_way_to_who_the_source_named(database: Database) -> None:
    denied, own = settled(database, "name+state", ANOTHER)
    assert (denied["hospital_id"], denied["verified_by"], denied["verified_method"]) == ("470004", FILE_ID, None)
    assert str(own["hospital_id"]).startswith("x")
    assert own["match_method"] == "source"
    (hospital,) = rows(database, "SELECT name, state FROM hospitals WHERE ccn IS NULL")
    assert hospital == {"name": "Northern Clinic", "state": "VT"}
    assert database.read(
        lambda c: {row["hospital_id"] for row in snapshots.owners(c, FILE_ID, price_file_id(URL))}
    ) == {own["hospital_id"]}


def test_a_ccn_is_the_sources_own_word_and_stays_whatever_the_header_says(database: Database) -> None:
    (link,) = settled(database, "ccn", ANOTHER)
    assert (link["hospital_id"], link["verified_by"], link["verified_method"]) == ("470004", FILE_ID, None)


def test_nobody_waits_for_a_header_that_was_asked_before(database: Database) -> None:
    settled(database, "name+state", NAMED)
    held, may_end = threading.Event(), threading.Event()

    def writes(_: Connection) -> None:
        held.set()
        assert may_end.wait(30)

    writing = threading.Thread(target=database.write, args=(writes,))
    writing.start()
    assert held.wait(30)
    settle(database, FILE_ID, price_file_id(URL))  # it would wait for the writer for ever
    may_end.set()
    writing.join(30)


def waits(database: Database, pids: list[int]) -> bool:
    """Whether the first of these waits for a lock."""
    query = f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {pids[0] if pids else 0}"
    return [row["wait_event_type"] for row in rows(database, query)] == ["Lock"]


def test_two_scans_that_name_the_same_new_hospital_at_once_both_count(postgresql_database_url: str) -> None:
    database = Database(postgresql_database_url)
    by_pra = Hospital(hospital_id="470004", ccn="470004", name="Grace Cottage", state="VT", website="http://h.test")
    has_said, may_end, pids = threading.Event(), threading.Event(), list[int]()

    def first(connection: Connection) -> None:
        remember(connection, "cms_roster", "all", Scanned(listed=(Listed(hospital=GRACE, source="cms_roster"),)), NOW)
        has_said.set()
        assert may_end.wait(30)

    def second(connection: Connection) -> None:
        pids.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        remember(connection, "pra", "VT", Scanned(listed=(Listed(hospital=by_pra, source="pra"),)), NOW)

    threads = [threading.Thread(target=database.write, args=(work,)) for work in (first, second)]
    threads[0].start()
    assert has_said.wait(30)
    threads[1].start()
    while not waits(database, pids):
        threads[1].join(0.02)
        assert threads[1].is_alive()
    may_end.set()
    for thread in threads:
        thread.join(30)
    (known,) = rows(database, "SELECT name, address, website, sources FROM hospitals")
    database.close()
    assert (known["name"], known["address"]) == (GRACE.name, GRACE.address)
    assert known["website"] == "http://h.test"
    assert known["sources"] == ["cms_roster", "pra"]


def test_of_many_that_are_named_nobody_is_held_before_its_turn(postgresql_database_url: str) -> None:
    """Who holds one and wants a later one would wait for who holds that and wants the first."""
    database = Database(postgresql_database_url, patience_seconds=0)
    many = [replace(GRACE, hospital_id=f"47{n:04}", ccn=f"47{n:04}") for n in range(600)]
    listed = tuple(Listed(hospital=one, source="pra") for one in many)
    said = Scanned(found=(Found(hospital=many[-1], url=URL, source="pra"),), listed=listed)
    pids = list[int]()

    def remembers(connection: Connection) -> None:
        pids.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        remember(connection, "pra", "VT", said, NOW)

    def holds_one_and_wants_a_later_one(connection: Connection) -> None:
        hospitals.by_id(connection, {many[550].hospital_id}, hold=True)
        other.start()
        while not waits(database, pids):
            other.join(0.02)
            assert other.is_alive()
        connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        hospitals.by_id(connection, {many[-1].hospital_id}, hold=True)

    database.write(remembers)
    pids.clear()
    other = threading.Thread(target=database.write, args=(remembers,))
    try:
        database.write(holds_one_and_wants_a_later_one)
    finally:
        other.join(30)
        database.close()


def test_who_names_a_site_whose_own_scan_is_just_ending_does_not_wait_for_that(
    postgresql_database_url: str, tmp_path: Path
) -> None:
    database = Database(postgresql_database_url, patience_seconds=0)
    sources = {"listing": Listing(), "cms_hpt": CmsHpt()}
    parts = replace(parts_of(database, tmp_path, alone=False), sources=sources)
    named = tmp_path / "list.csv"
    named.write_text("name,state,ccn,url,page_url\nGrace,VT,470004,http://h.test/a.csv,http://h.test/prices\n")
    jobs = [scan_job("cms_hpt", "h.test", refresh=False), scan_job("listing", str(named), refresh=False)]
    site, listing = (running(database, job) for job in jobs)
    result = asyncio.run(ScanStep(parts).run(listing, lambda **_: None))
    ended, may_commit = threading.Event(), threading.Event()

    def end(connection: Connection) -> None:
        finish(connection, site, Result(outcome=Outcome.OK))
        ended.set()
        assert may_commit.wait(30)

    def name_it(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        finish(connection, listing, result)

    ending = threading.Thread(target=database.write, args=(end,))
    ending.start()
    assert ended.wait(30)
    try:
        database.write(name_it)
    finally:
        may_commit.set()
        ending.join(30)
    assert rows(database, "SELECT DISTINCT state FROM jobs WHERE step = 'scan'") == [{"state": "done"}]
    database.close()
