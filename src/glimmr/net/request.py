"""What is asked, and what becomes of it when a server sends us elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from glimmr.errors import BadRedirect, FetchError, ForbiddenScheme
from glimmr.net.resume import Beginning, Resume, Span
from glimmr.net.transfer import Transfer
from glimmr.net.urls import normalise, origin, other_name, redact

# Headers that may follow a redirect to another origin; a session token may not.
_TRAVELS = frozenset((
    "accept", "accept-language", "user-agent", "referer", "if-none-match", "if-modified-since", "range", "if-range",
))  # fmt: skip
_BECOMES_GET = frozenset((301, 302, 303))  # as browsers do it (RFC 9110 §15.4)


@dataclass(slots=True, kw_only=True)
class Request:
    """What is asked, as it changes from hop to hop. Cookies are kept for one request and its redirects, no longer."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    decode: bool = False  # undo content encodings
    resume: Resume | Span | Beginning | None = None  # what is asked for, where that is not the whole
    since: float | None = None  # when the work of which this is a part began, on the monotonic clock
    tried: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])  # ways of asking, by host
    plain: bool = False  # asked honestly, whatever helped before
    begun: bool = False  # the sink has seen bytes of the answer
    weaknesses: set[str] = field(default_factory=set[str])  # of the hops so far
    cookies: list[str] = field(default_factory=list[str])  # in Netscape's format, as libcurl gives and takes them
    _seen: set[tuple[str, str, tuple[str, ...]]] = field(default_factory=set[tuple[str, str, tuple[str, ...]]])

    @property
    def asks_whether_changed(self) -> bool:
        """Whether a 304 answers it."""
        return "If-None-Match" in self.headers or "If-Modified-Since" in self.headers

    def afresh(self, tried: Mapping[str, frozenset[str]]) -> Self:
        """The same before it was asked, to be asked in other ways."""
        return replace(
            self, headers=dict(self.headers), cookies=[], tried=dict(tried), begun=False, weaknesses=set(), _seen=set()
        )

    def redirect(self, transfer: Transfer, target: str) -> None:
        """Become what is to be asked next.

        The same address again is a loop only with the same cookies: a cookie wall sends back to where one came from.
        Raises BadRedirect or ForbiddenScheme.
        """
        self._seen.add((self.method, self.url, tuple(self.cookies)))
        self.cookies = transfer.cookies
        url = _absolute(target, transfer.url)
        if transfer.status in _BECOMES_GET:
            self.method, self.body = "GET", None
        if origin(url) != origin(self.url) and self.body is not None:
            raise bad_redirect(self.url, f"it wants our request body sent to {redact(url)}")
        if (self.method, url, tuple(self.cookies)) in self._seen:
            raise bad_redirect(self.url, f"it leads back to {redact(url)}")
        self._move(url)

    def rename(self) -> bool:
        """Ask at the other name of a host whose name does not exist; False when it has none, or for a body."""
        url = other_name(self.url) if self.body is None else None
        if url is None:
            return False
        self._seen.add((self.method, self.url, tuple(self.cookies)))
        self._move(url)
        return True

    def _move(self, url: str) -> None:
        if origin(url) != origin(self.url):
            self.headers = {name: value for name, value in self.headers.items() if name.lower() in _TRAVELS}
        self.url = url


def bad_redirect(url: str, what: str) -> BadRedirect:
    """The error for a redirect that leads nowhere, and why."""
    shown = redact(url)
    return BadRedirect(f"{shown}: the redirect leads nowhere: {what}", url=shown)


def _absolute(target: str, base: str) -> str:
    try:
        return normalise(target, base=base)
    except ForbiddenScheme:
        raise
    except FetchError as error:
        raise bad_redirect(base, str(error)) from None
