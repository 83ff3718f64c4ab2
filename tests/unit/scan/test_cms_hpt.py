"""The way to a site's cms-hpt.txt, asked over real HTTP; every site of the simulated world has what its truth says."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from glimmr.model import Pointer, Skipped, Tried
from glimmr.net import Client
from glimmr.pipeline.scan_step import RunWeb
from glimmr.scan.sources.cms_hpt import CmsHpt
from glimmr.settings import load
from glimmr.world import Server, World, pointers, serve_in_thread, world
from glimmr.world.mixes import HPT_WAYS
from tests.support.http_server import HttpServer, Script, answer, raw, redirect

TEXT = b"location-name: St. A\nmrf-url: files/a.csv\ncontact-name: Pat\ncontact-email: pat@h.example\n"
ROOT, WELL_KNOWN = "/cms-hpt.txt", "/.well-known/cms-hpt.txt"
HTML = answer(b"<!doctype html><html><body>Not found</body></html>")
Said = list[Pointer | Tried | Skipped]


def ask(place: str, server: HttpServer, **given: str) -> Said:
    """Every host, on whatever port, is this server."""
    given = {"connect_to": f"*=127.0.0.1:{server.port}", "allow_addresses": "127.0.0.0/8"} | given
    settings = load(**given)
    with closing(Client(settings)) as client:
        return list(CmsHpt().find(place, RunWeb(client, lambda **_: None, 60)))


def by_host(**scripts: dict[str, Script]) -> dict[str, Script]:
    """One script per path that answers by the host that is asked (`www_h` is www.h.example)."""
    missing = answer(b"not here", "404 Not Found")
    paths = {path for one in scripts.values() for path in one}

    def of(path: str) -> Script:
        async def script(request, wire):
            name = request.host.removesuffix(".example").replace(".", "_")
            return await scripts.get(name, {}).get(path, missing)(request, wire)

        return script

    return {path: of(path) for path in paths}


def tried(said: Said) -> list[tuple[str, str, str]]:
    return [(one.url, one.answer, one.verdict) for one in said if isinstance(one, Tried)]


def test_a_text_at_the_root_costs_one_request_and_says_everything() -> None:
    with HttpServer({ROOT: answer(TEXT)}) as server:
        said = ask("http://h.example/about/us?x=1", server)
        assert server.paths() == [ROOT]
    assert said == [
        Tried(url="http://h.example/cms-hpt.txt", answer="200", verdict="hpt"),
        Pointer(
            location_name="St. A",
            url="http://h.example/files/a.csv",
            domain="h.example",
            hpt_url="http://h.example/cms-hpt.txt",
            place="line 1",
            contact_name="Pat",
            contact_email="pat@h.example",
        ),
    ]


def test_a_redirect_of_the_text_itself_is_followed_and_its_addresses_are_meant_from_there() -> None:
    with HttpServer(by_host(h={ROOT: redirect("http://www.h.example/d/cms-hpt.txt")},
                            www_h={"/d/cms-hpt.txt": answer(TEXT)})) as server:  # fmt: skip
        said = ask("http://h.example", server)
    assert said[0] == Tried(
        url="http://h.example/cms-hpt.txt", answer="200", verdict="hpt", final_url="http://www.h.example/d/cms-hpt.txt"
    )
    assert isinstance(said[1], Pointer)
    assert (said[1].url, said[1].domain) == ("http://www.h.example/d/files/a.csv", "h.example")


def test_where_the_home_page_leads_is_asked_next() -> None:
    with HttpServer(
        by_host(h={"/": redirect("http://new.example/en/")}, new={"/en/": HTML, ROOT: answer(TEXT)})
    ) as server:
        said = ask("http://h.example", server)
    assert tried(said) == [
        ("http://h.example/cms-hpt.txt", "404", "missing"),
        ("http://h.example/", "200", "page"),
        ("http://new.example/cms-hpt.txt", "200", "hpt"),
    ]
    assert isinstance(said[1], Tried)
    assert said[1].final_url == "http://new.example/en/"


def test_a_page_instead_of_the_text_is_told_and_the_search_goes_on_to_well_known() -> None:
    with HttpServer({ROOT: HTML, "/": HTML, WELL_KNOWN: answer(TEXT)}) as server:
        said = ask("http://h.example", server)
    assert [(answer, verdict) for _, answer, verdict in tried(said)] == [
        ("200", "html"), ("200", "page"), ("200", "html"), ("200", "page"), ("200", "hpt"),
    ]  # fmt: skip
    assert [one.url for one in said if isinstance(one, Pointer)] == ["http://h.example/.well-known/files/a.csv"]


def test_nothing_anywhere_is_said_after_every_address_was_asked_once() -> None:
    with HttpServer({}) as server:
        said = ask("http://www.h.example", server)
        asked = Counter((request.host, request.path) for request in server.requests)
    assert said[-1] == Skipped(record="http://www.h.example", reason="it has no cms-hpt.txt")
    assert asked == {(host, path): 1 for host in ("www.h.example", "h.example") for path in (ROOT, "/", WELL_KNOWN)}


def test_an_apex_that_sends_everything_to_www_is_asked_for_nothing_twice() -> None:
    paths = (ROOT, "/", WELL_KNOWN)
    with HttpServer(
        by_host(h={path: redirect(f"http://www.h.example{path}") for path in paths}, www_h={"/": HTML})
    ) as server:
        ask("http://h.example", server)
        asked = Counter((request.host, request.path) for request in server.requests)
    assert asked == {(host, path): 1 for host in ("www.h.example", "h.example") for path in paths}


@pytest.mark.parametrize(
    ("script", "answered"),
    [(answer(b"", "500 Oops"), "500"), (answer(b"", "403 No"), "403"), (raw(b"", then="reset"), "connection_reset")],
    ids=["500", "403", "reset"],
)
def test_a_failing_site_is_a_reason_and_no_error(script: Script, answered: str) -> None:
    with HttpServer(dict.fromkeys((ROOT, "/", WELL_KNOWN), script)) as server:
        said = ask("http://h.example", server)
    assert {(answer, verdict) for _, answer, verdict in tried(said)} == {(answered, "failed")}
    assert said[-1] == Skipped(record="http://h.example", reason=f"its site was not reached: {answered}")


def test_a_text_that_is_refused_is_not_said_to_be_missing_because_others_are() -> None:
    with HttpServer({ROOT: answer(b"", "503 Later"), "/": HTML}) as server:
        said = ask("http://h.example", server)
    assert said[-1] == Skipped(record="http://h.example", reason="its cms-hpt.txt was not given: 503")


def test_a_site_without_tls_is_asked_without() -> None:
    with HttpServer({ROOT: answer(TEXT)}) as server:  # it never answers a TLS greeting
        said = ask("h.example", server, connect_timeout_seconds="0.3")
    assert tried(said) == [
        ("https://h.example/cms-hpt.txt", "connect_timeout", "failed"),
        ("http://h.example/cms-hpt.txt", "200", "hpt"),
    ]


def test_a_site_that_sends_to_a_dead_host_is_not_dead_itself() -> None:
    with HttpServer({ROOT: redirect("http://dead.example/"), WELL_KNOWN: answer(TEXT)}) as server:
        alive = f"127.0.0.1:{server.port}"
        said = ask(
            "http://h.example", server, connect_to=f"*.h.example={alive},h.example={alive},dead.example=127.0.0.1:1"
        )
    assert tried(said)[0] == ("http://h.example/cms-hpt.txt", "connection_refused", "failed")
    assert tried(said)[-1] == ("http://h.example/.well-known/cms-hpt.txt", "200", "hpt")


def test_a_host_that_is_left_alone_is_a_reason_too() -> None:
    broken = dict.fromkeys((ROOT, "/", WELL_KNOWN), raw(b"", then="reset"))
    with HttpServer(broken) as server:
        settings = load(connect_to=f"*=127.0.0.1:{server.port}", allow_addresses="127.0.0.0/8")
        with closing(Client(settings)) as client:
            web = RunWeb(client, lambda **_: None, 60)
            said = [list(CmsHpt().find("http://h.example", web)) for _ in range(4)]
        asked = len(server.requests)
    last = said[-1][-1]
    assert isinstance(last, Skipped)
    assert last.reason == "its site was not reached: host_rests"
    assert asked < 24


@pytest.mark.parametrize("place", ["", "ftp://h.example", "mailto:x@h.example", "two words"])
def test_what_is_no_site_is_said_without_a_request(place: str) -> None:
    with HttpServer({}) as server:
        (said,) = ask(place, server)
        assert server.requests == []
    assert isinstance(said, Skipped)
    assert said.record == place


def test_records_that_cannot_be_used_are_skipped_with_their_place_and_reason() -> None:
    text = (
        b"location-name: -\nmrf-url: a.csv\nlocation-name: B\nmrf-url: n/a\nlocation-name: C\nmrf-url: ftp://h/c.csv\n"
    )
    with HttpServer({ROOT: answer(text)}) as server:
        said = ask("http://h.example", server)
    at = "http://h.example/cms-hpt.txt"
    assert said[1:] == [
        Skipped(record=f"{at}, line 1", reason="no hospital name"),
        Skipped(record=f"{at}, line 3 (B)", reason="no mrf-url"),
        Skipped(record=f"{at}, line 5 (C)", reason="its mrf-url is no web address"),
    ]
    assert isinstance(said[0], Tried)
    assert [finding.code for finding in said[0].findings] == ["HPT-NO-NAME", "HPT-NO-URL"]


# ── the simulated world ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def built() -> World:
    return world(seed=5, n=118, mix="scan")


@pytest.fixture(scope="module")
def running(built: World) -> Iterator[Server]:
    with serve_in_thread(built) as server:
        yield server


def test_what_the_world_tells_is_found_and_nothing_else(built: World, running: Server) -> None:
    given = {name.removeprefix("GLIMMR_").lower(): value for name, value in running.settings.items()}
    assert {site.hpt for site in built.sites} == {"good", *HPT_WAYS}
    found: set[tuple[str, str, str]] = set()
    with closing(Client(load(**given))) as client:
        web = RunWeb(client, lambda **_: None, 60)
        for hospital in built.hospitals:
            said = list(CmsHpt().find(f"http://{hospital.host}", web))
            told = [one for one in said if isinstance(one, Pointer)]
            found |= {(one.domain, one.location_name, one.url) for one in told}
            assert told or isinstance(said[-1], Skipped)
    assert found == pointers(built)
    assert len(found) > 80
