"""Answers that mean harm: each has its outcome, costs only itself, and is bounded in time and memory."""

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from glimmr.errors import BadRedirect, FileTooLarge, ProtocolError
from glimmr.model import Found, Header, Hospital, Listed, Pointer, Skipped
from glimmr.pipeline.run_web import RunWeb
from glimmr.pipeline.scan_step import remember
from glimmr.scan import Scanned, scan
from glimmr.scan.candidates import Candidate, Candidates
from glimmr.scan.hpt_text import MOST_RECORDS, read_hpt
from glimmr.scan.identity import hospital_id
from glimmr.scan.match import NoMatch, verify
from glimmr.scan.rows import BrokenList
from glimmr.scan.rows import rows as rows_of
from glimmr.scan.sources.cms_roster import CmsRoster
from glimmr.scan.sources.pra import Pra
from glimmr.scan.storable import storable
from glimmr.stores.database import Database
from tests.support.audit import rows
from tests.support.http_server import HttpServer, Script, answer, redirect
from tests.support.memory import growth
from tests.unit.net.asking import client

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROSTER, CATALOG, ENROLLED = "/roster", "/data.json", "/enrolled"
ROW = {"facility_id": "470001", "facility_name": "CENTRAL VERMONT MEDICAL CENTER", "state": "VT"}
MOST_MEMORY = 700 * 2**20


@contextmanager
def served(scripts: Mapping[str, Script]) -> Iterator[tuple[HttpServer, RunWeb]]:
    with HttpServer(dict(scripts)) as server, closing(client()) as asking:
        yield server, RunWeb(asking, lambda **_: None, 60)


def said_by_pra(*facilities: Any) -> Scanned:
    scripts = {
        "/user/session": answer(b'{"sessionid": "s1"}'),
        "/facility/search": answer(json.dumps(facilities).encode()),
    }
    with served(scripts) as (server, web):
        return scan("pra", Pra(server.url("").rstrip("/"), requests=100, delay_seconds=0), "VT", web)


def roster(scripts: Mapping[str, Script], *, npis: bool = False) -> list[Listed | Skipped]:
    with served(scripts) as (server, web):
        return list(CmsRoster(server.url(ROSTER), server.url(CATALOG) if npis else "").find("all", web))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def test_control_characters_in_an_answer_are_stored_nowhere(database: Database) -> None:
    said = said_by_pra(
        {
            "name": "St.\0 Mary\x1b[31m\x9b",
            "ccn": "470001",
            "city": "Bar\nre",
            "url": "http://[",
            "files": [{"url": "http://h.test/\0a.csv", "pageurl": "http://[::"}],
        }
    )
    database.write(lambda connection: remember(connection, "pra", "VT", said, NOW))
    (hospital,) = rows(database, "SELECT name, city, website, domain FROM hospitals")
    assert hospital == {"name": "St.  Mary [31m", "city": "Bar re", "website": "http://[", "domain": None}
    assert [row["url"] for row in rows(database, "SELECT url FROM price_files")] == ["http://h.test/a.csv"]


def test_half_a_surrogate_pair_in_a_list_is_stored_nowhere(database: Database) -> None:
    name = "St. Mary \ud800"
    own = Hospital(hospital_id=hospital_id(None, name, "VT"), name=name, state="VT")
    found = storable(Found(hospital=own, url="http://h.test/a.csv", source="listing"))
    assert isinstance(found, Found)
    database.write(lambda connection: remember(connection, "listing", "l.json", Scanned(found=(found,)), NOW))
    assert [row["name"] for row in rows(database, "SELECT name FROM hospitals")] == ["St. Mary"]


def test_an_address_that_no_index_takes_costs_only_itself(database: Database) -> None:
    good, letters = {"url": "http://h.test/a.csv"}, "".join(map(str, range(3000)))
    said = said_by_pra({"name": "A", "ccn": "470001", "files": [{"url": f"http://h.test/{letters}"}, good]})
    assert said.reasons == {"its address is longer than any that is meant": 1}
    database.write(lambda connection: remember(connection, "pra", "VT", said, NOW))
    assert [row["url"] for row in rows(database, "SELECT url FROM price_files")] == ["http://h.test/a.csv"]


def test_a_word_that_no_index_takes_is_stored_as_far_as_one_does(database: Database) -> None:
    chance = random.Random(1)
    word = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=10**6))
    strange = {"name": word, "ccn": "470001", "city": word, "url": f"http://{word}.test"}
    said = said_by_pra(strange, {"name": "B", "ccn": "470002"})
    database.write(lambda connection: remember(connection, "pra", "VT", said, NOW))
    assert [row["hospital_id"] for row in rows(database, "SELECT hospital_id FROM hospitals")] == ["470001", "470002"]


