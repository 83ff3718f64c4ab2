import pytest

from glimmr.sniff.links import PageLink, confirmed, data_links, page_links
from tests.support.memory import growth

BASE = "https://h.example/pricing/page.html"


def test_the_data_links_of_a_page_are_its_absolute_addresses_once_each() -> None:
    page = b"""<html><a href="/about">us</a><a href='files/a_standardcharges.csv'>here</a>
      <A HREF="files/a_standardcharges.csv">or here</A><a href="//cdn.example/x.JSON?v=1">json</a>
      <a href="mailto:x@h.example">x</a><a href="Download.aspx?f=b.zip">z</a>
      <a href="javascript:open('x.csv')">no</a><a href="https://h.example/get/1_standardcharges">n</a>"""
    assert data_links(page, BASE) == [
        "https://h.example/pricing/files/a_standardcharges.csv",
        "https://cdn.example/x.JSON?v=1",
        "https://h.example/pricing/Download.aspx?f=b.zip",
        "https://h.example/get/1_standardcharges",
    ]


def test_a_page_that_sends_on_and_a_base_are_heeded() -> None:
    page = b"""<base href="https://other.example/d/"><meta http-equiv="Refresh" content="0; URL='f.csv'">"""
    assert data_links(page, BASE) == ["https://other.example/d/f.csv"]


def test_a_base_may_be_relative_itself() -> None:
    assert data_links(b"<base href='/d/'><a href='f.csv'>x</a>", BASE) == ["https://h.example/d/f.csv"]


def test_links_that_are_none_and_markup_nobody_knows_cost_only_themselves() -> None:
    page = b"<a href='http://[x/y.csv'>a</a><a href='f.csv'>b</a><![foo[ x ]]><a href='g.csv'>c</a>"
    assert "https://h.example/pricing/f.csv" in data_links(page, BASE)


def test_what_is_no_page_has_no_links() -> None:
    assert data_links(b"\xff\xfe\x00<a href", BASE) == []


@pytest.mark.parametrize("letters", [1_000_000, 7_000])
def test_a_base_of_any_length_takes_no_memory(letters: int) -> None:
    links = b"".join(b"<a href=%d>" % number for number in range(100_000))
    page = b"<a href='//h.example/a.csv'>a</a><base href='/" + b"a" * letters + b"/'>" + links
    with growth() as grown:
        assert page_links(page, BASE)[0].url == "https://h.example/a.csv"
    assert grown() < 200 * 2**20


def test_a_link_has_the_words_that_stand_on_it() -> None:
    page = b"""<a href="p" title="Prices"><b>Price</b>
      <img alt="Transparency"></a> beside <a href="p">again</a><a href="tel:1">call</a><a href="q"></a>"""
    assert page_links(page, BASE) == [
        PageLink("https://h.example/pricing/p", "Prices Price Transparency again"),
        PageLink("https://h.example/pricing/q", ""),
    ]


WARNS = b"""<html><form id="download-form" action="https://drive.example/download?old=1#top" method="get">
  <input type="submit" value="Download anyway"/><input type="hidden" name="id" value="1a&b">
  <input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="x-1"></form></html>"""


def test_a_page_that_only_wants_a_yes_leads_to_what_its_form_says() -> None:
    assert confirmed(WARNS, BASE) == "https://drive.example/download?id=1a%26b&confirm=t&uuid=x-1"
    assert confirmed(WARNS.replace(b"https://drive.example/download?old=1#top", b"get"), BASE) == (
        "https://h.example/pricing/get?id=1a%26b&confirm=t&uuid=x-1"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'method="get"', b'method="post"'),
        (b'name="confirm"', b'name="token"'),
        (b"</form>", b'Your e-mail: <input name="mail"></form>'),
        (b"</form>", b'<textarea name="why"></textarea></form>'),
        (b"</form>", b"</form>" + WARNS),
    ],
    ids=["post", "other", "asks", "asks more", "two"],
)
def test_a_form_that_asks_for_more_than_a_yes_is_left_alone(old: bytes, new: bytes) -> None:
    assert confirmed(WARNS.replace(old, new), BASE) is None
