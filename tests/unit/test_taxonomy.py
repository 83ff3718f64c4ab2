"""The taxonomy of failures, line by line: what was seen, the error it becomes, what is decided, and how it ends."""

import asyncio
import errno
from dataclasses import dataclass
from typing import Any

import pytest

from glimmr import errors
from glimmr.errors import GlimmrError
from glimmr.net.translate import Answered, Broken, answered, broken
from glimmr.net.ways import Ways
from glimmr.retry import Class, History, Policy, decide
from tests.unit.courses import SCHEDULE, STEADY, D, H, M, course, leaves

URL = "https://localhost/f.csv?sig=s3cret"
T, W, A, REDISCOVER, P, F = (
    Class.TRANSIENT, Class.WAIT, Class.ALTERNATE, Class.REDISCOVER, Class.PERMANENT, Class.LOCAL,
)  # fmt: skip
HTML = b"<!doctype html><html><head><title>Just a moment...</title>"


def curl(code: int, text: str = "", **how: Any) -> GlimmrError:
    return broken(Broken(code=code, text=text, url=URL, **how))


def http(status: int, headers: dict[str, str] | None = None, head: bytes = b"", **how: Any) -> GlimmrError:
    error = answered(Answered(status=status, url=URL, headers=headers or {}, head=head, **how))
    assert error is not None
    return error


@dataclass(frozen=True)
class Case:
    """One thing a row speaks of. `delays` are those until it is given up, when the same comes each time."""

    seen: BaseException
    kind: type[BaseException]
    klass: Class
    delays: list[float]
    ends: str = ""  # outcome/reason; a fault of this machine has none


def case(seen: BaseException, kind: type[BaseException], klass: Class, delays: list[float], ends: str = "") -> Case:
    return Case(seen, kind, klass, delays, ends)


def local(seen: BaseException, kind: type[BaseException] | None = None) -> Case:
    return Case(seen, kind or type(seen), F, [])


def _statuses(kind: type[GlimmrError], klass: Class, delays: list[float], ends: str, *statuses: int) -> list[Case]:
    return [case(http(status), kind, klass, delays, ends) for status in statuses]


