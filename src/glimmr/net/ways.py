"""Other ways of asking, for servers that do not like the honest one: what each of them sets."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pycurl

from glimmr.net.urls import origin

BROWSER_HEADERS, BROWSER_AGENT, HTTP1, LEGACY_TLS = "browser_headers", "browser_agent", "http1", "legacy_tls"
IMPERSONATE = "impersonate"  # headers and TLS of a browser
IDENTITY = "identity"  # no content encoding
INTERMEDIATES = "intermediates"  # see issuers

# What browsers send when a person follows a link; we still say who we are.
_HEADERS: Mapping[str, str] = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.9",
    "Cache-Control": "no-cache",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
    "Upgrade-Insecure-Requests": "1",
}
# OpenSSL refuses what these servers speak (TLS 1.0, short keys); the chain is verified all the same.
_LEGACY_CIPHERS = "DEFAULT@SECLEVEL=0"


class Settable(Protocol):
    """A curl handle, or who passes on what is to be set on one."""

    def setopt(self, option: int, value: Any, /) -> object:
        """Set an option of curl_easy_setopt."""
        ...

    def reset(self) -> object:
        """Set nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways there are.

    The operator may allow a User-Agent to show (`browser_agent`) and a browser to play (`impersonate`); empty: none.
    """

    browser_agent: str = ""
    impersonate: str = ""

    @property
    def known(self) -> frozenset[str]:
        """Their names, as `retry` knows them."""
        always = {BROWSER_HEADERS, HTTP1, IDENTITY, LEGACY_TLS, INTERMEDIATES}
        allowed = {BROWSER_AGENT: self.browser_agent, IMPERSONATE: self.impersonate}
        return frozenset(always | {way for way, what in allowed.items() if what})

    def taken(self, ways: frozenset[str]) -> frozenset[str]:
        """Those of `ways` that we have and that go together: a browser comes with its own headers and TLS."""
        had = ways & self.known
        return had - {BROWSER_HEADERS, BROWSER_AGENT, LEGACY_TLS} if IMPERSONATE in had else had

    def headers(self, url: str, ways: Collection[str], *, decode: bool = False) -> dict[str, str]:
        """The headers they add. Whether content encodings are undone says if a browser may offer its own."""
        if IMPERSONATE in ways:
            return {} if decode else {"Accept-Encoding": "identity"}
        if BROWSER_HEADERS not in ways and BROWSER_AGENT not in ways:
            return {}
        scheme, host, _ = origin(url)
        return {**_HEADERS, "Referer": f"{scheme}://{host}/"}

    def prepare(self, curl: Settable, ways: Collection[str]) -> None:
        """Set what they set. What a browser sets is set where it is played."""
        if BROWSER_AGENT in ways:
            curl.setopt(pycurl.USERAGENT, self.browser_agent)
        if HTTP1 in ways:
            curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        if LEGACY_TLS in ways:
            curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_0)
            curl.setopt(pycurl.SSL_CIPHER_LIST, _LEGACY_CIPHERS)
