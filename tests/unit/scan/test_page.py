"""The leads on a site's pages, asked over real HTTP."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from glimmr.model import Lead, Skipped, Tried
from glimmr.net import Client
from glimmr.pipeline.scan_step import RunWeb
from glimmr.scan.sources.page import Page, _starts
from glimmr.settings import load
from glimmr.world import Server, World, serve_in_thread, world
from glimmr.world.pages import linked
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, head, redirect
from tests.support.memory import growth

NAMED = "/f/123456789_st-a_standardcharges.csv"


def html(body: str) -> Script:
    return answer(f"<!doctype html><html><body>{body}</body></html>".encode())


def ask(server: HttpServer, most_pages: int = 3, path: str = "/") -> list[Lead | Tried | Skipped]:
    settings = load(connect_to=f"*=127.0.0.1:{server.port}", allow_addresses="127.0.0.0/8")
    with closing(Client(settings)) as client:
        place = f"http://h.example{path}"
        return list(Page(most_pages).find(place, RunWeb(client, lambda **_: None, 60)))


def leads(said: list[Lead | Tried | Skipped]) -> list[str]:
    return [one.url.removeprefix("http://h.example") for one in said if isinstance(one, Lead)]


def test_the_footers_link_leads_to_the_page_and_the_likeliest_file_comes_first() -> None:
    home = html(
        '<a href="/about">Us</a><a href="/billing">Billing</a><footer><a href="/pt">Price Transparency</a></footer>'
    )
    prices = html(
        '<a href="/x.pdf">Standard charges (PDF)</a><a href="/shoppable.csv">Shoppable services</a>'
        f'<a href="/a.xlsx">a</a><a href="{NAMED}">CSV</a><a href="{NAMED}">again</a>'
        '<a href="http://v.example/get/77">Machine-readable file</a>'
    )
    with HttpServer({"/": home, "/pt": prices}) as server:
        said = ask(server, most_pages=2)
        assert server.paths() == ["/", "/pt"]
    assert leads(said) == [NAMED, "/a.xlsx", "http://v.example/get/77", "/shoppable.csv"]
    assert said[2] == Lead(
        url=f"http://h.example{NAMED}", page_url="http://h.example/pt", domain="h.example", text="CSV again", rank=7
    )


def test_no_more_pages_are_asked_for_than_allowed_and_none_twice() -> None:
    linked = html("".join(f'<a href="/prices/{n}">prices {n}</a>' for n in range(9)) + '<a href="/#top">prices</a>')
    with HttpServer({"/": linked, **{f"/prices/{n}": linked for n in range(9)}}) as server:
        ask(server, most_pages=4)
        assert server.paths() == ["/", "/prices/0", "/prices/1", "/prices/2"]


def test_a_lead_that_is_a_page_is_followed_and_is_no_lead() -> None:
    with HttpServer(
        {"/": html('<a href="/charges">Standard charges</a>'), "/charges": html('<a href="a.csv">a</a>')}
    ) as server:
        assert leads(ask(server)) == ["/a.csv"]


def test_what_may_be_a_file_elsewhere_is_not_asked_for() -> None:
    with HttpServer({"/": html('<a href="http://v.example/mrf?id=1">Standard charges</a>')}) as server:
        assert leads(ask(server)) == ["http://v.example/mrf?id=1"]
        assert server.paths() == ["/"]


def test_links_are_meant_from_where_the_page_came_from() -> None:
    with HttpServer({"/": redirect("/en/prices/"), "/en/prices/": html('<a href="a.csv">a</a>')}) as server:
        assert leads(ask(server)) == ["/en/prices/a.csv"]


@pytest.mark.parametrize(
    ("place", "hosts"),
    [("www.h.example", ["h.example", "www.h.example"]), ("127.0.0.1", ["127.0.0.1"]), ("[::1]", ["[::1]"])],
)
def test_a_site_may_begin_at_either_of_its_names_and_an_address_of_a_machine_has_one(
    place: str, hosts: list[str]
) -> None:
    assert _starts(place) == [f"{scheme}://{host}/" for host in hosts for scheme in ("https", "http")]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(answer(b"", "500 Oops"), "its site gives no page", id="500"),
        pytest.param(answer(b"a,b\n1,2\n"), "its site gives no page", id="csv"),
        pytest.param(html("nothing"), "no link on its pages looks like a price file", id="bare"),
        pytest.param(redirect("http://10.0.0.1/"), "its site gives no page", id="private"),
    ],
)
def test_a_site_without_leads_has_a_reason(script: Script, reason: str) -> None:
    with HttpServer({"/": script}) as server:
        said = ask(server)
        assert server.paths() == ["/"]
    assert isinstance(said[0], Tried)
    assert said[1] == Skipped(record="http://h.example/", reason=reason)


def test_a_page_that_links_to_itself_is_asked_for_once() -> None:
    links = '<a href="/">prices</a><a href="http://h.example/#prices">prices</a><a href="/pt?x">prices</a>'
    with HttpServer({"/": html(links), "/pt": html(links + '<a href="/pt?x">prices</a>')}) as server:
        ask(server, most_pages=9)
        assert server.paths() == ["/", "/pt?x"]


def test_a_page_without_end_is_none() -> None:
    async def endless(_: Request, wire: Wire) -> None:
        await wire.send(head("200 OK", "Content-Type: text/html"))
        while True:
            await wire.send(b"<a href='/prices'>prices</a>" * 50_000)

    with HttpServer({"/": endless}) as server:
        told, why = ask(server)
    assert isinstance(told, Tried)
    assert (told.answer, why) == ("file_size", Skipped(record="http://h.example/", reason="its site gives no page"))


def test_links_without_number_end_in_as_many_leads_as_are_kept() -> None:
    links = "".join(f"<a href=/{n}.csv>" for n in range(60_000)).encode()
    began = time.process_time()
    with growth() as grown, HttpServer({"/": html(links.decode())}) as server:
        said = ask(server)
    assert len([one for one in said if isinstance(one, Lead)]) == 500
    assert time.process_time() - began < 20
    assert grown() < 500 * 2**20


def test_a_link_that_nearly_is_a_prescribed_name_again_and_again_costs_no_time() -> None:
    began = time.process_time()
    with HttpServer({"/": html(f"<a href='/{'123456789_' * 400_000}'>prices</a><a href='/a.csv'>a</a>")}) as server:
        assert leads(ask(server)) == ["/a.csv"]
    assert time.process_time() - began < 5


# ── the simulated world ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def built() -> World:
    return world(seed=5, n=60, mix="scan")


@pytest.fixture(scope="module")
def running(built: World) -> Iterator[Server]:
    with serve_in_thread(built) as server:
        yield server


def test_every_file_of_the_world_is_a_lead_on_its_hospitals_page(built: World, running: Server) -> None:
    given = {name.removeprefix("GLIMMR_").lower(): value for name, value in running.settings.items()}
    with closing(Client(load(**given))) as client:
        web = RunWeb(client, lambda **_: None, 60)
        for hospital in built.hospitals:
            said = Page().find(hospital.host, web)
            found = {one.url for one in said if isinstance(one, Lead)}
            files = {file.url for file in linked(built, hospital)}
            assert files <= found, hospital.host
            assert not {file.url for file in built.files} & (found - files), hospital.host
