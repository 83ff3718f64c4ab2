"""The price-transparency page of a hospital's site: its links that look like price files, the likeliest first.

Every home page must link to it (45 CFR 180.50(d)(6)(ii): in the footer, labelled "Price Transparency").
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from glimmr.errors import FetchError, HostRests
from glimmr.model import Lead, Skipped, Tried
from glimmr.net import Reply, normalise
from glimmr.net.urls import other_name
from glimmr.scan.source import Web
from glimmr.scan.visits import answered, failed
from glimmr.sniff import Kind, PageLink, is_data, page_links, sniff

_MOST_BYTES = 4 * 2**20  # of a page
_MOST_LEADS = 500
_TO_PAGE = re.compile(r"price[-_ ]*transparency|standard[-_ ]*charges|machine[-_ ]*readable|charge[-_ ]*master", re.I)
_MAYBE_TO_PAGE = re.compile(r"pric(e|es|ing)\b|\bcosts?\b|billing|estimat|financial|transparency", re.I)
_PRESCRIBED = re.compile(r"\d{2}-?\d{7}(-\d{10})?_[^/]{0,250}standardcharges\.(csv|json)", re.I)  # 45 CFR 180.50(d)(5)
_OTHER_LIST = re.compile(r"shoppable|in[-_ ]*network|allowed[-_ ]*amounts|chna|form[-_ ]*990|estimat", re.I)
_NO_DATA = re.compile(r"\.(pdf|docx?|pptx?|png|jpe?g|gif|svg|css|js|mp4)$", re.I)


class Page:
    """The pages of hospitals' sites; the place is a domain, or the address of the page itself."""

    def __init__(self, most_pages: int = 3) -> None:
        """Of one site at most `most_pages` pages are asked for, the given one included."""
        self._most_pages = most_pages

    def find(self, place: str, web: Web) -> Iterator[Lead | Tried | Skipped]:
        """The pages asked for and what they said; then the leads on them, the likeliest first, each address once.

        A failing site is no error: its reason is told. Raises a GlimmrError when the run should stop.
        """
        try:
            starts = _starts(place)
        except FetchError as error:
            yield Skipped(record=place, reason=str(error))
            return
        for start in starts:
            told, reply = _ask(start, web)
            yield told
            if reply is not None:
                yield from self._walk(start, reply, place, web)
                return
        yield Skipped(record=place, reason="its site gives no page")

    def _walk(self, start: str, home: Reply, place: str, web: Web) -> Iterator[Lead | Tried | Skipped]:
        domain = urlsplit(start).hostname or place
        leads: dict[str, Lead] = {}
        waiting, known = list[tuple[int, str]](), {start, home.final_url}
        _read(home, domain, leads, waiting, known)
        for _ in range(self._most_pages - 1):
            if not waiting:
                break
            # The likeliest page first, among equals the one that was linked first.
            _, url = waiting.pop(max(range(len(waiting)), key=lambda at: (waiting[at][0], -at)))
            told, reply = _ask(url, web)
            yield told
            if reply is not None:
                leads.pop(url, None)  # it looked like a file, and is a page
                _read(reply, domain, leads, waiting, known)
        yield from sorted(leads.values(), key=lambda lead: -lead.rank)
        if not leads:
            yield Skipped(record=place, reason="no link on its pages looks like a price file")


def _starts(place: str) -> list[str]:
    """Where a site may begin, the likeliest first; of an address only that. Raises a FetchError where it is none."""
    if "//" in place:
        return [normalise(place)]
    domain = place.removeprefix("www.")
    bare = [normalise(f"{scheme}://{domain}/") for scheme in ("https", "http")]
    return [*bare, *filter(None, map(other_name, bare))]


def _read(reply: Reply, domain: str, leads: dict[str, Lead], waiting: list[tuple[int, str]], known: set[str]) -> None:
    """Take up what a page links to: what may be files, and what may be the page with the files."""
    for link in page_links(reply.body, reply.final_url):
        rank = _rank(link)
        if rank > 0 and (link.url not in leads or rank > leads[link.url].rank) and len(leads) < _MOST_LEADS:
            leads[link.url] = Lead(
                url=link.url, page_url=reply.final_url, domain=domain, text=link.text[:200], rank=rank
            )
        page = link.url.partition("#")[0]
        if (likely := _leads_on(link, domain, rank)) and page not in known:
            known.add(page)
            waiting.append((likely, page))


def _ask(url: str, web: Web) -> tuple[Tried, Reply | None]:
    try:
        reply = web.visit(url, most_bytes=_MOST_BYTES)
    except (FetchError, HostRests) as error:
        return failed(url, error), None
    is_page = sniff(reply.body) is Kind.HTML
    return answered(url, reply, "page" if is_page else "no_page"), reply if is_page else None


def _rank(link: PageLink) -> int:
    """How likely a link leads to a price file: by name, ending and words. Nothing where it does not look so."""
    path, words = unquote(urlsplit(link.url).path), link.text
    if _NO_DATA.search(path):
        return 0
    rank = 2 * is_data(link.url)
    rank += 3 * bool(_PRESCRIBED.search(path)) + 2 * ("standardcharges" in path.lower())
    if rank or _has_no_ending(path):
        rank += 2 * bool(re.search(r"machine[-_ ]*readable|standard[-_ ]*charges", words, re.IGNORECASE))
    return max(1, rank - 4) if rank and _OTHER_LIST.search(f"{path} {words}") else rank


def _has_no_ending(path: str) -> bool:
    """A script or an address without a file name: a fifth of all price files have such a one."""
    return bool(re.search(r"\.(aspx?|ashx|php)$|/[^/.]+$", path, re.IGNORECASE))


def _leads_on(link: PageLink, domain: str, rank: int) -> int:
    """How likely a link leads to the page with the price files: also elsewhere when it says so, else on this site.

    What may be a file elsewhere is not asked for as a page: it may be large.
    """
    parts = urlsplit(link.url)
    if is_data(link.url) or _NO_DATA.search(parts.path):
        return 0
    said = f"{unquote(parts.path)} {link.text}"
    here = (parts.hostname or "").removeprefix("www.") == domain.removeprefix("www.")
    if _TO_PAGE.search(said):
        return 2 if here or not rank else 0
    return int(here and bool(_MAYBE_TO_PAGE.search(said)))
