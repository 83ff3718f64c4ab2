"""A cms-hpt.txt in every mess that was seen, and in those that were not."""

import os
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glimmr.errors import FetchError
from glimmr.scan.hpt_text import MOST_BYTES, MOST_RECORDS, HptText, read_hpt
from glimmr.scan.hpt_urls import absolute
from tests.unit.scan.hpt_shapes import SHAPES, Record, Shape

BASE = "https://www.h.example/cms-hpt.txt"


def read(text: str) -> HptText:
    return read_hpt(text.encode())


def pairs(text: str) -> list[tuple[str, str | None]]:
    return [(record.location_name, record.mrf_url) for record in read(text).records]


def codes(said: HptText) -> dict[str, int]:
    return {finding.code: finding.count for finding in said.findings}


def test_a_file_as_cms_says_is_read_whole_and_nothing_is_odd() -> None:
    said = read(
        "location-name: St. A\nsource-page-url: https://h.example/prices\nmrf-url: https://h.example/a.csv\n"
        "contact-name: Pat Price\ncontact-email: pat@h.example\n\nlocation-name: St. B\nsource-page-url: \n"
        "mrf-url: https://h.example/b.csv\ncontact-name:\ncontact-email:\n"
    )
    assert (said.verdict, said.findings) == ("hpt", ())
    first, second = said.records
    assert (first.location_name, first.mrf_url, first.place) == ("St. A", "https://h.example/a.csv", "line 1")
    assert first.source_page_url == "https://h.example/prices"
    assert (first.contact_name, first.contact_email) == ("Pat Price", "pat@h.example")
    assert (second.place, second.source_page_url, second.contact_name) == ("line 7", None, None)


