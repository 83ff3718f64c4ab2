"""The simulated servers, asked over raw sockets."""

import contextlib
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr.world import File, Server, serve_in_thread, world
from tests.unit.world.independent_reader import read
from tests.unit.world.raw_client import ask, connect, get

WORLD = world(3, 24, "clean")
FILE = next(file for file in WORLD.files if file.kind == "tall" and file.content.container == "plain")
BODY = b"".join(FILE.content.chunks())
HALF = len(BODY) // 2


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serve_in_thread(WORLD) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    running.set_script(FILE.url, "ok")
    return running


def test_a_good_file_comes_whole_and_is_what_the_truth_says(server: Server) -> None:
    reply = get(server, FILE)
    assert (reply.status, reply.end, reply.body) == (200, "whole", BODY)
    truth = read(reply.body)
    expect = FILE.expect
    assert (truth.rows_in, truth.charges, truth.rates) == (expect.rows_in, expect.charges, expect.rates)
    assert (truth.digest, len(reply.body)) == (expect.digest, expect.size_bytes)


def test_every_address_of_the_world_answers_with_its_bytes(server: Server) -> None:
    for file in WORLD.files:
        assert get(server, file).body == b"".join(file.content.chunks()), file.url


def test_one_connection_carries_many_requests(server: Server) -> None:
    with connect(server) as sock:
        bodies = [ask(sock, file.host, file.target).body for file in (FILE, WORLD.files[0], FILE)]
    assert bodies[0] == bodies[2] == BODY


def test_head_tells_the_size_and_sends_nothing(server: Server) -> None:
    with connect(server) as sock:
        reply = ask(sock, FILE.host, FILE.target, method="HEAD")
        assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", str(len(BODY)))
        assert ask(sock, FILE.host, FILE.target).body == BODY


def test_a_range_is_answered_with_that_part(server: Server) -> None:
    reply = get(server, FILE, Range=f"bytes={HALF}-")
    assert (reply.status, reply.body) == (206, BODY[HALF:])
    assert reply.headers["content-range"] == f"bytes {HALF}-{len(BODY) - 1}/{len(BODY)}"
    assert get(server, FILE, Range="bytes=10-19").body == BODY[10:20]
    assert get(server, FILE, Range=f"bytes={len(BODY)}-").status == 416


def test_a_range_of_another_version_is_answered_with_the_whole(server: Server) -> None:
    etag = get(server, FILE).headers["etag"]
    assert get(server, FILE, Range="bytes=10-", If_Range=etag).status == 206
    assert get(server, FILE, Range="bytes=10-", If_Range='"older"').status == 200


def test_what_the_client_already_has_is_not_sent_again(server: Server) -> None:
    first = get(server, FILE)
    assert get(server, FILE, If_None_Match=first.headers["etag"]).status == 304
    assert get(server, FILE, If_Modified_Since=first.headers["last-modified"]).status == 304
    assert get(server, FILE, If_None_Match='"other"').status == 200


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 451, 500, 503])
def test_a_status_step_answers_that_status(server: Server, status: int) -> None:
    server.set_script(FILE.url, str(status))
    assert [get(server, FILE).status for _ in range(2)] == [status, status]


def test_a_sequence_is_gone_through_request_by_request(server: Server) -> None:
    server.set_script(FILE.url, "503*2(ra=2), 429(ra=1), ok")
    replies = [get(server, FILE) for _ in range(4)]
    assert [reply.status for reply in replies] == [503, 503, 429, 200]
    assert [reply.headers.get("retry-after") for reply in replies] == ["2", "2", "1", None]


def test_a_reset_breaks_the_connection_after_its_part_and_a_range_goes_on(server: Server) -> None:
    server.set_script(FILE.url, "reset@50%, ok")
    broken = get(server, FILE)
    assert (broken.end, broken.body) == ("reset", BODY[:HALF])
    rest = get(server, FILE, Range=f"bytes={len(broken.body)}-")
    assert broken.body + rest.body == BODY


def test_a_reset_for_ever_never_gives_more_than_its_part(server: Server) -> None:
    server.set_script(FILE.url, "reset@50%")
    again = get(server, FILE, Range=f"bytes={HALF}-")
    assert (again.status, again.end, again.body) == (206, "reset", b"")


def test_a_stall_says_no_more_and_keeps_the_connection(server: Server) -> None:
    server.set_script(FILE.url, "stall@50%")
    with connect(server) as sock:
        reply = ask(sock, FILE.host, FILE.target, silence=0.3)
    assert (reply.end, reply.body) == ("silent", BODY[:HALF])
    assert reply.headers["content-length"] == str(len(BODY))


