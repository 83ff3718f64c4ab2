"""What to do about each error: one table, most specific row wins, and one pure function that reads it."""

import asyncio
import errno
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from glimmr import errors
from glimmr.outcomes import Outcome, is_reason

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


class Class(StrEnum):
    """What kind of thing an error is, as far as trying again goes."""

    TRANSIENT = "transient"  # passes by itself: our schedule
    WAIT = "wait"  # the server said when
    ALTERNATE = "alternate"  # ask in another way
    REDISCOVER = "rediscover"  # ask the sources again where the file is
    PERMANENT = "permanent"  # will not change by trying
    LOCAL = "local"  # not the file's fault: charges no attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a job has been through: its charged failures, and of each the reason (oldest first) where it is known.

    `alternates` are the other ways of asking that were tried.
    """

    failures: int = 0
    reasons: tuple[str, ...] = ()
    alternates: tuple[str, ...] = ()

    def same(self, reason: str) -> int:
        """How many failures had this reason; where no reasons are known, all of them."""
        return self.reasons.count(reason) if self.reasons else self.failures


def _jitter() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How patient we are. `scale` stretches our own delays, never a server's; `alternates` are the ways we have."""

    scale: float = 1.0
    max_attempts: int = 14
    jitter: Callable[[], float] = _jitter
    alternates: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do: try again after `delay_seconds` (by way of `alternate`), or, where that is None, end as `outcome`."""

    outcome: Outcome
    reason: str
    klass: Class
    delay_seconds: float | None = None
    alternate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row. `delays` are those after the first, second … failure; the last one goes on. `tries` counts attempts."""

    outcome: Outcome
    reason: str
    klass: Class
    delays: tuple[float, ...] = ()
    tries: int | None = None  # with this reason; None: as many as the policy allows
    alternates: tuple[str, ...] = ()


# RELIABILITY.md §4: the first two are short enough for a passing fault to be over within five minutes.
_SCHEDULE = (30.0, 2 * _MINUTE, 8 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 6 * _HOUR, _DAY)
SERVER_WAIT_SECONDS = (5.0, 6 * _HOUR)
_SERVER_BELIEVED = 3  # times that a server's own Retry-After counts alone
_LOCAL_SECONDS = 5.0
_ALTERNATE_SECONDS = 5.0

_BROWSER = ("browser_headers", "browser_agent", "impersonate")


def _again(reason: str, tries: int | None = None, *alternates: str, delays: tuple[float, ...] = _SCHEDULE) -> Rule:
    return Rule(
        outcome=Outcome.UNREACHABLE,
        reason=reason,
        klass=Class.TRANSIENT,
        delays=delays,
        tries=tries,
        alternates=alternates,
    )


def _wait(reason: str) -> Rule:
    return Rule(outcome=Outcome.UNREACHABLE, reason=reason, klass=Class.WAIT, delays=_SCHEDULE)


def _alternate(outcome: Outcome, reason: str, *alternates: str) -> Rule:
    return Rule(outcome=outcome, reason=reason, klass=Class.ALTERNATE, tries=1, alternates=alternates)


def _missing(reason: str, tries: int) -> Rule:
    return Rule(outcome=Outcome.GONE, reason=reason, klass=Class.REDISCOVER, delays=(10 * _MINUTE,), tries=tries)


def _never(outcome: Outcome, reason: str) -> Rule:
    return Rule(outcome=outcome, reason=reason, klass=Class.PERMANENT, tries=1)


def _content(outcome: Outcome, reason: str) -> Rule:
    return Rule(outcome=outcome, reason=reason, klass=Class.REDISCOVER, tries=1)


def _ours(outcome: Outcome, reason: str, tries: int) -> Rule:
    return Rule(outcome=outcome, reason=reason, klass=Class.TRANSIENT, delays=_SCHEDULE, tries=tries)


_LOCAL = Rule(outcome=Outcome.INTERNAL_ERROR, reason="unclassified", klass=Class.LOCAL, delays=(_LOCAL_SECONDS,))

