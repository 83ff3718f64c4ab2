"""The text files of simulated hospitals, asked over raw sockets: every way of publishing one, and its truth."""

from collections.abc import Iterator

import pytest

from glimmr.world import Server, Site, pointers, serve_in_thread, world
from glimmr.world.hpt import PATHS
from glimmr.world.mixes import HPT_WAYS
from tests.unit.world.raw_client import Reply, ask, connect

WORLD = world(5, 177, "scan")
SITES = {site.hpt: site for site in WORLD.sites if site.hospital and WORLD.files_of(site.hospital)}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve_in_thread(WORLD) as running:
        yield running


def answers(server: Server, site: Site) -> list[Reply]:
    with connect(server) as sock:
        return [ask(sock, site.host, path) for path in PATHS]


def first(site: Site) -> tuple[bytes, bytes]:
    assert site.hospital is not None
    file = WORLD.files_of(site.hospital)[0]
    return file.content.publisher.places[0][0].encode(), file.url.encode()


def test_half_of_the_sites_are_messy_in_every_way_and_the_other_mixes_are_not() -> None:
    assert set(SITES) == {"good", *HPT_WAYS}
    assert {site.hpt for site in world(5, 40, "demo").sites} == {"good"}


@pytest.mark.parametrize(
    ("way", "start"),
    [
        ("good", b"location-name: %s\nsource-page-url: "),
        ("bom", b"\xef\xbb\xbflocation-name: %s\n"),
        ("upper_case", b"LOCATION_NAME: %s\n"),
        ("one_line", b"location-name: %s source-page-url: "),
        ("blank_lines", b"location-name: %s\n\nsource-page-url: "),
        ("html", b"<!doctype html>"),
        ("prose", b"Our standard charges are published at "),
    ],
)
def test_a_text_is_written_in_its_sites_way(server: Server, way: str, start: bytes) -> None:
    root, well_known = answers(server, SITES[way])
    assert root.body.startswith(start.replace(b"%s", first(SITES[way])[0]))
    assert (root.status, well_known.body) == (200, root.body)


def test_addresses_lose_their_scheme_or_their_host(server: Server) -> None:
    url = first(SITES["no_scheme"])[1]
    assert b"mrf-url: " + url.removeprefix(b"http://") + b"\n" in answers(server, SITES["no_scheme"])[0].body
    text = answers(server, SITES["relative"])[0].body
    assert b"source-page-url: /price-transparency\n" in text


def test_utf16_is_utf16(server: Server) -> None:
    text = answers(server, SITES["utf16"])[0].body.decode("utf-16")
    assert text.startswith(f"location-name: {first(SITES['utf16'])[0].decode()}\n")


@pytest.mark.parametrize(
    ("way", "statuses"),
    [("well_known", [404, 200]), ("none", [404, 404]), ("www_only", [404, 404]), ("moved", [404, 404])],
)
def test_a_text_may_stand_elsewhere_or_nowhere(server: Server, way: str, statuses: list[int]) -> None:
    assert [reply.status for reply in answers(server, SITES[way])] == statuses


def test_what_a_site_lacks_stands_on_the_host_beside_it(server: Server) -> None:
    lost, moved = SITES["www_only"], SITES["moved"]
    with connect(server) as sock:
        assert ask(sock, f"www.{lost.host}", PATHS[0]).status == 200
        home = ask(sock, moved.host, "/")
        assert (home.status, home.headers["location"]) == (301, f"http://{moved.leads_to}/")
        assert ask(sock, moved.leads_to, PATHS[0]).status == 200


def test_the_truth_names_every_location_that_can_be_learnt() -> None:
    lost = {site.hospital for site in WORLD.sites if site.hpt in ("html", "prose", "none", "error")}
    assert pointers(WORLD) == {
        (hospital.host, location, file.url)
        for hospital in WORLD.hospitals
        if hospital not in lost
        for file in WORLD.files_of(hospital)
        for location, _ in file.content.publisher.places
    }
