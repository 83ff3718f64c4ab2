import asyncio
import errno
from collections.abc import Iterator

import pytest

from glimmr import errors, outcomes
from glimmr.errors import GlimmrError, HttpError
from glimmr.outcomes import Outcome
from glimmr.retry import RULES, Class, History, Policy, Verdict, decide, reprobe_seconds

STEADY = Policy(jitter=lambda: 1.0)


def leaves(kind: type[GlimmrError] = GlimmrError) -> Iterator[type[GlimmrError]]:
    below = kind.__subclasses__()
    if not below and kind.__module__ == errors.__name__:
        yield kind
    for one in below:
        yield from leaves(one)


def course(error: BaseException, policy: Policy = STEADY) -> tuple[list[float], Verdict]:
    """Every delay until it is given up, when the same error comes each time, and how it ends."""
    delays, reasons = list[float](), tuple[str, ...]()
    while True:
        verdict = decide(error, History(failures=len(reasons), reasons=reasons), policy)
        if verdict.delay_seconds is None:
            return delays, verdict
        assert len(delays) < 50, "it never ends"
        delays.append(verdict.delay_seconds)
        reasons += (verdict.reason,)


@pytest.mark.parametrize("kind", sorted(leaves(), key=lambda kind: kind.__name__))
def test_every_error_has_a_row_of_its_own(kind: type[GlimmrError]) -> None:
    assert kind in RULES


@pytest.mark.parametrize("kind", RULES)
def test_every_row_ends_in_an_outcome_with_a_reason_of_the_closed_list(kind: type[BaseException]) -> None:
    rule = RULES[kind]
    assert outcomes.is_reason(rule.outcome, rule.reason)


@pytest.mark.parametrize("kind", [kind for kind, rule in RULES.items() if rule.klass is not Class.LOCAL])
def test_every_error_is_given_up_in_the_end(kind: type[BaseException]) -> None:
    delays, verdict = course(kind())
    assert all(delay > 0 for delay in delays)
    assert outcomes.is_reason(verdict.outcome, verdict.reason)


M, H, D = 60.0, 3600.0, 86400.0
T = [30.0, 2 * M, 8 * M, 30 * M, 2 * H, 6 * H, *[D] * 7]  # 13 more tries, then it is given up
WAITS = {503: "unavailable", 429: "rate_limited"}