@pytest.mark.parametrize(
    ("mess", "urls"),
    [
        ("https://h.example/a b_standardcharges.csv", ["https://h.example/a b_standardcharges.csv"]),
        ("https://h.example/a.csv https://h.example/b.json", ["https://h.example/a.csv", "https://h.example/b.json"]),
        ("h.example/a.csv https://h.example/b.csv", ["h.example/a.csv", "https://h.example/b.csv"]),
        ("see https://h.example/a.csv", ["https://h.example/a.csv"]),
        ("https://h.example/a.csv; https://h.example/b.csv", ["https://h.example/a.csv", "https://h.example/b.csv"]),
        ("https://h.example/a.csv\nhttps://h.example/b.csv", ["https://h.example/a.csv", "https://h.example/b.csv"]),
        ("https://h.example/a.csv\nmrf-url: https://h.example/b.csv", ["https://h.example/a.csv", "https://h.example/b.csv"]),
        ("<https://h.example/a.csv>", ["https://h.example/a.csv"]),
        ("'https://h.example/a.csv'", ["https://h.example/a.csv"]),
        ("[our prices](https://h.example/a(1).csv)", ["https://h.example/a(1).csv"]),
        ("https://h.example/a.csv (updated in May)", ["https://h.example/a.csv"]),
        ("https://h.example/get?id=1 (CSV)", ["https://h.example/get?id=1"]),
        ("https://h.example/a.csv.", ["https://h.example/a.csv"]),
        ("HTTPS://h.example/a.csv", ["https://h.example/a.csv"]),
        ("https: //www.h.example/a.csv", ["https://www.h.example/a.csv"]),
        ("https//h.example/a.csv", ["https://h.example/a.csv"]),
        ("https://p.example/?u=https://h.example/a.csv", ["https://p.example/?u=https://h.example/a.csv"]),
        ("https://h.example/r?db=1&amp;t=CSV", ["https://h.example/r?db=1&t=CSV"]),
        ("https://h.example/Download.aspx?pxi=Bj*-*", ["https://h.example/Download.aspx?pxi=Bj*-*"]),
        ("Â\u00a0https://h.example/r?t=CSVÂ", ["https://h.example/r?t=CSV"]),
        ("www.h.example/a.csv", ["www.h.example/a.csv"]),
        ("h.example/a", ["h.example/a"]),
        ("/files/a.csv", ["/files/a.csv"]),
        ("files/a b.csv", ["files/a b.csv"]),
        ("//cdn.example/a.csv", ["//cdn.example/a.csv"]),
        ("h.example/a.csv (CSV)", ["h.example/a.csv"]),
        ("h.example/a.csv updated 1/1/2026", ["h.example/a.csv"]),
        ("“h.example/a.csv” (CSV)", ["h.example/a.csv"]),
        ("Please see (h.example:8443/a.csv)", ["h.example:8443/a.csv"]),
        ("h.example/a.csv, h.example/b", ["h.example/a.csv", "h.example/b"]),
        ("\n- h.example/a.csv\n- h.example/b.csv", ["h.example/a.csv", "h.example/b.csv"]),
        ("a.csv (CSV)\n/b.csv", ["a.csv", "/b.csv"]),
        ("`https://h.example/a` (CSV)", ["https://h.example/a"]),
        ("„https://h.example/a“", ["https://h.example/a"]),
        ("«https://h.example/a»", ["https://h.example/a"]),
        ('"[https://h.example/a](https://h.example/a)"', ["https://h.example/a"]),
        ("https://https://h.example/a.csv", ["https://h.example/a.csv"]),
        ("https://h.example/a \u2022 ", ["https://h.example/a"]),
        ("https://h.example/a&#39;b&#x2019;s.csv", ["https://h.example/a'b\u2019s.csv"]),
        ("https://h.example/Our Prices/all in one/", ["https://h.example/Our Prices/all in one/"]),
        ("https://h.example/a updated 1/1/2026", ["https://h.example/a"]),
        ("soon/later this year", []),
        ("https://h.example/a and https://h.example/b", ["https://h.example/a", "https://h.example/b"]),
        ("https://h.example/a For questions visit https://h.example/help", ["https://h.example/a"]),
        ("/a\n\nFor questions visit https://h.example/help", ["/a"]),
        ("https://h.example/a.csv\n# see https://www.cms.gov/hpt", ["https://h.example/a.csv"]),
        ("https://h.example/a.csv\n<!-- made by https://tool.example/ -->", ["https://h.example/a.csv"]),
        ("https://h.example/a.csv\nas JSON: https://h.example/b.json", ["https://h.example/a.csv", "https://h.example/b.json"]),
        ("Inpatient: h.example/a.csv\nOutpatient: h.example/b.csv", ["h.example/a.csv", "h.example/b.csv"]),
        ("coming soon", []),
        ("N/A", []),
        ("call us at 555 0100", []),
        ("pat@h.example", []),
    ],
)  # fmt: skip
def test_an_address_is_found_in_what_stands_behind_its_key(mess: str, urls: list[str]) -> None:
    assert [record.mrf_url for record in read(f"location-name: A\nmrf-url: {mess}\n").records] == (urls or [None])


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("h.example/a.csv", "https://h.example/a.csv"),
        ("www.h.example:8443/a b.csv", "https://www.h.example:8443/a%20b.csv"),
        ("/d/a.csv", "https://www.h.example/d/a.csv"),
        ("d/a.csv", "https://www.h.example/d/a.csv"),
        ("a_standardcharges.csv", "https://www.h.example/a_standardcharges.csv"),
        ("download.aspx?f=1", "https://www.h.example/download.aspx?f=1"),
        ("//cdn.example/a.csv", "https://cdn.example/a.csv"),
        ("https://h.example/bayamón.json", "https://h.example/bayam%C3%B3n.json"),
    ],
)
def test_an_address_without_scheme_or_host_is_made_whole(written: str, asked: str) -> None:
    assert absolute(written, BASE) == asked


@pytest.mark.parametrize("written", ["ftp://h.example/a.csv", "file:///c:/a.csv", "mailto:pat@h.example", "https://"])
def test_what_is_no_address_of_the_web_is_refused(written: str) -> None:
    with pytest.raises(FetchError):
        absolute(written, BASE)


def test_a_record_without_an_address_is_told_and_kept() -> None:
    said = read("location-name: A\nsource-page-url: https://h.example\nlocation-name: B\nmrf-url: https://h.example/b")
    assert [(record.location_name, record.mrf_url) for record in said.records] == [
        ("A", None), ("B", "https://h.example/b"),
    ]  # fmt: skip
    assert codes(said) == {"HPT-NO-URL": 1}


def test_a_record_without_a_name_is_told_and_kept() -> None:
    said = read("location-name:\nmrf-url: https://h.example/a\n")
    assert ([r.location_name for r in said.records], codes(said)) == ([""], {"HPT-NO-NAME": 1})
    assert pairs("mrf-url: https://h.example/a\nmrf-url: https://h.example/b") == [
        ("", "https://h.example/a"), ("", "https://h.example/b"),
    ]  # fmt: skip