CONNECTED = {"connected": True}
BODY = {"connected": True, "answered": True}
TABLE: dict[str, list[Case]] = {
    "connect timeout 28, refused 7, unreachable/reset at connect": [
        case(curl(28), errors.ConnectTimeout, T, SCHEDULE, "unreachable/connect_timeout"),
        case(curl(7, "refused"), errors.ConnectionRefused, T, SCHEDULE, "unreachable/connection_refused"),
        case(curl(7, "unreachable"), errors.ConnectionRefused, T, SCHEDULE, "unreachable/connection_refused"),
        case(curl(56, "CONNECT tunnel failed"), errors.ConnectionRefused, T, SCHEDULE,
             "unreachable/connection_refused"),
        case(curl(97), errors.ConnectionRefused, T, SCHEDULE, "unreachable/connection_refused"),
        case(curl(56, "reset by peer"), errors.ConnectionReset, T, SCHEDULE, "unreachable/connection_reset"),
    ],
    "DNS 6: EAI_AGAIN": [
        case(curl(6), errors.NameLookupFailed, T, SCHEDULE, "unreachable/dns_failure"),  # the name is there after all
        case(curl(5), errors.NameLookupFailed, T, SCHEDULE, "unreachable/dns_failure"),
    ],
    "DNS 6: NXDOMAIN twice ≥ 10 min apart": [
        case(errors.NameNotFound(), errors.NameNotFound, REDISCOVER, [10 * M], "gone/no_such_host"),
    ],
    "recv 56 / reset, 18 partial, 16/92/95 h2-h3 error, chunk cut, 52 empty reply": [
        case(curl(56, "reset", **BODY), errors.ConnectionReset, T, SCHEDULE, "unreachable/connection_reset"),
        case(curl(55, "Broken pipe", **BODY), errors.ConnectionReset, T, SCHEDULE, "unreachable/connection_reset"),
        case(curl(80), errors.ConnectionReset, T, SCHEDULE, "unreachable/connection_reset"),
        case(curl(18, "bytes missing"), errors.BodyCut, T, SCHEDULE[:2], "incomplete/truncated"),
        *(case(curl(n), errors.Http2Error, T, SCHEDULE, "unreachable/http2_error") for n in (16, 92, 95, 96)),
        case(curl(52), errors.EmptyReply, T, SCHEDULE, "unreachable/empty_reply"),
    ],
    "28 low-speed / stall / header deadline": [
        case(curl(28, **BODY), errors.Stalled, T, SCHEDULE, "unreachable/stalled"),
        case(curl(28, **CONNECTED), errors.HeaderTimeout, T, SCHEDULE, "unreachable/header_timeout"),
        case(errors.TooSlow(), errors.TooSlow, T, SCHEDULE, "unreachable/too_slow"),
        case(errors.DeadlineExceeded(), errors.DeadlineExceeded, T, SCHEDULE, "unreachable/deadline"),
    ],
    "206 with wrong start, size change, 416": [
        case(http(206, {"content-range": "bytes 9-99/100"}, asked_the_rest=True), errors.RangeMismatch, T, SCHEDULE[:1],
             "unreachable/range_mismatch"),
        case(http(416, {"content-range": "bytes */50"}, asked_the_rest=True), errors.RangeMismatch, T, SCHEDULE[:1],
             "unreachable/range_mismatch"),
        *(case(curl(n), errors.RangeMismatch, T, SCHEDULE[:1], "unreachable/range_mismatch") for n in (33, 36)),
    ],
    "body ≠ Content-Length, gzip EOF, JSON/ZIP cut, last CSV line cut": [
        case(errors.BodyCut(), errors.BodyCut, T, SCHEDULE[:2], "incomplete/truncated"),
        case(errors.CutShort(reason="truncated"), errors.CutShort, T, SCHEDULE[:2], "incomplete/truncated"),
    ],
    "same length twice but content cut": [
        case(errors.CutShort(reason="suspect_truncated"), errors.CutShort, P, [], "incomplete/suspect_truncated"),
    ],
    "408, 500, 502, 504, 520-524, 527, 530": [
        *_statuses(errors.ServerError, T, SCHEDULE, "unreachable/server_error",
                   408, 502, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530),
        *_statuses(errors.ServerError, T, SCHEDULE[:3], "unreachable/server_error", 500),
    ],
    "503": [
        case(http(503), errors.Unavailable, W, SCHEDULE, "unreachable/unavailable"),
        case(http(503, {"retry-after": "1"}), errors.Unavailable, W, [5.0] * 3 + SCHEDULE[3:],
             "unreachable/unavailable"),
    ],
    "429": [
        case(http(429), errors.RateLimited, W, SCHEDULE, "unreachable/rate_limited"),
        case(http(429, {"retry-after": "999999"}), errors.RateLimited, W, [6 * H] * 6 + [D] * 7,
             "unreachable/rate_limited"),
    ],
    "425": _statuses(errors.ServerError, T, SCHEDULE, "unreachable/server_error", 425),
    "redirect loop, 47": [
        case(curl(47), errors.BadRedirect, A, [], "unreachable/bad_redirect"),
    ],
    "400, 405, 406, 415, 501, 505": [
        *_statuses(errors.BadRequest, A, [], "unreachable/bad_request", 400, 405, 415, 416, 501, 505),
    ],
    "401, 407, 402": _statuses(errors.AuthRequired, P, [], "blocked/auth_required", 401, 407, 402),
    "403, 406, 999, 202/200 challenge page": [
        *_statuses(errors.Forbidden, A, [], "blocked/forbidden", 403),
        *_statuses(errors.NotAcceptable, A, [], "blocked/not_acceptable", 406, 999),
        case(http(202, {"x-amzn-waf-action": "challenge"}), errors.ChallengePage, A, [], "blocked/challenge_page"),
        case(http(200, {"cf-mitigated": "challenge"}), errors.ChallengePage, A, [], "blocked/challenge_page"),
        *(case(http(n, head=HTML), errors.ChallengePage, A, [], "blocked/challenge_page") for n in (200, 403, 503)),
    ],
    "404": _statuses(errors.NotFound, REDISCOVER, [10 * M], "gone/not_found", 404),
    "410, 451": [
        *_statuses(errors.Gone, REDISCOVER, [], "gone/gone", 410),
        *_statuses(errors.UnavailableForLegalReasons, REDISCOVER, [], "gone/legal", 451),
    ],
    "200 HTML/PDF/empty/too small where a price file is due": [
        case(errors.NotAPriceFile(reason=reason), errors.NotAPriceFile, REDISCOVER, [], f"not_a_price_file/{reason}")
        for reason in ("html", "pdf", "empty")
    ],
    "204, 304 without our validator, 203": [
        *_statuses(errors.NoContent, T, SCHEDULE[:1], "unreachable/no_content", 202, 203, 204, 205, 206, 304),
    ],
    "TLS 35 handshake (old protocol, legacy renegotiation, dh too small)": [
        case(curl(35, text), errors.TlsHandshake, A, [], "unreachable/tls_handshake")
        for text in ("tlsv1 alert protocol version", "unsafe legacy renegotiation disabled", "dh key too small")
    ],
    "TLS 35, no TLS at all": [
        case(curl(35, text), errors.NoTls, A, [], "unreachable/tls_handshake")
        for text in ("TLS connect error: error:0A00010B:SSL routines::wrong version number", "WRONG_VERSION_NUMBER")
    ],
    "TLS 60 chain incomplete/unknown": [
        *(case(curl(60, "x", verify_result=n), errors.TlsUntrusted, A, [], "unreachable/tls_untrusted")
          for n in (18, 19, 20, 21)),
        *(case(curl(n), errors.TlsUntrusted, A, [], "unreachable/tls_untrusted") for n in (83, 90, 91)),
    ],
    "TLS 60 expired / wrong host": [
        *(case(curl(60, "x", verify_result=n), errors.TlsExpired, T, [D, D], "unreachable/tls_expired")
          for n in (9, 10, 62)),
        case(curl(60, "certificate has expired"), errors.TlsExpired, T, [D, D], "unreachable/tls_expired"),
        case(curl(60, "no alternative certificate subject name matches"), errors.TlsExpired, T, [D, D],
             "unreachable/tls_expired"),
    ],
    '"bad record MAC", 35 reset in handshake': [
        case(curl(35, text), errors.ConnectionReset, T, SCHEDULE, "unreachable/connection_reset")
        for text in ("Connection reset by peer", "bad record mac", "unexpected eof while reading", "SSL_ERROR_SYSCALL")
    ],
    "3 bad URL, 1 scheme, SSRF block, 63 too large": [
        case(curl(3), errors.BadUrl, P, [], "gone/bad_url"),
        case(errors.ForbiddenScheme(), errors.ForbiddenScheme, P, [], "unsafe/forbidden_scheme"),
        case(errors.ForbiddenAddress(), errors.ForbiddenAddress, P, [], "unsafe/forbidden_address"),
        case(curl(63), errors.FileTooLarge, P, [], "too_large/file_size"),
    ],
    "garbage status line": [
        case(curl(1, "Received HTTP/0.9 when not allowed"), errors.ProtocolError, T, SCHEDULE[:2],
             "unreachable/protocol_error"),
        case(curl(8, "weird"), errors.ProtocolError, T, SCHEDULE[:2], "unreachable/protocol_error"),
        *(case(curl(56, text), errors.ProtocolError, T, SCHEDULE[:2], "unreachable/protocol_error")
          for text in ("chunk hex-length char not a hex digit: 0x5a", "Too large response headers: 307201",
                       "invalid chunk size: 'FFFFFFFFFFFFFFFF'")),
        case(curl(100, "Too many response headers, 5000 is max"), errors.ProtocolError, T, SCHEDULE[:2],
             "unreachable/protocol_error"),
    ],
    "decoding 61 / mislabelled gzip": [
        case(curl(61, "incorrect header check"), errors.DecodingError, A, [], "unreachable/decoding_error"),
    ],
    "23 write, ENOSPC, EDQUOT, EROFS, EIO; storage 5xx": [
        local(curl(23), errors.StorageFault),
        local(curl(27), errors.LocalFault),
        local(curl(77), errors.StorageFault),  # our file of trusted certificates
        local(errors.DiskFull()),
        local(errors.StorageFault()),
        *(local(OSError(n, "x")) for n in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE)),
    ],
    "db/redis: 08*, 53*, 57*, 40001, 40P01 …": [local(errors.DatabaseFault())],
    "SIGTERM/cancel": [local(errors.ShuttingDown()), local(asyncio.CancelledError()), local(KeyboardInterrupt())],
    "an open breaker snoozes, it does not consume attempts": [local(errors.HostRests(seconds=30.0))],
    "unknown exception": [
        case(error, type(error), T, SCHEDULE[:2], "internal_error/unclassified")
        for error in (ValueError("x"), ConnectionError("x"), curl(4, "never seen"))
    ],
    "(the content of a whole file)": [
        case(errors.NoPriceTable(), errors.NoPriceTable, P, [], "no_price_table/no_header"),
        case(errors.Unparseable(reason="unknown_format"), errors.Unparseable, P, [], "unparseable/unknown_format"),
        case(errors.Bomb(), errors.Bomb, P, [], "unsafe/bomb"),
        case(errors.Encrypted(), errors.Encrypted, P, [], "unsafe/encrypted"),
        case(errors.ForbiddenDtd(), errors.ForbiddenDtd, P, [], "unsafe/dtd"),
        case(errors.TooDeep(), errors.TooDeep, P, [], "too_large/too_deep"),
        case(errors.TooManyMembers(), errors.TooManyMembers, P, [], "too_large/too_many_members"),
        case(errors.UnpackedTooLarge(), errors.UnpackedTooLarge, P, [], "too_large/unpacked_size"),
    ],
    "(our own work)": [
        case(errors.OutOfMemory(), errors.OutOfMemory, T, SCHEDULE[:1], "resources/memory"),
        case(errors.OutOfTime(), errors.OutOfTime, T, SCHEDULE[:1], "resources/time"),
        case(errors.ChildCrashed(), errors.ChildCrashed, T, SCHEDULE[:2], "internal_error/crashed"),
        case(errors.NotReconciled(), errors.NotReconciled, P, [], "internal_error/not_reconciled"),
        case(errors.UsageError(), errors.UsageError, P, [], "internal_error/unclassified"),
    ],
    "(nobody's fault)": [
        case(errors.LeaseLost(), errors.LeaseLost, P, [], "cancelled/superseded"),
        case(errors.FileRemoved(), errors.FileRemoved, P, [], "cancelled/file_removed"),
        case(errors.JobCancelled(), errors.JobCancelled, P, [], "cancelled/operator"),
    ],
}  # fmt: skip
CASES = [(says, one) for says, cases in TABLE.items() for one in cases]


