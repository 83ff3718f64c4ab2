import asyncio
import errno

import pytest

from glimmr import errors, outcomes
from glimmr.errors import GlimmrError, HttpError
from glimmr.outcomes import Outcome
from glimmr.retry import RULES, Class, History, Policy, decide, reprobe_seconds
from tests.unit.courses import SCHEDULE, STEADY, D, H, M, course, leaves


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
    assert delays[3:] == SCHEDULE[3:]
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
    assert course(errors.Stalled(), few)[0] == SCHEDULE[:2]
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