# RELIABILITY.md §4, row by row: error, delays until it is given up, outcome, reason
ROWS: list[tuple[BaseException, list[float], Outcome, str]] = [
    (errors.ConnectTimeout(), T, Outcome.UNREACHABLE, "connect_timeout"),
    (errors.ConnectionRefused(), T, Outcome.UNREACHABLE, "connection_refused"),
    (errors.NameLookupFailed(), T, Outcome.UNREACHABLE, "dns_failure"),
    (errors.NameNotFound(), [10 * M], Outcome.GONE, "no_such_host"),
    (errors.ConnectionReset(), T, Outcome.UNREACHABLE, "connection_reset"),
    (errors.EmptyReply(), T, Outcome.UNREACHABLE, "empty_reply"),
    (errors.Http2Error(), T, Outcome.UNREACHABLE, "http2_error"),
    (errors.HeaderTimeout(), T, Outcome.UNREACHABLE, "header_timeout"),
    (errors.Stalled(), T, Outcome.UNREACHABLE, "stalled"),
    (errors.TooSlow(), T, Outcome.UNREACHABLE, "too_slow"),
    (errors.DeadlineExceeded(), T, Outcome.UNREACHABLE, "deadline"),
    (errors.RangeMismatch(), T[:1], Outcome.UNREACHABLE, "range_mismatch"),
    (errors.BodyCut(), T[:2], Outcome.INCOMPLETE, "truncated"),
    (errors.CutShort(), T[:2], Outcome.INCOMPLETE, "truncated"),
    (errors.CutShort(reason="suspect_truncated"), T[:2], Outcome.INCOMPLETE, "suspect_truncated"),
    (errors.ServerError(status=408), T, Outcome.UNREACHABLE, "server_error"),
    (errors.ServerError(status=502), T, Outcome.UNREACHABLE, "server_error"),
    (errors.ServerError(status=500), T[:3], Outcome.UNREACHABLE, "server_error"),
    (errors.Unavailable(status=503), T, Outcome.UNREACHABLE, "unavailable"),
    (errors.RateLimited(status=429), T, Outcome.UNREACHABLE, "rate_limited"),
    (errors.BadRedirect(), [], Outcome.UNREACHABLE, "bad_redirect"),
    (errors.BadRequest(status=400), [], Outcome.UNREACHABLE, "bad_request"),
    (errors.AuthRequired(status=401), [], Outcome.BLOCKED, "auth_required"),
    (errors.Forbidden(status=403), [], Outcome.BLOCKED, "forbidden"),
    (errors.NotAcceptable(status=406), [], Outcome.BLOCKED, "not_acceptable"),
    (errors.ChallengePage(status=202), [], Outcome.BLOCKED, "challenge_page"),
    (errors.NotFound(status=404), [10 * M], Outcome.GONE, "not_found"),
    (errors.Gone(status=410), [], Outcome.GONE, "gone"),
    (errors.UnavailableForLegalReasons(status=451), [], Outcome.GONE, "legal"),
    (errors.NotAPriceFile(reason="html"), [], Outcome.NOT_A_PRICE_FILE, "html"),
    (errors.NotAPriceFile(reason="made up"), [], Outcome.NOT_A_PRICE_FILE, "document"),
    (errors.NoContent(status=204), T[:1], Outcome.UNREACHABLE, "no_content"),
    (errors.TlsHandshake(), [], Outcome.UNREACHABLE, "tls_handshake"),
    (errors.TlsUntrusted(), [], Outcome.UNREACHABLE, "tls_untrusted"),
    (errors.TlsExpired(), [D, D], Outcome.UNREACHABLE, "tls_expired"),
    (errors.BadUrl(), [], Outcome.GONE, "bad_url"),
    (errors.ForbiddenScheme(), [], Outcome.UNSAFE, "forbidden_scheme"),
    (errors.ForbiddenAddress(), [], Outcome.UNSAFE, "forbidden_address"),
    (errors.FileTooLarge(), [], Outcome.TOO_LARGE, "file_size"),
    (errors.ProtocolError(), T[:2], Outcome.UNREACHABLE, "protocol_error"),
    (errors.DecodingError(), [], Outcome.UNREACHABLE, "decoding_error"),
    (errors.Unparseable(reason="unknown_format"), [], Outcome.UNPARSEABLE, "unknown_format"),
    (errors.Bomb(), [], Outcome.UNSAFE, "bomb"),
    (errors.OutOfMemory(), T[:1], Outcome.RESOURCES, "memory"),
    (errors.OutOfTime(), T[:1], Outcome.RESOURCES, "time"),
    (errors.ChildCrashed(), T[:2], Outcome.INTERNAL_ERROR, "crashed"),
    (errors.NotReconciled(), [], Outcome.INTERNAL_ERROR, "not_reconciled"),
    (errors.JobCancelled(), [], Outcome.CANCELLED, "operator"),
    (errors.FileRemoved(), [], Outcome.CANCELLED, "file_removed"),
    (errors.LeaseLost(), [], Outcome.CANCELLED, "superseded"),
    (ValueError("never seen"), T[:2], Outcome.INTERNAL_ERROR, "unclassified"),
    (errors.FetchError("never seen"), T[:2], Outcome.INTERNAL_ERROR, "unclassified"),
    (ConnectionError("never seen"), T[:2], Outcome.INTERNAL_ERROR, "unclassified"),
]


@pytest.mark.parametrize(
    ("error", "delays", "outcome", "reason"), ROWS, ids=lambda value: getattr(value, "name", repr(value))
)
def test_each_row_of_the_taxonomy(error: BaseException, delays: list[float], outcome: Outcome, reason: str) -> None:
    got, verdict = course(error)
    assert got == delays
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


LOCAL = [
    errors.DiskFull(), errors.StorageFault(), errors.DatabaseFault(), errors.ShuttingDown(), asyncio.CancelledError(),
    *(OSError(code, "broken") for code in (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT)),
]  # fmt: skip


@pytest.mark.parametrize("error", LOCAL, ids=repr)
def test_a_fault_of_this_machine_never_ends_a_job(error: BaseException) -> None:
    verdict = decide(error, History(failures=10_000))
    assert verdict.klass is Class.LOCAL
    assert verdict.delay_seconds is not None
    assert 0 < verdict.delay_seconds <= 30