def test_many_locations_above_one_address_share_it() -> None:
    said = read("location-name: A\nlocation-name: B\nlocation-name: C\nmrf-url: https://h.example/abc.csv\n")
    assert [(record.location_name, record.place) for record in said.records] == [
        ("A", "line 1"), ("B", "line 2"), ("C", "line 3"),
    ]  # fmt: skip
    assert {record.mrf_url for record in said.records} == {"https://h.example/abc.csv"}
    assert codes(said) == {"HPT-SHARED": 2}


def test_185_locations_in_one_file_come_back_in_their_order() -> None:
    text = "\n".join(f"location-name: Clinic {n}\nmrf-url: https://h.example/{n % 7}.csv\n" for n in range(185))
    assert pairs(text) == [(f"Clinic {n}", f"https://h.example/{n % 7}.csv") for n in range(185)]


def test_records_that_begin_with_their_address_keep_it() -> None:
    said = read("mrf-url: h.example/1.csv\nlocation-name: One\nmrf-url: h.example/2.csv\nlocation-name: Two\n")
    assert [(r.location_name, r.mrf_url) for r in said.records] == [
        ("One", "h.example/1.csv"), ("Two", "h.example/2.csv"),
    ]  # fmt: skip
    assert "HPT-ORDER" in codes(said)


@pytest.mark.parametrize("text", ["Prices: https://h.example/a.csv\nCall us.", "%PDF-1.7\n%", "Not found", "\0\1\2"])
def test_what_has_no_record_says_so(text: str) -> None:
    assert (read(text).verdict, read(text).records) == ("no_records", ())


@pytest.mark.parametrize("text", ["", " \r\n", "\ufeff"])
def test_an_empty_file_says_so(text: str) -> None:
    assert read(text).verdict in ("empty", "no_records")
    assert not read(text).records


RECORD = "<h1>location-name: Women &amp; Children&#39;s</h1>mrf-url: <a href='https://h.example/a.csv'>CSV</a><br>"


@pytest.mark.parametrize("start", ["<!DOCTYPE html><html><body><pre>", "\ufeff\n<html>", "<script>x</script>", "<p>"])
def test_the_records_in_a_web_page_are_read_and_the_page_is_told(start: str) -> None:
    said = read(f"{start}{RECORD}</p>")
    assert [(r.location_name, r.mrf_url) for r in said.records] == [("Women & Children's", "https://h.example/a.csv")]
    assert codes(said)["HPT-HTML"] == 1


@pytest.mark.parametrize(
    "inside",
    ["Not found", "location-name: A", "mrf-url: /a.csv", f"<script>'{RECORD}'</script>", f"<!-- {RECORD} -->"],
)
def test_a_web_page_without_a_whole_record_is_what_is_served_for_a_missing_file(inside: str) -> None:
    said = read(f"<!DOCTYPE html><html><body>{inside}</body></html>")
    assert (said.verdict, said.records, said.findings) == ("html", (), ())


@pytest.mark.parametrize(
    "line",
    ["- location-name = A", '"location-name"="A"', "1. location-name\tA", "location-name\tA", "> Location Name = A"],
)
def test_a_key_without_a_colon_is_one_at_the_start_of_a_line(line: str) -> None:
    assert pairs(f"{line}\nmrf-url\thttps://h.example/a.csv\n") == [("A", "https://h.example/a.csv")]


def test_a_row_of_keys_is_no_record() -> None:
    assert not read("location-name\tsource-page-url\tmrf-url\nA\thttps://h.example\thttps://h.example/a.csv").records


def test_a_file_that_is_one_text_of_json_is_read() -> None:
    text = "location-name: A\\nmrf-url: https:\\/\\/h.example\\/a.csv\\r\\nlocation-name: B\\nmrf-url: b.csv"
    assert pairs(f'"{text}"') == [
        ("A", "https://h.example/a.csv"), ("B", "b.csv"),
    ]  # fmt: skip


def test_the_mark_of_an_end_of_file_and_other_line_breaks_belong_to_no_value() -> None:
    (record,) = read("location-name: A\x85mrf-url: a.csv\x85contact-email: pat@h.example\x1a").records
    assert (record.location_name, record.mrf_url, record.contact_email) == ("A", "a.csv", "pat@h.example")


