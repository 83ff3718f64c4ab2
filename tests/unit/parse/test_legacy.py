"""Tables from before CMS's template: found by their names and contents, read without losing a record."""

import itertools
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from glimmr.parse.tables.legacy_header import find_header
from glimmr.parse.tables.preamble import of_prose
from glimmr.parse.tables.vocabulary import Role, named

from .papers import Read, csv_text, read

AETNA, CIGNA = "Aetna HMO", "Cigna PPO"


def table(header: list[str], *rows: list[Any], above: tuple[list[str], ...] = ()) -> str:
    return csv_text([*above, header, *rows])


def amounts(got: Read, column: str) -> list[Decimal | None]:
    return [charge[column] for charge in got.charges]


@pytest.mark.parametrize(
    ("name", "role", "code_type"),
    [
        ("Charge Description", Role.DESCRIPTION, None),
        ("CPTHCPCSCodes", Role.CODE, "HCPCS"),
        ("MS-DRG", Role.CODE, "MS-DRG"),
        ("Default Revenue Code", Role.CODE, "RC"),
        ("NDC", Role.CODE, "NDC"),
        ("NDC Unit", Role.COUNTING, None),
        ("Charge Code", Role.CODE, "CDM"),
        ("Charge", Role.GROSS, None),
        ("InpatientGrossCharge", Role.GROSS, None),
        ("Average Charge per Case", Role.GROSS, None),
        ("newprice", Role.GROSS, None),
        ("Self Pay Cash Price", Role.CASH, None),
        ("DE-IDENTIFIED MIN", Role.MIN, None),
        ("High Rate", Role.MAX, None),
        ("Payer-Specific Negotiated Charge", Role.NEGOTIATED, None),
        ("Payor", Role.PAYER, None),
        ("Patient Class", Role.SETTING, None),
        ("Rate Increase", Role.COUNTING, None),
        ("Chg Editable", Role.UNKNOWN, None),
        ("Effective Date of Price", Role.COUNTING, None),
    ],
)
def test_a_name_says_what_its_column_is(name: str, role: Role, code_type: str | None) -> None:
    said = named(name)
    assert said.role in {role, Role.COUNTING} if role is Role.UNKNOWN else said.role is role
    assert said.code_type == code_type


def test_a_price_list_of_2019_is_read_from_under_its_title(tmp_path: Path) -> None:
    above = (["Hospital Name: West Mercy"], ["Effective Date of Charges: June 1, 2019"], ["", "", ""])
    got = read(tmp_path, table(["DRG", "DRG Description", " Average Charge "], [7, "Lung", "$1,234.50 "], above=above))
    assert got.ended == ("ok", "")
    assert (got.member.layout, got.member.header_row) == ("legacy", 4)
    (charge,) = got.charges
    assert (charge["description"], charge["code"], charge["code_type"]) == ("Lung", "7", "MS-DRG")
    assert (charge["ms_drg"], charge["gross_charge"], charge["source_pos"]) == ("007", Decimal("1234.5"), "R5")
    assert "header_alias" in charge["flags"]
    assert got.member.header.hospital_name == "West Mercy"
    assert got.member.header.last_updated_on == "2019-06-01"


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_a_price_list_has_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    rows = [["Item", "Price"], *[[f"item {n}, large", f"{n}.50"] for n in range(1, 9)]]
    got = read(tmp_path, csv_text(rows, delimiter=delimiter))
    assert got.ended == ("ok", "")
    assert amounts(got, "gross_charge") == [Decimal(f"{n}.5") for n in range(1, 9)]


def test_payers_in_the_header_are_rates_also_those_no_list_knows(tmp_path: Path) -> None:
    header = ["Code", "Description", "Gross Charge", "Quantity", AETNA, "CAMHD", CIGNA, "Maximum"]
    got = read(tmp_path, table(header, ["99999", "Visit", "10.00", 3, "5.00", "6.00", "OPEN", "7.00"]))
    assert [(r["payer_name"], r["negotiated_dollar"]) for r in got.rates] == [
        (AETNA, Decimal(5)),
        ("CAMHD", Decimal(6)),
        (CIGNA, None),
    ]
    assert dict(got.rates[2]["extra"]) == {CIGNA: "OPEN"}
    assert [r["source_pos"] for r in got.rates] == ["R2C5", "R2C6", "R2C7"]
    assert all("header_no_plan" in r["flags"] for r in got.rates)
    (charge,) = got.charges
    assert dict(charge["extra"]) == {"Quantity": "3"}
    assert (charge["hcpcs"], charge["code_type"], charge["max_negotiated"]) == ("99999", "CPT", Decimal(7))