# The row of an error is that of its class, else of the nearest class above it.
RULES: Mapping[type[BaseException], Rule] = {
    # name and connection
    errors.NameNotFound: _missing("no_such_host", 2),
    errors.NameLookupFailed: _again("dns_failure"),
    errors.ConnectTimeout: _again("connect_timeout"),
    errors.ConnectionRefused: _again("connection_refused"),
    errors.ConnectionReset: _again("connection_reset"),
    errors.EmptyReply: _again("empty_reply"),
    # the transfer
    errors.HeaderTimeout: _again("header_timeout"),
    errors.Stalled: _again("stalled"),
    errors.TooSlow: _again("too_slow"),
    errors.DeadlineExceeded: _again("deadline"),
    errors.Http2Error: _again("http2_error", None, "http1"),
    errors.ProtocolError: _again("protocol_error", 3),
    errors.RangeMismatch: _again("range_mismatch", 2),
    errors.BodyCut: Rule(
        outcome=Outcome.INCOMPLETE, reason="truncated", klass=Class.TRANSIENT, delays=_SCHEDULE, tries=3
    ),
    errors.DecodingError: _alternate(Outcome.UNREACHABLE, "decoding_error", "identity"),
    errors.BadRedirect: _alternate(Outcome.UNREACHABLE, "bad_redirect", "browser_headers"),
    # TLS
    errors.TlsHandshake: _alternate(Outcome.UNREACHABLE, "tls_handshake", "legacy_tls"),
    errors.NoTls: _alternate(Outcome.UNREACHABLE, "tls_handshake"),  # old TLS is none either
    errors.TlsUntrusted: _alternate(Outcome.UNREACHABLE, "tls_untrusted", "intermediates"),
    errors.TlsExpired: _again("tls_expired", 3, delays=(_DAY,)),
    # HTTP
    errors.NotFound: _missing("not_found", 2),
    errors.Gone: _missing("gone", 1),
    errors.UnavailableForLegalReasons: _missing("legal", 1),
    errors.AuthRequired: _never(Outcome.BLOCKED, "auth_required"),
    errors.Forbidden: _alternate(Outcome.BLOCKED, "forbidden", *_BROWSER),
    errors.NotAcceptable: _alternate(Outcome.BLOCKED, "not_acceptable", *_BROWSER),
    errors.ChallengePage: _alternate(Outcome.BLOCKED, "challenge_page", *_BROWSER),
    errors.RateLimited: _wait("rate_limited"),
    errors.Unavailable: _wait("unavailable"),
    errors.BadRequest: _alternate(Outcome.UNREACHABLE, "bad_request", "http1"),
    errors.ServerError: _again("server_error"),
    errors.NoContent: _again("no_content", 2),
    # never worth another try
    errors.BadUrl: _never(Outcome.GONE, "bad_url"),
    errors.ForbiddenScheme: _never(Outcome.UNSAFE, "forbidden_scheme"),
    errors.ForbiddenAddress: _never(Outcome.UNSAFE, "forbidden_address"),
    errors.FileTooLarge: _never(Outcome.TOO_LARGE, "file_size"),
    # the content; the error's own reason counts where its outcome has it
    errors.NotAPriceFile: _content(Outcome.NOT_A_PRICE_FILE, "document"),
    errors.NoPriceTable: _never(Outcome.NO_PRICE_TABLE, "no_header"),
    errors.Unparseable: _never(Outcome.UNPARSEABLE, "broken_structure"),
    errors.CutShort: Rule(
        outcome=Outcome.INCOMPLETE, reason="truncated", klass=Class.TRANSIENT, delays=_SCHEDULE, tries=3
    ),
    errors.Bomb: _never(Outcome.UNSAFE, "bomb"),
    errors.Encrypted: _never(Outcome.UNSAFE, "encrypted"),
    errors.ForbiddenDtd: _never(Outcome.UNSAFE, "dtd"),
    errors.TooDeep: _never(Outcome.TOO_LARGE, "too_deep"),
    errors.TooManyMembers: _never(Outcome.TOO_LARGE, "too_many_members"),
    errors.UnpackedTooLarge: _never(Outcome.TOO_LARGE, "unpacked_size"),
    # this machine
    errors.LocalFault: _LOCAL,
    errors.DiskFull: _LOCAL,
    errors.StorageFault: _LOCAL,
    errors.DatabaseFault: _LOCAL,
    errors.ShuttingDown: _LOCAL,
    errors.HostRests: _LOCAL,
    asyncio.CancelledError: _LOCAL,
    KeyboardInterrupt: _LOCAL,
    SystemExit: _LOCAL,
    # our own work
    errors.OutOfMemory: _ours(Outcome.RESOURCES, "memory", 2),
    errors.OutOfTime: _ours(Outcome.RESOURCES, "time", 2),
    errors.ChildCrashed: _ours(Outcome.INTERNAL_ERROR, "crashed", 3),
    errors.NotReconciled: _never(Outcome.INTERNAL_ERROR, "not_reconciled"),
    errors.UsageError: _never(Outcome.INTERNAL_ERROR, "unclassified"),
    # nobody's
    errors.LeaseLost: _never(Outcome.CANCELLED, "superseded"),
    errors.JobCancelled: _never(Outcome.CANCELLED, "operator"),
    errors.FileRemoved: _never(Outcome.CANCELLED, "file_removed"),
    # whatever nobody has classified yet
    BaseException: _ours(Outcome.INTERNAL_ERROR, "unclassified", 3),
}
_INTERNAL_SERVER_ERROR = _again("server_error", 4)  # 500 is rarely mended by waiting
_CUT_AS_PUBLISHED = _never(Outcome.INCOMPLETE, "suspect_truncated")  # all that was announced came, and it is cut
_DISK = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE))

