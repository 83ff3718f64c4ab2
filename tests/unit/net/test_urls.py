import pytest

from glimmr.errors import BadUrl, ForbiddenScheme, UsageError
from glimmr.net.connect_to import ConnectTo
from glimmr.net.urls import host_of, normalise, origin, other_name, redact


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("https://h.test/a b.csv", "https://h.test/a%20b.csv"),
        ("  https://h.test/a.csv\n", "https://h.test/a.csv"),
        ("https://h.test/a%20b.csv", "https://h.test/a%20b.csv"),
        ("https://h.test/100% of b.csv", "https://h.test/100%25%20of%20b.csv"),
        ("h.test/a.csv", "https://h.test/a.csv"),
        ("h.test:8080/a.csv", "https://h.test:8080/a.csv"),
        ("www.h.test", "https://www.h.test/"),
        ("//h.test/a.csv", "https://h.test/a.csv"),
        ("https:/h.test/a.csv", "https://h.test/a.csv"),
        ("HTTP://H.Test:80/A", "http://h.test/A"),
        ("https://h.test:443/", "https://h.test/"),
        ("https://h.test./a", "https://h.test/a"),
        ("https://h.test/a#page=2", "https://h.test/a"),
        ("https://h.test?x=1", "https://h.test/?x=1"),
        ("https://h.test/files\\2026\\a.csv", "https://h.test/files/2026/a.csv"),
        ("https://h.test/é.csv?n=ü", "https://h.test/%C3%A9.csv?n=%C3%BC"),
        ("https://krankenhäus.test/", "https://xn--krankenhus-x5a.test/"),
        ("https://h.test/a\u200b.csv", "https://h.test/a.csv"),
        ("https://h.test/a?q=x|y&z=[1]", "https://h.test/a?q=x%7Cy&z=%5B1%5D"),
        ("https://h.test/a?to=https://x.test/?b", "https://h.test/a?to=https://x.test/?b"),
        ("https://u:p@h.test/a", "https://u:p@h.test/a"),
        ("http://[::1]:80/", "http://[::1]/"),
    ],
)
def test_what_publishers_write_becomes_an_address(written: str, asked: str) -> None:
    assert normalise(written) == asked
    assert normalise(asked) == asked


@pytest.mark.parametrize(
    "written",
    ["", "   ", "http://", "https:///a", "blob:https://h.test/1-2", "mailto:a@h.test", "javascript:void(0)",
     "http://h test/", "http://h.test:99999/", "http://[::1/", "n/a", "https://..", "http://h.test:x/",
     "data:text/csv,a"],
)  # fmt: skip
def test_what_is_no_address_is_a_bad_url(written: str) -> None:
    if written == "n/a":
        assert host_of(normalise(written)) == "n", "it might be one; asking tells"
        return
    with pytest.raises(BadUrl):
        normalise(written)


@pytest.mark.parametrize("written", ["ftp://h.test/a", "file:///etc/passwd", "s3://bucket/key"])
def test_other_schemes_are_forbidden(written: str) -> None:
    with pytest.raises(ForbiddenScheme):
        normalise(written)


def test_relative_addresses_are_made_absolute() -> None:
    assert normalise("../b?x#y", base="https://h.test/d/a") == "https://h.test/b?x"
    assert normalise("//x.test/b", base="http://h.test/d/a") == "http://x.test/b"


