"""Servers whose TLS is not as it should be: what is asked in another way, what is refused, and what is said of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr import errors
from glimmr.net import Client, Options
from glimmr.net.hosts import Hosts, LocalBook
from glimmr.net.politeness import LocalPoliteness
from glimmr.settings import Settings
from tests.support.http_server import HttpServer, answer
from tests.support.tls_front import TlsFront
from tests.unit.net.asking import Kept

VARIANTS = ("good", "expired", "other_host", "unknown", "no_intermediate", "tls10", "small_dh")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def web() -> Iterator[HttpServer]:
    with HttpServer({"/f": answer(b"prices")}) as server:
        yield server


@pytest.fixture
def front(web: HttpServer, tmp_path: Path) -> Iterator[TlsFront]:
    with TlsFront(web.port, tmp_path, {f"{name}.test": name for name in VARIANTS}) as built:
        yield built


def asker(front: TlsFront, book: LocalBook | None = None, **settings: object) -> Client:
    given = {
        "ca_bundle": str(front.certificate),
        "connect_to": f"aia.test=127.0.0.1:{front._to_port},*=127.0.0.1:{front.port}",
        "allow_addresses": "127.0.0.1",
        "header_timeout_seconds": 5.0,
    }
    made = Options.of(Settings(**(given | settings)))
    return Client(made, Hosts(LocalPoliteness(2), book or LocalBook()))


def fetched(client: Client, variant: str) -> bytes:
    sink = Kept()
    client.fetch(f"https://{variant}.test/f", sink)
    return sink.data


def test_a_good_certificate_is_trusted_by_the_ca_bundle_of_the_settings_and_by_no_other(
    front: TlsFront, web: HttpServer
) -> None:
    assert fetched(asker(front), "good") == b"prices"
    with pytest.raises(errors.TlsUntrusted):
        fetched(asker(front, ca_bundle=""), "good")
    assert web.paths() == ["/f"]


@pytest.mark.parametrize(
    ("variant", "error"),
    [
        ("expired", errors.TlsExpired),
        ("other_host", errors.TlsExpired),
        ("unknown", errors.TlsUntrusted),
    ],
)
def test_a_certificate_that_is_not_right_gets_no_request(
    front: TlsFront, web: HttpServer, variant: str, error: type[errors.FetchError]
) -> None:
    with pytest.raises(error):
        fetched(asker(front), variant)
    assert web.requests == []


@pytest.mark.parametrize("variant", ["tls10", "small_dh"])
def test_old_tls_is_spoken_to_a_server_that_has_no_other_and_remembered(front: TlsFront, variant: str) -> None:
    book = LocalBook()
    assert fetched(asker(front, book), variant) == b"prices"
    assert fetched(asker(front, book), variant) == b"prices"
    assert front.names == [f"{variant}.test"] * 3  # the honest way was tried once
    assert book.ways(f"{variant}.test") == {"legacy_tls"}