def test_a_cell_of_a_payer_that_says_nothing_is_no_rate(tmp_path: Path) -> None:
    header = ["Description", "Gross Charge", AETNA, CIGNA]
    got = read(tmp_path, table(header, ["Visit", "10", "N/A", "4"], ["Stay", "20", "-", "N/A"]))
    assert [(r["payer_name"], r["charge_id"]) for r in got.rates] == [(CIGNA, 0)]


def test_what_a_payer_pays_by_percentage_is_no_dollar(tmp_path: Path) -> None:
    header = ["Description", "Rate Type", "Gross Charge", AETNA, CIGNA]
    got = read(tmp_path, table(header, ["Ward", "Per Diem", "100", "80", ""], ["Gym", "% of Charges", "75", "", "45"]))
    assert [(r["payer_name"], r["negotiated_dollar"], r["negotiated_percentage"]) for r in got.rates] == [
        (AETNA, Decimal(80), None),
        (CIGNA, None, Decimal(45)),
    ]
    assert [dict(c["extra"]) for c in got.charges] == [{"Rate Type": "Per Diem"}, {"Rate Type": "% of Charges"}]
    assert [r["source_pos"] for r in got.rates] == ["R2C4", "R3C5"]


def test_a_payer_whose_first_number_comes_late_is_not_missed(tmp_path: Path) -> None:
    rows = [[f"item {n}", "10.00", "5.00", "see contract"] for n in range(1500)] + [["last", "10.00", "5.00", "7.25"]]
    got = read(tmp_path, table(["Description", "Gross Charge", AETNA, CIGNA], *rows))
    assert [r["negotiated_dollar"] for r in got.rates if r["payer_name"] == CIGNA][-1] == Decimal("7.25")


def test_a_payer_in_each_record_makes_one_charge_of_them(tmp_path: Path) -> None:
    header = ["CPT", "Procedure Description", "Gross Charge", "Payor", "Negotiated Rate"]
    got = read(tmp_path, table(header, *[["A1234", "Kit", "10", payer, "7"] for payer in (AETNA, CIGNA)]))
    (charge,) = got.charges
    assert (charge["records"], charge["rates"], charge["hcpcs"]) == (2, 2, "A1234")
    assert [r["payer_name"] for r in got.rates] == [AETNA, CIGNA]


def test_prices_of_two_settings_are_two_charges_unless_they_are_equal(tmp_path: Path) -> None:
    header = ["Charge Code", "Description", "Gross Charge", "Cash Price Inpatient", "Cash Price Outpatient"]
    got = read(tmp_path, table(header, ["1", "Visit", "10", "8", "7"], ["2", "Stay", "20", "9", "9"]))
    assert [(c["code"], c["setting"], c["gross_charge"], c["discounted_cash"]) for c in got.charges] == [
        ("1", "inpatient", Decimal(10), Decimal(8)),
        ("1", "outpatient", None, Decimal(7)),
        ("2", "both", Decimal(20), Decimal(9)),
    ]
    assert (got.report.rows_in, got.report.items_out) == (2, 2)


def test_two_discounts_are_two_charges_told_apart_by_a_note(tmp_path: Path) -> None:
    header = ["DRG", "DRG Description", "Average Charge", "Self-Pay Discount", "Self-Pay Prompt Discount"]
    got = read(tmp_path, table(header, ["1", "Heart", "100", "80", "70"]))
    assert [(c["discounted_cash"], c["generic_notes"]) for c in got.charges] == [
        (Decimal(80), None),
        (Decimal(70), "Self-Pay Prompt Discount"),
    ]


