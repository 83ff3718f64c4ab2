import asyncio
import gzip
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glimmr import errors
from glimmr.net import Client, Options
from glimmr.retry import decide
from glimmr.settings import Settings
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, drip, head, in_turn, raw, redirect
from tests.unit.net.asking import Kept, client


@pytest.fixture
def asker() -> Iterator[Client]:
    made = client()
    yield made
    made.close()


def fetch(asker: Client, url: str, **asked: Any) -> tuple[Any, Kept]:
    sink = Kept()
    return asker.fetch(url, sink, **asked), sink


def test_the_bytes_and_what_the_server_says_of_them_arrive(asker: Client) -> None:
    says = ('ETag: "v1"', "Last-Modified: Mon, 01 Jan 2026 00:00:00 GMT", "Content-Type: text/csv")
    name = 'Content-Disposition: attachment; filename="..\\..\\Prices 2026.csv"'
    with HttpServer({"/f.csv": answer(b"a,b\n1,2\n", "200 OK", *says, name)}) as server:
        got, sink = fetch(asker, server.url("/f.csv"))
    assert sink.data == b"a,b\n1,2\n"
    assert sink.sizes == [8]
    assert (got.status, got.bytes, got.etag, got.content_type) == (200, 8, '"v1"', "text/csv")
    assert got.last_modified == "Mon, 01 Jan 2026 00:00:00 GMT"
    assert got.disposition_name.endswith("Prices 2026.csv")


def test_we_say_who_we_are_and_want_the_bytes_as_they_are(asker: Client) -> None:
    with HttpServer({"/": answer(b"x")}) as server:
        fetch(asker, server.url("/"))
    headers = server.requests[0].headers
    assert headers["user-agent"].startswith("Mozilla/5.0 (compatible; Glimmr/")
    assert headers["accept-encoding"] == "identity"


def test_the_contact_of_the_settings_is_told() -> None:
    options = Options.of(Settings(contact="prices@example.org"))
    assert options.user_agent.endswith("+prices@example.org)")


def test_a_gzip_encoded_answer_nobody_asked_for_is_stored_as_served(asker: Client) -> None:
    packed = gzip.compress(b"a,b\n")
    with HttpServer({"/": answer(packed, "200 OK", "Content-Encoding: gzip")}) as server:
        _, sink = fetch(asker, server.url("/"))
        small = asker.get_bytes(server.url("/"))
    assert sink.data == packed
    assert small.body == b"a,b\n"


def test_an_answer_that_cannot_be_decoded_is_asked_for_without_an_encoding(asker: Client) -> None:
    lie = answer(b"[1]", "200 OK", "Content-Encoding: gzip")
    with HttpServer({"/": lie}) as server:
        assert asker.get_bytes(server.url("/")).body == b"[1]"
        assert asker.get_bytes(server.url("/")).body == b"[1]"
    assert [request.headers["accept-encoding"] == "identity" for request in server.requests] == [False, True, True]


def test_one_connection_is_used_again(asker: Client) -> None:
    with HttpServer({"/": answer(b"x")}) as server:
        for _ in range(3):
            fetch(asker, server.url("/"))
    assert (len(server.requests), server.connections) == (3, 1)


def test_a_connection_is_kept_alive_while_it_is_silent() -> None:
    timers = set[str]()

    def look(**_: Any) -> None:
        for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
            _, _, remote, state, _, timer, *_ = line.split()
            if remote.endswith(f":{server.port:04X}") and state == "01":
                timers.add(timer.partition(":")[0])

    asker = client(stall_seconds=1.2)
    with HttpServer({"/": raw(_LONG + b"x", then="stall")}) as server, pytest.raises(errors.Stalled):
        fetch(asker, server.url("/"), tell=look)
    assert "02" in timers  # the kernel's clock for the next keep-alive probe runs (proc_net_tcp)


def test_a_connection_the_server_closed_meanwhile_is_replaced(asker: Client) -> None:
    whole = head("200 OK", "Content-Length: 1") + b"x"
    with HttpServer({"/": raw(whole)}) as server:
        for _ in range(3):
            _, sink = fetch(asker, server.url("/"))
            assert sink.data == b"x"
    assert server.connections == 3


