import time

import pytest

from glimmr.scan.names import name_words, state_in, street, zip_code


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ST MARY'S HOSP & MED CTR", "Saint Marys Hospital and Medical Center"),
        ("THE JOHNS HOPKINS HOSPITAL, INC.", "Johns Hopkins Hospital"),
        ("St. Luke\u2019s Mem Hosp", "ST LUKES MEMORIAL HOSPITAL"),
        ("P H S INDIAN HOSPITAL", "PHS Indian Hosp"),
        ("Mt Sinai Health Care", "MOUNT SINAI HEALTHCARE"),
        ("Garfield Co. Public Hosp. Dist.", "GARFIELD COUNTY PUBLIC HOSPITAL DISTRICT"),
        ("Hôpital São José", "HOPITAL SAO JOSE"),
        ("LAKE CHELAN COMMUNITY HOSPITAL - CAH", "Lake Chelan Community Hospital"),
        ("North West Texas Univ. Hlth Sys", "Northwest Texas University Health System"),
    ],
)
def test_spellings_of_one_name_are_equal(one: str, other: str) -> None:
    assert name_words(one) == name_words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1108 ROSS CLARK CIRCLE", "1108 Ross Clark Cir., Dothan, AL 36301"),
        ("2505 U S HIGHWAY 431 NORTH", "2505 US Hwy 431 N"),
        ("700 SOUTH 19TH STREET", "700 S. 19th St"),
        ("One Hospital Drive", "1 HOSPITAL DR SUITE 200"),
        ("215 Perry-Hill Road", "215 PERRYHILL RD"),
        ("100 Third Ave", "100 3RD AVENUE, BUILDING 4"),
    ],
)
def test_spellings_of_one_address_are_equal(one: str, other: str) -> None:
    assert street(one) == street(other) is not None


def test_other_houses_are_others() -> None:
    assert len({street(text) for text in ("1 A St", "2 A St", "1 B St", "11 A St")}) == 4
    assert street("PO Box 12, Barre, VT 05641") is None
    assert street("Main Street, Dothan, AL 36301") is None


@pytest.mark.parametrize(
    ("text", "state", "digits"),
    [
        ("130 Fisher Rd, Barre, VT 05641-1234", "VT", "05641"),
        ("130 Fisher Rd Barre vt 05641.", "VT", "05641"),
        ("1 A St, Agana, GU", "GU", None),
        ("12345 A St", None, None),
        ("", None, None),
    ],
)
def test_state_and_zip_stand_at_the_end(text: str, state: str | None, digits: str | None) -> None:
    found = state_in(text)
    assert (found if found != "ST" else None, zip_code(text)) == (state, digits)


def test_an_address_of_nothing_but_blanks_between_two_letters_and_one_costs_no_time() -> None:
    began = time.process_time()
    assert state_in("VT" + " " * 100_000 + "x") is None
    assert time.process_time() - began < 2
