"""When a host is left alone, and for how long; no clock but the one given."""

import pytest

from glimmr import errors
from glimmr.errors import FetchError, HostRests
from glimmr.model import Standing
from glimmr.net import breaker, hosts
from glimmr.net.breaker import GOOD, after_failure, after_wait, may_ask
from glimmr.net.politeness import LocalPoliteness
from glimmr.retry import Class, decide


def failed(times: int, standing: Standing = GOOD, *, at: float = 1000.0, every: float = 1.0) -> Standing:
    for n in range(times):
        standing = after_failure(standing, at + n * every)
    return standing


def test_five_failures_in_a_minute_send_a_host_to_rest_for_half_a_minute() -> None:
    assert not failed(4).is_open
    standing = failed(5)
    assert standing.is_open
    assert may_ask(standing, 1004.0)[0] == 30.0


def test_failures_with_long_pauses_between_them_are_no_outage() -> None:
    assert not failed(20, every=40.0).is_open


def test_one_probe_is_let_through_after_the_rest_and_nobody_else_meanwhile() -> None:
    wait, probing = may_ask(failed(5), 1034.0)
    assert wait == 0
    assert may_ask(probing, 1035.0)[0] == 29.0


def test_each_failed_probe_doubles_the_rest_up_to_ten_minutes() -> None:
    standing, now, rests = failed(5), 1004.0, list[float]()
    for _ in range(8):
        rests.append(may_ask(standing, now)[0])
        now += rests[-1]
        _, probing = may_ask(standing, now)
        standing = after_failure(probing, now)
    assert rests == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0, 600.0]


def test_what_was_under_way_when_it_was_sent_to_rest_does_not_prolong_it() -> None:
    standing = failed(5)
    assert after_failure(standing, 1005.0) == standing


def test_a_probe_that_never_comes_back_lets_another_through_later() -> None:
    _, probing = may_ask(failed(5), 1034.0)
    assert may_ask(probing, 1064.0)[0] == 0


def test_a_host_that_says_how_long_is_left_alone_for_just_so_long() -> None:
    standing = after_wait(GOOD, 1000.0, 120.0)
    assert may_ask(standing, 1000.0)[0] == 120.0
    assert may_ask(standing, 1120.0)[0] == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(hosts.time, "time", lambda: now[0])
    return now


def known() -> hosts.Hosts:
    return hosts.Hosts(LocalPoliteness(2))


@pytest.mark.parametrize(
    "error", [errors.ConnectTimeout(), errors.ServerError(status=502), errors.RateLimited(status=429)]
)
def test_what_says_that_a_host_is_ill_counts(error: FetchError, clock: list[float]) -> None:
    told = known()
    for _ in range(5):
        told.check("h")
        told.failed("h", error)
    with pytest.raises(HostRests, match="left alone") as rests:
        told.check("h")
    verdict = decide(rests.value)
    assert verdict.klass is Class.LOCAL  # nobody is charged
    assert verdict.delay_seconds is not None
    assert verdict.delay_seconds >= 0.8 * 30
    told.check("other")
    clock[0] += 30
    told.check("h")
    with pytest.raises(HostRests):
        told.check("h")
    told.answered("h")
    told.check("h")


@pytest.mark.parametrize("error", [errors.NotFound(status=404), errors.TlsUntrusted(), errors.BodyCut()])
def test_what_is_about_one_file_says_nothing_about_its_host(error: FetchError, clock: list[float]) -> None:
    told = known()
    for _ in range(20):
        told.failed("h", error)
    told.check("h")


def test_a_retry_after_holds_for_the_whole_host_within_reason(clock: list[float]) -> None:
    told = known()
    told.failed("h", errors.RateLimited(status=429, retry_after_seconds=10 * 86_400))
    with pytest.raises(HostRests) as rests:
        told.check("h")
    assert rests.value.seconds == 6 * 3600


def test_the_scale_of_tests_shortens_a_rest() -> None:
    standing = GOOD
    for _ in range(5):
        standing = breaker.after_failure(standing, 1000.0, scale=0.01)
    assert may_ask(standing, 1000.0)[0] == pytest.approx(0.3)
