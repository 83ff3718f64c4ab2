"""What is told of hospitals, on real databases: who named what, whom a header names, who of the roster has what."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest

from glimmr.errors import UsageError
from glimmr.model import Fetched, Found, Hospital, Listed, Pointer, Skipped, Tried
from glimmr.pipeline import scan_step
from glimmr.scan import Scanned
from glimmr.stores import owners, sightings, snapshots
from glimmr.stores.catalog import price_file_id
from glimmr.stores.database import Connection, Database
from glimmr.watch import coverage, find, hospitals, scanned

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = date(2026, 11, 23)
MARY = Hospital(
    hospital_id="470001", ccn="470001", name="SAINT MARY'S HOSPITAL", state="VT", city="RUTLAND",
    npis="1234567893|1992999999",
)  # fmt: skip
QUIET = Hospital(hospital_id="470002", ccn="470002", name="QUIET VALLEY HOSPITAL", state="VT")
FEDERAL = Hospital(
    hospital_id="47001F", ccn="47001F", name="WHITE RIVER VA", state="VT", exempt_reason="veterans_affairs"
)
URL = "http://a.test/prices.csv?sig=s3cr3t"
T = TypeVar("T")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    built = Database(database_url)
    built.write(_scans)
    yield built
    built.close()


def _scans(connection: Connection) -> None:
    roster = Scanned(
        found=(),
        listed=tuple(Listed(hospital=one, source="cms_roster") for one in (MARY, QUIET, FEDERAL)),
        skipped=(Skipped(record="row 9", reason="no hospital name"),),
    )
    scan_step.remember(connection, "cms_roster", "all", roster, NOW)
    own = Hospital(hospital_id="470001", ccn="470001", name="St. Mary", state="VT", website="https://www.mary.org/x")
    scan_step.remember(connection, "pra", "VT", Scanned(found=(Found(hospital=own, url=URL, source="pra"),)), NOW)
    pointer = Pointer(
        location_name="Saint Mary's Hospital", url="http://b.test/p.csv", domain="mary.org", hpt_url="h", place="1"
    )
    tried = Tried(url="https://mary.org/cms-hpt.txt", answer="200", verdict="hpt")
    site = Scanned(found=(), pointers=(pointer,), tried=(tried,))
    scan_step.remember(connection, "cms_hpt", "mary.org", site, NOW + timedelta(minutes=1))
    sightings.answered(connection, "pra", "GU", NOW, outcome="unreachable", reason="server_error", message="HTTP 500")


def _read(database: Database, work: Callable[[Connection], T]) -> T:
    return database.read(work)


def test_each_address_is_told_with_who_named_it_and_without_its_token(database: Database) -> None:
    told = _read(database, lambda c: hospitals.one(c, "470001", TODAY))
    assert [(one["url"], one["standing"], one["match_method"]) for one in told["addresses"]] == [
        ("http://a.test/prices.csv?sig=***", "waiting", "ccn"),
        ("http://b.test/p.csv", "waiting", "domain+name"),
    ]
    assert [who["source"] for one in told["addresses"] for who in one["named_by"]] == ["pra", "cms_hpt"]
    assert told["field_sources"]["website"] == "pra"
    assert told["freshness"] == {"last_updated_on": None, "age_days": None, "fresh": None}
    asked = {(one["source"], one["place"]): (one["named"], one["lists_it"]) for one in told["answers"]}
    assert asked == {("cms_hpt", "mary.org"): (1, True), ("cms_roster", "all"): (0, True), ("pra", "VT"): (1, True)}
    assert "s3cr3t" not in str(told)


def test_a_file_whose_header_names_others_is_ruled_out_and_says_whom_it_names(database: Database) -> None:
    key, file_id = price_file_id("http://b.test/p.csv"), "f" * 64

    def read(connection: Connection) -> None:
        snapshots.remember_bytes(connection, _fetched(file_id), "key")
        (link,) = owners.unverified(connection, file_id, key)
        owners.verified(connection, link, file_id, None, None)

    database.write(read)
    told = _read(database, lambda c: hospitals.one(c, "470001", TODAY))
    (ruled_out,) = [one for one in told["addresses"] if one["standing"] == "other_hospital"]
    assert ruled_out["header"] == {"hospital_name": None, "location_names": []}
    assert "names others" in ruled_out["why"]
    (listed,) = [one for one in _listing(database) if one["ccn"] == "470001"]
    assert listed["files"] == 1


def _fetched(file_id: str) -> Fetched:
    return Fetched(path="k", file_id=file_id, size_bytes=9, http_status=200, final_url="u")


def _listing(database: Database, *, missing_file: bool = False, limit: int = 50) -> list[dict[str, Any]]:
    return _read(database, lambda c: hospitals.listing(c, "VT", missing_file=missing_file, limit=limit))["hospitals"]


def test_who_has_no_address_is_listed_the_exempt_last(database: Database) -> None:
    assert [one["ccn"] for one in _listing(database, missing_file=True)] == ["470002", "47001F"]
    assert [one["ccn"] for one in _listing(database, limit=1)] == ["470002"]
    assert _read(database, lambda c: hospitals.listing(c, "GU", missing_file=False, limit=9))["total"] == 0


@pytest.mark.parametrize("text", ["1992999999", "https://mary.org/prices", "www.mary.org", "st mary's", "47-0001"])
def test_a_hospital_is_found_by_npi_domain_name_and_number(database: Database, text: str) -> None:
    assert [one["ccn"] for one in _read(database, lambda c: find.find(c, text, None, 9))["hospitals"]] == ["470001"]


@pytest.mark.parametrize("text", ["", "!", "mary texas", "0", "http://[", "1234"])
def test_what_means_nobody_finds_nobody(database: Database, text: str) -> None:
    assert _read(database, lambda c: find.find(c, text, None, 9))["hospitals"] == []


def test_why_tells_what_to_do_about_a_source_that_was_not_asked(database: Database) -> None:
    enabled = ("cms_roster", "pra", "cms_hpt", "page")
    (mary, quiet) = _read(database, lambda c: find.explain(c, ["470001", "470002"], enabled))
    assert mary["not_asked"] == {
        "page": "its site mary.org was not asked yet by this source: `glimmr scan --domain mary.org`"
    }
    assert list(quiet["not_asked"]) == ["cms_hpt", "page"]
    (site,) = [one for one in mary["answers"] if one["source"] == "cms_hpt"]
    assert [(tried["url"], tried["verdict"]) for tried in site["tried"]] == [("https://mary.org/cms-hpt.txt", "hpt")]


def test_coverage_tells_when_the_roster_was_read_and_leaves_the_exempt_out(database: Database) -> None:
    told = _read(database, lambda c: coverage.coverage(c, TODAY))
    assert told["roster_read"] == {"all": NOW}
    (state,) = told["states"]
    assert (state["roster"], state["exempt"], state["must_publish"], state["address"]) == (3, 1, 2, 1)
    assert (state["without_prices"], state["nobody_knows"], state["percent"]) == ({"waiting": 1}, 1, 0.0)


def test_a_scan_is_summed_up_from_what_was_said_since_it_began(database: Database) -> None:
    told = scanned.summary(database, NOW)
    assert (told["asked"], told["answered"], told["found"], told["listed"]) == (4, 3, 2, 3)
    assert told["new"] == {"addresses": 2, "hospitals": 3}
    assert told["skipped"] == {"no hospital name": 1}
    assert [(one["place"], one["reason"]) for one in told["failed"]] == [("GU", "server_error")]
    later = scanned.summary(database, NOW + timedelta(seconds=30))
    assert (later["asked"], later["found"], later["listed"]) == (1, 1, 0)


def test_an_id_may_be_cut_and_a_ccn_without_its_zero_and_nobody_is_told_where_to_look(database: Database) -> None:
    own = Hospital(hospital_id="x0123456789abcde", name="Small", state="ME")
    zero = Hospital(hospital_id="010001", ccn="010001", name="Southeast", state="AL")
    found = tuple(Found(hospital=one, url=f"http://c.test/{one.state}", source="listing") for one in (own, zero))
    database.write(lambda c: scan_step.remember(c, "listing", "l.csv", Scanned(found=found), NOW))
    for wanted, name in (("x01234567", "Small"), ("10001", "Southeast")):
        assert _read(database, lambda c, w=wanted: hospitals.one(c, w, TODAY))["name"] == name
    with pytest.raises(UsageError, match="`glimmr find` finds them"):
        _read(database, lambda c: hospitals.one(c, "x", TODAY))


def test_a_hospital_that_was_renamed_says_so_in_its_history_and_is_found_by_both_names(database: Database) -> None:
    later = replace(MARY, name="RUTLAND REGIONAL")
    said = Scanned(listed=(Listed(hospital=later, source="cms_roster"),))
    moment = NOW + timedelta(days=7)
    for day in (0, 1):
        database.write(
            lambda c, day=day: scan_step.remember(c, "cms_roster", "all", said, moment + timedelta(days=day))
        )
    told = _read(database, lambda c: hospitals.one(c, "470001", TODAY))
    assert told["name"] == "RUTLAND REGIONAL"
    (change,) = [one for one in told["history"] if one["what"] == "renamed"]
    assert (change["source"], change["detail"], change["url"], change["at"]) == ("cms_roster", MARY.name, None, moment)
    assert [one["at"] for one in told["history"]] == sorted(one["at"] for one in told["history"])
    assert scanned.summary(database, moment)["changes"] == {"renamed": 1}
    for name in ("rutland regional", "saint mary"):
        assert [one["ccn"] for one in _read(database, lambda c, n=name: find.find(c, n, None, 9))["hospitals"]] == [
            "470001"
        ]


def test_updated_hospitals_and_updated_addresses_are_counted_apart(database: Database) -> None:
    moved = replace(MARY, city="BARRE")
    later = NOW + timedelta(days=7)
    roster = Scanned(listed=(Listed(hospital=moved, source="cms_roster"),))
    database.write(lambda c: scan_step.remember(c, "cms_roster", "all", roster, later))
    assert scanned.summary(database, later)["updated"] == {"addresses": 0, "hospitals": 1}
    shared = Scanned(found=(Found(hospital=QUIET, url=URL, source="pra"), Found(hospital=MARY, url=URL, source="pra")))
    database.write(lambda c: scan_step.remember(c, "pra", "VT", shared, later + timedelta(days=1)))
    assert scanned.summary(database, later + timedelta(days=1))["updated"] == {"addresses": 1, "hospitals": 0}


def test_new_hospitals_and_new_addresses_are_counted_apart(database: Database) -> None:
    for source, place, counts in (
        ("cms_roster", "all", (0, 3)),
        ("pra", "VT", (1, 0)),
        ("cms_hpt", "mary.org", (1, 0)),
    ):
        answer = _read(database, lambda c, s=source, p=place: sightings.answer(c, s, p))
        assert answer is not None
        assert (answer["new"], answer["new_hospitals"]) == counts