def test_a_text_that_is_no_price_stays_with_its_variant(tmp_path: Path) -> None:
    header = ["Description", "Inpatient Price", "Outpatient Price", "Room"]
    got = read(tmp_path, table(header, ["Visit", "ask us", "1.5", "x"], ["Stay", "2.5", "call", "y"]))
    assert [(c["setting"], c["gross_charge"], dict(c["extra"] or {})) for c in got.charges] == [
        ("inpatient", None, {"Room": "x", "Inpatient Price": "ask us"}),
        ("outpatient", Decimal("1.5"), {}),
        ("inpatient", Decimal("2.5"), {"Room": "y"}),
        ("outpatient", None, {"Outpatient Price": "call"}),
    ]


def test_a_header_in_two_records_is_one(tmp_path: Path) -> None:
    got = read(tmp_path, csv_text([["Title", "", ""], ["DRG Code", "DRG", "Avg Charge"], ["", "Name", "Per Case"]] + [
        [n, f"case {n}", f"{n}00.25"] for n in (1, 2, 3)
    ]))  # fmt: skip
    assert got.member.header_row == 3
    assert [c["description"] for c in got.charges] == ["case 1", "case 2", "case 3"]


def test_names_under_a_spanning_cell_are_told_apart(tmp_path: Path) -> None:
    got = read(tmp_path, csv_text([
        ["", "", AETNA, "", CIGNA, ""],
        ["Description", "Gross Charge", "IP", "OP", "IP", "OP"],
        ["Visit", "10.00", "1.00", "2.00", "3.00", "4.00"],
    ]))  # fmt: skip
    assert [r["payer_name"] for r in got.rates] == [f"{AETNA} IP", f"{AETNA} OP", f"{CIGNA} IP", f"{CIGNA} OP"]


def test_a_second_table_under_the_first_is_read_with_its_own_header(tmp_path: Path) -> None:
    got = read(tmp_path, csv_text([
        ["CPT", "Description", "Price"],
        ["99999", "Visit", "10.00"],
        [],
        ["Service", "Room Rate", "Revenue Code", "Cash Price"],
        ["Ward", "500.00", "120", "400.00"],
    ]))  # fmt: skip
    assert [(c["description"], c["gross_charge"], c["source_pos"]) for c in got.charges] == [
        ("Visit", Decimal(10), "R2"),
        ("Ward", Decimal(500), "R5"),
    ]
    assert (got.charges[1]["rev_code"], got.charges[1]["discounted_cash"]) == ("0120", Decimal(400))
    assert got.report.rows_in == 2
    assert not {"short_row", "long_row"} & set(got.charges[1]["flags"])


def test_a_header_repeated_on_every_page_is_no_item(tmp_path: Path) -> None:
    page = [["Item", "Price"], ["a", "1.00"], ["b", "2.00"]]
    got = read(tmp_path, csv_text(page * 3))
    assert amounts(got, "gross_charge") == [Decimal(1), Decimal(2)] * 3
    assert got.report.rows_in == 6


def test_a_line_of_totals_is_rejected(tmp_path: Path) -> None:
    got = read(tmp_path, table(["MS DRG", "Title", "Charges"], ["1", "Heart", "10.5"], ["Grand Total", "", "10.5"]))
    assert [(r["position"], r["reason"], r["raw"]) for r in got.rejects] == [("R3", "total", "Grand Total | 10.5")]
    assert (got.report.rows_in, got.report.charges) == (2, 1)


def test_a_heading_among_the_items_is_kept_without_a_price(tmp_path: Path) -> None:
    got = read(tmp_path, table(["Charge #", "Desc", "Price"], ["", "EMERGENCY ROOM", ""], ["400", "Level I", "280"]))
    assert [(c["description"], c["gross_charge"]) for c in got.charges] == [("EMERGENCY ROOM", None), ("Level I", 280)]


@pytest.mark.parametrize(
    "header",
    [["Unit", "2019 Gross Revenue", "2020 Gross Revenue"], ["", "Charges", "Rate Increase"]],
    ids=["revenue", "increase"],
)
def test_a_report_on_revenue_is_no_price_list(tmp_path: Path, header: list[str]) -> None:
    got = read(tmp_path, table(header, ["Ward", "8417100", "0.09"], ["Nursery", "5256380", "0.09"]))
    assert got.report.outcome == "no_price_table"


def test_a_table_without_prices_says_so(tmp_path: Path) -> None:
    got = read(
        tmp_path, table(["Count", "Description", "Procedure Type"], *[[n, f"test {n}", "Lab"] for n in range(9)])
    )
    assert got.ended == ("no_price_table", "no_price_column")


