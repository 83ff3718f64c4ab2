"""What is said of jobs on the command line, before anything is done with it."""

from pathlib import Path
from typing import Any

import pytest

from glimmr.cli import control
from glimmr.errors import UsageError

_NOTHING: dict[str, Any] = dict.fromkeys(("step", "state", "outcome", "reason", "host"))


@pytest.mark.parametrize(
    ("ids", "everything", "equal"),
    [
        (None, False, {}),
        ([], False, {}),
        (None, True, {"step": "parse"}),
        ([1], False, {"step": "parse"}),
        ([1], True, {}),
    ],
)
def test_orders_nobody_can_have_meant_are_refused(ids: Any, *, everything: bool, equal: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="by their ids, or by conditions like --step and --outcome, or all of them"):
        control._meant(ids, everything, **_NOTHING | equal)


_NEAR = [("step", "parsing", "parse"), ("outcome", "gon", "gone"), ("reason", "stall", "stalled")]


@pytest.mark.parametrize(("name", "value", "near"), _NEAR)
def test_a_condition_that_no_job_can_meet_is_refused_with_the_near_miss(name: str, value: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} {value}: .* {near}"):
        control._meant(None, False, **_NOTHING | {name: value})


def test_a_step_that_is_none_cannot_be_paused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean download"):
        control.pause("downlaod", tmp_path)


def test_what_is_meant_is_ids_or_conditions_or_everything() -> None:
    assert control._meant([3, 4], False, **_NOTHING) == _NOTHING | {"ids": (3, 4)}
    assert control._meant(None, False, **_NOTHING | {"host": "a.test"}) == _NOTHING | {"ids": (), "host": "a.test"}
    assert control._meant(None, True, **_NOTHING) == _NOTHING | {"ids": ()}
