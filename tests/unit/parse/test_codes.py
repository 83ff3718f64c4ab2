"""Codes are normalised for filters, and kept as published."""

import numpy as np
import pyarrow as pa
import pytest

from glimmr.parse.tables import codes
from glimmr.parse.tables.draft import Draft


@pytest.mark.parametrize(
    ("code", "normal"),
    [
        ("j0171", "J0171"),
        ("99213-25", "99213"),
        ("CPT® 99213", "99213"),
        (" 0394T ", "0394T"),
        ("9921", None),
        ("992130", None),
    ],
)
def test_a_hcpcs_or_cpt_code_is_five_upper_case_characters(code: str, normal: str | None) -> None:
    assert codes.hcpcs(code) == normal


@pytest.mark.parametrize(
    ("code", "normal"),
    [
        ("0008-0844-01", "00008084401"),
        ("68516-5216-8 [345150]", "68516521608"),
        ("12345-678-90", "12345067890"),
        ("12345678901", "12345678901"),
        ("1234567890", None),
        ("drug", None),
    ],
)
def test_an_ndc_is_eleven_digits_or_nothing(code: str, normal: str | None) -> None:
    assert codes.ndc(code) == normal


@pytest.mark.parametrize(
    ("code", "normal"), [("7", "007"), ("MSDRG-470", "470"), ("MS-DRG 23", "023"), ("0470", "470"), ("x", None)]
)
def test_a_drg_is_three_digits(code: str, normal: str | None) -> None:
    assert codes.drg(code) == normal


@pytest.mark.parametrize(("code", "normal"), [("360", "0360"), ("0360", "0360"), ("360.0", "0360"), ("36000", None)])
def test_a_revenue_code_is_four_digits(code: str, normal: str | None) -> None:
    assert codes.revenue(code) == normal


def test_the_primary_code_is_the_one_of_the_first_kind_in_the_order_of_priority() -> None:
    order = ["CPT", "MS-DRG", "APR-DRG", "APC", "NDC", "CDT", "RC", "CDM", "LOCAL"]
    draft = Draft(len(order))
    owners = np.array([row for row in range(len(order)) for _ in order[row:]], np.int64)
    kinds = [kind for row in range(len(order)) for kind in reversed(order[row:])]
    codes.put_codes(
        draft, owners, pa.array([f"of {kind}" for kind in kinds]), pa.array([kind.lower() for kind in kinds])
    )
    assert draft.columns["code_type"].to_pylist() == order
    assert draft.columns["code"].to_pylist() == [f"of {kind}" for kind in order]
    assert [pair["type"] for pair in draft.columns["codes"][0].as_py()] == list(reversed(order))
    assert draft.bits is None


def test_a_type_that_is_not_cms_s_is_flagged_and_comes_last() -> None:
    draft = Draft(2)
    codes.put_codes(draft, np.array([0, 0]), pa.array(["1", "2"]), pa.array(["Charge#", "local"]))
    assert draft.columns["code"].to_pylist() == ["2", None]
    assert draft.table(())["flags"].to_pylist() == [["unknown_code_type"], []]
