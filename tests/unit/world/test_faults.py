"""The rarer steps of the language, asked over raw sockets: hosts that are down, odd answers, vast files."""

import hashlib
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from glimmr.world import Server, serve_in_thread, world
from glimmr.world.vast import renewed, vast
from tests.unit.world.independent_reader import read
from tests.unit.world.raw_client import ask, connect, get

WORLD = world(3, 24, "clean")
PLAIN = [file for file in WORLD.files if file.content.container == "plain" and file.content.encoding == "utf-8"]
FILE = next(file for file in PLAIN if file.kind == "tall")
BODY = b"".join(FILE.content.chunks())
NEWER = b"".join(renewed(FILE.content).chunks())
VAST = replace(FILE, url="http://vast.test/f.csv", script="size=3GiB")
GATED = replace(FILE, url="http://gated.test/f.csv", script="down(60s..120s)")


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serve_in_thread(replace(WORLD, files=(FILE, VAST, GATED))) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    running.set_script(FILE.url, "ok")
    return running


def connects(server: Server, host: str) -> bool:
    """Whether a client that lives by the world's settings gets a connection to the host."""
    ports = dict(entry.split("=127.0.0.1:") for entry in server.settings["GLIMMR_CONNECT_TO"].split(","))
    try:
        socket.create_connection(("127.0.0.1", int(ports.get(host, ports["*"]))), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_host_refuses_connections_for_a_time_of_the_worlds_clock(server: Server) -> None:
    seen = list[bool]()
    for seconds in (0, 61, 121, 90):
        server.set_clock(seconds)
        seen.append(connects(server, GATED.host))
    assert seen == [True, False, True, False]
    assert connects(server, FILE.host)
    with connect(server) as sock:
        assert ask(sock, GATED.host, GATED.target).end == "reset"  # who knows the others' port does not get in, either


def test_a_host_comes_back_by_itself_when_its_time_has_come() -> None:
    soon = replace(GATED, script="down(0s..1s)")
    with serve_in_thread(replace(WORLD, files=(soon,))) as server:
        assert not connects(server, soon.host)
        while not connects(server, soon.host):
            assert server.clock.now() < 20
        assert server.clock.now() >= 1


def test_the_control_api_sets_the_clock_and_takes_hosts_down(server: Server) -> None:
    with connect(server) as sock:
        assert ask(sock, "any.test", "/__sim/clock?seconds=90", method="POST").status == 200
        assert b'"clock_seconds": 90.' in ask(sock, "any.test", "/__sim/state").body
        assert not connects(server, GATED.host)
        assert ask(sock, "any.test", "/__sim/clock?seconds=soon", method="POST").status == 404
        assert ask(sock, "any.test", "/__sim/reset", method="POST").status == 200
        assert connects(server, GATED.host)
        assert ask(sock, "any.test", f"/__sim/host?name={GATED.host}&up=0", method="POST").status == 200
        assert not connects(server, GATED.host)
        assert ask(sock, "any.test", f"/__sim/host?name={GATED.host}&up=1", method="POST").status == 200
        assert connects(server, GATED.host)


def test_any_part_of_a_vast_file_is_made_at_once(server: Server) -> None:
    large = vast(FILE.content, 3 * 2**30)
    assert 0.99 * 3 * 2**30 < large.size <= 3 * 2**30
    with connect(server) as sock:
        assert ask(sock, VAST.host, VAST.target, method="HEAD").headers["content-length"] == str(large.size)
        for start in (0, 2**31 - 5, 2**31 + 1_000_003, large.size - 7):
            reply = ask(sock, VAST.host, VAST.target, Range=f"bytes={start}-{min(large.size, start + 999) - 1}")
            assert (reply.status, reply.body) == (206, large.read(start, start + 999))


@pytest.mark.parametrize("kind", ["tall", "wide", "json"])
def test_a_vast_file_is_a_right_one_wherever_it_is_cut_into_parts(kind: str) -> None:
    content = next(file.content for file in PLAIN if file.kind == kind)
    large = vast(content, 400_000)
    whole = b"".join(large.chunks())
    assert (len(whole), hashlib.sha256(whole).hexdigest()) == (large.size, large.sha256)
    step = len(large.records) // 3 + 1
    assert b"".join(large.read(at, at + step) for at in range(0, large.size, step)) == whole
    assert large.read(large.size - 3, large.size + 50) == whole[-3:]
    assert read(whole).rows_in > 100


def test_only_a_plain_file_can_be_vast() -> None:
    packed = next(file for file in WORLD.files if file.content.container == "zip")
    with pytest.raises(ValueError, match="plain"):
        vast(packed.content, 10**6)


def test_a_newer_file_takes_the_place_of_the_old_one(server: Server) -> None:
    server.set_script(FILE.url, "ok, renew*2, renew(deaf), renew(deaf;mute)")
    old = get(server, FILE)
    given = {"Range": "bytes=100-", "If_Range": old.headers["etag"]}
    new, asked, deaf, mute = (get(server, FILE, **given) for _ in range(4))
    assert (new.status, new.body, asked.body) == (200, NEWER, NEWER)
    assert new.headers["etag"] != old.headers["etag"]
    assert new.headers["last-modified"] != old.headers["last-modified"]
    assert (deaf.status, deaf.body, deaf.headers["etag"]) == (206, NEWER[100:], new.headers["etag"])
    assert (mute.status, mute.body) == (206, NEWER[100:])
    assert not {"etag", "last-modified"} & set(mute.headers)


def test_validators_are_weak_or_missing(server: Server) -> None:
    server.set_script(FILE.url, "ok(weak), ok(bare)")
    weak, bare = get(server, FILE), get(server, FILE)
    assert weak.headers["etag"].startswith('W/"')
    assert not {"etag", "last-modified"} & set(bare.headers)
    server.set_script(FILE.url, "weak")
    assert get(server, FILE, Range="bytes=9-", If_Range=weak.headers["etag"]).status == 200
    server.set_script(FILE.url, "total+7")
    assert get(server, FILE, Range="bytes=9-").headers["content-range"].endswith(f"/{len(BODY) + 7}")


def test_encodings_that_nobody_asked_for_are_told_or_lied_about(server: Server) -> None:
    server.set_script(FILE.url, "gzip, says-gzip")
    packed, lie = get(server, FILE), get(server, FILE)
    assert packed.headers["content-encoding"] == lie.headers["content-encoding"] == "gzip"
    assert (packed.body[:2], lie.body) == (b"\x1f\x8b", BODY)


def test_pages_lead_to_the_file(server: Server) -> None:
    for script, mark in (("page", b"href="), ("confirm", b'name="confirm" value="t"'), ("share(dl=1)", b"Preview")):
        server.set_script(FILE.url, script)
        page = get(server, FILE)
        assert (page.headers["content-type"][:9], mark in page.body) == ("text/html", True)
    assert get(server, replace(FILE, url=f"{FILE.url}?dl=1")).status == 404  # it was no share when the world was made
    server.set_script(FILE.url, "page")
    assert get(server, replace(FILE, url=f"{FILE.url}?__hop=file")).body == BODY


def test_another_host_has_the_file(server: Server) -> None:
    server.set_script(FILE.url, "away")
    to = get(server, FILE).headers["location"]
    assert to.startswith(f"http://cdn.{FILE.host}/")
    assert get(server, replace(FILE, url=to)).body == BODY
    assert len(server.requests_for(FILE.url)) == 2


def test_answers_that_are_no_http_and_headers_without_an_end(server: Server) -> None:
    server.set_script(FILE.url, "garbage, trickle")
    with connect(server) as sock:
        sock.sendall(f"GET {FILE.target} HTTP/1.1\r\nHost: {FILE.host}\r\n\r\n".encode())
        assert sock.recv(100).startswith(b"***")
    with connect(server) as sock:
        assert ask(sock, FILE.host, FILE.target, silence=0.3).end == "silent"


def test_a_robot_check_and_a_wait_until_a_date(server: Server) -> None:
    server.set_script(FILE.url, "challenge(status=202), 429(date=60)")
    assert (get(server, FILE).status, get(server, FILE).headers["retry-after"][-3:]) == (202, "GMT")


def test_a_server_names_its_file_as_it_likes(server: Server) -> None:
    for name in ("path", "nul", "rtl", "long", "utf8"):
        server.set_script(FILE.url, f"name({name})")
        reply = get(server, FILE)
        assert (reply.body, "filename" in reply.headers["content-disposition"]) == (BODY, True)