@pytest.mark.parametrize(("says", "one"), CASES, ids=[f"{says}: {one.seen!r:.60}" for says, one in CASES])
def test_each_row_is_translated_and_decided_as_it_says(says: str, one: Case) -> None:
    assert type(one.seen) is one.kind
    assert decide(one.seen, policy=STEADY).klass is one.klass
    assert "s3cret" not in str(one.seen)
    if one.klass is F:
        snoozed = decide(one.seen, History(failures=10_000), STEADY)
        assert snoozed.klass is F, "charges nothing, however often it comes"
        assert snoozed.delay_seconds == getattr(one.seen, "seconds", 5.0)
        return
    delays, verdict = course(one.seen)
    assert delays == one.delays
    assert f"{verdict.outcome}/{verdict.reason}" == one.ends


def test_no_error_is_missing_in_the_table() -> None:
    assert set(leaves()) - {one.kind for _, one in CASES} == set()


@pytest.mark.parametrize("jitter", [0.8, 1.0, 1.2])
def test_a_missing_name_or_file_is_asked_for_again_after_ten_minutes_at_least(jitter: float) -> None:
    policy = Policy(jitter=lambda: jitter)
    for error in (errors.NameNotFound(), http(404)):
        first = decide(error, policy=policy)
        assert first.delay_seconds is not None
        assert first.delay_seconds >= 10 * M
        assert decide(error, History(failures=1, reasons=(first.reason,)), policy).delay_seconds is None


# What an alternate is, where there is one: the row's own order.
LADDERS: dict[str, tuple[GlimmrError, tuple[str, ...]]] = {
    "403, 406, 999, 202/200 challenge page": (http(403), ("browser_headers", "browser_agent", "impersonate")),
    "redirect loop, 47": (curl(47), ("browser_headers",)),
    "400, 405, 406, 415, 501, 505": (http(400), ("http1",)),
    "2nd h2 error → HTTP/1.1": (curl(92), ("http1",)),
    "TLS 35 handshake": (curl(35), ("legacy_tls",)),
    "TLS 35, no TLS at all": (curl(35, "wrong version number"), ()),
    "decoding 61": (curl(61), ("identity",)),
}


@pytest.mark.parametrize("says", LADDERS)
def test_other_ways_of_asking_are_those_of_the_row_and_the_client_has_them(says: str) -> None:
    error, expected = LADDERS[says]
    policy = Policy(alternates=Ways(browser_agent="Mozilla/5.0 (X11)", impersonate="chrome").known)
    tried, reason = tuple[str, ...](), decide(error).reason
    while way := decide(error, History(failures=1, reasons=(reason,), alternates=tried), policy).alternate:
        tried += (way,)
    assert tried == expected
