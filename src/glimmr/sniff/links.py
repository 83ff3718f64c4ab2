"""Which links of a web page lead to price files, as far as their addresses tell."""

import re
from contextlib import suppress
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

_MOST_BYTES = 4 * 2**20  # a page longer than that is none that a person was meant to read
_DATA = re.compile(r"\.(csv|json|xml|xlsx?|xlsm|xlsb|ods|zip|gz|7z)$", re.IGNORECASE)
_SENDS_ON = re.compile(r"url\s*=\s*(.+)", re.IGNORECASE)
_PRICES = re.compile(r"standard[-_ ]?charges", re.IGNORECASE)


class PageLink(NamedTuple):
    """Where a link of a page leads, and the words that stand on it."""

    url: str
    text: str


def data_links(page: bytes, base: str) -> list[str]:
    """The absolute addresses a page links to that look like price files, each once, in the page's order.

    A link does by its file name's ending, or by saying `standardcharges` (45 CFR 180.50(d)(5) prescribes that name).
    """
    return [link.url for link in page_links(page, base) if is_data(link.url)]


def page_links(page: bytes, base: str) -> list[PageLink]:
    """The absolute web addresses a page links to, each once with the words of all its links, in the page's order."""
    reader = _Links()
    with suppress(AssertionError):  # what html.parser says of a marked section it does not know; the links so far count
        reader.feed(page[:_MOST_BYTES].decode("utf-8", "replace"))
    beginning = _joined(base, reader.base or "") or base
    found: dict[str, list[str]] = {}
    for link, words in reader.links:
        url = _joined(beginning, link.strip())
        if urlsplit(url).scheme in ("http", "https"):
            found.setdefault(url, []).extend(words)
    return [PageLink(url, " ".join(" ".join(words).split())) for url, words in found.items()]


def _joined(base: str, link: str) -> str:
    """The absolute address; nothing where it cannot be one."""
    try:
        return urlsplit(urljoin(base, link)).geturl()
    except ValueError:
        return ""


def is_data(url: str) -> bool:
    """Whether an address looks like a price file's."""
    parts = urlsplit(url)
    name = unquote(parts.path.rpartition("/")[2])
    return bool(_DATA.search(name) or _PRICES.search(name) or _DATA.search(unquote(parts.query)))


class _Links(HTMLParser):
    """The targets of `<a href>`, of a page that sends on (`<meta http-equiv=refresh>`), and `<base>`."""

    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.links: list[tuple[str, list[str]]] = []
        self._words: list[str] | None = None  # of the link whose end is not seen yet

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where it leads."""
        told = dict(attrs)
        if tag == "a":
            self._words = [said for name in ("aria-label", "title") if (said := told.get(name))]
            if told.get("href"):
                self.links.append((str(told["href"]), self._words))
        elif tag == "img" and self._words is not None:
            self._words.append(told.get("alt") or "")
        elif tag == "base" and self.base is None and told.get("href"):
            self.base = told["href"]
        elif tag == "meta" and (told.get("http-equiv") or "").lower() == "refresh":
            self.links += [(found.strip("'\""), []) for found in _SENDS_ON.findall(told.get("content") or "")]

    def handle_endtag(self, tag: str) -> None:
        """A link's words end with it."""
        if tag == "a":
            self._words = None

    def handle_data(self, data: str) -> None:
        """Note a link's words."""
        if self._words is not None:
            self._words.append(data)
