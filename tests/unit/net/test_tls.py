"""Servers whose TLS is not as it should be: what is asked in another way, what is refused, and what is said of it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glimmr import errors
from glimmr.net import Client, Options
from glimmr.net.hosts import Hosts, LocalBook
from glimmr.net.politeness import LocalPoliteness
from glimmr.settings import Settings
from tests.support.authority import root
from tests.support.http_server import HttpServer, answer, redirect
from tests.support.tls_front import TlsFront
from tests.unit.net.asking import Kept

VARIANTS = ("good", "expired", "other_host", "unknown", "no_intermediate", "tls10", "small_dh")


@pytest.fixture
def front(web: HttpServer, tmp_path: Path) -> Iterator[TlsFront]:
    with TlsFront(web.port, tmp_path, {host(name): name for name in VARIANTS}) as built:
        yield built


def host(variant: str) -> str:
    return f"{variant.replace('_', '-')}.test"


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
    client.fetch(f"https://{host(variant)}/f", sink)
    return sink.data


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of the system's roots
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
    assert front.names == [host(variant)] * 3  # the honest way was tried once
    assert book.ways(host(variant)) == {"legacy_tls"}


# ── what is said of how the bytes came ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("listed", ["other-host.test", "*.test", "expired.test,other-host.test"])
def test_the_certificate_of_a_host_the_operator_names_is_not_checked_and_that_is_said(
    front: TlsFront, listed: str
) -> None:
    client = asker(front, insecure_hosts=listed)
    assert client.fetch(f"https://{host('other_host')}/f", Kept()).weaknesses == ("GL-TLS-INSECURE",)


@pytest.mark.parametrize("listed", ["", "host.test", "other-host.test.test", "*.other-host.test"])
def test_no_other_hosts_certificate_goes_unchecked(front: TlsFront, web: HttpServer, listed: str) -> None:
    with pytest.raises(errors.TlsExpired):
        fetched(asker(front, insecure_hosts=listed), "other_host")
    assert web.requests == []


@pytest.mark.parametrize("listed", ["https://h.test/", "*", "*.*", "h.test:443", "h test"])
def test_what_names_no_host_is_refused(listed: str) -> None:
    with pytest.raises(errors.UsageError, match="GLIMMR_INSECURE_HOSTS"):
        Options.of(Settings(insecure_hosts=listed))


def test_a_weak_hop_on_the_way_to_the_bytes_is_said_too(front: TlsFront, web: HttpServer) -> None:
    web.scripts = {"/f": answer(b"prices"), "/to": redirect(f"https://{host('good')}/f")}
    client = asker(front)
    assert client.fetch(f"https://{host('good')}/f", Kept()).weaknesses == ()
    assert client.fetch(f"https://{host('tls10')}/to", Kept()).weaknesses == ("GL-TLS-LEGACY",)


# ── a chain that lacks a certificate ─────────────────────────────────────────────────────────────────────────────


def test_a_missing_intermediate_is_fetched_and_remembered(front: TlsFront, web: HttpServer) -> None:
    book = LocalBook()
    web.scripts = {"/f": answer(b"prices"), "/i.cer": answer(front.intermediate.der)}
    client = asker(front, book)
    assert [fetched(client, "no_intermediate") for _ in range(2)] == [b"prices"] * 2
    assert web.paths() == ["/i.cer", "/f", "/f"]
    assert web.requests[0].host == "aia.test"
    assert book.ways(host("no_intermediate")) == {"intermediates"}
    assert fetched(asker(front, book), "no_intermediate") == b"prices"  # another process: it has to look again
    assert web.paths() == ["/i.cer", "/f", "/f", "/i.cer", "/f"]


def test_what_is_wrong_besides_is_said(front: TlsFront, web: HttpServer) -> None:
    """The chain lacks a certificate, and its own has expired."""
    web.scripts = {"/i.cer": answer(front.intermediate.der)}
    lone = front.intermediate.leaf(host("good"), days=(-30, -1), aia=front._aia)
    front._contexts[host("good")] = front._served(lone)
    with pytest.raises(errors.TlsUntrusted, match=r"nothing is missing, but .*valid"):
        fetched(asker(front), "good")
    assert web.paths() == ["/i.cer"]


def test_a_host_that_rests_is_not_even_looked_at(front: TlsFront) -> None:
    book, name = LocalBook(), host("no_intermediate")
    book.remember(name, ["intermediates"])
    book.change(name, lambda standing: replace(standing, until=time.time() + 60, opened=1))
    with pytest.raises(errors.HostRests):
        fetched(asker(front, book), "no_intermediate")
    assert front.names == []


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ("a self-made authority of the same name", "is not its issuer's"),
        ("its own authority, trusted by nobody", "it leads to .*GLIMMR_CA_BUNDLE"),
        ("itself", "is not its issuer's"),
        ("no certificate", "there is no certificate at"),
        ("nothing", "cannot be fetched"),
        ("too much", "cannot be fetched"),
    ],
)
def test_a_certificate_that_is_fetched_never_becomes_one_that_is_trusted(
    front: TlsFront, web: HttpServer, shape: str, says: str
) -> None:
    """Whoever can serve a made-up site can serve its made-up authority, too."""
    made_up = root("Glimmr Test Intermediate")
    if shape.startswith("its own"):
        front.intermediate = made_up
    bodies = {
        "a self-made authority of the same name": made_up.der,
        "its own authority, trusted by nobody": made_up.der,
        "itself": front.rogue.der,
        "no certificate": b"<html>",
        "too much": b"x" * 100_000,
    }
    served = answer(bodies[shape]) if shape in bodies else answer(b"", "404 Not Found")
    web.scripts = {"/f": answer(b"prices"), "/i.cer": served}
    book = LocalBook()
    with pytest.raises(errors.TlsUntrusted, match=says):
        fetched(asker(front, book), "no_intermediate")
    assert "/f" not in web.paths()
    assert book.ways(host("no_intermediate")) == frozenset()


def test_a_chain_of_strangers_ends_after_a_few(front: TlsFront, web: HttpServer) -> None:
    above = root("Stranger 0")
    bodies = {"/0": above.der}
    for n in range(1, 6):
        above = above.below(f"Stranger {n}", aia=f"http://aia.test/{n - 1}")
        bodies[f"/{n}"] = above.der
    front.intermediate, front._aia = above, "http://aia.test/5"
    web.scripts = {"/f": answer(b"prices")} | {path: answer(body) for path, body in bodies.items()}
    with pytest.raises(errors.TlsUntrusted, match="3 of its issuers were fetched, and none is trusted"):
        fetched(asker(front), "no_intermediate")
    assert web.paths() == ["/5", "/4", "/3"]


def test_two_missing_intermediates_are_both_fetched(front: TlsFront, web: HttpServer) -> None:
    upper = front.intermediate
    front.intermediate, front._aia = upper.below("Lower", aia="http://aia.test/upper"), "http://aia.test/lower"
    web.scripts = {
        "/f": answer(b"prices"),
        "/lower": answer(front.intermediate.pem),
        "/upper": redirect("http://aia.test/moved"),
        "/moved": answer(upper.der),
    }
    assert fetched(asker(front), "no_intermediate") == b"prices"
    assert web.paths() == ["/lower", "/upper", "/moved", "/f"]


@pytest.mark.parametrize("aia", ["http://169.254.169.254/i.cer", "https://aia.test/i.cer", "file:///etc/passwd", ""])
def test_an_issuer_is_asked_for_only_by_http_and_only_where_anything_may_be_asked(
    front: TlsFront, web: HttpServer, aia: str
) -> None:
    front._aia = aia
    with pytest.raises(errors.TlsUntrusted, match=r"is not a public web address|does not say where"):
        fetched(asker(front), "no_intermediate")
    assert web.requests == []


def test_libcurl_itself_takes_no_certificate_for_a_root_but_a_root(front: TlsFront) -> None:
    """The second lock: even a bundle with somebody's intermediate in it ends no chain there."""
    client = asker(front)
    lone = b"".join(one.pem for one in (front.rogue, front.intermediate))
    client._issuers.bundle = lambda *_: lone  # type: ignore[method-assign]
    with pytest.raises(errors.TlsUntrusted):
        fetched(client, "no_intermediate")
