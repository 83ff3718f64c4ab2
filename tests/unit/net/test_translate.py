import socket
from datetime import UTC, datetime, timedelta

import pytest

from glimmr import errors
from glimmr.net.translate import Answered, Broken, answered, broken, name_error, retry_after_seconds

URL = "https://h.test/f.csv?sig=s3cret"


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
