"""The PRA API when it is not at its best: half answers, odd types, ended sessions, refusals, hours away."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from glimmr.errors import BodyCut, FetchError, ProtocolError, RateLimited
from glimmr.model import Found, Listed, Skipped
from glimmr.pipeline.scan_step import RunWeb
from glimmr.retry import History, Policy, decide
from glimmr.scan.pace import LocalDiary
from glimmr.scan.sources.pra import Pra
from tests.support.http_server import HttpServer, Script, answer, head, in_turn, raw
from tests.unit.net.asking import client

SESSION, SEARCH = "/user/session", "/facility/search"
OPENED = answer(b'{"sessionid": "s1"}')
FACILITY: dict[str, Any] = {
    "id": "40001",
    "name": "Central Vermont Medical Center",
    "ccn": "470001",
    "zip": "05641",
    "lat": "44.2",
    "files": [{"url": "https://h.example/x.csv", "filetype": "Excel", "size": "12"}],
}


@contextmanager
def asking(search: Script, session: Script = OPENED, **rules: Any) -> Iterator[tuple[Pra, RunWeb, HttpServer]]:
    with HttpServer({SESSION: session, SEARCH: search}) as server, closing(client()) as web:
        pra = Pra(server.url("").rstrip("/"), **({"requests": 100, "delay_seconds": 0} | rules))
        yield pra, RunWeb(web, lambda **_: None, 60), server


def said(search: Script | Any) -> list[Found | Listed | Skipped]:
    script = search if callable(search) else answer(json.dumps(search).encode())
    with asking(script) as (pra, web, _):
        return list(pra.find("VT", web))


@pytest.mark.parametrize(
    "odd", [{"ccn": 470001, "lat": 44.2, "id": 7}, {"ccn": "470001.0", "beds": True}, {"lat": "?"}]
)
def test_numbers_may_be_texts_and_texts_numbers(odd: dict[str, Any]) -> None:
    (found,) = said([FACILITY | odd])
    assert isinstance(found, Found)
    assert found.hospital.ccn == "470001"
    assert found.hospital.lat == (None if odd.get("lat") == "?" else 44.2)


def test_what_the_api_says_of_a_files_type_is_not_believed() -> None:
    files = [{"url": "https://h.example/a", "filetype": kind, "filesuffix": 7} for kind in ("JSON", None, ["x"])]
    found = said([FACILITY | {"files": files}])
    assert [one.url for one in found if isinstance(one, Found)] == ["https://h.example/a"] * 3


@pytest.mark.parametrize("nothing", [{}, [], {"message": ""}])
def test_an_empty_answer_is_a_state_without_hospitals(nothing: Any) -> None:
    assert said(nothing) == []


@pytest.mark.parametrize("files", [None, [], [{"url": ""}], [{"url": None}], [{"url": "n/a"}], [{}]])
def test_of_a_facility_without_an_address_its_site_is_kept(files: Any) -> None:
    skipped, listed = said([FACILITY | {"files": files}])
    assert isinstance(listed, Listed)
    assert (listed.hospital.ccn, listed.source) == (FACILITY["ccn"], "pra")
    assert listed.hospital.website == FACILITY.get("url")
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "no price file is known"


@pytest.mark.parametrize(
    "strange", [{"facilities": [FACILITY]}, {"0": FACILITY}, FACILITY, {"message": "", "data": []}]
)
def test_an_object_of_another_shape_is_no_state_without_hospitals(strange: Any) -> None:
    with pytest.raises(ProtocolError):
        said(strange)


def test_a_mark_of_utf8_changes_nothing() -> None:
    assert len(said(answer(b"\xef\xbb\xbf" + WHOLE))) == 2


@pytest.mark.parametrize(
    "odd", [{"city": {}}, {"phone": []}, {"address": ["1"]}, {"lat": {}}, {"url": ["h"]}, {"id": [7]}, {"lat": "NaN"},
            {"long": "1e999"}, {"long": 200}],
)  # fmt: skip
def test_a_field_that_says_nothing_costs_nothing_else(odd: dict[str, Any]) -> None:
    (found,) = said([FACILITY | odd])
    assert isinstance(found, Found)
    (name,) = odd
    assert getattr(found.hospital, {"url": "website", "long": "lon", "id": "website"}.get(name, name)) is None


@pytest.mark.parametrize(("files", "unread"), [("none", 1), (["x", None], 2), ([{"url": {}}], 0), ({}, 0)])
def test_files_that_cannot_be_read_cost_no_other_and_not_the_facility(files: Any, unread: int) -> None:
    good = FACILITY["files"] if isinstance(files, list) else []
    found = said([FACILITY | {"files": [*files, *good] if isinstance(files, list) else files}])
    assert len([one for one in found if isinstance(one, Found if good else Listed)]) == 1
    assert ("a file of it cannot be read" in [one.reason for one in found if isinstance(one, Skipped)]) == bool(unread)


def test_one_file_may_stand_without_a_list() -> None:
    (found,) = said([FACILITY | {"files": FACILITY["files"][0]}])
    assert isinstance(found, Found)


@pytest.mark.parametrize("odd", ["text", 7, None, []])
def test_one_record_that_cannot_be_read_costs_only_itself(odd: Any) -> None:
    found, skipped = sorted(said([odd, FACILITY]), key=lambda record: isinstance(record, Skipped))
    assert isinstance(found, Found)
    assert isinstance(skipped, Skipped)
    assert "record 1" in skipped.record
    assert skipped.reason == "no facility can be read in it"


WHOLE = json.dumps([FACILITY, FACILITY]).encode()


@pytest.mark.parametrize("body", [WHOLE[:-1], WHOLE[:150], b"<html>sorry</html>", b'"later"', b"\xff\xfe"])
def test_half_an_answer_is_none_and_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(ProtocolError) as raised:
        said(answer(body))
    assert decide(raised.value).delay_seconds is not None


def test_an_answer_shorter_than_announced_is_asked_for_again() -> None:
    with pytest.raises(FetchError) as raised:
        said(raw(head("200 OK", f"Content-Length: {len(WHOLE)}") + WHOLE[:150]))
    assert isinstance(raised.value, BodyCut) or decide(raised.value).delay_seconds is not None


@pytest.mark.parametrize("ended", [answer(b"", "401 No"), answer(b'{"message": "Session expired"}')])
def test_a_session_that_ended_early_is_opened_again_once(ended: Script) -> None:
    with asking(in_turn(ended, answer(WHOLE))) as (pra, web, server):
        assert len(list(pra.find("VT", web))) == 2
        assert Counter(path.partition("?")[0] for path in server.paths()) == {SESSION: 2, SEARCH: 2}


def test_a_complaint_that_stays_fails_the_state_in_its_words_and_costs_the_next_nothing() -> None:
    complaint = answer(b'{"message": "no such search"}')
    with asking(in_turn(complaint, complaint, answer(WHOLE))) as (pra, web, _):
        with pytest.raises(ProtocolError, match="PRA says of VT: no such search"):
            list(pra.find("VT", web))
        assert len(list(pra.find("NH", web))) == 2


def test_the_wait_the_api_asks_for_is_the_retrys() -> None:
    with asking(answer(b"", "429 Slow", "Retry-After: 77")) as (pra, web, _):
        with pytest.raises(RateLimited) as raised:
            list(pra.find("VT", web))
        assert decide(raised.value).delay_seconds == 77.0


def _away(script: Script | None) -> FetchError:
    with HttpServer({SESSION: script or OPENED}) as server, closing(client()) as web:
        pra = Pra(server.url("").rstrip("/"), requests=100, delay_seconds=0)
        if script is not None:
            with pytest.raises(FetchError) as raised:
                list(pra.find("VT", RunWeb(web, lambda **_: None, 60)))
            return raised.value
    with closing(client()) as web, pytest.raises(FetchError) as raised:  # nobody listens there any more
        list(pra.find("VT", RunWeb(web, lambda **_: None, 60)))
    return raised.value


@pytest.mark.parametrize("script", [answer(b"", "502 Bad"), answer(b"", "503 Busy"), raw(b"", then="reset"), None])
def test_an_api_that_is_away_for_an_hour_is_asked_again_afterwards(script: Script | None) -> None:
    error, waited, failures = _away(script), 0.0, 0
    while waited <= 3600:
        delay = decide(error, History(failures=failures), Policy(jitter=lambda: 0.8)).delay_seconds
        assert delay is not None, f"given up after {waited:.0f} s"
        waited, failures = waited + delay, failures + 1


class Waits(RunWeb):
    """Notes how long it should wait, and does not."""

    waits: tuple[float, ...] = ()

    def pause(self, seconds: float) -> None:
        self.waits = (*self.waits, seconds)


def test_processes_that_share_a_diary_keep_window_and_delay_together() -> None:
    with HttpServer({SESSION: OPENED, SEARCH: answer(WHOLE)}) as server, closing(client()) as asked:
        diary = LocalDiary(clock=lambda: 0.0)
        fleet = [Pra(server.url(""), requests=7, delay_seconds=2.0, diary=diary) for _ in range(3)]
        web = Waits(asked, lambda **_: None, 60)
        for pra in fleet:
            list(pra.find("VT", web))
        list(fleet[0].find("NH", web))
    # Of each, in turn: its place among the searches (2 s apart), then a session and a search; six requests at once,
    # for the host's robots.txt is one, and a window that is longer by a tenth.
    assert [round(wait) for wait in web.waits] == [0, 0, 0, 2, 0, 0, 4, 0, 0, 6, 198]