def test_utf16_without_a_mark_and_a_line_in_another_encoding_are_read() -> None:
    text = "location-name: A\nmrf-url: https://h.example/a.csv\n"
    assert [r.location_name for r in read_hpt(text.encode("utf-16-le")).records] == ["A"]
    mixed = read_hpt(
        "location-name: Bayamón\n".encode() + "location-name: Manatí\nmrf-url: h.example/a".encode("cp1252")
    )
    assert [record.location_name for record in mixed.records] == ["Bayamón", "Manatí"]
    assert "HPT-ENCODING" in codes(mixed)


def test_a_file_that_is_too_long_is_read_as_far_as_it_may_be() -> None:
    record = "location-name: {}\nmrf-url: https://h.example/{}.csv\n"
    many = read("".join(record.format(n, n) for n in range(MOST_RECORDS + 500)))
    assert (len(many.records), codes(many)["HPT-TOO-LONG"]) == (MOST_RECORDS, 1)
    filler = "x" * 1000
    large = read("".join(record.format(filler, n) for n in range(MOST_BYTES // 1000)))
    assert all(one.mrf_url == f"https://h.example/{n}.csv" for n, one in enumerate(large.records))
    assert 900 < len(large.records) < MOST_BYTES // 1000
    assert codes(large)["HPT-TOO-LONG"] == 1


# ── any records, any shape ─────────────────────────────────────────────────────────────────────────────────────────

WORD = st.text("abcxyzABCXYZ0123456789óñéü&'\u2019", min_size=1, max_size=9).map(lambda text: f"a{text}z")
NAMES = st.lists(st.one_of(WORD, st.sampled_from(["St.", "of", "-", "(North)", "|", "d/b/a"])), max_size=5).map(
    lambda words: " ".join(["Hospital", *words, "Center"])
)
PLACE = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=12)
URLS = st.builds(
    "{}://{}.example/{}{}".format,
    st.sampled_from(["https", "http"]),
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8),
    st.lists(PLACE, max_size=3).map("".join),
    st.sampled_from([".csv", ".json", ".zip", "", "/Reports.aspx?db=X&t=CSV", ".csv?v=1"]),
).filter(lambda url: not url.endswith(("_", "-")))
RECORDS = st.lists(
    st.fixed_dictionaries({
        "location-name": NAMES,
        "source-page-url": st.one_of(st.just(""), URLS),
        "mrf-url": URLS,
        "contact-name": st.one_of(st.just(""), st.just("Pat Price")),
        "contact-email": st.one_of(st.just(""), st.just("pat@h.example")),
    }),
    min_size=1, max_size=6,
)  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@settings(max_examples=25)
@given(records=RECORDS, seed=st.integers(0, 9))
def test_any_records_in_any_shape_come_back(shape: Shape, records: list[Record], seed: int) -> None:
    said = read_hpt(shape(records, Random(seed)))
    wanted = [(record["location-name"], record["mrf-url"]) for record in records]
    assert [(one.location_name, absolute(one.mrf_url or "", BASE)) for one in said.records] == wanted


PIECES = [b"location-name:", b"mrf-url:", b"contact-email: ",
          b"\n", b"\0", b"\xff\xfe", b"<p>", b"https://", b"[](", b'"',
          b"\xe2\x80\x9c", b"www.", b".csv ", b"\\u00", b"=", b"Location Name ", b"a@",
          b"<html>", b"<!--", b"<script ", b"&#", b"h.example/", b"`", b"\t", b"* "]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=60).map(b"".join))
def test_no_bytes_at_all_raise_anything(data: bytes) -> None:
    said = read_hpt(data)
    assert (said.verdict == "hpt") == bool(said.records)


@pytest.mark.parametrize("piece", [*PIECES, b"location-name:A\n", b"\xff\n", b"<p ", b".csv?"])
def test_the_worst_of_256_kb_is_read_in_time(piece: bytes) -> None:
    began = time.process_time()
    read_hpt(b"location-name: A\nmrf-url: " + piece * (2**18 // len(piece)))
    read_hpt(piece * (2**18 // len(piece)))
    assert time.process_time() - began < 8


def test_noise_is_read_in_time() -> None:
    began = time.process_time()
    assert not read_hpt(os.urandom(2**20)).records
    assert time.process_time() - began < 8
