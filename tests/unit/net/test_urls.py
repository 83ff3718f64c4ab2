import time
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimmr.errors import BadUrl, ForbiddenScheme, UsageError
from glimmr.net.connect_to import ConnectTo
from glimmr.net.urls import host_of, normalise, origin, other_name, redact
from tests.support.reference import json_lines


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
        ("https://h.test/a%7cb%c3%a9", "https://h.test/a%7Cb%C3%A9"),
        ("https://h.test/%61%7Eb%5f1%2ecsv", "https://h.test/a~b_1.csv"),
        ("https://h.test/a%2fb%2526", "https://h.test/a%2Fb%2526"),  # not what `/` or `%` would mean there
        ("https://h.test/100%%36%31", "https://h.test/100%2561"),
        ("https://h.test/./a", "https://h.test/a"),
        ("https://h.test/x/%2E%2e/../a/.", "https://h.test/a/"),
        ("https://h.test/a//../b/..", "https://h.test/a/"),
        ("https://h.test/..", "https://h.test/"),
        ("https://h.test/a?u=%7e%2f../b", "https://h.test/a?u=%7e%2f../b"),  # a signature may be over its letters
        ("https://h.test/%7e%7c/./a?sig=%2b", "https://h.test/%7e%7c/a?sig=%2b"),
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


@pytest.mark.parametrize("scheme", ["http:", "https:", "HTTPS:", "https:/"])
def test_a_host_without_its_slashes_is_none_of_the_bases_folders(scheme: str) -> None:
    asked = f"{scheme.rstrip('/').lower()}//h.test/a.csv"
    assert normalise(f"{scheme}h.test/a.csv") == asked
    assert normalise(f"{scheme}h.test/a.csv", base="https://www.h.test/d/e") == asked
    assert normalise(f"{scheme}h.test/a.csv", base="http://www.h.test/d/e") == asked


def test_what_names_no_host_is_relative_also_behind_the_bases_scheme() -> None:
    assert normalise("https:a.csv", base="https://h.test/d/e") == "https://h.test/d/a.csv"
    assert normalise("https:/files/a.csv", base="https://h.test/d/e") == "https://h.test/files/a.csv"


PIECES = ["/", "..", ".", "%2e", "%2F", "%7e", "%C3%a9", "%25", "%", "%4", "41", "a", "é", " ", "?", "&", "=", ";", ":",
          "@", "\\", "#", ",", "sig", "sig=", "token", "%3d", "%3Fsid=", '{"', '":', "[", "|", "+", "\0"]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=20).map("".join)


@given(TEXTS)
def test_an_address_is_normalised_once_and_stays_at_its_host(text: str) -> None:
    asked = normalise(f"https://h.test/{text}")
    assert normalise(asked) == asked
    assert not {".", ".."} & set(urlsplit(asked).path.split("/"))
    assert urlsplit(asked).netloc == "h.test"


@given(st.lists(st.sampled_from(["aA", "~", "/", ".", "..", "%2f", "%25", "%7c", "é"])), st.data())
def test_all_spellings_of_a_path_are_one_address(path: list[str], data: st.DataObject) -> None:
    other = "".join(data.draw(st.sampled_from(_spellings(piece))) for piece in path)
    assert normalise(f"https://h.test/{other}") == normalise(f"https://h.test/{''.join(path)}")


def _spellings(piece: str) -> list[str]:
    escaped = piece if piece == "/" or "%" in piece else "".join(f"%{byte:02x}" for byte in piece.encode())
    return [piece, escaped, escaped.upper(), *(["/./", "/b/../"] if piece == "/" else [])]


@given(TEXTS)
def test_any_text_is_redacted_once_and_raises_nothing(text: str) -> None:
    for url in (text, f"https://h.test/{text}"):
        assert redact(redact(url)) == redact(url)


@given(TEXTS)
def test_no_text_before_it_lets_a_secret_through(text: str) -> None:
    for between in "?&;/,":
        assert "S3CR3T" not in redact(f"https://h.test/{text}{between}sig=S3CR3T")


@pytest.mark.parametrize("piece", ["/", "//a", "&", ",", "a:", '"', "%25", "@", "_"])
def test_the_worst_of_64_kb_is_redacted_in_time(piece: str) -> None:
    began = time.process_time()
    redact("https://h.test/" + piece * (2**16 // len(piece)))
    redact("https://h.test/?" + piece * (2**16 // len(piece)))
    assert time.process_time() - began < 4


def test_of_the_real_addresses_none_leads_elsewhere_and_nothing_but_keys_is_hidden() -> None:
    hidden: set[str] = set()
    for record in json_lines("price_file_urls.jsonl"):
        url = record["file_url"]
        if not url or url.startswith("blob:"):
            continue
        asked, written = normalise(url), urlsplit(url.strip())
        parts, shown = urlsplit(asked), redact(asked)
        assert unquote(parts.path) == (unquote(written.path.replace("\\", "/")) or "/")
        assert parse_qsl(parts.query) == parse_qsl(written.query)
        if shown != asked:
            pairs = zip(parts.query.split("&"), urlsplit(shown).query.split("&"), strict=True)
            hidden |= {pair.partition("=")[0] for pair, told in pairs if pair != told}
            assert shown.partition("?")[0] == asked.partition("?")[0]
    assert hidden == {"orgKey", "rlkey"}


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
        ("https://h.test/a?tempauth=1&authkey=2&Policy=3&resourcekey=4", "https://h.test/a?tempauth=***&authkey=***&Policy=***&resourcekey=***"),
        ("https://h.test/a?sharekey=1&privatekey=2&ticket=3&sid=4", "https://h.test/a?sharekey=***&privatekey=***&ticket=***&sid=***"),
        ("https://h.test/a?PHPSESSID=1&sessid=2&pw=3&passcode=4&csrf=5", "https://h.test/a?PHPSESSID=***&sessid=***&pw=***&passcode=***&csrf=***"),
        ("https://h.test/a?code=1&Key-Pair-Id=2&policy=3&resid=4&st=5", "https://h.test/a?code=1&Key-Pair-Id=2&policy=3&resid=4&st=5"),
        ("https://h.test/a?a=1,sig=2&b=3,c=4", "https://h.test/a?a=***&b=3,c=4"),
        ("https://h.test/a&sig=1&b=2/c", "https://h.test/a&sig=***&b=2/c"),
        ("https://h.test/a%3Fsig=1/token=2/b%26sig%3D3", "https://h.test/a%3Fsig=***/token=***/***"),
        ("https://h.test/a;sid=1/b;v=2", "https://h.test/a;sid=***/b;v=2"),
        ('https://h.test/a?q={"token":"1"}&r={"b":"c"}', 'https://h.test/a?q=***&r={"b":"c"}'),
        ("https://h.test/a?%7B%22b%22%3A1%2C+%22token%22+%3A%222==%22%7D", "https://h.test/a?***"),
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
