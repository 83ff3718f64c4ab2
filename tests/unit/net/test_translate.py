import socket
from datetime import UTC, datetime, timedelta

import pytest

from glimmr import errors
from glimmr.net.translate import Answered, Broken, answered, broken, name_error, retry_after_seconds
from glimmr.retry import Class, decide

URL = "https://h.test/f.csv?sig=s3cret"

# RELIABILITY.md §4, libcurl's side: code, text, how far it was → error, class of the first verdict
CURL = {
    "connect timeout": ((28, "Connection timed out"), {}, errors.ConnectTimeout, Class.TRANSIENT),
    "refused": ((7, "Failed to connect"), {}, errors.ConnectionRefused, Class.TRANSIENT),
    "recv": ((56, "Recv failure: Connection reset by peer"), {}, errors.ConnectionReset, Class.TRANSIENT),
    "send": ((55, "Send failure: Broken pipe"), {}, errors.ConnectionReset, Class.TRANSIENT),
    "partial": ((18, "end of response with 45 bytes missing"), {}, errors.BodyCut, Class.TRANSIENT),
    "http/2": ((16, "Error in the HTTP2 framing layer"), {}, errors.Http2Error, Class.TRANSIENT),
    "http/2 stream": ((92, "HTTP/2 stream 1 was not closed cleanly"), {}, errors.Http2Error, Class.TRANSIENT),
    "http/3": ((95, ""), {}, errors.Http2Error, Class.TRANSIENT),
    "bad chunk": ((56, "chunk hex-length char not a hex digit: 0x5a"), {}, errors.ProtocolError, Class.TRANSIENT),
    "empty": ((52, "Empty reply from server"), {}, errors.EmptyReply, Class.TRANSIENT),
    "header deadline": ((28, "Operation too slow"), {"connected": True}, errors.HeaderTimeout, Class.TRANSIENT),
    "low speed": ((28, "too slow"), {"connected": True, "answered": True}, errors.Stalled, Class.TRANSIENT),
    "range": ((33, "HTTP server does not seem to support byte ranges"), {}, errors.RangeMismatch, Class.TRANSIENT),
    "too many redirects": ((47, ""), {}, errors.BadRedirect, Class.ALTERNATE),
    "old TLS": ((35, "tlsv1 alert protocol version"), {}, errors.TlsHandshake, Class.ALTERNATE),
    "TLS reset": ((35, "Connection reset by peer"), {}, errors.ConnectionReset, Class.TRANSIENT),
    "bad record MAC": ((35, "bad record mac"), {}, errors.ConnectionReset, Class.TRANSIENT),
    "unknown issuer": ((60, "unable to get issuer"), {"verify_result": 20}, errors.TlsUntrusted, Class.ALTERNATE),
    "self-signed": ((60, "self-signed certificate"), {"verify_result": 18}, errors.TlsUntrusted, Class.ALTERNATE),
    "expired": ((60, "certificate problem"), {"verify_result": 10}, errors.TlsExpired, Class.TRANSIENT),
    "expired, by text": ((60, "certificate has expired"), {}, errors.TlsExpired, Class.TRANSIENT),
    "wrong host": ((60, "no alternative certificate subject name"), {}, errors.TlsExpired, Class.TRANSIENT),
    "bad URL": ((3, "URL rejected"), {}, errors.BadUrl, Class.PERMANENT),
    "too large": ((63, "Maximum file size exceeded"), {}, errors.FileTooLarge, Class.PERMANENT),
    "junk status": ((1, "Received HTTP/0.9 when not allowed"), {}, errors.ProtocolError, Class.TRANSIENT),
    "decoding": ((61, "Unrecognized content encoding type"), {}, errors.DecodingError, Class.ALTERNATE),
    "our certificates": ((77, "error setting certificate verify locations"), {}, errors.StorageFault, Class.LOCAL),
    "proxy": ((56, "CONNECT tunnel failed, response 502"), {}, errors.ConnectionRefused, Class.TRANSIENT),
    "never seen": ((4, "?"), {}, errors.FetchError, Class.TRANSIENT),
}  # fmt: skip


@pytest.mark.parametrize("case", CURL)
def test_what_libcurl_says_becomes_an_error_that_can_be_decided(case: str) -> None:
    (code, text), how, kind, klass = CURL[case]
    error = broken(Broken(code=code, text=text, url=URL, **how))
    assert type(error) is kind
    assert decide(error).klass is klass
    assert "s3cret" not in str(error)
    assert f"curl {code}" in str(error)


def test_a_name_that_does_not_exist_is_told_from_a_resolver_that_is_away() -> None:
    assert name_error(socket.EAI_NONAME) is errors.NameNotFound
    assert name_error(socket.EAI_AGAIN) is errors.NameLookupFailed
    assert name_error(socket.EAI_FAIL) is errors.NameLookupFailed


def test_a_name_that_resolves_after_all_is_asked_again_soon() -> None:
    error = broken(Broken(code=6, text="Could not resolve host", url="http://localhost/"))
    assert type(error) is errors.NameLookupFailed


def test_every_status_but_200_is_an_error() -> None:
    assert answered(Answered(status=200, url=URL)) is None
    for status in (*range(201, 600), 999):
        error = answered(Answered(status=status, url=URL))
        assert error is not None
        assert error.status == status
        assert "s3cret" not in str(error) + error.url


PAGES = [
    b"<!DOCTYPE html><html><head><title>Just a moment...</title>",
    b"\n<html><head><script>window._cf_chl_opt={};</script>",
    b'<html><iframe id="main-iframe" src="/_Incapsula_Resource?CWUDNSAI=23&x"></iframe>',
    b'<html><script src="https://ct.captcha-delivery.com/c.js"></script>',
    b"<html><script>window.gokuProps = {}</script>",
    b'\xef\xbb\xbf<!doctype html><div id="px-captcha">',
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("status", [200, 202, 403, 405, 429, 503])
def test_a_robot_check_is_one_behind_any_status(page: bytes, status: int) -> None:
    assert type(answered(Answered(status=status, url=URL, head=page))) is errors.ChallengePage


def test_an_ordinary_page_behind_a_guarding_service_is_no_robot_check() -> None:
    page = b'<html><title>Prices</title><script src="/cdn-cgi/challenge-platform/h/g/scripts/jsd/x.js"></script>'
    assert answered(Answered(status=200, url=URL, head=page)) is None
    assert answered(Answered(status=200, url=URL, head=b"description,px-captcha\n")) is None


NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 1 ", 1.0),
        ("1.5", 1.5),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        (f"{int(timedelta(days=10).total_seconds())}", 864000.0),
        ("", None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(text: str, seconds: float | None) -> None:
    assert retry_after_seconds(text, NOW) == seconds
