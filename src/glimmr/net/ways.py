"""Other ways of asking, for servers that do not like the honest one: what each of them sets."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pycurl

from glimmr.net.urls import origin

BROWSER_HEADERS, BROWSER_AGENT, HTTP1, LEGACY_TLS = "browser_headers", "browser_agent", "http1", "legacy_tls"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways there are. `browser_agent` is a User-Agent the operator allows us to show; empty: none."""

    browser_agent: str = ""

    @property
    def known(self) -> frozenset[str]:
        """Their names, as `retry` knows them."""
        always = {BROWSER_HEADERS, HTTP1, IDENTITY, LEGACY_TLS, INTERMEDIATES}
        return frozenset(always | {BROWSER_AGENT} if self.browser_agent else always)

    def headers(self, url: str, ways: Collection[str]) -> dict[str, str]:
        """The headers they add."""
        if BROWSER_HEADERS not in ways and BROWSER_AGENT not in ways:
            return {}
        scheme, host, _ = origin(url)
        return {**_HEADERS, "Referer": f"{scheme}://{host}/"}

    def prepare(self, curl: pycurl.Curl, ways: Collection[str]) -> None:
        """Set what they set."""
        if BROWSER_AGENT in ways and self.browser_agent:
            curl.setopt(pycurl.USERAGENT, self.browser_agent)
        if HTTP1 in ways:
            curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        if LEGACY_TLS in ways:
            curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_0)
            curl.setopt(pycurl.SSL_CIPHER_LIST, _LEGACY_CIPHERS)
