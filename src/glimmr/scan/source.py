"""What a source of hospitals and price files is, and what it may do to the web: ask, and wait."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from glimmr.model import Found, Lead, Listed, Pointer, Skipped, Tried
from glimmr.net import Reply

Said = Found | Listed | Pointer | Lead | Tried | Skipped
"""An address of a hospital's prices, a hospital, an address for a named location, one that may be of prices, what was
asked on the way, no use."""


EVERYWHERE = "all"
"""The place that means every state, for a source that can be asked so."""


LARGEST_ANSWER_BYTES = 16 * 2**20
"""The roster is 1.4 MB, a state of PRA's less. As many bytes of nothing but small records still fit into memory."""


class Web(Protocol):
    """The web as one run of a scan sees it: every call keeps the job's lease, and raises when the run should stop."""

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        most_bytes: int = LARGEST_ANSWER_BYTES,
    ) -> tuple[bytes, Mapping[str, str]]:
        """An answer's body and headers (their names in lower case). Raises a FetchError: FileTooLarge one with more."""
        ...

    def visit(self, url: str, *, most_bytes: int) -> Reply:
        """A page or a text, and the address it came from after redirects. Raises a FetchError or HostRests."""
        ...

    def beginning(self, url: str, *, most_bytes: int) -> Reply:
        """The first bytes of a file, whatever its size, as served. Raises a FetchError or HostRests."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait; nothing when `seconds` is not positive."""
        ...


class Source(Protocol):
    """Something that knows where price files are, or which hospitals there are."""

    def find(self, place: str, web: Web) -> Iterator[Said]:
        """What it knows of one place (a state's code, `all`, a domain, a list's path).

        Raises a GlimmrError if it cannot say.
        """
        ...
