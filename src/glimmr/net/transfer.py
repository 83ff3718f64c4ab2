"""One request and its answer: what libcurl's callbacks see, and the clocks that end a hopeless transfer."""

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import pycurl

from glimmr import errors
from glimmr.errors import FetchError
from glimmr.net.bandwidth import Bandwidth
from glimmr.net.options import Limits
from glimmr.net.resume import Beginning, Resume, Span, part_of, validator_of
from glimmr.net.translate import Answered
from glimmr.net.urls import redact

Progress = Callable[..., Any]


def silent(**_: Any) -> None:
    """The progress callable of who wants to know nothing."""


_HEAD_BYTES = 16 * 1024
_ERROR_BODY_BYTES = 64 * 1024
_TELL_SECONDS = 0.5
_LENGTH_DIGITS = 18
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


class Sink(Protocol):
    """Where the bytes of an answer go. It sees only the answer that was asked for: no redirect, no error page."""

    def begin(self, size_bytes: int | None, *, at: int = 0, validator: str | None = None) -> None:
        """Called once before the first byte, with the announced size of the whole file.

        The bytes that follow stand `at` that place in it: 0, unless the rest was asked for and is given. `validator`
        names exactly these bytes, where the server says something that does (see `resume`).
        """
        ...

    def write(self, data: bytes) -> object:
        """Take the next bytes."""
        ...