def test_a_file_of_100_000_locations_is_held_against_a_hospital_in_no_time() -> None:
    names = tuple(f"Clinic {number} of Newport" for number in range(100_000))
    header = Header(hospital_name="G", location_names=names, addresses=("1 Elm St, Newport, VT 05855",) * 100_000)
    own = Candidate(hospital=Hospital(hospital_id="x1", name="Grace Cottage", state="VT", city="Newport"))
    began = time.process_time()
    assert isinstance(verify(header, own, Candidates([own])), NoMatch)
    assert time.process_time() - began < 0.3


def test_reasons_without_number_are_told_as_one() -> None:
    said = Scanned(skipped=tuple(Skipped(record=str(n), reason=f"reason {n}") for n in range(1000)))
    assert len(said.reasons) == 21
    assert said.reasons["other reasons"] == 980


def test_brackets_without_end_are_no_answer_and_cost_one_record_only_itself() -> None:
    deep = answer(b"[" * 2**20)
    with served({"/user/session": answer(b'{"sessionid": "s1"}'), "/facility/search": deep}) as (server, web):
        pra = Pra(server.url("").rstrip("/"), requests=100, delay_seconds=0)
        with pytest.raises(ProtocolError):
            list(pra.find("VT", web))
    with pytest.raises(BrokenList, match="nested"):
        rows_of(b"[" * 2**20)


def test_a_state_with_more_facilities_than_there_are_is_no_answer() -> None:
    with pytest.raises(ProtocolError, match="21,000 facilities"):
        said_by_pra(*([{}] * 21_000))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b'{"count": 9, "results": [' + b"{}," * (17 * 2**20 // 3), FileTooLarge, id="too large"),
        pytest.param(b"facility_id,state\n" + b"1,2\n" * (15 * 2**18), ProtocolError, id="a bomb of lines"),
        pytest.param(b"facility_id\n" + b"," * (15 * 2**20), ProtocolError, id="a bomb of columns"),
        pytest.param(b'{"count": 9, "results": [' + b"{}," * (2**20) + b"{}]}", ProtocolError, id="a bomb of rows"),
        pytest.param(b'{"x": ' + b"[" * 2**20, ProtocolError, id="a bomb of brackets"),
    ],
)
def test_a_roster_that_is_a_bomb_ends_in_an_error_of_its_kind(body: bytes, error: type[Exception]) -> None:
    began = time.process_time()
    with growth() as grown, pytest.raises(error):
        roster({ROSTER: answer(body), f"{ROSTER}/download": answer(body)})
    assert grown() < MOST_MEMORY
    assert time.process_time() - began < 20


def test_a_list_of_datasets_of_50_mb_is_read() -> None:
    filler = {"title": "Another", "description": "x" * 10_000, "distribution": [{"format": "API"}]}
    body = json.dumps({"dataset": [filler] * 5000}).encode()
    assert len(body) > 50 * 10**6
    page = json.dumps({"results": [ROW], "count": 1}).encode()
    with growth() as grown:
        listed, skipped = roster({ROSTER: answer(page), CATALOG: answer(body)}, npis=True)
    assert isinstance(listed, Listed)
    assert isinstance(skipped, Skipped)
    assert "names no dataset called Hospital Enrollments" in skipped.reason
    assert grown() < MOST_MEMORY


def test_a_roster_that_sends_in_circles_ends_in_an_error_of_its_kind() -> None:
    with pytest.raises(BadRedirect):
        roster({ROSTER: redirect(ROSTER), f"{ROSTER}/download": redirect(f"{ROSTER}/download")})


@pytest.mark.timeout(60)
def test_a_text_of_ten_thousand_locations_is_remembered_in_time_also_again(database: Database) -> None:
    text = "".join(f"location-name: Saint Mary {n} Hospital\nmrf-url: http://h.test/{n}.csv\n" for n in range(10_000))
    records = read_hpt(text.encode()).records
    assert len(records) == MOST_RECORDS
    said = Scanned(
        pointers=tuple(
            Pointer(
                location_name=one.location_name, url=one.mrf_url or "", domain="h.test", hpt_url="h", place=one.place
            )
            for one in records
        )
    )
    began = time.process_time()
    for _ in range(2):
        database.write(lambda connection: remember(connection, "cms_hpt", "h.test", said, NOW))
    assert time.process_time() - began < 20
    assert len(rows(database, "SELECT hospital_id FROM hospitals")) == MOST_RECORDS
