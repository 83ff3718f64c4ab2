import pytest

from glimmr.errors import UsageError
from glimmr.places import PLACES
from glimmr.scan.identity import clean_ccn, clean_npi, clean_zip, is_name
from glimmr.scan.places import place_code


def test_there_are_59_places() -> None:
    assert len(PLACES) == 59
    assert {"DC", "AS", "GU", "MP", "PR", "VI", "FM", "MH", "PW"} <= set(PLACES)


@pytest.mark.parametrize(("text", "code"), [("vt", "VT"), (" Vermont ", "VT"), ("puerto  rico", "PR"), ("DC", "DC")])
def test_codes_and_names_are_accepted(text: str, code: str) -> None:
    assert place_code(text) == code


@pytest.mark.parametrize(("code", "name"), PLACES.items())
def test_each_place_is_known_by_code_and_name_however_it_is_written(code: str, name: str) -> None:
    for text in (code, code.lower(), ".".join(code) + ".", name, name.upper(), name.lower(), f"  {name}. "):
        assert place_code(text) == code
    for prefix in ("State of", "the", "Commonwealth of the"):
        assert place_code(f"{prefix} {name}") == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Washington DC", "DC"),
        ("Washington, D.C.", "DC"),
        ("Washington", "WA"),
        ("Washington State", "WA"),
        ("N.Y.", "NY"),
        ("n. dakota", "ND"),
        ("W Virginia", "WV"),
        ("U.S. Virgin Islands", "VI"),
        ("US Virgin Islands", "VI"),
        ("USVI", "VI"),
        ("CNMI", "MP"),
        ("Commonwealth of the Northern Mariana Islands", "MP"),
        ("Commonwealth of Puerto Rico", "PR"),
        ("Puerto\u00a0Rico", "PR"),
        ("Republic of Palau", "PW"),
        ("Republic of the Marshall Islands", "MH"),
        ("Micronesia", "FM"),
        ("Hawai\u02bbi", "HI"),
    ],
)
def test_what_people_also_call_a_place_is_accepted(text: str, code: str) -> None:
    assert place_code(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Massachusets", "MA"),
        ("Pensylvania", "PA"),
        ("New Yrok", "NY"),
        ("Porto Rico", "PR"),
        ("Marianas Islands", "MP"),
        ("VTT", "VT"),
        ("Washingtn DC", "DC"),
    ],
)
def test_a_near_miss_is_suggested(text: str, code: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {code}"):
        place_code(text)


@pytest.mark.parametrize("text", ["", "  ", "..", "ZZ", "NEEDS_REVIEW", "Ontario", "12"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"no state or territory is called {text!r}"):
        place_code(text)


@pytest.mark.parametrize(
    ("text", "ccn"),
    [
        ("470001", "470001"),
        ("10001", "010001"),
        ("47001F", "47001F"),
        ("470001.0", "470001"),
        ("47-0001", "470001"),
        ("'010001", "010001"),
        ('="010001"', "010001"),
        ("010001.00", "010001"),
        ("01 0001", "010001"),
        ("10,001", "010001"),
        ("1.0001E+04", "010001"),
        ("4,700,01", None),
        ("-", None),
        ("", None),
        ("abc", None),
    ],
)
def test_a_ccn_is_six_characters_and_may_hold_a_letter(text: str, ccn: str | None) -> None:
    assert clean_ccn(text) == ccn


@pytest.mark.parametrize(
    ("text", "npi"), [("1234567890", "1234567890"), (" 1234567890.0", "1234567890"), ("N/A", None), ("123", None)]
)
def test_an_npi_is_ten_digits(text: str, npi: str | None) -> None:
    assert clean_npi(text) == npi


@pytest.mark.parametrize(
    ("text", "zip_code"),
    [("5641", "05641"), ("00601", "00601"), ("056411234", "05641"), ("H3A 1A1", "H3A 1A1"), (" ", None)],
)
def test_a_zip_code_is_five_digits(text: str, zip_code: str | None) -> None:
    assert clean_zip(text) == zip_code


@pytest.mark.parametrize(("text", "usable"), [("St. Mary", True), ("N/A", False), ("---", False), ("", False)])
def test_a_placeholder_is_no_name(text: str, usable: bool) -> None:
    assert is_name(text) is usable
