"""What every source of price files must do, asked over real HTTP where it asks the web."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from glimmr.errors import DeadlineExceeded, GlimmrError, ServerError, ShuttingDown
from glimmr.model import Found, Lead, Listed, Pointer, Skipped
from glimmr.net import Client
from glimmr.pipeline.scan_step import RunWeb
from glimmr.scan import Source, Web
from glimmr.scan.pace import LocalDiary
from glimmr.scan.sources import SOURCES
from glimmr.scan.sources.pra import Pra
from glimmr.settings import Settings, load
from glimmr.world import PRA_HOST, PraRules, Server, World, serve_in_thread, world
from tests.support.http_server import HttpServer, Request, Wire, answer


@pytest.fixture(scope="module")
def built() -> World:
    return world(seed=3, n=60, mix="clean")


@pytest.fixture
def server(built: World) -> Iterator[Server]:
    with serve_in_thread(built, pra=PraRules(failing_states=frozenset({"GU"}))) as running:
        yield running


def settings_for(server: Server, roster: HttpServer | None = None) -> Settings:
    given = {name.removeprefix("GLIMMR_").lower(): value for name, value in server.settings.items()}
    if roster is not None:
        given["connect_to"] = f"{ROSTER_HOST}=127.0.0.1:{roster.port},{given['connect_to']}"
        given |= {"cms_roster_url": f"http://{ROSTER_HOST}/roster", "cms_catalog_url": "off"}
    return load(pra_delay_seconds=0.0, **given)


@pytest.fixture
def roster() -> Iterator[HttpServer]:
    rows = [{"facility_id": "470001", "facility_name": "A", "state": "VT"}]
    page = answer(json.dumps({"results": rows, "count": 1}).encode())

    async def script(request: Request, wire: Wire) -> bool | None:
        return await (answer(b"", "500 Oops") if BAD_PLACE["cms_roster"] in request.path else page)(request, wire)

    with HttpServer({"/roster": script}) as running:
        yield running


@pytest.fixture
def make(server: Server, roster: HttpServer) -> Callable[[str], Source]:
    settings = settings_for(server, roster)
    return lambda name: SOURCES[name](settings, LocalDiary())


@pytest.fixture
def web(server: Server, roster: HttpServer) -> Iterator[RunWeb]:
    with closing(Client(settings_for(server, roster))) as client:
        yield RunWeb(client, lambda **_: None, 60)


@pytest.fixture
def good_place(built: World, tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "list.csv"
    lines = [f"{h.name},{h.state},{h.ccn},{f.url}" for h in built.hospitals for f in built.files_of(h)]
    path.write_text("\n".join(["name,state,ccn,url", *lines]), encoding="utf-8")
    return {
        "cms_hpt": next(h.host for h in built.hospitals if built.files_of(h)),
        "cms_roster": "VT",
        "listing": str(path),
        "page": next(h.host for h in built.hospitals if built.files_of(h)),
        "pra": next(h.state for h in built.hospitals if built.files_of(h)),
    }


ROSTER_HOST = "roster.test"
BAD_PLACE = {"cms_roster": "GU", "listing": "nowhere.csv", "pra": "GU"}
DOMAIN_WITH_NOBODY = {"cms_hpt": "nobody.test", "page": "nobody.test"}  # a site that fails is no failure of the source


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_names_hospitals_with_ids_and_addresses(
    name: str, make: Callable[[str], Source], web: Web, good_place: dict[str, str]
) -> None:
    said = list(make(name).find(good_place[name], web))
    assert any(isinstance(record, Found | Lead | Listed | Pointer) for record in said)
    for record in (record for record in said if isinstance(record, Lead)):
        assert record.domain == good_place[name]
        assert record.url
        assert record.page_url
    for record in (record for record in said if isinstance(record, Pointer)):
        assert record.location_name
        assert record.url
    for record in (record for record in said if isinstance(record, Found | Listed)):
        assert record.source == name
        assert record.hospital.hospital_id
        assert len(record.hospital.state) == 2
        assert isinstance(record, Listed) or record.url
    assert all(record.reason for record in said if isinstance(record, Skipped))


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_says_the_same_twice(
    name: str, make: Callable[[str], Source], web: Web, good_place: dict[str, str]
) -> None:
    source = make(name)
    assert list(source.find(good_place[name], web)) == list(source.find(good_place[name], web))


def test_every_source_is_asked_for_what_it_cannot_say() -> None:
    assert BAD_PLACE.keys() | DOMAIN_WITH_NOBODY.keys() == SOURCES.keys()


@pytest.mark.parametrize("name", DOMAIN_WITH_NOBODY)
def test_a_source_that_is_asked_about_a_site_says_why_it_found_nothing(
    name: str, make: Callable[[str], Source], web: Web
) -> None:
    *tried, last = make(name).find(DOMAIN_WITH_NOBODY[name], web)
    assert tried
    assert isinstance(last, Skipped)
    assert last.reason


@pytest.mark.parametrize("name", BAD_PLACE)
def test_a_source_that_cannot_say_raises_an_error_of_ours(name: str, make: Callable[[str], Source], web: Web) -> None:
    with pytest.raises(GlimmrError):
        list(make(name).find(BAD_PLACE[name], web))


def test_pra_finds_what_the_world_holds(built: World, make: Callable[[str], Source], web: Web) -> None:
    source = make("pra")
    for state in sorted({hospital.state for hospital in built.hospitals} - {"GU"}):
        found = {r.url for r in source.find(state, web) if isinstance(r, Found)}
        assert found == {file.url for h in built.hospitals if h.state == state for file in built.files_of(h)}


def test_a_failing_state_leaves_the_session_usable(
    make: Callable[[str], Source], web: Web, good_place: dict[str, str]
) -> None:
    source = make("pra")
    with pytest.raises(ServerError):
        list(source.find("GU", web))
    assert list(source.find(good_place["pra"], web))


def test_an_ended_session_is_opened_again(built: World, good_place: dict[str, str]) -> None:
    with serve_in_thread(built, pra=PraRules(session_seconds=0)) as server:
        settings = settings_for(server)
        with closing(Client(settings)) as client, pytest.raises(GlimmrError):
            # Sessions end at once here: one new session is tried, then the error comes through.
            list(SOURCES["pra"](settings, LocalDiary()).find(good_place["pra"], RunWeb(client, lambda **_: None, 60)))
        opened = [entry for entry in server.log if entry["path"] == "/user/session"]
        assert len(opened) == 2


class _LongWait(Exception):
    """The source wants to wait for longer than the test does."""


class _Impatient(RunWeb):
    def pause(self, seconds: float) -> None:
        if seconds > 1:
            raise _LongWait(seconds)


def test_pra_is_asked_no_more_often_than_its_window_allows(built: World) -> None:
    with serve_in_thread(built, pra=PraRules(requests=5)) as server:
        source = Pra(f"http://{PRA_HOST}", requests=5, delay_seconds=0)
        with closing(Client(settings_for(server))) as client, pytest.raises(_LongWait) as wait:
            for state in itertools.cycle(["VT", "NH", "ME"]):
                list(source.find(state, _Impatient(client, lambda **_: None, 60)))
        assert server.pra.refused == 0
        assert 180 < wait.value.args[0] <= 200


def test_a_stop_is_noticed_while_a_source_waits(server: Server) -> None:
    def stopped(**_: Any) -> None:
        raise ShuttingDown("this process is stopping")

    with closing(Client(settings_for(server))) as client, pytest.raises(ShuttingDown):
        RunWeb(client, stopped, 60).pause(60)


def test_a_scan_that_takes_too_long_ends(built: World) -> None:
    with serve_in_thread(built) as server, closing(Client(settings_for(server))) as client:
        web = RunWeb(client, lambda **_: None, deadline_seconds=-1)
        with pytest.raises(DeadlineExceeded):
            web.pause(0.5)
        with pytest.raises(DeadlineExceeded):
            web.ask(f"http://{PRA_HOST}/check")
