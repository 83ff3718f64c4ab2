import pytest

from glimmr.errors import UsageError
from glimmr.places import PLACES
from glimmr.scan.identity import clean_ccn, is_name
from glimmr.scan.places import place_code


def test_there_are_59_places() -> None:
    assert len(PLACES) == 59
    assert {"DC", "AS", "GU", "MP", "PR", "VI", "FM", "MH", "PW"} <= set(PLACES)


@pytest.mark.parametrize(("text", "code"), [("vt", "VT"), (" Vermont ", "VT"), ("puerto  rico", "PR"), ("DC", "DC")])
def test_codes_and_names_are_accepted(text: str, code: str) -> None:
    assert place_code(text) == code


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(UsageError, match="did you mean MA"):
        place_code("Massachusets")


@pytest.mark.parametrize(
    ("text", "ccn"),
    [
        ("470001", "470001"),
        ("10001", "010001"),
        ("47001F", "47001F"),
        ("470001.0", "470001"),
        ("47-0001", "470001"),
        ("'010001", "010001"),
        ("-", None),
        ("", None),
        ("abc", None),
    ],
)
def test_a_ccn_is_six_characters_and_may_hold_a_letter(text: str, ccn: str | None) -> None:
    assert clean_ccn(text) == ccn


@pytest.mark.parametrize(("text", "usable"), [("St. Mary", True), ("N/A", False), ("---", False), ("", False)])
def test_a_placeholder_is_no_name(text: str, usable: bool) -> None:
    assert is_name(text) is usable
