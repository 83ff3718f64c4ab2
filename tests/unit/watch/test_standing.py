from datetime import date
from typing import Any

import pytest

from glimmr.outcomes import MEANINGS, Outcome
from glimmr.watch.standing import NOBODY_KNOWS, age_days, is_fresh, standing, stands, usable, why


def _address(**more: Any) -> dict[str, Any]:
    untouched = {
        "believed": True,
        "verified_by": None,
        "current_file_id": None,
        "moved_to": None,
        "gave_way": False,
        "was_named": True,
        "is_named": True,
        "outcome": None,
        "reason": None,
        "last_updated_on": None,
    }
    return untouched | more


_CURRENT = {"current_file_id": "a" * 64, "outcome": "ok"}


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({}, "waiting"),
        (_CURRENT, "prices"),
        (_CURRENT | {"outcome": "blocked"}, "prices"),
        (_CURRENT | {"believed": False}, "unproven"),
        (_CURRENT | {"believed": False, "verified_by": "a" * 64}, "other_hospital"),
        ({"outcome": "gone"}, "gone"),
        ({"outcome": "gone", "moved_to": "b"}, "moved"),
        (_CURRENT | {"moved_to": "b"}, "prices"),
        (_CURRENT | {"moved_to": "b", "gave_way": True, "believed": False, "verified_by": "a" * 64}, "moved"),
        ({"outcome": "gone", "is_named": False}, "unlisted"),
        ({"outcome": "gone", "is_named": False, "was_named": False}, "gone"),
        ({"outcome": "unchanged"}, "not_published"),
    ],
)
def test_how_an_address_stands_is_one_word_and_a_sentence(facts: dict[str, Any], word: str) -> None:
    assert standing(_address(**facts)) == word
    assert why(_address(**facts))


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.OK, Outcome.UNCHANGED}))
def test_an_address_without_prices_stands_by_its_outcome_in_the_words_of_the_closed_list(outcome: Outcome) -> None:
    address = _address(outcome=outcome.value)
    assert (standing(address), why(address)) == (outcome.value, MEANINGS[outcome].text)


def test_a_bad_last_answer_of_a_current_address_is_told() -> None:
    assert why(_address(**_CURRENT | {"outcome": "blocked", "reason": "forbidden"})).endswith("blocked forbidden")


def test_a_hospital_stands_by_its_best_address_the_newest_of_those_with_prices() -> None:
    old, new = (_address(**_CURRENT, last_updated_on=day) for day in ("2024-05-01", "2026-01-31"))
    gone = _address(outcome="gone")
    assert stands([gone, old, new]) == ("prices", new)
    assert stands([gone, _address()])[0] == "waiting"
    assert stands([gone]) == ("gone", gone)


def test_an_address_that_is_ruled_out_counts_as_none() -> None:
    out = [_address(moved_to="b"), _address(is_named=False), _address(believed=False, verified_by="a" * 64)]
    assert stands(out) == stands([]) == (NOBODY_KNOWS, None)
    assert usable(out) == 0
    assert usable([*out, _address()]) == 1


def test_a_file_is_fresh_for_a_year_by_its_own_date() -> None:
    today = date(2026, 11, 28)
    assert is_fresh("2025-11-29", today)
    assert not is_fresh("2025-11-28", today)
    assert not is_fresh(None, today)
    assert age_days("last May", today) is None