def test_other_bytes_than_a_price_file(server: Server) -> None:
    for step, start in (("html", b"<!doctype html>"), ("pdf", b"%PDF-"), ("empty", b"")):
        server.set_script(FILE.url, step)
        reply = get(server, FILE)
        assert (reply.status, reply.end) == (200, "whole")
        assert reply.body.startswith(start)
        assert len(reply.body) < 500


def test_a_cut_file_looks_whole_to_http(server: Server) -> None:
    server.set_script(FILE.url, "cut@50%")
    reply = get(server, FILE)
    assert (reply.end, reply.body) == ("whole", BODY[:HALF])
    assert get(server, FILE, Range=f"bytes={HALF}-").status == 416


def test_a_length_that_is_too_large_ends_in_a_closed_connection(server: Server) -> None:
    server.set_script(FILE.url, "len+10")
    reply = get(server, FILE)
    assert (reply.end, reply.body) == ("closed", BODY)
    assert int(reply.headers["content-length"]) == len(BODY) + 10


def test_a_length_that_is_too_small_hides_the_rest(server: Server) -> None:
    server.set_script(FILE.url, "len-50%")
    reply = get(server, FILE)
    assert abs(int(reply.headers["content-length"]) - HALF) <= 1
    assert BODY.startswith(reply.body)


def test_chunks_come_whole_or_end_in_the_middle(server: Server) -> None:
    server.set_script(FILE.url, "chunked, chunkcut@50%")
    whole, cut = get(server, FILE), get(server, FILE)
    assert (whole.end, whole.body) == ("whole", BODY)
    assert "content-length" not in whole.headers
    assert (cut.end, cut.body) == ("closed", BODY[:HALF])


def follow(server: Server, file: File, limit: int = 8) -> list[int]:
    statuses, target = list[int](), file.target
    with connect(server) as sock:
        while len(statuses) < limit:
            reply = ask(sock, file.host, target)
            statuses.append(reply.status)
            if "location" not in reply.headers:
                break
            target = reply.headers["location"]
    return statuses


def test_redirects_lead_to_the_file_or_nowhere(server: Server) -> None:
    server.set_script(FILE.url, "redir*3")
    assert follow(server, FILE) == [302, 302, 302, 200]
    assert len(server.requests_for(FILE.url)) == 4
    server.set_script(FILE.url, "loop")
    assert follow(server, FILE) == [302] * 8


def test_redirects_work_for_an_address_with_a_query(server: Server) -> None:
    file = next(file for file in WORLD.files if "?" in file.target)
    server.set_script(file.url, "redir*2")
    assert follow(server, file) == [302, 302, 200]


def test_dripping_gives_a_little_each_second(server: Server) -> None:
    server.set_script(FILE.url, "drip(2B/s)")
    with connect(server) as sock:
        reply = ask(sock, FILE.host, FILE.target, silence=0.3)
    assert (reply.end, reply.body) == ("silent", BODY[:1])


def test_a_gzip_is_served_as_if_it_were_the_csv(server: Server) -> None:
    server.set_script(FILE.url, "gz-as-csv")
    reply = get(server, FILE)
    assert gzip.decompress(reply.body) == BODY
    assert reply.headers["content-type"] != "application/gzip"
    assert "content-encoding" not in reply.headers


def test_odd_ranges_and_etags(server: Server) -> None:
    server.set_script(FILE.url, "norange")
    assert get(server, FILE, Range="bytes=100-").status == 200
    server.set_script(FILE.url, "range+7")
    reply = get(server, FILE, Range="bytes=100-")
    assert (reply.status, reply.body) == (206, BODY[107:])
    server.set_script(FILE.url, "etag-flip")
    assert get(server, FILE).headers["etag"] != get(server, FILE).headers["etag"]


def test_some_agents_are_refused(server: Server) -> None:
    server.set_script(FILE.url, "ua(Mozilla)")
    assert get(server, FILE, User_Agent="curl/8").status == 403
    assert get(server, FILE, User_Agent="Mozilla/5.0").status == 200


def test_a_server_may_never_answer_or_hang_up(server: Server) -> None:
    server.set_script(FILE.url, "close")
    assert (get(server, FILE).status, get(server, FILE).end) == (0, "closed")
    server.set_script(FILE.url, "silent")
    with connect(server) as sock:
        reply = ask(sock, FILE.host, FILE.target, silence=0.3)
    assert (reply.status, reply.end) == (0, "silent")


