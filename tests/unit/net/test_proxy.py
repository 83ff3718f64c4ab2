"""A proxy of the environment carries TLS through, and changes nothing about whom it is spoken with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr import errors
from glimmr.net import Client, Options
from glimmr.settings import Settings
from tests.support.connect_proxy import ConnectProxy
from tests.support.http_server import HttpServer, answer
from tests.support.tls_front import TlsFront
from tests.unit.net.asking import Kept

VARIANTS = {"expired.test": "expired", "short.test": "no_intermediate"}


@pytest.fixture
def front(web: HttpServer, tmp_path: Path) -> Iterator[TlsFront]:
    with TlsFront(web.port, tmp_path, VARIANTS) as built:
        yield built


@pytest.fixture
def proxy(front: TlsFront, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with ConnectProxy({f"{name}:443": front.port for name in ("good.test", *VARIANTS)}) as built:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{built.port}")
        yield built


def fetched(front: TlsFront, url: str) -> bytes:
    """As a machine asks that may reach no address but public ones, and has just the proxy."""
    client, sink = Client(Options.of(Settings(ca_bundle=str(front.certificate), connect_timeout_seconds=5.0))), Kept()
    client.fetch(url, sink)
    client.close()
    return sink.data


def test_https_goes_through_the_proxy_which_sees_no_more_than_the_hosts_name(
    front: TlsFront, web: HttpServer, proxy: ConnectProxy
) -> None:
    assert fetched(front, "https://good.test/f") == b"prices"
    assert proxy.asked == ["CONNECT good.test:443"]
    assert front.names == ["good.test"]


def test_a_certificate_is_checked_through_the_proxy_too(front: TlsFront, web: HttpServer, proxy: ConnectProxy) -> None:
    with pytest.raises(errors.TlsExpired):
        fetched(front, "https://expired.test/f")
    assert web.requests == []


def test_a_missing_intermediate_is_found_through_the_proxy(
    front: TlsFront, web: HttpServer, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.scripts = {"/f": answer(b"prices"), "/i.cer": answer(front.intermediate.der)}
    monkeypatch.setenv("http_proxy", web.url(""))
    assert fetched(front, "https://short.test/f") == b"prices"
    assert proxy.asked == ["CONNECT short.test:443"] * 3
    assert [request.host for request in web.requests] == ["aia.test", "short.test"]


@pytest.mark.parametrize("bypass", ["good.test", ".test", "other.test,good.test", "*"])
def test_a_host_of_no_proxy_is_asked_without_it(
    front: TlsFront, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch, bypass: str
) -> None:
    monkeypatch.setenv("NO_PROXY", bypass)
    with pytest.raises(errors.FetchError, match="resolve"):
        fetched(front, "https://good.test/f")
    assert proxy.asked == []


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/", "https://[::1]/", "https://10.1/", "https://good.test:22/"]
)
def test_what_may_not_be_asked_is_not_asked_of_the_proxy(front: TlsFront, proxy: ConnectProxy, url: str) -> None:
    with pytest.raises(errors.ForbiddenAddress):
        fetched(front, url)
    assert proxy.asked == []


def test_a_proxy_that_knows_no_way_is_said(front: TlsFront, proxy: ConnectProxy) -> None:
    with pytest.raises(errors.ConnectionRefused, match="502"):
        fetched(front, "https://elsewhere.test/f")


def test_a_proxy_that_speaks_tls_itself_is_known_by_the_same_ca_bundle(
    front: TlsFront, proxy: ConnectProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proxy").mkdir()
    with TlsFront(proxy.port, tmp_path / "proxy") as before:
        monkeypatch.setenv("HTTPS_PROXY", f"https://localhost:{before.port}")
        with pytest.raises(errors.FetchError, match="certificate"):
            fetched(front, "https://good.test/f")
        assert proxy.asked == []
        front.certificate.write_bytes(front.root.pem + before.root.pem)
        assert fetched(front, "https://good.test/f") == b"prices"
    assert proxy.asked == ["CONNECT good.test:443"]
