"""Which links of a web page lead to price files, as far as their addresses tell."""

import re
from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

_MOST_BYTES = 4 * 2**20  # a page longer than that is none that a person was meant to read
_DATA = re.compile(r"\.(csv|json|xml|xlsx?|xlsm|xlsb|ods|zip|gz|7z)$", re.IGNORECASE)
_SENDS_ON = re.compile(r"url\s*=\s*(.+)", re.IGNORECASE)
_PRICES = re.compile(r"standard[-_ ]?charges", re.IGNORECASE)


def data_links(page: bytes, base: str) -> list[str]:
    """The absolute addresses a page links to that look like price files, each once, in the page's order.

    A link does by its file name's ending, or by saying `standardcharges` (45 CFR 180.50(d)(5) prescribes that name).
    """
    reader = _Links()
    with suppress(AssertionError):  # what html.parser says of a marked section it does not know; the links so far count
        reader.feed(page[:_MOST_BYTES].decode("utf-8", "replace"))
    beginning = _joined(base, reader.base or "") or base
    found = dict.fromkeys(_joined(beginning, link.strip()) for link in reader.links)
    return [url for url in found if url and _is_data(url)]


def _joined(base: str, link: str) -> str:
    """The absolute address; nothing where it cannot be one."""
    try:
        return urlsplit(urljoin(base, link)).geturl()
    except ValueError:
        return ""


def _is_data(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return False
    name = unquote(parts.path.rpartition("/")[2])
    return bool(_DATA.search(name) or _PRICES.search(name) or _DATA.search(unquote(parts.query)))


class _Links(HTMLParser):
    """The targets of `<a href>`, of a page that sends on (`<meta http-equiv=refresh>`), and `<base>`."""

    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where it leads."""
        told = dict(attrs)
        if tag == "a" and told.get("href"):
            self.links.append(str(told["href"]))
        elif tag == "base" and self.base is None and told.get("href"):
            self.base = told["href"]
        elif tag == "meta" and (told.get("http-equiv") or "").lower() == "refresh":
            self.links += [found.strip("'\"") for found in _SENDS_ON.findall(told.get("content") or "")]
