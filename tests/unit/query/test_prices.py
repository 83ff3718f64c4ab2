"""What `glimmr prices` prints: amounts of a code, hospital by hospital, or why there is none."""

from decimal import Decimal
from pathlib import Path

import pytest

from glimmr.errors import UsageError
from glimmr.query import PriceTable, query
from glimmr.query.lookup import forms
from glimmr.stores.lake import Lake


def test_a_price_says_whose_it_is_and_where_it_stands(table: PriceTable) -> None:
    first = table.prices("99213", state="VT").rows[0]
    assert (first.hospital, first.ccn, first.city, first.state) == ("Hospital 470001", "470001", "Burlington", "VT")
    assert (first.code, first.code_type, first.description, first.setting) == (
        "99213",
        "CPT",
        "item 99213",
        "outpatient",
    )
    assert (first.kind, first.amount, first.payer, first.flags) == ("gross", Decimal("100.5"), None, ("header_alias",))
    assert (str(first.last_updated_on), first.source_pos, first.member) == ("2025-07-01", "R4", None)
    assert first.url is not None
    assert first.url.startswith("https://h.example/")


def test_every_amount_of_a_charge_and_its_rates_is_a_price(table: PriceTable) -> None:
    rows = table.prices("99213").rows
    assert [(p.hospital_id, p.kind, p.payer, p.amount, p.percentage) for p in rows] == [
        ("300001", "gross", None, Decimal("100.5"), None),
        ("300001", "negotiated", "Aetna", Decimal(90), None),
        ("300001", "estimated", "Aetna", Decimal("91.25"), None),
        ("470001", "gross", None, Decimal("100.5"), None),
        ("470001", "negotiated", "Aetna", Decimal(80), None),
        ("470001", "negotiated", "Cigna", None, Decimal("70.5")),
        ("470002", "gross", None, Decimal("100.5"), None),
        ("470002", "negotiated", "Aetna", Decimal(80), None),
        ("470002", "negotiated", "Cigna", None, Decimal("70.5")),
    ]
    assert (rows[5].plan, rows[5].source_pos, rows[5].flags) == (None, "R4C9", ("header_alias", "header_no_plan"))


def test_price_lists_that_are_not_current_do_not_answer(table: PriceTable) -> None:
    answer = table.prices("D0120")
    assert answer.rows == ()
    assert answer.why == ("D0120: unknown code: none of the 3 hospitals in the price table publishes it",)


@pytest.mark.parametrize("asked", ["x1", "X1", " x1 "])
def test_a_code_is_found_in_any_pair_in_any_case(table: PriceTable, asked: str) -> None:
    price = table.prices(asked).rows[0]
    assert (price.code, price.code_type, price.description) == ("x1", "CDM", "item 470")


def test_filters_narrow_the_answer(table: PriceTable) -> None:
    assert {p.state for p in table.prices("99213", state="nh").rows} == {"NH"}
    assert {p.payer for p in table.prices("99213", payer="cig").rows} == {"Cigna"}
    assert {p.hospital_id for p in table.prices("99213", setting="inpatient").rows} == {"300001"}


def test_a_miss_with_filters_says_how_many_hospitals_were_searched(table: PriceTable) -> None:
    answer = table.prices("470", "99213", state="NH")
    assert answer.why == (
        "470: 1 hospitals searched, none publishes it for state NH; without these filters 2 of all 3 publish it",
    )
    assert answer.hospitals_searched == 1
    assert len(answer.rows) == 3


def test_a_code_without_an_amount_says_so(table: PriceTable) -> None:
    assert table.prices("450").why == ("450: 2 of 3 hospitals publish it, but none with an amount",)


def test_an_empty_price_table_says_so(tmp_path: Path) -> None:
    with query(Lake(tmp_path / "none")) as table:
        answer = table.prices("99213")
    assert answer.why == ("99213: no price list is published yet; `glimmr run` brings them in",)


def test_the_limit_is_told(table: PriceTable) -> None:
    answer = table.prices("99213", "470", limit=4)
    assert (len(answer.rows), answer.more) == (4, True)
    answer = table.prices("99213", limit=9)
    assert (len(answer.rows), answer.more) == (9, False)


def test_nonsense_is_refused(table: PriceTable) -> None:
    with pytest.raises(UsageError, match="inpatient"):
        table.prices("99213", setting="ambulance")
    with pytest.raises(UsageError, match="at least one code"):
        table.prices(" ")
    with pytest.raises(UsageError, match="limit"):
        table.prices("99213", limit=0)


@pytest.mark.parametrize(
    ("code", "drg", "revenue", "ndc"),
    [
        ("99213", None, None, None),
        ("470", "470", "0470", None),
        ("3", "003", None, None),
        ("0450", None, "0450", None),
        ("00002-7510-01", None, None, "00002751001"),
        ("0002-7510-01", None, None, "00002751001"),
        ("50580-449-05", None, None, "50580044905"),
        ("50580-4490-5", None, None, "50580449005"),
        ("00002751001", None, None, "00002751001"),
    ],
)
def test_codes_are_normalised_as_the_columns_are(
    code: str, drg: str | None, revenue: str | None, ndc: str | None
) -> None:
    assert forms(code) == {"raw": code, "drg": drg, "revenue": revenue, "ndc": ndc}
