"""Their errors made ours: libcurl's codes, HTTP statuses and first bytes become the errors of `glimmr.errors`."""

import email.utils
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pycurl

from glimmr import errors
from glimmr.errors import FetchError, GlimmrError, HttpError
from glimmr.net.resume import size_told
from glimmr.net.urls import host_of, redact

_NO_NAMES = frozenset((socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """How libcurl says a transfer ended: its error code and text, and how far the transfer was."""

    code: int
    text: str
    url: str
    connected: bool = False  # the request was about to be sent
    answered: bool = False  # the answer's header was whole
    verify_result: int = 0  # OpenSSL's X509_V_ERR_…


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a server answered: status, headers (names in lower case), the first bytes of the body."""

    status: int
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    head: bytes = b""
    asked_whether_changed: bool = False
    asked_the_rest: bool = False  # of a file whose beginning is here
    asked_a_span: bool = False  # some bytes of it, and no others
    continues: bool = False  # it is just that rest, or these


# ── libcurl ──────────────────────────────────────────────────────────────────────────────────────────────────────

_CODES: dict[int, type[GlimmrError]] = {
    1: errors.ProtocolError,  # schemes are checked before, so this is HTTP/0.9 or a junk status line
    3: errors.BadUrl,
    5: errors.NameLookupFailed,  # of the proxy
    7: errors.ConnectionRefused,
    8: errors.ProtocolError,
    16: errors.Http2Error,
    18: errors.BodyCut,
    23: errors.StorageFault,  # what we write into failed, and did not say how
    27: errors.LocalFault,  # this machine has no memory left
    33: errors.RangeMismatch,
    35: errors.TlsHandshake,
    36: errors.RangeMismatch,
    47: errors.BadRedirect,
    52: errors.EmptyReply,
    55: errors.ConnectionReset,
    56: errors.ConnectionReset,
    58: errors.TlsHandshake,
    59: errors.TlsHandshake,
    60: errors.TlsUntrusted,
    61: errors.DecodingError,
    63: errors.FileTooLarge,
    77: errors.StorageFault,  # our file of trusted certificates cannot be read: not the server's fault
    80: errors.ConnectionReset,  # TLS shutdown
    83: errors.TlsUntrusted,
    90: errors.TlsUntrusted,
    91: errors.TlsUntrusted,
    92: errors.Http2Error,
    95: errors.Http2Error,
    96: errors.Http2Error,  # QUIC
    97: errors.ConnectionRefused,  # by the proxy
    100: errors.ProtocolError,  # a line of the header over 100 kB, or 5,000 lines
}
# Where one code means several things only libcurl's text tells them apart (RELIABILITY.md §1 facts 12, 14).
_TEXTS: tuple[tuple[int, re.Pattern[str], type[GlimmrError]], ...] = (
    (
        35,
        re.compile(r"reset by peer|unexpected eof|SSL_ERROR_SYSCALL|bad record mac|broken pipe", re.I),
        errors.ConnectionReset,
    ),
    (35, re.compile(r"wrong.version.number", re.I), errors.NoTls),  # the first bytes are no record of any TLS
    (
        56,
        re.compile(
            r"chunk hex|illegal or missing hexadecimal|(bad|invalid) chunk|malformed|too large|header without colon",
            re.I,
        ),
        errors.ProtocolError,
    ),
    (56, re.compile(r"CONNECT tunnel failed", re.I), errors.ConnectionRefused),
    (
        60,
        re.compile(r"expired|not yet valid|no alternative certificate|does not match|hostname mismatch", re.I),
        errors.TlsExpired,
    ),
)
_EXPIRED = frozenset((9, 10, 62))  # X509_V_ERR_CERT_NOT_YET_VALID, …_CERT_HAS_EXPIRED, …_HOSTNAME_MISMATCH


def broken(how: Broken) -> GlimmrError:
    """The error for a transfer that libcurl gave up. A code nobody has classified is a plain FetchError."""
    kind = _kind(how)
    shown = redact(how.url)
    message = f"{shown}: {_sentence(kind)} (curl {how.code}: {how.text or 'no text'})"
    return kind(message, url=shown) if issubclass(kind, FetchError) else kind(message)


def _kind(how: Broken) -> type[GlimmrError]:
    if how.code == pycurl.E_OPERATION_TIMEDOUT:
        return _timed_out(how)
    if how.code == pycurl.E_COULDNT_RESOLVE_HOST:
        return _lookup(host_of(how.url))
    if how.code == pycurl.E_PEER_FAILED_VERIFICATION and how.verify_result in _EXPIRED:
        return errors.TlsExpired
    for code, text, kind in _TEXTS:
        if how.code == code and text.search(how.text):
            return kind
    return _CODES.get(how.code, FetchError)


def _timed_out(how: Broken) -> type[GlimmrError]:
    if not how.connected:
        return errors.ConnectTimeout
    return errors.Stalled if how.answered else errors.HeaderTimeout


def _lookup(host: str) -> type[GlimmrError]:
    """There is one code for "there is no such name" and "nobody could say" (6): the system's resolver tells which."""
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return name_error(error.errno)
    except (UnicodeError, OSError):
        return errors.NameNotFound
    return errors.NameLookupFailed


def name_error(eai: int | None) -> type[FetchError]:
    """The error for a getaddrinfo code (RFC 3493 §6.1)."""
    return errors.NameNotFound if eai in _NO_NAMES else errors.NameLookupFailed


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_STATUSES: dict[int, type[HttpError]] = {
    202: errors.NoContent,
    203: errors.NoContent,
    204: errors.NoContent,
    205: errors.NoContent,
    304: errors.NoContent,
    401: errors.AuthRequired,
    402: errors.AuthRequired,
    403: errors.Forbidden,
    404: errors.NotFound,
    406: errors.NotAcceptable,
    407: errors.AuthRequired,
    408: errors.ServerError,
    410: errors.Gone,
    425: errors.ServerError,
    429: errors.RateLimited,
    451: errors.UnavailableForLegalReasons,
    501: errors.BadRequest,
    503: errors.Unavailable,
    505: errors.BadRequest,
    999: errors.NotAcceptable,
}
# Marks of robot checks in the first bytes of a page. Each is part of the check itself, not of a site that has one.
_CHALLENGE = re.compile(
    rb"<title>\s*(just a moment|attention required! \| cloudflare|pardon our interruption|checking your browser"
    rb"|human verification|are you a robot|security check)"
    rb"|cf_chl_opt|/cdn-cgi/challenge-platform/h/./orchestrate|_incapsula_resource\?cwudnsai|captcha-delivery\.com"
    rb"|px-captcha|window\.gokuprops|sgcaptcha|ddos-guard/js-challenge|sec-if-cpt-container",
    re.IGNORECASE,
)
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|script|title|meta|!--)", re.IGNORECASE)


def answered(what: Answered) -> FetchError | None:
    """The error an answer is, or None for one that carries what was asked for.

    That is 200, 304 when we asked whether it changed, and a 206 that goes on where we broke off or is just the span we
    asked for (then 200 is not).

    A robot check hides behind any status, so the first bytes are more specific than the status.
    """
    if (what.status == 304 and what.asked_whether_changed) or what.continues:
        return None
    if (what.asked_the_rest and what.status in (206, 416)) or (what.asked_a_span and what.status == 200):
        return _other_part(what)
    kind = errors.ChallengePage if _is_challenge(what) else _status_kind(what.status)
    if kind is None:
        return None
    shown = redact(what.url)
    wait = retry_after_seconds(what.headers.get("retry-after", ""), datetime.now(UTC))
    message = f"{shown}: {_sentence(kind)} (HTTP {what.status})"
    return kind(message, url=shown, status=what.status, retry_after_seconds=wait)


def _other_part(what: Answered) -> errors.RangeMismatch:
    shown = redact(what.url)
    said = what.headers.get("content-range", "nothing")
    return errors.RangeMismatch(
        f"{shown}: {_sentence(errors.RangeMismatch)} (HTTP {what.status}, Content-Range: {said[:80]})",
        url=shown,
        size_bytes=size_told(what.headers),
    )


def _status_kind(status: int) -> type[HttpError] | None:
    if status == 200:
        return None
    if status in _STATUSES:
        return _STATUSES[status]
    if status < 300:
        return errors.NoContent
    return errors.BadRequest if status < 500 else errors.ServerError


def _is_challenge(what: Answered) -> bool:
    return (
        what.headers.get("cf-mitigated", "").lower() == "challenge"
        or what.headers.get("x-amzn-waf-action", "").lower() in ("challenge", "captcha")
        or (bool(_PAGE.match(what.head)) and bool(_CHALLENGE.search(what.head)))
    )


def retry_after_seconds(text: str, now: datetime) -> float | None:
    """What `Retry-After` asks for: seconds, or an HTTP date (RFC 9110 §10.2.3). None when it says neither."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _sentence(kind: type[GlimmrError]) -> str:
    """What an error means, from the first sentence of its own docstring, as the middle of one."""
    text = re.sub(r"\s*\([^)]*\)$", "", (kind.__doc__ or kind.__name__).strip().partition(". ")[0].rstrip("."))
    return text[0].lower() + text[1:]
