"""Leads proven by their first bytes, asked over real HTTP and read by the parser in its child."""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Collection, Iterator
from contextlib import closing

import pytest

from glimmr.errors import ChildCrashed
from glimmr.model import FileReport, Lead, Pointer, Skipped, Tried
from glimmr.pipeline.heads import Heads
from glimmr.pipeline.run_web import RunWeb
from glimmr.scan import proven, scan
from glimmr.scan.leads import BEGINNING_BYTES, Looks
from glimmr.scan.sources.page import Page
from glimmr.settings import Settings
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, head, raw
from tests.unit.net.asking import client

CHANCE = random.Random(1)
NAMED = "/123456789_grace-cottage-hospital_standardcharges"
PLACES = {
    "Grace Cottage Hospital": "185 Grafton Rd, Townshend, VT 05353",
    "North Clinic": "1 Elm St, Newport, VT 05855",
}
ROWS = "".join(
    f"Item {n},{CHANCE.randrange(10**12)},CPT,outpatient,{CHANCE.random() * 1e6:.2f},1.00\n" for n in range(9_000)
)
TABLE = "description,code|1,code|1|type,setting,standard_charge|gross,standard_charge|discounted_cash\n" + ROWS
LEGACY = b"Description,CPT,Gross Charge,Cash Price\nMRI,70551,1000.00,500.00\nCT,70450,900.00,400.00\n"


def csv(places: dict[str, str]) -> bytes:
    names, addresses = "|".join(places), "|".join(places.values())
    header = "hospital_name,last_updated_on,version,hospital_location,hospital_address,license_number|VT\n"
    return f'{header}Grace,2026-01-01,2.2.0,"{names}","{addresses}",123\n{TABLE}'.encode()


def zipped(content: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("prices_standardcharges.csv", content)
    return whole.getvalue()


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heads]:
    with closing(Heads(Settings(), tmp_path_factory.mktemp("scratch"))) as made:
        yield made
        assert list(made._scratch.iterdir()) == []


@pytest.fixture
def look(heads: Heads) -> Looks:
    return lambda beginning: heads.look(beginning, lambda **_: None)


def asked(
    look: Looks, scripts: dict[str, Script], at_home: Collection[str] = (), rank: int = 7
) -> list[Pointer | Tried | Skipped]:
    with HttpServer(scripts) as server, closing(client()) as asking:
        leads = [
            Lead(url=server.url(path), page_url="http://h.test/pt", domain="h.test", text="", rank=rank)
            for path in scripts
        ]
        return list(proven(leads, RunWeb(asking, lambda **_: None, 60), look, at_home))


def pointers(said: Collection[Pointer | Tried | Skipped]) -> list[Pointer]:
    return [one for one in said if isinstance(one, Pointer)]


@pytest.mark.parametrize(
    "content", [csv(PLACES), gzip.compress(csv(PLACES)), zipped(csv(PLACES))], ids=["csv", "gz", "zip"]
)
def test_a_file_points_at_every_location_of_its_header_however_large_it_is(look: Looks, content: bytes) -> None:
    assert len(content) > BEGINNING_BYTES
    told, *found = asked(look, {"/get": answer(content)})
    assert isinstance(told, Tried)
    assert (told.answer, told.verdict) == ("200", "price_file")
    assert [(one.location_name, one.state, one.address, one.guessed) for one in pointers(found)] == [
        (name, "VT", address, False) for name, address in PLACES.items()
    ]
    assert {(one.source, one.url.rpartition("/")[2], one.page_url) for one in pointers(found)} == {
        ("page", "get", "http://h.test/pt")
    }


def test_a_file_of_forty_locations_is_forty(look: Looks) -> None:
    places = {f"Hospital {n}": f"{n} Main St, Barre, VT 05641" for n in range(40)}
    said = asked(look, {"/all.csv": answer(csv(places))})
    assert [one.location_name for one in pointers(said)] == list(places)


@pytest.mark.parametrize(
    ("path", "at_home", "name"),
    [
        pytest.param(f"{NAMED}.csv", (), "grace cottage hospital", id="its own name"),
        pytest.param(f"{NAMED}.csv", ("Other Hospital",), "grace cottage hospital", id="its own name first"),
        pytest.param("/123456789_st-mary-s-hospital_standardcharges.csv", (), "st marys hospital", id="a possessive"),
        pytest.param("/cdm.csv", ("Grace Cottage",), "Grace Cottage", id="the only one at home"),
    ],
)
def test_a_table_without_a_header_is_guessed(look: Looks, path: str, at_home: tuple[str, ...], name: str) -> None:
    (found,) = pointers(asked(look, {path: answer(LEGACY)}, at_home))
    assert (found.location_name, found.guessed, found.state) == (name, True, None)


@pytest.mark.parametrize("at_home", [(), ("Grace Cottage", "North Clinic")])
def test_a_table_of_nobody_is_left_with_its_reason(look: Looks, at_home: tuple[str, ...]) -> None:
    told, why = asked(look, {"/cdm.csv": answer(LEGACY)}, at_home)
    assert isinstance(told, Tried)
    assert told.verdict == "nameless"
    assert isinstance(why, Skipped)
    assert why.reason == "a price file that does not say whose it is"


PLAN = json.dumps({"reporting_entity_name": "A", "reporting_entity_type": "insurer", "in_network": []}).encode()