def spoiled_by(junk: bytes, *connections: int) -> Script:
    """What the answer before announced too few bytes for stands before this one, on these connections."""

    async def script(request: Request, wire: Wire) -> bool | None:
        if request.connection in connections:
            await wire.send(junk)
        return await answer(b"prices")(request, wire)

    return script


@pytest.mark.parametrize("junk", [b"ces", b"HTTP/1", b"\r\n1,2,3\r\n" * 10_000])
def test_bytes_left_over_on_a_connection_do_not_spoil_the_next_answer(junk: bytes, asker: Client) -> None:
    with HttpServer({"/short": answer(b"pri"), "/f": spoiled_by(junk, 1)}) as server:
        fetch(asker, server.url("/short"))
        assert [fetch(asker, server.url("/f"))[1].data for _ in range(2)] == [b"prices"] * 2
    assert server.paths() == ["/short", "/f", "/f", "/f"]
    assert [request.connection for request in server.requests] == [1, 1, 2, 2]


def test_what_is_no_http_on_a_connection_of_its_own_is_not_asked_for_again(asker: Client) -> None:
    with HttpServer({"/short": answer(b"pri"), "/f": spoiled_by(b"ces", 1, 2, 3)}) as server:
        fetch(asker, server.url("/short"))
        for _ in range(2):
            with pytest.raises(errors.ProtocolError):
                fetch(asker, server.url("/f"))
    assert [request.connection for request in server.requests] == [1, 1, 2, 3]


def test_what_was_posted_is_not_posted_again(asker: Client) -> None:
    with HttpServer({"/short": answer(b"pri"), "/f": spoiled_by(b"ces", 1)}) as server:
        fetch(asker, server.url("/short"))
        with pytest.raises(errors.ProtocolError):
            asker.get_bytes(server.url("/f"), method="POST", body=b"mine")
    assert server.paths() == ["/short", "/f"]


def test_bytes_we_have_are_asked_about_and_not_sent_again(asker: Client) -> None:
    with HttpServer({"/": answer(b"", "304 Not Modified")}) as server:
        got, sink = fetch(asker, server.url("/"), etag='"v1"', last_modified="yesterday")
        with pytest.raises(errors.NoContent):
            fetch(asker, server.url("/"))
    assert got.not_modified
    assert sink.sizes == []
    assert server.requests[0].headers["if-none-match"] == '"v1"'
    assert server.requests[0].headers["if-modified-since"] == "yesterday"


def test_an_empty_file_is_an_answer(asker: Client) -> None:
    with HttpServer({"/": answer(b"")}) as server:
        got, sink = fetch(asker, server.url("/"))
    assert (got.bytes, sink.sizes) == (0, [0])


# ── what breaks: script, error, outcome and reason once everything was tried ─────────────────────────────────────