def test_a_cookie_wall_opens_for_who_shows_the_cookie(server: Server) -> None:
    server.set_script(FILE.url, "cookie")
    wall = get(server, FILE)
    assert (wall.status, wall.headers["location"]) == (302, FILE.target)
    assert get(server, FILE, Cookie=wall.headers["set-cookie"].partition(";")[0]).body == BODY


def test_a_host_can_be_taken_off_the_net_and_come_back(server: Server) -> None:
    server.set_down(FILE.host, down=True)
    assert get(server, FILE).end == "reset"
    server.set_down(FILE.host, down=False)
    assert get(server, FILE).status == 200


def test_the_log_tells_each_request(server: Server) -> None:
    get(server, FILE, Range="bytes=10-19", User_Agent="tester")
    entry = server.requests_for(FILE.url)[0]
    assert (entry["host"], entry["path"], entry["method"]) == (FILE.host, FILE.target, "GET")
    assert (entry["range"], entry["ua"], entry["status"], entry["bytes"]) == ("bytes=10-19", "tester", 206, 10)
    assert entry["t"] > 0


def test_the_log_is_also_a_file_of_json_lines(tmp_path: Path) -> None:
    with serve_in_thread(WORLD, log_path=tmp_path / "log.jsonl") as server:
        get(server, FILE)
        get(server, FILE, Range="bytes=5-")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["status"], line["range"]) for line in lines] == [(200, None), (206, "bytes=5-")]


def test_the_most_connections_at_once_are_counted_per_host() -> None:
    with serve_in_thread(WORLD) as server, connect(server) as first, connect(server) as second:
        for sock in (first, second, first):
            ask(sock, FILE.host, FILE.target)
        assert server.peak_connections[FILE.host] == 2


def test_hospital_hosts_have_pages_and_unknown_hosts_have_none(server: Server) -> None:
    hospital = next(hospital for hospital in WORLD.hospitals if WORLD.files_of(hospital))
    url = WORLD.files_of(hospital)[0].url
    with connect(server) as sock:
        assert b"price-transparency" in ask(sock, hospital.host, "/").body
        assert url.replace("&", "&amp;").encode() in ask(sock, hospital.host, "/price-transparency").body
        assert ask(sock, hospital.host, "/robots.txt").body.startswith(b"User-agent")
        text = ask(sock, hospital.host, "/cms-hpt.txt").body.decode()
        assert ask(sock, hospital.host, "/nothing").status == 404
        assert ask(sock, "elsewhere.test", "/").status == 404
    assert text.startswith(f"location-name: {hospital.name}\nsource-page-url: ")
    assert f"mrf-url: {url}\n" in text


def test_the_control_api_tells_and_changes_the_world(server: Server) -> None:
    with connect(server) as sock:
        truth = json.loads(ask(sock, "any.test", "/__sim/truth").body)
        assert {entry["url"] for entry in truth} == {file.url for file in WORLD.files}
        assert ask(sock, "any.test", f"/__sim/script?url={FILE.url}&script=404", method="POST").status == 200
        assert ask(sock, FILE.host, FILE.target).status == 404
        assert json.loads(ask(sock, "any.test", "/__sim/log").body)[-1]["status"] == 404
        assert ask(sock, "any.test", "/__sim/reset", method="POST").status == 200
        assert json.loads(ask(sock, "any.test", "/__sim/log").body) == []
        assert ask(sock, "any.test", "/__sim/other").status == 404


def test_what_is_no_http_closes_the_connection(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(b"hello\r\n\r\n")
        assert sock.recv(100) == b""


def test_who_wants_to_speak_tls_is_told_at_once_that_nobody_does(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(b"\x16\x03\x01")
        assert sock.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_taken_port_is_an_error_and_not_a_hang(server: Server) -> None:
    with pytest.raises(OSError, match="in use"), serve_in_thread(WORLD, port=server.port):
        pass


def test_a_large_file_is_kept_on_disk_and_read_from_any_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimmr.world.bodies._SMALL_BYTES", 1000)
    with serve_in_thread(WORLD) as server:
        assert get(server, FILE).body == BODY
        assert get(server, FILE, Range=f"bytes={HALF}-").body == BODY[HALF:]


def test_bodies_that_were_forgotten_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimmr.world.bodies._KEPT_BYTES", 1)
    with serve_in_thread(WORLD) as server:
        for file in (FILE, WORLD.files[0], FILE):
            assert get(server, file).body == b"".join(file.content.chunks())


def test_stopping_ends_stalled_connections() -> None:
    with serve_in_thread(WORLD) as server:
        server.set_script(FILE.url, "stall@50%")
        sock = connect(server)
        assert ask(sock, FILE.host, FILE.target, silence=0.2).end == "silent"
    with sock:
        sock.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(10) == b""
