"""cms-hpt.txt, the text file in which a hospital's own site says where its price files are (45 CFR 180.50(d)(6))."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from glimmr.errors import (
    ConnectionRefused,
    ConnectTimeout,
    FetchError,
    HostRests,
    NameLookupFailed,
    NameNotFound,
    NoTls,
    TlsExpired,
    TlsHandshake,
    TlsUntrusted,
)
from glimmr.model import Pointer, Skipped, Tried
from glimmr.net import Reply, normalise, redact
from glimmr.scan.hpt_text import HptRecord, read_hpt
from glimmr.scan.hpt_urls import absolute
from glimmr.scan.identity import is_name
from glimmr.scan.source import Web
from glimmr.scan.visits import answered, failed

_ROOT, _WELL_KNOWN = "/cms-hpt.txt", "/.well-known/cms-hpt.txt"  # the rule wants it at the root; some use RFC 8615
_MOST_BYTES = 16 * 2**20  # of an answer; the reader reads the beginning of what is longer
_NOBODY_THERE = (NameNotFound, NameLookupFailed, HostRests)
_NO_TLS = (ConnectionRefused, ConnectTimeout, TlsHandshake, NoTls, TlsUntrusted, TlsExpired)


class CmsHpt:
    """The text files of hospitals' sites; the place is a domain, or the address of a site."""

    def find(self, place: str, web: Web) -> Iterator[Pointer | Tried | Skipped]:
        """What was asked of a domain and what it said; then what its text file says, or why there is none.

        A failing domain is no error: its reason is told. Raises a GlimmrError when the run should stop.
        """
        try:
            site = _origin(normalise(place))
        except FetchError as error:
            yield Skipped(record=place, reason=str(error))
            return
        search = _Search(site, web)
        yield from search.run()
        if search.found is None:
            yield Skipped(record=place, reason=search.why)
            return
        url, records = search.found
        for record in records:
            yield _pointer(record, url, urlsplit(site).hostname or place)


class _Search:
    """The way to the first real file: at the site's root, where its home page leads, well-known, on its sibling."""

    def __init__(self, site: str, web: Web) -> None:
        self.found: tuple[str, tuple[HptRecord, ...]] | None = None
        self._web = web
        self._origins = [site, *_sibling(site)]
        self._been: set[str] = set()  # addresses asked or arrived at
        self._dead: set[str] = set()  # origins that cannot be reached
        self._said: list[Tried] = []

    def run(self) -> Iterator[Tried]:
        """Everything that was tried, as it is tried."""
        for told in self._steps():
            self._said.append(told)
            yield told
            if self.found is not None:
                return

    @property
    def why(self) -> str:
        """Why nothing was found: something else in its place says more than a refusal, that more than nothing there."""
        said = {told.verdict for told in self._said}
        if "html" in said or "no_records" in said or "empty" in said:
            return "what stands for its cms-hpt.txt is none"
        if "missing" in said:
            texts = (told.answer for told in self._said if told.verdict == "failed" and told.url.endswith(_ROOT))
            refused = next(filter(str.isdigit, texts), None)
            return f"its cms-hpt.txt was not given: {refused}" if refused else "it has no cms-hpt.txt"
        return f"its site was not reached: {self._said[0].answer}"

    def _steps(self) -> Iterator[Tried]:
        for origin in self._origins:  # grows while it is gone through
            yield from self._text(origin, _ROOT)
            yield from self._home(origin)
        for origin in self._origins:
            yield from self._text(origin, _WELL_KNOWN)

    def _text(self, origin: str, path: str) -> Iterator[Tried]:
        answer = self._ask(origin, path)
        if isinstance(answer, Reply):
            text = read_hpt(answer.body)
            if text.verdict == "hpt":
                self.found = answer.final_url, text.records
            yield answered(origin + path, answer, text.verdict, text.findings)
        elif answer is not None:
            yield answer

    def _home(self, origin: str) -> Iterator[Tried]:
        """The home page, which may lead to another domain; its content is not looked at."""
        answer = self._ask(origin, "/")
        if isinstance(answer, Reply):
            final = _origin(answer.final_url)
            self._been.add(final + "/")
            self._follow(final)
            yield answered(origin + "/", answer, "page")
        elif answer is not None:
            yield answer

    def _ask(self, origin: str, path: str) -> Reply | Tried | None:
        """What an address answers; nothing when it was asked, or cannot be."""
        url = origin + path
        if url in self._been or origin in self._dead:
            return None
        self._been.add(url)
        try:
            reply = self._web.visit(url, most_bytes=_MOST_BYTES)
        except (FetchError, HostRests) as error:
            self._note(origin, error)
            return failed(url, error)
        self._been.add(reply.final_url)
        return reply

    def _note(self, origin: str, error: FetchError | HostRests) -> None:
        where = error.url if isinstance(error, FetchError) and error.url else origin
        self._been.add(where)
        if _origin(where) != origin:
            return  # where it sent us is not there; it is
        if isinstance(error, _NOBODY_THERE + _NO_TLS):
            self._dead.add(origin)
        if isinstance(error, _NO_TLS) and origin.startswith("https://") and not urlsplit(origin).port:
            self._follow("http://" + origin.removeprefix("https://"))

    def _follow(self, origin: str) -> None:
        if origin not in self._origins:
            at = next((at for at, known in enumerate(self._origins) if known + _ROOT not in self._been), None)
            self._origins.insert(len(self._origins) if at is None else at, origin)


def _pointer(record: HptRecord, text_url: str, domain: str) -> Pointer | Skipped:
    shown = f"{redact(text_url)}, {record.place}"
    if not is_name(record.location_name):
        return Skipped(record=shown, reason="no hospital name")
    shown += f" ({record.location_name})"
    if record.mrf_url is None:
        return Skipped(record=shown, reason="no mrf-url")
    try:
        url = absolute(record.mrf_url, text_url)
    except FetchError:
        return Skipped(record=shown, reason="its mrf-url is no web address")
    return Pointer(
        location_name=record.location_name,
        url=url,
        page_url=_page(record.source_page_url, text_url),
        contact_name=record.contact_name,
        contact_email=record.contact_email,
        domain=domain,
        hpt_url=text_url,
        place=record.place,
    )


def _page(written: str | None, text_url: str) -> str | None:
    try:
        return absolute(written, text_url) if written else None
    except FetchError:
        return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _sibling(site: str) -> list[str]:
    """The same site with `www.`, or without. An address in numbers has none."""
    scheme, _, host = site.partition("://")
    if host.startswith("www."):
        return [f"{scheme}://{host[4:]}"]
    return [f"{scheme}://www.{host}"] if any(letter.isalpha() for letter in host) else []
