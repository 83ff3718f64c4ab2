"""CMS's roster from a real HTTP server: pages, the CSV download, enrollments, and everything that goes wrong."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from glimmr.errors import FetchError, RateLimited, ServerError
from glimmr.model import Listed, Skipped
from glimmr.pipeline.scan_step import RunWeb
from glimmr.scan import scan
from glimmr.scan.identity import parent_ccn
from glimmr.scan.pace import LocalDiary
from glimmr.scan.sources import SOURCES
from glimmr.scan.sources.cms_roster import CmsRoster
from glimmr.settings import load
from tests.support.http_server import HttpServer, Request, Script, Wire, answer
from tests.support.reference import roster_rows
from tests.unit.net.asking import client

ROSTER, CSV, CATALOG, ENROLLED = "/query/xubh-q36u/0", "/query/xubh-q36u/0/download", "/data.json", "/dataset/7/data"
ROW = {
    "facility_id": "470001",
    "facility_name": "CENTRAL VERMONT MEDICAL CENTER",
    "address": "130 FISHER ROAD",
    "citytown": "BARRE",
    "state": "VT",
    "zip_code": "05641",
    "countyparish": "WASHINGTON",
    "telephone_number": "(802) 371-4100",
    "hospital_type": "Acute Care Hospitals",
    "hospital_ownership": "Voluntary non-profit - Private",
}
ENROLLMENT = {
    "CCN": "470001",
    "NPI": "1234567890",
    "ORGANIZATION NAME": "CENTRAL VERMONT MEDICAL CENTER INC",
    "DOING BUSINESS AS NAME": "CVMC",
    "ADDRESS LINE 1": "130 FISHER ROAD",
    "ADDRESS LINE 2": "",
    "CITY": "BARRE",
    "STATE": "VT",
    "ZIP CODE": "05641",
}


def row(**other: str) -> dict[str, str]:
    return ROW | other


def pages(rows: list[dict[str, str]], *, cap: int = 500) -> Script:
    """The query API as DKAN speaks it: limit, offset, conditions; never more than `cap` rows."""

    async def script(request: Request, wire: Wire) -> bool | None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        wanted = query.get("conditions[0][value]")
        chosen = [one for one in rows if wanted in (None, one["state"])]
        at = int(query["offset"])
        page = chosen[at : at + min(cap, int(query["limit"]))]
        return await answer(json.dumps({"results": page, "count": len(chosen), "schema": {}}).encode())(request, wire)

    return script


def catalog(server: HttpServer, **distribution: str) -> Script:
    """The list of datasets, in which releases and near namesakes stand around the one that is due."""
    newest = distribution or {"format": "API", "description": "latest", "accessURL": server.url(ENROLLED)}
    old = {"format": "API", "accessURL": server.url("/dataset/old/data"), "temporal": "2020-01-01/2020-01-31"}
    datasets: list[dict[str, Any]] = [
        {"title": "Hospice Enrollments", "distribution": [{"format": "API", "accessURL": server.url("/hospice")}]},
        {"title": "Hospital Enrollments", "distribution": [old, newest | {"temporal": "2026-10-01/2026-10-31"}]},
    ]
    return answer(json.dumps({"dataset": datasets}).encode())


def enrollments(rows: list[dict[str, str]]) -> Script:
    async def script(request: Request, wire: Wire) -> bool | None:
        at = int(parse_qs(urlsplit(request.path).query)["offset"][0])
        return await answer(json.dumps(rows[at : at + 5000]).encode())(request, wire)

    return script


def as_csv(rows: list[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), quoting=csv.QUOTE_MINIMAL)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@contextmanager
def served(scripts: Mapping[str, Script], *, npis: bool = False) -> Iterator[tuple[CmsRoster, RunWeb, HttpServer]]:
    with HttpServer(dict(scripts)) as server, closing(client(header_seconds=5.0, stall_seconds=5.0)) as asking:
        roster = CmsRoster(server.url(ROSTER), server.url(CATALOG) if npis else "")
        yield roster, RunWeb(asking, lambda **_: None, 60), server


def said(scripts: Mapping[str, Script], place: str = "all") -> list[Listed | Skipped]:
    with served(scripts) as (roster, web, _):
        return list(roster.find(place, web))


def enrolled_as(rows: list[dict[str, str]], place: str = "all") -> list[Listed | Skipped]:
    with served({ROSTER: pages([ROW])}, npis=True) as (roster, web, server):
        server.scripts = {**server.scripts, CATALOG: catalog(server), ENROLLED: enrollments(rows)}
        return list(roster.find(place, web))


@pytest.fixture(scope="module")
def real_rows() -> list[dict[str, str]]:
    return roster_rows()


API_NAMES = {"City/Town": "citytown", "County/Parish": "countyparish", "ZIP Code": "zip_code"}


@pytest.mark.parametrize("shape", ["pages", "download", "address of a CSV", "old names"])
def test_the_whole_roster_loads_with_its_ccns_intact(real_rows: list[dict[str, str]], shape: str) -> None:
    asked = [
        {API_NAMES.get(name, name.lower().replace(" ", "_")): value for name, value in one.items()} for one in real_rows
    ]
    old = [{"Provider ID": one["Facility ID"], "City/County Name": one["City/Town"], **one} for one in real_rows]
    scripts = {
        "pages": {ROSTER: pages(asked)},
        "download": {CSV: answer(as_csv([*real_rows]))},
        "address of a CSV": {ROSTER: answer(as_csv([*real_rows]))},
        "old names": {ROSTER: answer(as_csv([{k: v for k, v in one.items() if k != "City/Town"} for one in old]))},
    }[shape]
    found = [record for record in said(scripts) if isinstance(record, Listed)]
    assert [record.hospital.ccn for record in found] == [one["Facility ID"] for one in real_rows]
    assert len(found) == 5432
    assert sum(record.hospital.ccn[-1] == "F" for record in found if record.hospital.ccn) == 164
    assert [record.hospital.city for record in found] == [one["City/Town"] for one in real_rows]
    exempt = Counter(record.hospital.exempt_reason for record in found)
    assert (exempt["veterans_affairs"], exempt["defense"]) == (132, 32)
    assert exempt["indian_health"] >= 16  # the tribes' at least


def of(number: int) -> dict[str, str]:
    return row(facility_id=f"4700{number:02}")


SEVEN = [of(number) for number in range(1, 8)]


def by_three(*answers: Any, encoding: str = "utf-8") -> Script:
    """Pages of three in their turn, then empty ones; each a pair of rows and count, or the rows alone."""
    made = [json.dumps(one if isinstance(one, list) else {"results": one[0], "count": one[1]}) for one in answers]

    async def script(request: Request, wire: Wire) -> bool | None:
        at = int(parse_qs(urlsplit(request.path).query)["offset"][0]) // 3
        body = (
            made[at]
            if at < len(made)
            else json.dumps({"results": [], "count": answers[0][1]} if isinstance(answers[0], tuple) else [])
        )
        return await answer(body.encode(encoding))(request, wire)

    return script


def by_pages(script: Script) -> list[str | None]:
    with HttpServer({ROSTER: script}) as server, closing(client()) as asking:
        roster = CmsRoster(server.url(ROSTER), "", page_rows=3)
        found = roster.find("all", RunWeb(asking, lambda **_: None, 60))
        return [one.hospital.ccn for one in found if isinstance(one, Listed)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("count", [0, 4, 7, None])
def test_pages_are_read_to_their_end_whatever_their_count_says(count: int | None, encoding: str) -> None:
    parts = [SEVEN[:3], SEVEN[3:6], SEVEN[6:]]
    script = by_three(*(parts if count is None else [(part, count) for part in parts]), encoding=encoding)
    assert by_pages(script) == [one["facility_id"] for one in SEVEN]


@pytest.mark.parametrize("count", [0, 7, None])
def test_pages_may_be_shorter_than_asked(count: int | None) -> None:
    async def script(request: Request, wire: Wire) -> bool | None:
        at = int(parse_qs(urlsplit(request.path).query)["offset"][0])
        part = SEVEN[at : at + 2]
        body = part if count is None else {"results": part, "count": count}
        return await answer(json.dumps(body).encode())(request, wire)

    assert len(by_pages(script)) == 7


@pytest.mark.parametrize("third", [SEVEN[:3], SEVEN[5:6]])
def test_pages_that_say_rows_again_and_miss_others_are_no_roster(third: list[dict[str, str]]) -> None:
    with pytest.raises(FetchError):  # its CSV is not there either
        by_pages(by_three((SEVEN[:3], 7), (SEVEN[3:6], 7), (third, 7)))


@pytest.mark.parametrize(
    ("name", "state"), [("Provider Number", "State Code"), ("CMS Certification Number (CCN)", "Provider State")]
)
def test_columns_of_other_releases_are_known(name: str, state: str) -> None:
    other = {name: "470001", "Name": "A", state: "VT", "ZIP Code": "5641"}
    (found,) = said({ROSTER: answer(as_csv([other]))})
    assert isinstance(found, Listed)
    assert (found.hospital.ccn, found.hospital.name, found.hospital.zip) == ("470001", "A", "05641")


def test_one_state_is_asked_for_alone() -> None:
    with served({ROSTER: pages([ROW, row(facility_id="300001", state="NH")])}) as (roster, web, server):
        (found,) = roster.find("NH", web)
        assert isinstance(found, Listed)
        assert found.hospital.state == "NH"
        assert len(server.requests) == 1


def test_a_server_that_ignores_the_condition_gives_one_state_all_the_same() -> None:
    (found,) = said({ROSTER: answer(as_csv([ROW, row(facility_id="300001", state="NH")]))}, "NH")
    assert isinstance(found, Listed)
    assert found.hospital.state == "NH"


def test_a_state_without_hospitals_is_no_error() -> None:
    assert said({ROSTER: pages([ROW])}, "PW") == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(facility_id=""), "no CCN"),
        (row(facility_id="four"), "no CCN"),
        (row(facility_id="470002", facility_name=" "), "no hospital name"),
        (row(facility_id="470002", state="N/A"), "no state"),
        (row(facility_id="470002", state="ZZ"), "no state or territory is called 'ZZ'"),
        (row(), "the same CCN once more"),
    ],
)
def test_a_row_that_cannot_be_used_is_skipped_with_a_reason_and_counted(bad: dict[str, str], reason: str) -> None:
    with served({ROSTER: pages([ROW, bad])}) as (roster, web, _):
        scanned = scan("cms_roster", roster, "all", web)
    assert len(scanned.listed) == 1
    (skipped,) = scanned.skipped
    assert reason in skipped.reason
    assert "row 2" in skipped.record


@pytest.mark.parametrize(
    ("name", "kind", "ownership", "reason"),
    [
        ("ALBANY VAMC", "Acute Care - Veterans Administration", "Veterans Health Administration", "veterans_affairs"),
        ("Bassett ACH", "Acute Care - Department of Defense", "Department of Defense", "defense"),
        ("MANIILAQ HEALTH CENTER", "Critical Access Hospitals", "Tribal", "indian_health"),
        ("P H S INDIAN HOSPITAL", "Critical Access Hospitals", "Government - Federal", "indian_health"),
        ("PIEDMONT HOSPITAL", "Acute Care Hospitals", "Government - Federal", None),
        ("INDIANA REGIONAL", "Acute Care Hospitals", "Government - State", None),
    ],
)  # fmt: skip
def test_who_is_exempt_by_law_is_marked_with_the_reason(
    name: str, kind: str, ownership: str, reason: str | None
) -> None:
    (found,) = said({ROSTER: pages([row(facility_name=name, hospital_type=kind, hospital_ownership=ownership)])})
    assert isinstance(found, Listed)
    assert found.hospital.exempt_reason == reason


def test_a_number_whose_leading_zero_was_lost_gets_it_back() -> None:
    body = json.dumps({"results": [ROW | {"facility_id": 10001, "state": "AL", "zip_code": None}], "count": 1})
    (found,) = said({ROSTER: answer(body.encode())})
    assert isinstance(found, Listed)
    assert (found.hospital.ccn, found.hospital.zip) == ("010001", None)


HALF = json.dumps({"results": [ROW], "count": 2}).encode()


@pytest.mark.parametrize("body", [HALF, HALF[:-9], b"[]", b"<html>sorry</html>", b'{"results": [], "count": 0}', b""])
def test_half_a_roster_or_none_is_never_taken_for_the_whole(body: bytes) -> None:
    with pytest.raises(FetchError):
        said({ROSTER: answer(body)})


def test_where_the_pages_fail_the_download_is_asked() -> None:
    (found,) = said({ROSTER: answer(b"", "500 Oops"), CSV: answer(as_csv([ROW]))})
    assert isinstance(found, Listed)
    assert found.hospital.county == "WASHINGTON"


def test_a_server_that_wants_to_be_left_alone_is() -> None:
    with served({ROSTER: answer(b"", "429 Slow", "Retry-After: 60"), CSV: answer(as_csv([ROW]))}) as (
        roster,
        web,
        server,
    ):
        with pytest.raises(RateLimited):
            list(roster.find("all", web))
        assert len(server.requests) == 1


def test_where_both_fail_the_error_comes_through() -> None:
    with pytest.raises(ServerError):
        said({ROSTER: answer(b"", "502 Oops"), CSV: answer(b"", "502 Oops")})


def test_enrollments_give_npis_and_the_other_names() -> None:
    (found,) = enrolled_as([ENROLLMENT, ENROLLMENT | {"NPI": "1987654321"}])
    assert isinstance(found, Listed)
    assert found.hospital.npis == "1234567890|1987654321"
    assert found.other_names == ("CENTRAL VERMONT MEDICAL CENTER INC", "CVMC")
    assert found.hospital.name == ROW["facility_name"]


def test_a_unit_of_a_hospital_is_no_hospital_of_its_own() -> None:
    (found,) = enrolled_as([ENROLLMENT | {"CCN": "47S001", "NPI": "1555555555"}, ENROLLMENT])
    assert isinstance(found, Listed)
    assert found.hospital.npis == "1555555555|1234567890"
    assert (parent_ccn("47S001"), parent_ccn("47M301"), parent_ccn("01014F")) == ("470001", "471301", "01014F")


def test_a_hospital_that_only_the_enrollments_know_is_listed_too() -> None:
    rehab = ENROLLMENT | {"CCN": "473025", "ORGANIZATION NAME": "FANNY ALLEN REHAB", "DOING BUSINESS AS NAME": ""}
    nameless = rehab | {"CCN": "473026", "ORGANIZATION NAME": ""}
    _, listed, skipped, unusable = enrolled_as([rehab, nameless, rehab | {"CCN": ""}])
    assert isinstance(listed, Listed)
    assert (listed.hospital.ccn, listed.hospital.name, listed.hospital.npis) == (
        "473025",
        "FANNY ALLEN REHAB",
        "1234567890",
    )
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "no hospital name"
    assert isinstance(unusable, Skipped)
    assert unusable.reason == "no CCN in an enrollment"


def test_enrollments_that_are_only_a_file_are_read() -> None:
    with served({ROSTER: pages([ROW])}, npis=True) as (roster, web, server):
        csv_only = catalog(server, mediaType="text/csv", downloadURL=server.url("/enrolled.csv"))
        # The old release has pages still; the new one is a file alone.
        scripts = {CATALOG: csv_only, "/enrolled.csv": answer(as_csv([ENROLLMENT])), "/dataset/old/data": answer(b"[]")}
        server.scripts = {**server.scripts, **scripts}
        (found,) = roster.find("all", web)
    assert isinstance(found, Listed)
    assert found.hospital.npis == "1234567890"


@pytest.mark.parametrize("listing", [b"", b"{}", b'{"dataset": []}', b"<html>"])
def test_without_enrollments_the_roster_comes_all_the_same_and_says_what_it_lacks(listing: bytes) -> None:
    with served({ROSTER: pages([ROW]), CATALOG: answer(listing)}, npis=True) as (roster, web, _):
        found, skipped = roster.find("all", web)
    assert isinstance(found, Listed)
    assert found.hospital.npis is None
    assert isinstance(skipped, Skipped)
    assert skipped.reason.startswith("no NPIs: ")


def test_the_addresses_are_settings_and_off_asks_nobody_for_npis() -> None:
    with HttpServer({ROSTER: pages([ROW])}) as server, closing(client()) as asking:
        settings = load(cms_roster_url=server.url(ROSTER), cms_catalog_url="off")
        (found,) = SOURCES["cms_roster"](settings, LocalDiary()).find("VT", RunWeb(asking, lambda **_: None, 60))
        assert isinstance(found, Listed)
        assert found.source == "cms_roster"


def test_a_server_that_says_the_same_page_for_ever_is_told() -> None:
    body = json.dumps({"results": [ROW], "count": 9}).encode()
    with served({ROSTER: answer(body)}) as (roster, web, _), pytest.raises(FetchError):
        list(roster.find("all", web))
    with served({ROSTER: pages([ROW])}, npis=True) as (roster, web, server):
        same = answer(json.dumps([ENROLLMENT]).encode())
        server.scripts = {**server.scripts, CATALOG: catalog(server), ENROLLED: same}
        *_, skipped = roster.find("all", web)
    assert isinstance(skipped, Skipped)
    assert "same page again" in skipped.reason
