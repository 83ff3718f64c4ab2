"""Every invariant looked at once; told as plain values, with what was done about each breach."""

from collections.abc import Callable, Sequence
from typing import Any

from glimmr.errors import LocalFault
from glimmr.jobs.invariant import Invariant, Violation, breaches

Cure = Callable[[Invariant, Violation], bool]
"""Repairs a breach; False: there was nothing to do any more."""


def examine(invariants: Sequence[Invariant], cure: Cure | None = None) -> list[dict[str, Any]]:
    """What each invariant says: its breaches, whether they are `repaired`, and the `fault` that kept it from looking.

    Without a cure nothing is changed.
    """
    return [_examined(invariant, cure) for invariant in invariants]


def remaining(examined: Sequence[dict[str, Any]]) -> int:
    """How many breaches are left, an invariant that could not be looked at counting as one."""
    left = sum(not one["repaired"] for told in examined for one in told["violations"])
    return left + sum(bool(told["fault"]) for told in examined)


def _examined(invariant: Invariant, cure: Cure | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "invariant": invariant.name,
        "text": invariant.text,
        "cure": invariant.cure,
        "fault": None,
        "violations": [],
    }
    try:
        for violation in breaches(invariant):
            told["violations"].append({"subject": violation.subject, "text": violation.text, "repaired": False})
            if cure is not None:
                told["violations"][-1] |= _treated(invariant, violation, cure)
    except LocalFault as fault:
        told["fault"] = str(fault)
    return told


def _treated(invariant: Invariant, violation: Violation, cure: Cure) -> dict[str, Any]:
    try:
        cure(invariant, violation)
    except LocalFault:
        raise
    except Exception as bug:  # noqa: BLE001 - a row that cannot be repaired must not hide those after it
        return {"repaired": False, "problem": repr(bug)}
    return {"repaired": True}
