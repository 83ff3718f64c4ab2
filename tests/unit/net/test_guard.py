import socket
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from glimmr.download import bring_file
from glimmr.errors import BadUrl, FetchError, ForbiddenAddress, ForbiddenScheme, UsageError
from glimmr.net.connect_to import ConnectTo
from glimmr.net.guard import Guard
from tests.support.http_server import HttpServer, answer, redirect
from tests.unit.net.asking import Kept, client

# Every one of these means this machine, its network, or an address that is not of the public internet.
NOT_PUBLIC = [
    "127.0.0.1",
    "127.1",
    "127.8.9.10",
    "0x7f000001",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "017700000001",
    "0.0.0.0",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fec0::1]",
    "[::ffff:0:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[fd00:ec2::254]",
    "224.0.0.1",
    "192.0.0.192",
    "192.88.99.1",
    "198.18.0.1",
    "239.255.255.250",
    "168.63.129.16",
    "100.64.0.1",
    "255.255.255.255",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "localhost",
]


class Canary:
    """Counts the connections that reach this machine."""

    def __init__(self) -> None:
        self._from: list[int] = []
        self._counted = threading.Condition()
        self._listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._count)
        self._thread.start()

    def _count(self) -> None:
        with suppress(OSError):  # it ends
            while True:
                connection, peer = self._listener.accept()
                connection.close()
                with self._counted:
                    self._from.append(peer[1])
                    self._counted.notify_all()

    def end(self) -> int:
        """How many came."""
        with socket.create_connection(("127.0.0.1", self.port)) as last, self._counted:
            ours = last.getsockname()[1]
            assert self._counted.wait_for(lambda: ours in self._from, 10)  # whoever came before was counted before
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        return len(self._from) - 1


@pytest.fixture
def canary() -> Canary:
    return Canary()


def test_no_form_of_a_private_address_is_connected_to(canary: Canary) -> None:
    asker, refused = client(allow=()), list[str]()
    for host in NOT_PUBLIC:
        for port in (canary.port, 80):
            with pytest.raises((ForbiddenAddress, BadUrl)) as caught:
                asker.fetch(f"http://{host}:{port}/", Kept())
            refused.append(type(caught.value).__name__)
    assert set(refused) == {"ForbiddenAddress"}
    assert canary.end() == 0


def test_the_canary_counts_who_is_let_through(canary: Canary) -> None:
    for host in ("127.0.0.1", "[::1]"):
        with pytest.raises(FetchError):
            client(allow=("127.0.0.1", "::1")).fetch(f"http://{host}:{canary.port}/", Kept())
    assert canary.end() >= 2


@pytest.mark.parametrize("link", ["http://169.254.169.254/latest/prices.csv", "http://127.0.0.9:{}/prices.csv"])
def test_a_link_in_a_page_is_guarded_as_an_address_is(link: str, canary: Canary, tmp_path: Path) -> None:
    page = f"<!doctype html><html><body><a href='{link.format(canary.port)}'>prices</a></body></html>".encode()
    scripts = {
        "/": answer(page),
        "/on": answer(page.replace(b"<a href='", b"<meta http-equiv=refresh content='0;url=")),
    }
    with HttpServer(scripts) as server:
        for path in scripts:
            with pytest.raises(ForbiddenAddress):
                bring_file(server.url(path), client=client(), scratch=tmp_path)
    assert canary.end() == 0


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(canary: Canary) -> None:
    asker = client(allow=(), connect_to=f"*=127.0.0.1:{canary.port}")
    with pytest.raises(ForbiddenAddress, match="GLIMMR_ALLOW_ADDRESSES"):
        asker.fetch("http://public-name.test/", Kept())
    assert canary.end() == 0


def test_a_name_that_begins_to_resolve_to_a_private_address_gains_nothing(canary: Canary) -> None:
    """DNS rebinding: the same name and the same client, first an address that is allowed and then one that is not."""
    with HttpServer({"/": answer(b"x")}) as server:
        asker = client(connect_to=f"*=127.0.0.1:{server.port}")
        asker.fetch("http://name.test/", Kept())
        asker._options = replace(asker._options, connect_to=ConnectTo.of((f"*=127.0.0.9:{canary.port}",)))
        with pytest.raises(ForbiddenAddress):
            asker.fetch("http://name.test/", Kept())
    assert len(server.requests) == 1
    assert canary.end() == 0


@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "http://0/"]
)
def test_a_redirect_to_a_metadata_address_is_refused(to: str) -> None:
    with HttpServer({"/": redirect(to)}) as server, pytest.raises(ForbiddenAddress):
        client().fetch(server.url("/"), Kept())


def test_a_redirect_to_this_machine_is_refused_although_the_first_host_is_allowed(canary: Canary) -> None:
    with HttpServer({"/": redirect(f"http://127.0.0.9:{canary.port}/")}) as server, pytest.raises(ForbiddenAddress):
        client().fetch(server.url("/"), Kept())
    assert canary.end() == 0


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111"])
def test_public_addresses_are_let_through_on_web_ports_only(address: str) -> None:
    guard = Guard()
    assert guard.lets(address, 80)
    assert guard.lets(address, 443)
    assert not guard.lets(address, 22)
    assert not guard.lets(address, 8080)


def test_allowed_networks_are_let_through_on_any_port_and_nothing_else_is() -> None:
    guard = Guard.of(("10.1.0.0/16", "::1", "192.0.2.7"))
    assert guard.lets("10.1.2.3", 9000)
    assert guard.lets("::1", 1)
    assert guard.lets("::ffff:10.1.2.3", 9000)
    assert not guard.lets("10.2.0.1", 80)
    assert not guard.lets("192.0.2.8", 80)
    assert not guard.lets("not an address", 80)


def test_what_is_no_address_is_refused_as_a_setting() -> None:
    with pytest.raises(UsageError, match=r"GLIMMR_ALLOW_ADDRESSES.*hospital"):
        Guard.of(("hospital.test",))


@pytest.mark.parametrize("url", ["ftp://h.test/x", "file:///etc/passwd", "gopher://h.test/", "dict://127.0.0.1:11211/"])
def test_only_http_and_https_are_asked(url: str) -> None:
    with pytest.raises(ForbiddenScheme):
        client().fetch(url, Kept())
