"""The little language of faults."""

import pytest

from glimmr.world.scripts import outcome_of, step_for, steps_of


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


@pytest.mark.parametrize("script", ["", "okay", "reset@", "503**2", "ok;404", "@50%"])
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
