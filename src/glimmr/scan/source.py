"""What a source of price files is, and the one small thing it may do to the web: ask."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from glimmr.model import Found, Skipped


class Ask(Protocol):
    """One small request. Raises a FetchError; gives the body and the answer's headers, their names in lower case."""

    def __call__(
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        """Ask `url`."""
        ...


Pause = Callable[[float], None]  # waits that many seconds; raises when the run should stop


class Source(Protocol):
    """Something that knows where price files are."""

    def find(self, place: str, pause: Pause) -> Iterator[Found | Skipped]:
        """What it knows of one place (a state's code, a list's path). Raises a GlimmrError when it cannot say."""
        ...