class Transfer:
    """One hop. `run` it on a line; afterwards `status`, `headers` and `head` tell what was answered."""

    def __init__(
        self,
        url: str,
        *,
        sink: Sink,
        limits: Limits,
        tell: Progress,
        asks_whether_changed: bool,
        resume: Resume | Span | Beginning | None = None,
        since: float | None = None,
        bandwidth: Bandwidth | None = None,
        repeatable: bool = True,
    ) -> None:
        self.url = url
        self.repeatable = repeatable  # asking twice is asking once
        self.at = 0  # where in the file the body of the answer begins
        self.continues = False  # it carries just the part that was asked for
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head = b""
        self.cookies: list[str] = []  # all there are after this answer
        self.size_bytes: int | None = None  # of the whole file, as announced
        self.received_bytes = 0
        self.connected = False
        self.answered = False
        self.enough = False  # the rest of this body is not wanted
        self.is_cut = False  # it ended before that, and what came of it is taken all the same
        self.raised: BaseException | None = None
        self._sink, self._limits, self._tell, self._resume = sink, limits, tell, resume
        self._asks_whether_changed, self._bandwidth = asks_whether_changed, bandwidth or Bandwidth()
        self._body_bytes: int | None = None  # as announced
        self.begun = False  # the sink was told that bytes come
        now = time.monotonic()
        self._started = now if since is None else since
        self._connected_at = self._last_byte_at = self._window_at = now
        self._told_at = now - _TELL_SECONDS
        self._window_bytes = 0

    # ── libcurl's callbacks: an exception must not cross C, so it is kept and raised by the line ──────────────────

    def on_connected(self, *_: object) -> int:
        """A connection is there and the request is about to go out."""
        self.connected = True
        self._connected_at = time.monotonic()
        return pycurl.PREREQFUNC_OK

    def on_header(self, line: bytes) -> None:
        """One line of a header; several headers come when there is a 100 Continue, and trailers after the body."""
        begins = line.startswith(b"HTTP/") and not self.received_bytes
        if self.answered and not begins:
            return  # a trailer
        text = _text(line).strip()
        if begins:
            self.answered = False  # what came before was a proxy's answer
            self.headers.clear()
            status = text.split(" ", 2)[1:2]
            self.status = int(status[0]) if status and status[0].isdigit() else 0
        elif text:
            name, _, value = text.partition(":")
            self.headers.setdefault(name.strip().lower(), value.strip())
        elif self.status >= 200:
            self.answered = True
            self._measure()
            self._last_byte_at = self._window_at = time.monotonic()

    def on_body(self, data: bytes) -> int:
        """The next bytes of the body. Fewer than len(data) taken ends the transfer."""
        try:
            self._take(data)
        except BaseException as error:  # noqa: BLE001 - it is raised again as soon as C is left
            self.raised = error
        return 0 if self.raised is not None or self.enough else len(data)

    def _take(self, data: bytes) -> None:
        self._last_byte_at = time.monotonic()
        self.received_bytes += len(data)
        if len(self.head) < _HEAD_BYTES:
            self.head += data[: _HEAD_BYTES - len(self.head)]
        if not self.is_wanted:
            self.enough = self.received_bytes > _ERROR_BODY_BYTES
            return
        if max(self.size_bytes or 0, self.here_bytes) > self._limits.max_bytes:
            raise self._error(
                errors.FileTooLarge,
                f"is larger than the {self._limits.max_bytes} bytes that are allowed (GLIMMR_MAX_FILE_BYTES)",
            )
        self.begin()
        self._sink.write(data)
        self._wait_for(len(data))
        if isinstance(self._resume, Beginning):
            # A body that ends here is taken to its end, so that its connection may be used again.
            self.enough = self.received_bytes >= self._resume.length and self.received_bytes != self._body_bytes

    def _wait_for(self, size_bytes: int) -> None:
        """Wait until so much may be received. While we wait for ourselves, no clock of the server's runs."""
        waited = self._bandwidth.pay(size_bytes, self._tell_now_and_then)
        self._started += waited
        self._window_at += waited
        self._last_byte_at += waited

    def begin(self) -> None:
        """Tell the sink, once, that the answer it is waiting for begins."""
        if not self.begun:
            self.begun = True
            self._sink.begin(self.size_bytes, at=self.at, validator=validator_of(self.headers))

    def _measure(self) -> None:
        """How large body and file are, and where in the file the body stands."""
        self.size_bytes = self._body_bytes = _length(self.headers)
        part = part_of(self.headers) if self.status == 206 else None
        if self._resume is not None and part is not None and self._resume.fits(part, validator_of(self.headers)):
            self.at, self._body_bytes, self.size_bytes = part.start, part.length, part.size_bytes
            self.continues = True

    # ── what the line asks between two looks at the socket ───────────────────────────────────────────────────────

    def check(self) -> None:
        """Tell how far it is, and end it when a clock ran out. Raises what `tell` raises, or a FetchError."""
        self._tell_now_and_then()
        now = time.monotonic()
        if not self.connected:
            return  # libcurl's own connect timeout covers name lookup, connection and TLS
        if not self.answered:
            if now - self._connected_at > self._limits.header_seconds:
                raise self._error(errors.HeaderTimeout, f"no whole header in {self._limits.header_seconds:g} s")
            return
        self._check_rate(now)
        self._check_deadline(now)

    def _tell_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            self._tell(bytes=self.here_bytes, total=self.size_bytes if self.is_wanted else None)

    def _check_rate(self, now: float) -> None:
        limits = self._limits
        if now - self._last_byte_at > limits.stall_seconds:
            raise self._error(errors.Stalled, f"nothing came for {limits.stall_seconds:g} s {self._how_far}")
        if now - self._window_at > limits.stall_seconds:
            rate = (self.received_bytes - self._window_bytes) / (now - self._window_at)
            if rate < limits.min_rate_bytes:
                raise self._error(errors.TooSlow, f"{rate:.0f} bytes/s for {limits.stall_seconds:g} s {self._how_far}")
            self._window_at, self._window_bytes = now, self.received_bytes

    def _check_deadline(self, now: float) -> None:
        allowed = max(self._limits.deadline_seconds, (self.size_bytes or 0) / self._limits.deadline_rate_bytes)
        allowed = min(allowed, self._limits.deadline_cap_seconds)
        if now - self._started > allowed:
            raise self._error(errors.DeadlineExceeded, f"not whole after {allowed:g} s {self._how_far}")

    # ── what came ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_wanted(self) -> bool:
        """Whether this answer carries what was asked for: the whole, or just the part that is missing."""
        return self.answered and (self.continues or (self.status == 200 and not self._only_a_span))

    @property
    def _only_a_span(self) -> bool:
        return isinstance(self._resume, Span)

    @property
    def has_begun(self) -> bool:
        """Whether there is what was asked for, however it ended: some of the beginning, where no more was wanted."""
        return isinstance(self._resume, Beginning) and self.begun

    @property
    def here_bytes(self) -> int:
        """How much of the file is here now."""
        if self.is_wanted:
            return self.at + self.received_bytes
        return self._resume.at if self._resume else 0

    def check_whole(self) -> None:
        """Raises BodyCut when fewer bytes came than were announced. libcurl compares too; this does not rely on it."""
        if not self.has_begun and self._body_bytes is not None and self.received_bytes < self._body_bytes:
            raise self._error(errors.BodyCut, f"the body ends early {self._how_far}")

    @property
    def redirects_to(self) -> str | None:
        """The address the server sends us to, as it wrote it."""
        return self.headers.get("location") if self.status in _REDIRECTS else None

    @property
    def what(self) -> Answered:
        """The answer, as `translate` judges it."""
        return Answered(
            status=self.status,
            url=self.url,
            headers=self.headers,
            head=self.head,
            asked_whether_changed=self._asks_whether_changed,
            asked_the_rest=self._resume is not None,
            asked_a_span=self._only_a_span,
            continues=self.continues,
        )

    @property
    def _how_far(self) -> str:
        return f"(after {self.here_bytes} of {self.size_bytes if self.size_bytes is not None else 'unknown'} bytes)"

    def _error(self, kind: type[FetchError], what: str) -> FetchError:
        shown = redact(self.url)
        return kind(f"{shown}: {what}", url=shown)


def _length(headers: dict[str, str]) -> int | None:
    """The announced size; a chunked body has none, whatever a Content-Length says (RFC 9112 §6.3)."""
    text = headers.get("content-length", "")
    if "transfer-encoding" in headers or not text.isdecimal():
        return None
    return int(text) if len(text) <= _LENGTH_DIGITS else sys.maxsize  # libcurl ignores what is over 64 bits


def _text(line: bytes) -> str:
    """A header line as text: UTF-8 where it is that (file names, addresses), else ISO-8859-1 (RFC 9110 §5.5)."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("iso-8859-1")
