"""The little language of faults."""

import pytest

from glimmr.world.costs import Cost, cost_of
from glimmr.world.scripts import outcome_of, size_of, step_for, steps_of


def names(script: str, requests: int) -> list[str]:
    steps = steps_of(script)
    return [step_for(steps, request).name for request in range(requests)]


def test_steps_follow_each_other_and_the_last_one_stays() -> None:
    assert names("503*2, reset@50%, ok", 6) == ["503", "503", "reset", "ok", "ok", "ok"]
    assert names("404", 3) == ["404"] * 3


def test_the_number_of_a_redirect_says_how_many_hops_and_not_how_many_requests() -> None:
    assert names("redir*3, 404", 3) == ["redir", "404", "404"]
    assert steps_of("redir*3")[0].times == 3


def test_marks_are_read_in_any_order() -> None:
    step = steps_of("429*3(ra=1)")[0]
    assert (step.status, step.times, step.words) == (429, 3, {"ra": "1"})
    assert steps_of("reset@25%*2")[0].at == 0.25
    assert steps_of("reset*2@25%")[0].times == 2
    assert steps_of("len+10")[0].change == "+10"
    assert steps_of("len-50%")[0].change == "-50%"
    assert "Mozilla" in steps_of("ua(Mozilla)")[0].words


@pytest.mark.parametrize(
    "script", ["", "okay", "reset@", "503**2", "ok;404", "@50%", "size", "down", "down(2..3)", "ok=5B"]
)
def test_what_is_no_step_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="no such step"):
        steps_of(script)


def test_the_last_step_decides_the_outcome() -> None:
    assert outcome_of("503*2, ok") == ("ok", "")
    assert outcome_of("ok, 404") == ("gone", "not_found")
    assert outcome_of("reset@50%") == ("unreachable", "connection_reset")
    assert outcome_of("500") == ("unreachable", "server_error")
    assert outcome_of("html") == ("not_a_price_file", "html")
    assert outcome_of("cut@50%") == ("incomplete", "truncated")
    assert outcome_of("gz-as-csv") == ("ok", "")


def test_what_stands_beside_the_steps_answers_nothing() -> None:
    assert names("down(60s..120s), 503, ok", 3) == ["503", "ok", "ok"]
    assert names("size=2GiB", 2) == ["ok", "ok"]
    assert steps_of("down(60s..120s)")[0].span == (60.0, 120.0)
    assert size_of("size=2GiB, reset@50%, ok") == 2**31
    assert outcome_of("down(60s..120s)") == ("ok", "")
    assert outcome_of("down(0s..), ok") == ("unreachable", "connection_refused")


def test_words_add_to_what_a_step_does() -> None:
    step = steps_of("reset@50%(weak;deaf)")[0]
    assert (step.at, step.has("weak"), step.has("deaf"), step.has("reset"), step.has("bare")) == (
        0.5,
        True,
        True,
        True,
        False,
    )
    assert steps_of("drip(90000B/s)")[0].rate == 90_000
    assert outcome_of("drip(90000B/s)") == ("ok", "")
    assert outcome_of("drip(1B/s)") == ("unreachable", "too_slow")


@pytest.mark.parametrize(
    ("script", "least", "most", "most_bytes"),
    [
        ("ok", 1, 1, 111_024),
        ("503*2, ok", 3, 3, 113_072),
        ("reset@50%, ok", 2, 2, 112_048),
        ("reset@50%(weak), ok", 2, 2, 167_048),
        ("reset@40%", 1, 5, 115_120),
        ("404", 1, 2, 2_048),
        ("404, ok", 2, 2, 112_048),
        ("redir*3", 4, 4, 114_096),
        ("len+10", 1, 6, 336_144),
        ("down(0s..)", 0, 0, 0),
    ],
)
def test_the_cost_of_a_script_is_what_its_steps_take(script: str, least: int, most: int, most_bytes: int) -> None:
    assert cost_of(script, 100_000, 4) == Cost(least, most, most_bytes)