_LONG = head("200 OK", "Content-Length: 50")
_CHUNKED = head("200 OK", "Transfer-Encoding: chunked")
BREAKS = {
    "the body is shorter than announced": (raw(_LONG + b"short"), errors.BodyCut, "truncated"),
    "the last chunk is missing": (raw(_CHUNKED + b"5\r\nhello\r\n9\r\nab"), errors.BodyCut, "truncated"),
    "a chunk is garbage": (raw(_CHUNKED + b"5\r\nhello\r\nZZ\r\n"), errors.ProtocolError, "protocol_error"),
    "the connection is reset in the body": (
        raw(_LONG + b"x", then="reset"),
        errors.ConnectionReset,
        "connection_reset",
    ),
    "the connection is reset at once": (raw(b"", then="reset"), errors.ConnectionReset, "connection_reset"),
    "nothing is answered": (raw(b""), errors.EmptyReply, "empty_reply"),
    "the answer is not HTTP": (raw(b"SSH-2.0-OpenSSH\r\n"), errors.ProtocolError, "protocol_error"),
    "the status is no number": (raw(b"HTTP/1.1 abc\r\n\r\n"), errors.ProtocolError, "protocol_error"),
    "no header comes": (raw(b"", then="stall"), errors.HeaderTimeout, "header_timeout"),
    "the header drips": (drip(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n", 0.02), errors.HeaderTimeout, "header_timeout"),
    "the body stalls": (raw(_LONG + b"hello", then="stall"), errors.Stalled, "stalled"),
    "the body drips": (drip(head("200 OK", "Content-Length: 9999"), b"x", 0.02), errors.TooSlow, "too_slow"),
    "404": (answer(b"", "404 Not Found"), errors.NotFound, "not_found"),
    "410": (answer(b"", "410 Gone"), errors.Gone, "gone"),
    "451": (answer(b"", "451 Legal"), errors.UnavailableForLegalReasons, "legal"),
    "401": (answer(b"", "401 No"), errors.AuthRequired, "auth_required"),
    "402": (answer(b"", "402 Pay"), errors.AuthRequired, "auth_required"),
    "407": (answer(b"", "407 Proxy"), errors.AuthRequired, "auth_required"),
    "403": (answer(b"<html>no</html>", "403 Forbidden"), errors.Forbidden, "forbidden"),
    "406": (answer(b"", "406 No"), errors.NotAcceptable, "not_acceptable"),
    "999": (answer(b"", "999 Denied"), errors.NotAcceptable, "not_acceptable"),
    "400": (answer(b"", "400 Bad"), errors.BadRequest, "bad_request"),
    "405": (answer(b"", "405 Bad"), errors.BadRequest, "bad_request"),
    "415": (answer(b"", "415 Bad"), errors.BadRequest, "bad_request"),
    "501": (answer(b"", "501 Bad"), errors.BadRequest, "bad_request"),
    "505": (answer(b"", "505 Bad"), errors.BadRequest, "bad_request"),
    "408": (answer(b"", "408 Slow"), errors.ServerError, "server_error"),
    "425": (answer(b"", "425 Early"), errors.ServerError, "server_error"),
    "429": (answer(b"", "429 Slow", "Retry-After: 7"), errors.RateLimited, "rate_limited"),
    "500": (answer(b"", "500 Oops"), errors.ServerError, "server_error"),
    "502": (answer(b"", "502 Oops"), errors.ServerError, "server_error"),
    "503": (answer(b"", "503 Busy"), errors.Unavailable, "unavailable"),
    "522": (answer(b"", "522 Origin"), errors.ServerError, "server_error"),
    "530": (answer(b"", "530 Origin"), errors.ServerError, "server_error"),
    "204": (answer(b"", "204 No Content"), errors.NoContent, "no_content"),
    "203": (answer(b"x", "203 Other"), errors.NoContent, "no_content"),
    "a part nobody asked for": (answer(b"x", "206 Partial"), errors.NoContent, "no_content"),
    "a redirect without an address": (answer(b"", "302 Found"), errors.BadRedirect, "bad_redirect"),
    "a robot check": (answer(b"<html><title>Just a moment...</title>"), errors.ChallengePage, "challenge_page"),
    "a robot check behind 202": (
        answer(b"", "202 Accepted", "x-amzn-waf-action: challenge"),
        errors.ChallengePage,
        "challenge_page",
    ),
}


@pytest.mark.parametrize("case", BREAKS)
def test_what_breaks_is_named(case: str, asker: Client) -> None:
    script, error, reason = BREAKS[case]
    with HttpServer({"/f.csv": script}) as server, pytest.raises(errors.FetchError) as caught:
        fetch(asker, server.url("/f.csv?token=s3cret"))
    assert type(caught.value) is error
    assert decide(caught.value).reason == reason
    assert "s3cret" not in str(caught.value) + caught.value.url
    assert f"127.0.0.1:{server.port}/f.csv" in str(caught.value)


def test_a_body_of_an_error_page_never_reaches_the_sink(asker: Client) -> None:
    sink = Kept()
    with HttpServer({"/": answer(b"x" * 500_000, "503 Busy")}) as server, pytest.raises(errors.Unavailable):
        asker.fetch(server.url("/"), sink)
    assert (sink.data, sink.sizes) == (b"", [])


def test_an_endless_error_page_is_not_read_to_its_end(asker: Client) -> None:
    with HttpServer({"/": drip(head("404 Not Found"), b"x" * 50_000, 0.001)}) as server, pytest.raises(errors.NotFound):
        fetch(asker, server.url("/"))


def test_nobody_listening_is_connection_refused(asker: Client) -> None:
    with HttpServer() as server:
        pass
    with pytest.raises(errors.ConnectionRefused):
        fetch(asker, server.url("/"))


def test_a_host_that_does_not_finish_its_handshake_is_a_connect_timeout() -> None:
    asker = client(connect_seconds=0.3)
    with HttpServer({"/": raw(b"", then="stall")}) as server, pytest.raises(errors.ConnectTimeout):
        fetch(asker, server.url("/").replace("http:", "https:"))


def test_a_server_that_speaks_no_tls_is_told_as_that_and_not_asked_in_the_way_of_old_tls(asker: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def once() -> None:
            connection, _ = listener.accept()
            listener.close()  # a second try would be refused
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 plain\r\n\r\n")

        thread = threading.Thread(target=once)
        thread.start()
        with pytest.raises(errors.NoTls):
            fetch(asker, f"https://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()


def test_retry_after_is_handed_on(asker: Client) -> None:
    with (
        HttpServer({"/": answer(b"", "429 Slow", "Retry-After: 7")}) as server,
        pytest.raises(errors.RateLimited) as caught,
    ):
        fetch(asker, server.url("/"))
    assert (caught.value.status, caught.value.retry_after_seconds) == (429, 7.0)


# ── clocks, sizes, stopping ──────────────────────────────────────────────────────────────────────────────────────


def test_a_slow_but_honest_server_is_waited_for() -> None:
    asker = client(stall_seconds=0.3, min_rate_bytes=1000, header_seconds=1)
    body = b"x" * 100

    async def slow(_: Any, wire: Any) -> None:
        await wire.send(head("200 OK", "Content-Length: 2000"))
        for _ in range(20):
            await wire.send(body)
            await asyncio.sleep(0.04)

    with HttpServer({"/": slow}) as server:
        got, _ = fetch(asker, server.url("/"))
    assert got.bytes == 2000


def test_the_deadline_ends_what_no_other_clock_ends() -> None:
    asker = client(min_rate_bytes=1, stall_seconds=5, deadline_seconds=0.3)
    with HttpServer({"/": drip(head("200 OK"), b"x" * 10, 0.01)}) as server, pytest.raises(errors.DeadlineExceeded):
        fetch(asker, server.url("/"))


def test_a_large_file_gets_a_longer_deadline() -> None:
    asker = client(min_rate_bytes=1, stall_seconds=5, deadline_seconds=0.1, deadline_rate_bytes=1000)
    start = head("200 OK", "Content-Length: 600")
    with HttpServer({"/": drip(start, b"x", 0.005)}) as server, pytest.raises(errors.DeadlineExceeded) as caught:
        fetch(asker, server.url("/"), deadline_seconds=0.1)
    assert "0.6 s" in str(caught.value)


def test_by_the_same_settings_a_slow_but_honest_server_finishes_and_a_slow_loris_does_not() -> None:
    settings = Settings(
        allow_addresses=("127.0.0.1",), header_timeout_seconds=0.5, connect_timeout_seconds=0.5,
        min_rate_bytes=2000, stall_seconds=0.3, download_deadline_seconds=0.2, download_deadline_rate_bytes=2000,
    )  # fmt: skip

    def dripping(body_bytes: int, piece: int, every_seconds: float) -> Any:
        async def script(_: Any, wire: Any) -> None:
            await wire.send(head("200 OK", f"Content-Length: {body_bytes}"))
            for _ in range(body_bytes // piece):
                await wire.send(b"x" * piece)
                await asyncio.sleep(every_seconds)

        return script

    scripts = {
        "/honest": dripping(4000, 200, 0.05),  # 4000 bytes/s: a second, which is five times the least time allowed
        "/body": dripping(4000, 10, 0.02),  # 500 bytes/s, never silent
        "/burst": dripping(400_000, 1000, 0.2),  # 5000 bytes/s: its size allows 200 s, which are over
        "/header": drip(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n", 0.02),
    }
    with HttpServer(scripts) as server:
        asker = Client(settings)
        got, _ = fetch(asker, server.url("/honest"))
        assert got.bytes == 4000
        with pytest.raises(errors.TooSlow):
            fetch(asker, server.url("/body"))
        with pytest.raises(errors.HeaderTimeout):
            fetch(asker, server.url("/header"))
        with pytest.raises(errors.DeadlineExceeded):
            asker.fetch(server.url("/burst"), Kept(), since=time.monotonic() - 201)
        asker.close()


def test_no_file_is_so_large_that_its_deadline_is_over_the_cap() -> None:
    limits: dict[str, Any] = {"deadline_seconds": 0.1, "deadline_rate_bytes": 1, "deadline_cap_seconds": 0.3}
    asker = client(min_rate_bytes=1, stall_seconds=5, **limits)
    start = head("200 OK", "Content-Length: 600")
    with HttpServer({"/": drip(start, b"x", 0.005)}) as server, pytest.raises(errors.DeadlineExceeded) as caught:
        fetch(asker, server.url("/"))
    assert "0.3 s" in str(caught.value)


def test_a_transfer_may_take_half_an_hour_or_its_size_at_50_kb_a_second_but_12_hours_at_most() -> None:
    limits = Options.of(Settings()).limits
    assert (limits.deadline_seconds, limits.deadline_rate_bytes, limits.deadline_cap_seconds) == (1800, 50_000, 43_200)


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_over_the_size_setting_is_not_brought_home(announced: bool, asker: Client) -> None:
    start = head("200 OK", "Content-Length: 999999999") if announced else head("200 OK")
    with HttpServer({"/": drip(start, b"x" * 1000, 0.001)}) as server, pytest.raises(errors.FileTooLarge):
        fetch(asker, server.url("/"), max_bytes=20_000)


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("script", [raw(b"", then="stall"), raw(_LONG + b"x", then="stall")])
def test_what_tell_raises_ends_the_transfer_at_once(script: Any) -> None:
    asker, told = client(header_seconds=60, stall_seconds=60), list[dict[str, Any]]()

    def tell(**progress: Any) -> None:
        told.append(progress)
        if len(told) > 1:
            raise StoppedError

    began = time.monotonic()
    with HttpServer({"/": script}) as server, pytest.raises(StoppedError):
        fetch(asker, server.url("/"), tell=tell)
    assert time.monotonic() - began < 5
    assert set(told[0]) == {"bytes", "total"}


def test_what_tell_raises_ends_a_handshake_too() -> None:
    asker, told = client(connect_seconds=60), list[int]()

    def tell(**_: Any) -> None:
        told.append(1)
        if len(told) > 1:
            raise StoppedError

    with HttpServer({"/": raw(b"", then="stall")}) as server, pytest.raises(StoppedError):
        fetch(asker, server.url("/").replace("http:", "https:"), tell=tell)


def test_progress_is_told_with_bytes_and_total() -> None:
    asker, told = client(), list[dict[str, Any]]()
    start = head("200 OK", "Content-Length: 60000")
    with HttpServer({"/": drip(start, b"x" * 1000, 0.01)}) as server:
        fetch(asker, server.url("/"), tell=lambda **progress: told.append(progress))
    assert told[-1]["total"] == 60_000
    assert 0 < told[-1]["bytes"] <= 60_000
    assert len(told) <= 10


def test_an_error_of_the_sink_comes_out_as_it_is(asker: Client) -> None:
    class Broken(Kept):
        def write(self, data: bytes) -> None:
            raise errors.DiskFull("no space")

    with HttpServer({"/": answer(b"x")}) as server, pytest.raises(errors.DiskFull, match="no space"):
        asker.fetch(server.url("/"), Broken())


# ── redirects ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
def test_redirects_are_followed(status: str, asker: Client) -> None:
    scripts = {"/a": redirect("/b/c d?x=1#frag", f"{status} There"), "/b/c%20d": answer(b"here")}
    with HttpServer(scripts) as server:
        got, sink = fetch(asker, server.url("/a"))
    assert sink.data == b"here"
    assert got.final_url == server.url("/b/c%20d?x=1")


def test_ten_redirects_are_followed_and_eleven_are_not(asker: Client) -> None:
    scripts = {f"/{n}": redirect(f"/{n + 1}") for n in range(20)} | {"/10": answer(b"there")}
    with HttpServer(scripts) as server:
        _, sink = fetch(asker, server.url("/0"))
    assert sink.data == b"there"
    scripts["/10"] = redirect("/11")
    with HttpServer(scripts) as server, pytest.raises(errors.BadRedirect, match="more than 10"):
        fetch(asker, server.url("/0"))
    assert len(server.requests) == 22  # once honestly, once as browsers ask


def test_a_redirect_loop_is_noticed(asker: Client) -> None:
    with (
        HttpServer({"/a": redirect("/b"), "/b": redirect("/a")}) as server,
        pytest.raises(errors.BadRedirect, match="back"),
    ):
        fetch(asker, server.url("/a"))
    assert server.paths() == ["/a", "/b", "/a", "/b"]  # once honestly, once as browsers ask


def test_a_cookie_wall_is_no_loop() -> None:
    wall = in_turn(redirect("/", "302 Found", "Set-Cookie: seen=1; Path=/"), answer(b"in"))
    with HttpServer({"/": wall}) as server:
        asker = client(connect_to=f"*=127.0.0.1:{server.port}")
        _, sink = fetch(asker, "http://h.hospital.test/")
        assert sink.data == b"in"
        assert server.requests[1].headers["cookie"] == "seen=1"
        fetch(asker, "http://h.hospital.test/")
    assert "cookie" not in server.requests[2].headers, "cookies are kept for one job"
    assert server.connections == 1


@pytest.mark.parametrize("to", ["ftp://h.test/f", "file:///etc/passwd"])
def test_a_redirect_to_another_scheme_is_refused(to: str, asker: Client) -> None:
    with HttpServer({"/": redirect(to)}) as server, pytest.raises(errors.ForbiddenScheme):
        fetch(asker, server.url("/"))


@pytest.mark.parametrize("to", ["http://", "mailto:a@b.test", "http://exa mple/"])
def test_a_redirect_to_nowhere_is_a_bad_redirect(to: str, asker: Client) -> None:
    with HttpServer({"/": redirect(to)}) as server, pytest.raises(errors.BadRedirect):
        fetch(asker, server.url("/"))


NOWHERE = "a" * 64 + ".test"  # a label that no name can have (RFC 1035 §2.3.4): no resolver needs to be asked


@pytest.mark.parametrize("named", [NOWHERE, f"www.{NOWHERE}"])
def test_a_name_that_does_not_exist_is_tried_with_or_without_www(named: str) -> None:
    other = named.removeprefix("www.") if named.startswith("www.") else f"www.{named}"
    with HttpServer({"/f": answer(b"prices"), "/to": redirect(f"http://{named}/f?x=1")}) as server:
        asker = client(connect_to=f"{other}=127.0.0.1:{server.port}")
        got, sink = fetch(asker, f"http://{named}/f?x=1", headers={"X-Token": "secret", "Accept": "text/csv"})
        assert (got.final_url, sink.data) == (f"http://{other}/f?x=1", b"prices")
        assert (server.requests[0].host, server.requests[0].headers.get("x-token")) == (other, None)
        assert server.requests[0].headers["accept"] == "text/csv"
        assert fetch(asker, f"http://{other}/to")[1].data == b"prices"  # a redirect's name may be wrong, too


def test_a_name_that_does_not_exist_either_way_is_said_as_it_was_given() -> None:
    for named in (NOWHERE, f"www.{NOWHERE}"):
        with pytest.raises(errors.NameNotFound, match=f"^http://{named}/f: "):
            fetch(client(), f"http://{named}/f")


def test_what_is_posted_goes_to_the_name_that_was_given_or_nowhere() -> None:
    with HttpServer({"/f": answer(b"")}) as server:
        asker = client(connect_to=f"www.{NOWHERE}=127.0.0.1:{server.port}")
        with pytest.raises(errors.NameNotFound):
            asker.get_bytes(f"http://{NOWHERE}/f", method="POST", body=b"mine")
    assert server.requests == []


def test_the_other_name_that_leads_back_to_the_one_that_does_not_exist_is_a_loop() -> None:
    with HttpServer({"/f": redirect(f"http://{NOWHERE}/f")}) as server:
        asker = client(connect_to=f"www.{NOWHERE}=127.0.0.1:{server.port}")
        with pytest.raises(errors.BadRedirect, match="leads back"):
            fetch(asker, f"http://{NOWHERE}/f")
    assert len(server.requests) == 2  # with a browser's headers, too


def test_a_session_token_does_not_follow_to_another_host() -> None:
    with HttpServer() as server:
        server.scripts = {"/a": redirect("http://other.test/b"), "/b": answer(b"[]")}
        asker = client(connect_to=f"*=127.0.0.1:{server.port}")
        asker.get_bytes("http://h.test/a", headers={"X-Session": "s", "Accept": "application/json"})
    assert server.requests[0].headers["x-session"] == "s"
    assert "x-session" not in server.requests[1].headers
    assert server.requests[1].headers["accept"] == "application/json"


# ── small answers ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_body_is_posted_and_the_answer_comes_back_with_its_headers(asker: Client) -> None:
    with HttpServer({"/api": answer(b'{"a": [1]}', "200 OK", "X-Session: s1")}) as server:
        reply = asker.get_bytes(
            server.url("/api"), method="POST", body=b'{"q": 1}', headers={"Content-Type": "application/json"}
        )
    assert (reply.body, reply.headers["x-session"]) == (b'{"a": [1]}', "s1")
    assert (server.requests[0].method, server.requests[0].body) == ("POST", b'{"q": 1}')
    assert server.requests[0].headers["content-type"] == "application/json"


def test_a_small_answer_is_small(asker: Client) -> None:
    bomb = gzip.compress(b"0" * 5_000_000)
    with (
        HttpServer({"/": answer(bomb, "200 OK", "Content-Encoding: gzip")}) as server,
        pytest.raises(errors.FileTooLarge),
    ):
        asker.get_bytes(server.url("/"), max_bytes=100_000)


# ── hosts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_host_never_sees_more_connections_than_the_setting() -> None:
    both_are_in = threading.Event()

    async def slow(_: Any, wire: Any) -> bool:
        while not both_are_in.is_set():
            both_are_in.set() if server.open >= 2 else await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        return await answer(b"x")(_, wire) or False

    with HttpServer() as server:
        server.scripts = {"/": slow, "/from": redirect("http://h.test/")}
        asker = client(connect_to=f"*=127.0.0.1:{server.port}", per_host=2, header_seconds=10)
        urls = ["http://h.test/" if n % 2 else "http://h.test/from" for n in range(12)]
        threads = [threading.Thread(target=fetch, args=(asker, url)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.paths().count("/") == 12
    assert server.peak == 2


def test_nothing_is_left_open_after_many_answers_and_errors() -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with HttpServer({"/ok": answer(b"x"), "/cut": raw(_LONG + b"x")}) as server:
        asker = client(connect_to=f"*=127.0.0.1:{server.port}")
        before = opened()
        for number in range(40):
            fetch(asker, f"http://h{number}.test/ok")
            with pytest.raises(errors.BodyCut):
                fetch(asker, f"http://h{number}.test/cut")
            asker.close()
        refs = weakref.ref(sink := Kept())
        asker.fetch("http://h.test/ok", sink)
        del sink
        assert refs() is None, "an idle connection holds on to what was asked last"
        asker.close()
    assert opened() <= before + 2


def test_connect_to_leads_names_and_wildcards_to_the_address() -> None:
    with HttpServer({"/": answer(b"x")}) as server:
        asker = client(connect_to=f"*.hospital.test=127.0.0.1:{server.port}")
        fetch(asker, "http://h1.hospital.test/")
        fetch(asker, "http://h2.hospital.test/")
    assert [request.host for request in server.requests] == ["h1.hospital.test", "h2.hospital.test"]


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer({"/prices.csv": answer(b"by proxy")}) as server:
        monkeypatch.setenv("http_proxy", server.url(""))
        asker = client(allow=())
        _, sink = fetch(asker, "http://hospital.test/prices.csv")
        assert sink.data == b"by proxy"
        with pytest.raises(errors.ForbiddenAddress):
            fetch(asker, "http://169.254.169.254/latest")
        with pytest.raises(errors.ForbiddenAddress):
            fetch(asker, "http://hospital.test:6379/")
        monkeypatch.setenv("no_proxy", "hospital.test")
        with pytest.raises(errors.FetchError):
            fetch(asker, "http://hospital.test/prices.csv")
    assert server.paths() == ["/prices.csv"]


def test_a_ca_bundle_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(errors.UsageError, match="GLIMMR_CA_BUNDLE"):
        Options.of(Settings(ca_bundle="/nowhere.pem"))
