"""What is asked in a process of its own: in a browser's TLS, and in OpenSSL's oldest. Every rule holds there, too."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from glimmr import errors
from glimmr.net import Client, Options
from glimmr.net.hosts import Hosts, LocalBook
from glimmr.net.politeness import LocalPoliteness
from glimmr.net.resume import Resume
from glimmr.settings import Settings
from tests.support.connect_proxy import ConnectProxy
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, drip, head, in_turn, raw, redirect
from tests.support.old_renegotiation import OldRenegotiation
from tests.support.tls_front import TlsFront
from tests.unit.net.asking import Kept

HOST = "h.test"
with_browser = pytest.mark.skipif(
    importlib.util.find_spec("curl_cffi") is None, reason="the extra `impersonate` (curl_cffi) is not installed"
)
STALLED = raw(head("200 OK", "Content-Length: 9") + b"pri", then="stall")
WAYS = [pytest.param("impersonate", marks=with_browser), "legacy_tls"]


@pytest.fixture
def front(web: HttpServer, tmp_path: Path) -> Iterator[TlsFront]:
    with TlsFront(web.port, tmp_path) as built:
        yield built


def asker(front: TlsFront, book: LocalBook | None = None, **settings: object) -> Client:
    given = {
        "ca_bundle": str(front.certificate),
        "connect_to": f"*=127.0.0.1:{front.port}",
        "allow_addresses": "127.0.0.1",
        "impersonate": "chrome" if importlib.util.find_spec("curl_cffi") else "",
    }
    return Client(Options.of(Settings(**(given | settings))), Hosts(LocalPoliteness(2), book or LocalBook()))


def liking(way: str) -> LocalBook:
    """A book in which the host is asked in this way."""
    book = LocalBook()
    book.remember(HOST, [way])
    return book


def fetched(client: Client, path: str = "/f", **more: Any) -> bytes:
    sink = Kept()
    client.fetch(f"https://{HOST}{path}", sink, **more)
    return sink.data


def only_for_a_browser(request: Request) -> bool:
    return "Chrome/" in request.headers["user-agent"]


def refusing(unless: Callable[[Request], bool]) -> Script:
    async def script(request: Request, wire: Wire) -> bool | None:
        good = unless(request)
        return await (answer(b"prices") if good else answer(b"no", "403 Forbidden"))(request, wire)

    return script


# ── a browser ────────────────────────────────────────────────────────────────────────────────────────────────────


@with_browser
def test_a_server_that_wants_a_browser_gets_one_last_and_is_asked_so_the_next_time(
    front: TlsFront, web: HttpServer
) -> None:
    web.scripts = {"/f": refusing(only_for_a_browser)}
    book = LocalBook()
    client = asker(front, book)
    assert [fetched(client) for _ in range(2)] == [b"prices"] * 2
    agents = [request.headers["user-agent"].partition(" Chrome/")[1] for request in web.requests]
    assert agents == ["", "", " Chrome/", " Chrome/"]  # honest, with a browser's headers, as the browser; remembered
    assert book.ways(HOST) == {"browser_headers", "impersonate"}


@with_browser
def test_its_handshake_is_the_browsers_and_the_bytes_are_as_served(front: TlsFront, web: HttpServer) -> None:
    hellos: list[bytes] = []
    listen = front.talk

    async def talk(reader: Any, writer: Any) -> None:
        hello = await reader.read(65_536)
        hellos.append(hello)
        await listen(_Again(reader, hello), writer)

    front.talk = talk  # type: ignore[method-assign]
    web.scripts = {"/f": answer(b"\x1f\x8b not unpacked", "200 OK", "Content-Encoding: gzip")}
    assert fetched(asker(front, liking("impersonate"))) == b"\x1f\x8b not unpacked"
    assert fetched(asker(front)) == b"\x1f\x8b not unpacked"
    browsers, ours = (_extensions(hello) for hello in hellos)
    grease = {n for n in browsers if n & 0x0F0F == 0x0A0A}
    assert grease, "Chrome offers values that mean nothing (RFC 8701)"
    assert not {n for n in ours if n & 0x0F0F == 0x0A0A}
    sent = web.requests[0].headers
    assert sent["accept-encoding"] == "identity"
    assert "sec-ch-ua" in sent


@with_browser
def test_without_the_setting_no_browser_is_played_though_a_book_says_it_helped(
    front: TlsFront, web: HttpServer
) -> None:
    web.scripts = {"/f": refusing(only_for_a_browser)}
    with pytest.raises(errors.Forbidden):
        fetched(asker(front, liking("impersonate"), impersonate=""))
    assert all("Glimmr" in request.headers["user-agent"] for request in web.requests)


def test_without_the_extra_the_setting_is_refused_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(errors.UsageError, match=r"pip install 'glimmr\[impersonate\]'"):
        Options.of(Settings(impersonate="chrome"))


@with_browser
def test_a_chain_that_lacks_a_certificate_is_completed_for_a_browser_too(
    tmp_path: Path, front: TlsFront, web: HttpServer
) -> None:
    web.scripts = {"/f": answer(b"prices"), "/i.cer": answer(front.intermediate.der)}
    front._variants = {HOST: "no_intermediate"}
    book = LocalBook()
    book.remember(HOST, ["impersonate", "intermediates"])
    to = f"aia.test=127.0.0.1:{web.port},*=127.0.0.1:{front.port}"
    assert fetched(asker(front, book, connect_to=to)) == b"prices"
    front._contexts[HOST] = front._served(front.rogue.leaf(HOST))
    with pytest.raises(errors.TlsUntrusted):
        fetched(asker(front, book, connect_to=to))


# ── the oldest servers ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_cannot_renegotiate_safely_is_asked_all_the_same(tmp_path: Path, front: TlsFront) -> None:
    book = LocalBook()
    with OldRenegotiation(HOST, head("200 OK", "Content-Length: 6") + b"prices", tmp_path) as old:
        to, sink = f"*=127.0.0.1:{old.port}", Kept()
        client = asker(front, book, ca_bundle=str(old.certificate), connect_to=to)
        assert client.fetch(f"https://{HOST}/f", sink).weaknesses == ("GL-TLS-LEGACY",)
        assert sink.data == b"prices"
        assert (old.connections, len(old.requests)) == (2, 1)  # the honest way came first, and was given up
        with pytest.raises(errors.TlsUntrusted, match="does not say where"):  # its chain is verified as any other
            fetched(asker(front, book, connect_to=to))
        assert len(old.requests) == 1
    assert book.ways(HOST) == {"legacy_tls"}


# ── what holds for every child ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", WAYS)
def test_redirects_cookies_and_the_rest_of_a_file_are_as_without_a_child(
    way: str, front: TlsFront, web: HttpServer
) -> None:
    rest = head("206 Partial Content", "Content-Length: 3", "Content-Range: bytes 3-5/6", 'ETag: "v"') + b"ces"
    web.scripts = {
        "/wall": in_turn(redirect("/wall", "302 Found", "Set-Cookie: seen=1; Path=/"), answer(b"prices")),
        "/rest": raw(rest),
    }
    client = asker(front, liking(way))
    assert fetched(client, "/wall") == b"prices"
    assert web.requests[-1].headers["cookie"] == "seen=1"
    sink = Kept()
    sink.data = b"pri"
    client.fetch(f"https://{HOST}/rest", sink, resume=Resume(at=3, validator='"v"', size_bytes=6))
    assert sink.data == b"prices"
    assert web.requests[-1].headers["range"] == "bytes=3-"
    assert not _children()


ENDS: dict[str, tuple[Script, dict[str, Any], type[errors.FetchError]]] = {
    "header": (raw(b"", then="stall"), {"header_timeout_seconds": 0.3}, errors.HeaderTimeout),
    "stall": (STALLED, {"stall_seconds": 0.3}, errors.Stalled),
    "rate": (drip(head() + b"x" * 9, b"x", 0.05), {"stall_seconds": 0.3, "min_rate_bytes": 10_000}, errors.TooSlow),
    "size": (answer(b"x" * 5000), {"max_file_bytes": 4000}, errors.FileTooLarge),
    "no http": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), {}, errors.ProtocolError),
    "cut": (raw(head("200 OK", "Content-Length: 9") + b"pri"), {}, errors.ConnectionReset),  # TLS says so too
    "missing": (answer(b"x" * 10, "404 Not Found"), {}, errors.NotFound),
    "endless": (raw(head("404 Not Found") + b"x" * 1_000_000), {}, errors.NotFound),
}


@pytest.mark.parametrize(
    ("way", "case"),
    [("legacy_tls", case) for case in ENDS] + [pytest.param("impersonate", "header", marks=with_browser)],
)
def test_errors_clocks_and_caps_are_as_without_a_child(way: str, case: str, front: TlsFront, web: HttpServer) -> None:
    web.scripts = {"/f": ENDS[case][0]}
    with pytest.raises(ENDS[case][2]):
        fetched(asker(front, liking(way), **ENDS[case][1]))
    assert not _children()


def test_the_bandwidth_is_kept_and_progress_told(front: TlsFront, web: HttpServer) -> None:
    web.scripts = {"/f": answer(b"x" * 300_000)}
    client, told = asker(front, liking("legacy_tls"), bandwidth_bytes=250_000), list[int]()
    began = time.monotonic()
    assert len(fetched(client, tell=lambda **how: told.append(how["bytes"]))) == 300_000
    assert time.monotonic() - began > 1.0  # 1.2 s, but for what may come at once
    assert any(0 < bytes_here < 300_000 for bytes_here in told)


@pytest.mark.parametrize("way", WAYS)
def test_who_stops_ends_the_child(way: str, front: TlsFront, web: HttpServer) -> None:
    web.scripts = {"/f": STALLED}
    seen: list[psutil.Process] = []

    def stop(**how: Any) -> None:
        if how["bytes"] == 3:
            seen.extend(_children())
            raise errors.ShuttingDown

    with pytest.raises(errors.ShuttingDown):
        fetched(asker(front, liking(way)), tell=stop)
    assert len(seen) == 1
    assert not seen[0].is_running()


@pytest.mark.parametrize("way", WAYS)
def test_a_proxy_of_the_environment_carries_a_childs_tls(
    way: str, front: TlsFront, web: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy({f"{HOST}:443": front.port}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert fetched(asker(front, liking(way), connect_to="", allow_addresses="")) == b"prices"
        assert proxy.asked == [f"CONNECT {HOST}:443"]


@pytest.mark.parametrize("way", WAYS)
def test_a_child_that_dies_is_a_fault_of_ours(way: str, front: TlsFront, web: HttpServer) -> None:
    web.scripts = {"/f": STALLED}

    def kill(**how: Any) -> None:
        if how["bytes"] == 3:
            _children()[0].send_signal(signal.SIGKILL)

    with pytest.raises(errors.ChildCrashed, match="killed by SIGKILL"):
        fetched(asker(front, liking(way)), tell=kill)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "[::1]", "localhost", HOST])
def test_no_child_is_sent_where_the_guard_does_not_let_us(host: str, front: TlsFront, web: HttpServer) -> None:
    book = liking("legacy_tls")
    book.remember(host.strip("[]"), ["legacy_tls"])
    with pytest.raises(errors.ForbiddenAddress):
        refused = asker(front, book, connect_to=f"{HOST}=127.0.0.1:{front.port}", allow_addresses="")
        refused.fetch(f"https://{host}:{front.port}/f", Kept())
    assert front.connections == 0


@pytest.mark.parametrize("way", WAYS)
def test_every_hop_is_judged_anew(way: str, front: TlsFront, web: HttpServer) -> None:
    web.scripts = {"/f": redirect("https://169.254.169.254/latest")}
    with pytest.raises(errors.ForbiddenAddress):
        fetched(asker(front, liking(way), connect_to=f"{HOST}=127.0.0.1:{front.port}"))
    assert web.paths() == ["/f"]


@pytest.mark.parametrize("way", WAYS)
def test_a_child_connects_only_to_what_was_judged(
    way: str, front: TlsFront, web: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name leads nowhere for the child's own resolver, and to loopback for ours: it is ours that counts."""
    here = [(2, 1, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: here)
    client = asker(front, liking(way), connect_to="")
    sink = Kept()
    client.fetch(f"https://{HOST}:{front.port}/f", sink)
    assert sink.data == b"prices"


@pytest.mark.parametrize("way", WAYS)
def test_a_name_that_is_looked_up_for_ever_keeps_nobody_who_stops(
    way: str, front: TlsFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answered.wait(30) and [])
    with pytest.raises(errors.ConnectTimeout):
        fetched(asker(front, liking(way), connect_to="", connect_timeout_seconds=0.2))

    def stop(**_: Any) -> None:
        raise errors.ShuttingDown

    with pytest.raises(errors.ShuttingDown):
        fetched(asker(front, liking(way), connect_to=""), tell=stop)
    answered.set()


_PARENT = """
import os, psutil, signal, sys
from glimmr.net import Client, Options
from glimmr.net.hosts import Hosts, LocalBook
from glimmr.net.politeness import LocalPoliteness
from glimmr.settings import Settings

class Kept:
    begin = write = lambda *_, **__: None

def die(**how):
    if how["bytes"] == 3:
        print(psutil.Process().children()[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

book = LocalBook()
book.remember("h.test", sys.argv[1:])
Client(Options.of(Settings()), Hosts(LocalPoliteness(2), book)).fetch("https://h.test/f", Kept(), tell=die)
"""


@pytest.mark.parametrize("way", WAYS)
def test_the_child_dies_with_its_parent(way: str, front: TlsFront, web: HttpServer) -> None:
    web.scripts = {"/f": STALLED}
    given = {
        "CA_BUNDLE": str(front.certificate),
        "CONNECT_TO": f"*=127.0.0.1:{front.port}",
        "ALLOW_ADDRESSES": "127.0.0.1",
        "IMPERSONATE": "chrome" if way == "impersonate" else "",
    }
    done = subprocess.run(
        [sys.executable, "-c", _PARENT, way],
        env=os.environ | {f"GLIMMR_{name}": value for name, value in given.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with contextlib.suppress(psutil.NoSuchProcess):  # a stranger's child: nobody but init can wait for it
        orphan = psutil.Process(int(done.stdout))
        assert psutil.wait_procs([orphan], timeout=10)[0] or orphan.status() == psutil.STATUS_ZOMBIE


class _Again:
    """A reader whose first bytes were read already."""

    def __init__(self, reader: Any, first: bytes) -> None:
        self._reader, self._first = reader, first

    async def read(self, size: int) -> bytes:
        first, self._first = self._first, b""
        return first or await self._reader.read(size)


def _children() -> list[psutil.Process]:
    """The processes that ask for this one."""
    return [child for child in psutil.Process().children() if any("child_main" in part for part in child.cmdline())]


def _extensions(hello: bytes) -> list[int]:
    at = 5 + 4 + 2 + 32
    for length_bytes in (1, 2, 1):
        at += length_bytes + int.from_bytes(hello[at : at + length_bytes])
    at, found = at + 2, list[int]()
    while at + 4 <= len(hello):
        found.append(int.from_bytes(hello[at : at + 2]))
        at += 4 + int.from_bytes(hello[at + 2 : at + 4])
    return found
