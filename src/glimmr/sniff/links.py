"""Which links of a web page lead to price files, as far as their addresses tell."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import unquote, urlencode, urljoin, urlsplit

_MOST_BYTES = 4 * 2**20  # a page longer than that is none that a person was meant to read
_LONGEST = 8000  # characters; no server takes a longer address
_MOST_CHARACTERS = 32 * 2**20  # of all addresses together: a `<base>` makes each of them longer than the page has it
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
    reader, beginning = _read(page, base)
    found: dict[str, list[str]] = {}
    room = _MOST_CHARACTERS
    for link, words in reader.links:
        url = _joined(beginning, link.strip())
        room -= len(url) if url not in found else 0
        if room < 0:
            break
        if urlsplit(url).scheme in ("http", "https"):
            found.setdefault(url, []).extend(words)
    return [PageLink(url, " ".join(" ".join(words).split())) for url, words in found.items()]


def confirmed(page: bytes, base: str) -> str | None:
    """The address that a page's one form of hidden fields leads to, if one of them is named `confirm`.

    Google Drive puts such a page before a file that is too large for its virus scan.
    """
    reader, beginning = _read(page, base)
    forms = [form for form in reader.forms if form.is_confirmation]
    if len(forms) != 1:
        return None
    address = _joined(beginning, forms[0].action) or beginning
    plain, _, _ = address.partition("#")
    # A form that is sent by GET replaces the query of its action (HTML, form submission algorithm).
    return f"{plain.partition('?')[0]}?{urlencode(forms[0].fields)}"


def _read(page: bytes, base: str) -> "tuple[_Links, str]":
    """What a page links to, and what its relative addresses begin with."""
    reader = _Links()
    with suppress(AssertionError):  # what html.parser says of a marked section it does not know; the links so far count
        reader.feed(page[:_MOST_BYTES].decode("utf-8", "replace"))
    return reader, _joined(base, reader.base or "") or base


def _joined(base: str, link: str) -> str:
    """The absolute address; nothing where it cannot be one."""
    if len(base) + len(link) > _LONGEST:
        return ""
    try:
        return urlsplit(urljoin(base, link)).geturl()
    except ValueError:
        return ""


def is_data(url: str) -> bool:
    """Whether an address looks like a price file's."""
    parts = urlsplit(url)
    name = unquote(parts.path.rpartition("/")[2])
    return bool(_DATA.search(name) or _PRICES.search(name) or _DATA.search(unquote(parts.query)))


@dataclass(slots=True)
class _Form:
    """A form: where it is sent, its hidden fields, and whether a person has anything to fill in."""

    action: str
    by_get: bool
    fields: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    asks: bool = False

    @property
    def is_confirmation(self) -> bool:
        """Whether sending it as it is says no more than yes."""
        return self.by_get and not self.asks and any(name == "confirm" for name, _ in self.fields)


class _Links(HTMLParser):
    """The targets of `<a href>`, of a page that sends on (`<meta http-equiv=refresh>`), `<base>`, and the forms."""

    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.links: list[tuple[str, list[str]]] = []
        self._words: list[str] | None = None  # of the link whose end is not seen yet
        self.forms: list[_Form] = []

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
        elif tag == "form":
            self.forms.append(_Form((told.get("action") or "").strip(), (told.get("method") or "get").lower() == "get"))
        elif tag in ("input", "select", "textarea") and self.forms:
            self._take(self.forms[-1], tag, told)

    def handle_endtag(self, tag: str) -> None:
        """A link's words end with it."""
        if tag == "a":
            self._words = None

    def handle_data(self, data: str) -> None:
        """Note a link's words."""
        if self._words is not None:
            self._words.append(data)

    def _take(self, form: _Form, tag: str, told: dict[str, str | None]) -> None:
        kind, name = (told.get("type") or "text").lower(), told.get("name")
        if tag == "input" and kind == "hidden" and name:
            form.fields.append((name, told.get("value") or ""))
        elif tag != "input" or kind not in ("hidden", "submit", "button", "image", "reset"):
            form.asks = True