def test_origins_differ_by_scheme_host_and_port() -> None:
    assert origin("https://h.test/a") == origin("https://h.test:443/b")
    assert (
        len({origin(url) for url in ("https://h.test/", "http://h.test/", "https://h.test:8/", "https://i.test/")}) == 4
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h.test/a", "https://***@h.test/a"),
        ("u:p@h.test/a", "u:***@h.test/a"),
        ("https://h.test/a?sig=abc%3D&sv=2020&file=x", "https://h.test/a?sig=***&sv=***&file=x"),
        ("https://h.test/a?X-Amz-Signature=1&X-Amz-Date=2&versionId=3", "https://h.test/a?X-Amz-Signature=***&X-Amz-Date=***&versionId=3"),
        ("https://h.test/a?access_token=1&TOKEN=2&api-key=3&password=4", "https://h.test/a?access_token=***&TOKEN=***&api-key=***&password=***"),
        ("https://h.test/a?AWSAccessKeyId=1&Signature=2&Expires=3", "https://h.test/a?AWSAccessKeyId=***&Signature=***&Expires=3"),
        ("https://h.test/a?to%6ben=1", "https://h.test/a?to%6ben=***"),
        ("https://h.test/a?monkey=1&tokens&q=a?b", "https://h.test/a?monkey=1&tokens&q=a?b"),
        ("https://h.test/a#access_token=1", "https://h.test/a"),
        ("https://h.test/\x1b[31m\n", "https://h.test/%1B[31m%0A"),
        ("", ""),
        ("https://a.test/x?a=1;sig=secret&amp;token=secret", "https://a.test/x?a=1;sig=***&amp;token=***"),
        ("https://h.test/a?u=https%3A%2F%2Fx.test%2Fb%3Ftoken%3D1&c=2", "https://h.test/a?u=***&c=2"),
        ("https://h.test/a?u=https://me:pw@x.test/b&c=https://x.test/b?d=2", "https://h.test/a?u=***&c=https://x.test/b?d=2"),
        ("https://h.test/a?TOKEN%3D1&tok%2565n=2&b%3Dc", "https://h.test/a?***&tok%2565n=***&b%3Dc"),
        ("https://h.test/p;jsessionid=1/a;v=2.csv?b=3", "https://h.test/p;jsessionid=***/a;v=2.csv?b=3"),
        ("https://h.test/a?refreshToken=1&clientSecret=2&privateKey=3&turkey=4", "https://h.test/a?refreshToken=***&clientSecret=***&privateKey=***&turkey=4"),
        ("https://h.test/a?token[]=1&auth[token]=2&__token__=3&pass=4&bypass=5", "https://h.test/a?token[]=***&auth[token]=***&__token__=***&pass=***&bypass=5"),
        ("https://h.test/a?SharedAccessSignature=1&hdnts=exp=2~hmac=3", "https://h.test/a?SharedAccessSignature=***&hdnts=***"),
        ("https:///me:secret@a.test/x", "https:///***@a.test/x"),
        ("https:\\\\me:secret@a.test\\x", "https:\\\\***@a.test\\x"),
    ],
)  # fmt: skip
def test_secrets_and_control_characters_are_not_shown(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    "rule", ["h.test", "h.test=name:80", "h.test=127.0.0.1", "=127.0.0.1:80", "h=127.0.0.1:0", "h=1.2.3.4:x"]
)
def test_a_connect_to_that_cannot_be_read_is_said(rule: str) -> None:
    with pytest.raises(UsageError, match="GLIMMR_CONNECT_TO"):
        ConnectTo.of((rule,))


def test_the_first_connect_to_that_fits_counts() -> None:
    rules = ConnectTo.of(("h.test=10.0.0.1:1", "*.test=10.0.0.2:2", "x.org=[::1]:4", "*=10.0.0.3:3"))
    assert rules.entries("http://h.test/") == ["h.test:80:10.0.0.1:1"]
    assert rules.entries("https://a.b.test/") == ["a.b.test:443:10.0.0.2:2"]
    assert rules.entries("http://x.org:81/") == ["x.org:81:[::1]:4"]
    assert rules.entries("http://[::2]/") == ["[::2]:80:10.0.0.3:3"]
    assert ConnectTo().entries("http://h.test/") == []


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://h.org/f.csv?a=1", "https://www.h.org/f.csv?a=1"),
        ("https://www.h.org:8443/f", "https://h.org:8443/f"),
        ("http://user:secret@h.org/f", "http://www.h.org/f"),  # a login is for the name it was given for
        ("https://files.h.org/", "https://www.files.h.org/"),
        ("https://www.org/", None),
        ("https://localhost/", None),
        ("https://127.0.0.1/", None),
        ("https://[2606:4700::1111]/", None),
    ],
)
def test_the_other_name_of_a_site_has_www_or_has_it_not(url: str, other: str | None) -> None:
    assert other_name(url) == other
