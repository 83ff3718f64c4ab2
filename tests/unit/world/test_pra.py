"""The price-file API of the simulated world."""

import json
from dataclasses import dataclass

from glimmr.world import PRA_HOST, PraRules, serve_in_thread, world
from glimmr.world.http import Answer, Request
from glimmr.world.pra import Pra
from tests.unit.world.raw_client import ask, connect

WORLD = world(3, 80, "demo")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def ask_pra(pra: Pra, target: str, session: str = "", method: str = "GET", body: bytes = b"") -> Answer:
    return pra.answer(Request(method, target, {"host": PRA_HOST, "sessionid": session}, body))


def login(pra: Pra) -> str:
    answer = ask_pra(pra, "/user/session", method="POST", body=b'{"username": "1764000000000", "password": ""}')
    session = json.loads(answer.body)["sessionid"]
    assert answer.headers["sessionid"] == session
    return session


def search(pra: Pra, session: str, state: str) -> Answer:
    return ask_pra(pra, f"/facility/search?search=&searchstate={state}", session)


def test_facilities_of_a_state_come_with_their_files() -> None:
    pra = Pra(WORLD, PraRules())
    found = [facility for facility in json.loads(search(pra, login(pra), "VT").body) if facility["name"]]
    hospitals = {hospital.ccn: hospital for hospital in WORLD.hospitals if hospital.state == "VT"}
    assert {facility["ccn"] for facility in found} == set(hospitals)
    for facility in found:
        assert [file["url"] for file in facility["files"]] == [
            file.url for file in WORLD.files_of(hospitals[facility["ccn"]])
        ]
        assert isinstance(facility["beds"], str)
        assert isinstance(facility["lat"], str)


def test_a_state_without_hospitals_is_an_empty_object() -> None:
    pra = Pra(WORLD, PraRules())
    assert json.loads(search(pra, login(pra), "TX").body) == {}


def test_some_facilities_have_no_name_and_some_types_lie() -> None:
    pra = Pra(WORLD, PraRules())
    session = login(pra)
    found = [json.loads(search(pra, session, state).body) for state in ("DC", "GU", "ME", "NH", "RI", "VT", "WY")]
    facilities = [facility for state in found for facility in state]
    assert any(facility["name"] is None for facility in facilities)
    assert any(file["filetype"].startswith("Excel") for facility in facilities for file in facility["files"])


def test_nothing_is_told_without_a_session_or_after_it_expired() -> None:
    clock = Clock()
    pra = Pra(WORLD, PraRules(session_seconds=1800), clock)
    assert search(pra, "", "VT").status == 401
    session = login(pra)
    assert ask_pra(pra, "/check", session).status == 200
    clock.now += 1801
    assert ask_pra(pra, "/check", session).status == 401
    assert search(pra, session, "VT").status == 401
    assert search(pra, login(pra), "VT").status == 200


def test_the_request_after_the_hundredth_must_wait_for_the_window() -> None:
    clock = Clock()
    pra = Pra(WORLD, PraRules(requests=100, window_seconds=180), clock)
    session = login(pra)
    for _ in range(99):
        assert ask_pra(pra, "/check", session).status == 200
        clock.now += 0.1
    refused = ask_pra(pra, "/check", session)
    assert (refused.status, pra.refused) == (429, 1)
    wait = int(refused.headers["Retry-After"])
    assert 165 < wait <= 181
    clock.now += wait
    assert ask_pra(pra, "/check", session).status == 200


def test_a_state_can_be_made_to_fail_alone() -> None:
    pra = Pra(WORLD, PraRules(failing_states=frozenset({"NH"})))
    session = login(pra)
    assert [search(pra, session, state).status for state in ("VT", "NH", "ME")] == [200, 500, 200]


def test_a_login_without_a_name_and_an_unknown_path_are_refused() -> None:
    pra = Pra(WORLD, PraRules())
    assert ask_pra(pra, "/user/session", method="POST", body=b"[]").status == 400
    assert ask_pra(pra, "/elsewhere").status == 404


def test_the_api_answers_on_its_host() -> None:
    with serve_in_thread(WORLD) as server, connect(server) as sock:
        reply = ask(sock, PRA_HOST, "/user/session", method="POST", body=b'{"username": "1", "password": ""}')
        session = json.loads(reply.body)["sessionid"]
        found = ask(sock, PRA_HOST, "/facility/search?search=&searchstate=PR", sessionid=session)
        assert {facility["state"] for facility in json.loads(found.body)} == {"PR"}
        assert [entry["status"] for entry in server.log] == [200, 200]