# When an address that ended so is asked again without being told to.
_REPROBE_SECONDS: Mapping[Outcome, float] = {
    Outcome.GONE: 7 * _DAY,
    Outcome.BLOCKED: _DAY,
    Outcome.NOT_A_PRICE_FILE: _DAY,
    Outcome.UNREACHABLE: 7 * _DAY,
    Outcome.INCOMPLETE: _DAY,
}


def decide(error: BaseException, history: History | None = None, policy: Policy | None = None) -> Verdict:
    """What to do about `error`, raised by a job with this history (the failure it is now not counted). Pure."""
    history, policy = history or History(), policy or Policy()
    rule = rule_for(error)
    reason = _reason(error, rule)
    verdict = Verdict(outcome=rule.outcome, reason=reason, klass=rule.klass)
    if rule.klass is Class.LOCAL:
        rests_seconds = error.seconds * policy.jitter() if isinstance(error, errors.HostRests) else 0.0
        return replace(verdict, delay_seconds=max(rests_seconds, _LOCAL_SECONDS * policy.scale))
    alternate = _next_alternate(rule, reason, history, policy)
    if history.failures + 1 >= policy.max_attempts:
        return verdict
    if alternate is not None:
        seconds = _ALTERNATE_SECONDS * policy.scale
        return replace(verdict, klass=Class.ALTERNATE, delay_seconds=seconds, alternate=alternate)
    if rule.tries is not None and history.same(reason) + 1 >= rule.tries:
        return verdict
    return replace(verdict, delay_seconds=_delay(error, rule, reason, history, policy))


def rule_for(error: BaseException) -> Rule:
    """The most specific row for an error."""
    if isinstance(error, errors.HttpError) and error.status == 500:
        return _INTERNAL_SERVER_ERROR
    if isinstance(error, errors.CutShort) and error.reason == _CUT_AS_PUBLISHED.reason:
        return _CUT_AS_PUBLISHED
    if isinstance(error, OSError) and error.errno in _DISK:
        return _LOCAL
    return next(RULES[kind] for kind in type(error).__mro__ if kind in RULES)


def reprobe_seconds(outcome: Outcome) -> float | None:
    """After how long an address that ended this way is asked again by itself; None: when a scan or somebody says so."""
    return _REPROBE_SECONDS.get(outcome)


def _reason(error: BaseException, rule: Rule) -> str:
    own = error.reason if isinstance(error, errors.ContentError) else ""
    return own if own and is_reason(rule.outcome, own) else rule.reason


def _next_alternate(rule: Rule, reason: str, history: History, policy: Policy) -> str | None:
    """The first way of asking that we have and have not tried; a fault that may pass by itself is given one chance."""
    if rule.klass is Class.TRANSIENT and history.same(reason) == 0:
        return None
    return next((way for way in rule.alternates if way in policy.alternates and way not in history.alternates), None)


def _delay(error: BaseException, rule: Rule, reason: str, history: History, policy: Policy) -> float:
    before = history.failures if rule.delays is _SCHEDULE else history.same(reason)
    ours = rule.delays[min(before, len(rule.delays) - 1)] * policy.scale
    if rule.klass not in (Class.WAIT, Class.REDISCOVER):
        return ours * policy.jitter()
    ours *= max(1.0, policy.jitter())  # an overloaded server is never asked early, nor is a missing name called gone
    said = error.retry_after_seconds if isinstance(error, errors.HttpError) else None
    if said is None:
        return ours
    least, most = SERVER_WAIT_SECONDS
    theirs = min(max(said, least), most)
    return theirs if history.same(reason) < _SERVER_BELIEVED else max(theirs, ours)