def test_prose_has_no_header(tmp_path: Path) -> None:
    assert read(tmp_path, "This folder holds files.\nThey are moved later, when done.\n").ended == (
        "no_price_table",
        "no_header",
    )


def test_texts_with_dollar_amounts_need_no_header_but_it_is_said(tmp_path: Path) -> None:
    rows = [["We are glad to help you."], *[[f"room {n}", f"${n}.00"] for n in range(1, 20)]]
    got = read(tmp_path, csv_text(rows))
    assert amounts(got, "gross_charge") == [Decimal(n) for n in range(1, 20)]
    assert got.findings()["GL-NO-HEADER"] == 1
    assert got.member.header_row is None


def test_charge_over_codes_is_a_code_and_over_prices_a_price() -> None:
    rows = [[f"1234{n}00", f"thing {n}", f"{n}.50"] for n in range(1, 20)]
    coded = find_header([["Charge", "Description", "Amount"], *rows])
    priced = find_header([["Code", "Description", "Charge"], *rows])
    assert coded is not None and priced is not None
    assert (coded.columns.codes["1"][0], coded.columns.known["gross_charge"]) == (0, 2)
    assert (priced.columns.codes["1"][0], priced.columns.known["gross_charge"]) == (0, 2)


def test_the_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    cells = {"CPT": "99999", "Description": "Visit", "Gross Charge": "10.25", "Cash Price": "8.75", AETNA: "5.5"}
    for number, names in enumerate(itertools.permutations(cells)):
        got = read(tmp_path / str(number), table([*names], [cells[name] for name in names]))
        (charge,), (rate,) = got.charges, got.rates
        assert (charge["hcpcs"], charge["description"]) == ("99999", "Visit")
        assert (charge["gross_charge"], charge["discounted_cash"]) == (Decimal("10.25"), Decimal("8.75"))
        assert rate["negotiated_dollar"] == Decimal("5.5")
        if number > 30:
            break


def test_nested_charges_of_one_item_are_all_kept(tmp_path: Path) -> None:
    charges = [
        {"setting": setting, "gross_charge": gross, "payers": [{"payer": AETNA, "rate": rate, "expires": rate}]}
        for setting, gross, rate in (("inpatient", 5, 3), ("outpatient", 6, 4))
    ]
    got = read(tmp_path, json.dumps([{"code": "99999", "description": "Visit", "charges": charges}]))
    assert [(c["setting"], c["gross_charge"]) for c in got.charges] == [("inpatient", 5), ("outpatient", 6)]
    assert [(r["charge_id"], r["negotiated_dollar"]) for r in got.rates] == [(0, 3), (1, 4)]
    assert (got.report.rows_in, got.report.items_out) == (1, 1)
    assert {c["source_pos"] for c in got.charges} == {"/0", "/0/p/1"}


def test_what_differs_from_payer_to_payer_stays_with_the_rate(tmp_path: Path) -> None:
    payers = [{"payer": name, "rate": rate, "expires": f"203{rate}"} for name, rate in ((AETNA, 3), (CIGNA, 4))]
    got = read(tmp_path, json.dumps([{"code": "99999", "description": "Visit", "gross_charge": 9, "payers": payers}]))
    (charge,) = got.charges
    kept = [dict(row["extra"] or {}) for row in (charge, *got.rates)]
    assert [value for one in kept for value in one.values()] == ["2033", "2034"]


def test_nested_charges_without_payers_are_one_item(tmp_path: Path) -> None:
    items = [
        {"code": str(n), "description": "Visit", "charges": [{"setting": s, "gross_charge": n} for s in ("ip", "op")]}
        for n in (1, 2)
    ]
    got = read(tmp_path, json.dumps(items))
    assert (got.report.rows_in, got.report.charges) == (2, 4)
    assert len({c["source_pos"] for c in got.charges}) == 4


def test_a_line_above_a_table_that_nearly_is_a_date_again_and_again_costs_no_time() -> None:
    began = time.process_time()
    found = of_prose([["Hospital Name: Grace Cottage"], ["effective " * 20_000], ["Effective 1/2/2024"]])
    assert (found.hospital_name, found.last_updated_on) == ("Grace Cottage", "2024-01-02")
    assert time.process_time() - began < 2
