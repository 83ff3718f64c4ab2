"""The web as one run of a scan sees it."""

import time
from collections.abc import Callable, Mapping

from glimmr.errors import DeadlineExceeded
from glimmr.net import Client, Reply, direct, normalise
from glimmr.scan.source import LARGEST_ANSWER_BYTES

_WAKE_SECONDS = 0.2  # how soon a pause notices that the run should stop


class RunWeb:
    """The web for one run of a scan: everything it does tells, so that the lease is kept and a stop is noticed."""

    def __init__(self, client: Client, tell: Callable[..., None], deadline_seconds: float) -> None:
        self._client, self._tell = client, tell
        self._deadline_seconds = deadline_seconds
        self._until = time.monotonic() + deadline_seconds

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        most_bytes: int = LARGEST_ANSWER_BYTES,
    ) -> tuple[bytes, Mapping[str, str]]:
        """A small answer; see `scan.Web`."""
        left_seconds = self._left_seconds()
        reply = self._client.get_bytes(
            url,
            method=method,
            headers=headers,
            body=body,
            tell=self._tell,
            max_bytes=most_bytes,
            deadline_seconds=left_seconds,
        )
        return reply.body, reply.headers

    def visit(self, url: str, *, most_bytes: int) -> Reply:
        """A page or a text; see `scan.Web`."""
        left_seconds = self._left_seconds()
        return self._client.get_bytes(url, max_bytes=most_bytes, tell=self._tell, deadline_seconds=left_seconds)

    def beginning(self, url: str, *, most_bytes: int) -> Reply:
        """The first bytes of a file; see `scan.Web`. A link of a file-sharing site is asked where the file is."""
        address, left_seconds = direct(normalise(url)), self._left_seconds()
        return self._client.beginning(address, most_bytes, tell=self._tell, deadline_seconds=left_seconds)

    def pause(self, seconds: float) -> None:
        """Wait, telling how long it takes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._must_go_on()
            self._tell(pausing_seconds=round(left, 1))
            time.sleep(min(left, _WAKE_SECONDS))

    def _left_seconds(self) -> float:
        self._must_go_on()
        return max(1.0, self._until - time.monotonic())

    def _must_go_on(self) -> None:
        if time.monotonic() > self._until:
            raise DeadlineExceeded(f"the scan took longer than the {self._deadline_seconds:,.0f} s it may take")