@pytest.mark.parametrize(
    ("script", "verdict", "reason"),
    [
        pytest.param(answer(b"%PDF-1.7\n"), "pdf", "a link to no price file: pdf", id="pdf"),
        pytest.param(answer(b"<!doctype html><html></html>"), "html", "a link to no price file: html", id="html"),
        pytest.param(answer(PLAN), "payer_file", "a link to no price file: payer_file", id="a plan's"),
        pytest.param(answer(b"{}", "404 No"), "missing", "a link that gives nothing: 404", id="dead"),
    ],
)
def test_what_is_no_price_file_has_its_reason(look: Looks, script: Script, verdict: str, reason: str) -> None:
    told, why = asked(look, {f"{NAMED}.csv": script}, ("Grace Cottage",))
    assert isinstance(told, Tried)
    assert isinstance(why, Skipped)
    assert (told.verdict, why.reason) == (verdict, reason)


def test_a_link_that_says_it_is_another_list_is_not_asked_for(look: Looks) -> None:
    (why,) = asked(look, {"/shoppable.csv": answer(csv(PLACES))}, rank=1)
    assert isinstance(why, Skipped)
    assert why.reason == "a link that says it leads to another list"


def test_of_a_site_no_more_than_the_likeliest_are_asked_for(look: Looks) -> None:
    said = asked(look, {f"/{n}.csv": answer(b"", "404 No") for n in range(30)})
    assert len([one for one in said if isinstance(one, Tried)]) == 25
    assert [one.reason for one in said if isinstance(one, Skipped)][25:] == [
        "a link beyond the 25 likeliest of its site"
    ] * 5


def test_what_breaks_the_reader_costs_only_itself(look: Looks) -> None:
    def fragile(beginning: bytes) -> FileReport:
        if beginning.startswith(b"boom"):
            raise ChildCrashed("it died")
        return look(beginning)

    said = asked(fragile, {"/boom.csv": answer(b"boom"), "/good.csv": answer(csv(PLACES))})
    assert [one.verdict for one in said if isinstance(one, Tried)] == ["unread", "price_file"]
    assert [one.reason for one in said if isinstance(one, Skipped)] == [
        "a link to what cannot be looked at: ChildCrashed"
    ]


@pytest.mark.parametrize(
    ("script", "whole"),
    [
        pytest.param(answer(b"", "503 Busy"), False, id="busy"),
        pytest.param(raw(head("200 OK", "Content-Length: 9999") + csv(PLACES)[:9]), False, id="broken off"),
        pytest.param(answer(b"", "404 Not Found"), True, id="gone"),
        pytest.param(answer(csv(PLACES)[:9]), True, id="no more"),
    ],
)
def test_what_a_link_of_a_page_gave_is_not_over_because_it_is_not_reached(
    look: Looks, script: Script, whole: bool
) -> None:
    page = b'<!doctype html><a href="/a.csv">a</a><a href="/b.csv">b</a>'
    scripts = {"/": answer(page), "/a.csv": answer(csv(PLACES)), "/b.csv": script}
    with HttpServer(scripts) as server, closing(client()) as asking:
        web = RunWeb(asking, lambda **_: None, 60)
        said = scan("page", Page(), server.url(), web, lambda leads: proven(leads, web, look, ()))
    assert [one.location_name for one in said.pointers] == list(PLACES)
    assert said.whole is whole


@pytest.mark.parametrize(("links", "whole"), [(25, True), (26, False)])
def test_what_a_site_named_before_is_not_over_because_it_is_not_among_the_likeliest_today(
    look: Looks, links: int, whole: bool
) -> None:
    page = "<!doctype html>" + "".join(f'<a href="/{n}.csv">{n}</a>' for n in range(links))
    scripts = {"/": answer(page.encode()), **{f"/{n}.csv": answer(b"", "404 No") for n in range(links)}}
    with HttpServer(scripts) as server, closing(client()) as asking:
        web = RunWeb(asking, lambda **_: None, 60)
        said = scan("page", Page(), server.url(), web, lambda leads: proven(leads, web, look, ()))
    assert said.whole is whole


def test_a_header_of_locations_without_number_names_as_many_as_are_meant(look: Looks) -> None:
    places = {f"Hospital {n}": f"{n} Main St, Barre, VT 05641" for n in range(2000)}
    assert len(pointers(asked(look, {"/all.csv": answer(csv(places))}))) == 500


def test_a_link_to_a_private_address_is_not_followed(look: Looks) -> None:
    lead = Lead(url="http://10.0.0.1/a_standardcharges.csv", page_url="", domain="h.test", text="", rank=7)
    with closing(client()) as asking:
        told, why = proven([lead], RunWeb(asking, lambda **_: None, 60), look, ("Grace Cottage",))
    assert isinstance(told, Tried)
    assert isinstance(why, Skipped)
    assert (told.verdict, why.reason) == ("failed", f"a link that gives nothing: {told.answer}")


async def _sends_13_gb(_: Request, wire: Wire) -> None:
    await wire.send(head("200 OK", f"Content-Length: {13 * 2**30}") + csv(PLACES))
    while True:
        await wire.send(b"x" * 2**20)


async def _lies(_: Request, wire: Wire) -> None:
    await wire.send(
        head("206 Partial Content", "Content-Range: bytes 500-600/9999", "Content-Length: 101") + b"x" * 101
    )


def test_a_server_that_sends_everything_or_another_part_is_no_trouble(look: Looks) -> None:
    with HttpServer({"/whole": _sends_13_gb, "/part": _lies}) as server, closing(client(max_bytes=2**40)) as asking:
        leads = [Lead(url=server.url(path), page_url="", domain="h.test", text="", rank=7) for path in server.scripts]
        said = list(proven(leads, RunWeb(asking, lambda **_: None, 60), look, ()))
    assert [one.location_name for one in pointers(said)] == list(PLACES)
    assert [one.answer for one in said if isinstance(one, Tried)] == ["200", "range_mismatch"]
