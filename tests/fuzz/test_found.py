"""What bending papers has found, each as small as it could be made."""

import json

import pytest

from .mutations import SEEDS, zipped
from .test_fuzz import USUAL, ends_well


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_an_archive_inside_an_archive_that_lacks_a_byte_ends_in_a_typed_outcome(share: float) -> None:
    """Its directory then points before its beginning."""
    inner = zipped({"a.csv": SEEDS["tall csv"][0]})
    at = int(share * len(inner))
    ends_well(zipped({"a.zip": inner[:at] + inner[at + 1 :]}))


def test_elements_named_like_those_around_them_end_in_a_typed_outcome() -> None:
    ends_well(
        b"<rows><Price><Price><Description/></Price><Price><row>0</row></Price><Price>0</Price>"
        b"<Description><Price>0</Price></Description><Description/></Price></rows>"
    )


@pytest.mark.parametrize("kind", ["csv", "cms csv", "json"])
def test_a_very_long_column_name_takes_no_longer_than_its_bytes(kind: str) -> None:
    name = "x" * 300_000
    rows = [{"Description": f"Gauze {n}", name: 1, "Gross Charge": 2.5} for n in range(5)]
    papers = {
        "csv": f"Description,{name},Gross Charge\n" + "Gauze,1,2.50\n" * 5,
        "cms csv": f"description,code|1,{name},standard_charge|gross\n" + "Gauze,A6216,1,2.50\n" * 5,
        "json": json.dumps(rows),
    }
    ends_well(papers[kind].encode(), USUAL)


def test_a_column_name_of_very_many_words_without_blanks_ends_in_a_typed_outcome() -> None:
    ends_well(f"Description,{'charge' * 2000},Price\n".encode() + b"Gauze,1,2.50\n" * 5)


@pytest.mark.parametrize(
    "text",
    [
        '{"hospital_name": "A", "version": "3.0.0", "location_name": ["\\ud800"], "standard_charge_information": []}',
        '{"\\ud800": [{"description": "x", "code": "99213", "gross_charge": 5.0, "a": 3.0, "\\ud801 b": 2.0}]}',
    ],
    ids=["in the header", "in the name of a list"],
)
def test_half_a_surrogate_pair_ends_in_a_typed_outcome(text: str) -> None:
    """JSON may hold one, no database or file of ours can."""
    ends_well(text.encode())