def test_an_unknown_kind_of_a_known_error_takes_the_row_above_it() -> None:
    class Odd(errors.Stalled):
        pass

    class NewLocal(errors.LocalFault):
        pass

    assert decide(Odd()).reason == "stalled"
    assert decide(NewLocal()).klass is Class.LOCAL


# ── what the server says ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [errors.RateLimited, errors.Unavailable])
@pytest.mark.parametrize(("said", "waited"), [(0.0, 5.0), (1.0, 5.0), (120.0, 120.0), (10 * D, 6 * H)])
def test_retry_after_is_kept_within_bounds_and_not_scaled(kind: type[HttpError], said: float, waited: float) -> None:
    hurried = Policy(scale=0.001, jitter=lambda: 0.8)
    assert decide(kind(retry_after_seconds=said), policy=hurried).delay_seconds == waited


def test_a_server_that_keeps_saying_soon_is_not_believed_for_ever() -> None:
    delays, verdict = course(errors.Unavailable(status=503, retry_after_seconds=1))
    assert delays[:3] == [5.0, 5.0, 5.0]
    assert delays[3:] == T[3:]
    assert verdict.outcome is Outcome.UNREACHABLE


def test_an_overloaded_server_is_never_asked_before_thirty_seconds() -> None:
    early = Policy(jitter=lambda: 0.8)
    assert decide(errors.Unavailable(status=503), policy=early).delay_seconds == 30.0


# ── policy and history ───────────────────────────────────────────────────────────────────────────────────────────


def test_delays_are_scaled_and_jittered() -> None:
    assert decide(errors.Stalled(), policy=Policy(scale=0.1, jitter=lambda: 1.2)).delay_seconds == pytest.approx(3.6)
    for _ in range(100):
        delay = decide(errors.Stalled()).delay_seconds
        assert delay is not None
        assert 24 <= delay <= 36


def test_the_most_attempts_of_the_policy_hold() -> None:
    few = Policy(max_attempts=3, jitter=lambda: 1.0)
    assert course(errors.Stalled(), few)[0] == T[:2]
    assert course(errors.Unavailable(retry_after_seconds=9), few)[0] == [9.0, 9.0]


def test_limits_of_a_row_count_the_same_reason_only() -> None:
    mixed = History(failures=3, reasons=("stalled", "protocol_error", "stalled"))
    assert decide(errors.ProtocolError(), mixed, STEADY).delay_seconds == 30 * M
    assert decide(errors.ProtocolError(), History(failures=3), STEADY).delay_seconds is None


def test_other_ways_of_asking_are_tried_once_each_in_order() -> None:
    able = Policy(alternates=frozenset(("browser_headers", "browser_agent")))
    error, tried = errors.Forbidden(status=403), tuple[str, ...]()
    for way in ("browser_headers", "browser_agent"):
        verdict = decide(
            error, History(failures=len(tried), reasons=("forbidden",) * len(tried), alternates=tried), able
        )
        assert (verdict.alternate, verdict.klass) == (way, Class.ALTERNATE)
        assert verdict.delay_seconds is not None
        tried += (way,)
    last = decide(error, History(failures=2, reasons=("forbidden",) * 2, alternates=tried), able)
    assert (last.outcome, last.delay_seconds, last.alternate) == (Outcome.BLOCKED, None, None)


def test_http_1_is_tried_after_the_second_http_2_error() -> None:
    able = Policy(alternates=frozenset(("http1",)))
    assert decide(errors.Http2Error(), policy=able).alternate is None
    assert decide(errors.Http2Error(), History(failures=1, reasons=("http2_error",)), able).alternate == "http1"


def test_missing_files_are_looked_for_again_and_not_asked_again_inline() -> None:
    for error in (errors.NotFound(), errors.Gone(), errors.UnavailableForLegalReasons(), errors.NameNotFound()):
        assert decide(error).klass is Class.REDISCOVER


def test_addresses_are_probed_again_by_what_they_ended_as() -> None:
    assert reprobe_seconds(Outcome.GONE) == 7 * D
    assert reprobe_seconds(Outcome.BLOCKED) == D
    assert reprobe_seconds(Outcome.OK) is None
    assert reprobe_seconds(Outcome.UNSAFE) is None
