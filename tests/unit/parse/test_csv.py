"""CMS's CSV, tall and wide: what is a charge, what is a rate, and every mess a header can be."""

# ruff: noqa: RUF001 - dashes and odd letters are what is tested

from decimal import Decimal
from pathlib import Path

import pytest

from .papers import BLOCKS, PREAMBLE, TALL, WIDE, read

PRICES = "standard_charge|gross,standard_charge|min,standard_charge|max\n"
MRI = "MRI,70551,CPT,Outpatient,1200,1080,"


@pytest.mark.parametrize("block_bytes", BLOCKS[3:])
def test_tall_records_that_differ_only_in_payer_columns_are_one_charge(tmp_path: Path, block_bytes: int) -> None:
    text = (
        PREAMBLE
        + TALL
        + f"{MRI}Aetna,PPO,400,fee schedule,one\n{MRI}Cigna,HMO,250,case rate,two\n{MRI},,,,three\n"
        + "CT,1,LOCAL,both,5,,,,,,\n"
    )
    got = read(tmp_path, text, block_bytes=block_bytes)
    assert got.ended == ("ok", "")
    assert [(c["description"], c["records"], c["rates"], c["source_pos"], c["generic_notes"]) for c in got.charges] == [
        ("MRI", 2, 2, "R4", None),
        ("MRI", 1, 0, "R6", "three"),
        ("CT", 1, 0, "R7", None),
    ]
    assert [
        (r["charge_id"], r["rate_id"], r["payer_name"], r["negotiated_dollar"], r["payer_notes"], r["source_pos"])
        for r in got.rates
    ] == [
        (0, 0, "Aetna", Decimal(400), "one", "R4"),
        (0, 1, "Cigna", Decimal(250), "two", "R5"),
    ]
    assert got.charges[0]["setting"] == "outpatient"
    assert (got.report.rows_in, got.report.items_out, got.report.rows_rejected) == (4, 4, 0)


@pytest.mark.parametrize("block_bytes", BLOCKS[3:])
def test_a_charge_goes_on_over_block_boundaries(tmp_path: Path, block_bytes: int) -> None:
    records = "".join(f"{MRI}Payer {i},P,{i},other,\n" for i in range(100)) + "".join(
        f"CT,2,CPT,both,9,,P,{i},1,other,\n" for i in range(50)
    )
    got = read(tmp_path, PREAMBLE + TALL + records, block_bytes=block_bytes)
    assert [(c["charge_id"], c["records"], c["rates"]) for c in got.charges] == [(0, 100, 100), (1, 50, 50)]
    assert [r["rate_id"] for r in got.rates] == list(range(150))
    assert [r["charge_id"] for r in got.rates] == [0] * 100 + [1] * 50


def test_notes_alone_make_no_rate_in_a_tall_file(tmp_path: Path) -> None:
    got = read(tmp_path, PREAMBLE + TALL + "MRI,1,CPT,both,5,,,,,,see front desk\n")
    assert got.rates == []
    assert got.charges[0]["generic_notes"] == "see front desk"


def test_the_header_of_the_file_is_read(tmp_path: Path) -> None:
    member = read(tmp_path, PREAMBLE + TALL + MRI + "A,B,1,other,\n").member
    assert (member.format, member.layout, member.template_version, member.delimiter, member.header_row) == (
        "csv",
        "tall",
        "3.0.0",
        ",",
        3,
    )
    assert member.header.hospital_name == "West Mercy"
    assert member.header.last_updated_on == "2026-04-01"
    assert member.header.location_names == ("West Mercy", "East Mercy")
    assert (member.header.license_number, member.header.license_state) == ("50056", "CA")
    assert (member.header.attestation_confirmed, member.header.attester_name) == (True, "Leigh")
    assert "GL-HEADER-BLANK" not in {finding.code for finding in member.findings}


def test_a_wide_group_is_a_rate_when_one_of_its_cells_is_filled(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        PREAMBLE
        + WIDE
        + "MRI,70551,CPT,both,1200,400,fee schedule,,1.5,1 through 10,250\n"
        + "CT,,,both,7,,,by the way,,,\nX,,,both,8,,,,,,\n",
    )
    assert got.member.layout == "wide"
    assert [
        (r["charge_id"], r["payer_name"], r["plan_name"], r["negotiated_dollar"], r["source_pos"], r["flags"])
        for r in got.rates
    ] == [
        (0, "Aetna", "PPO", Decimal(400), "R4C6", []),
        (0, "Cigna", None, Decimal("1.5"), "R4C9", ["header_no_plan"]),
        (1, "Aetna", "PPO", None, "R5C6", []),
    ]
    assert got.rates[2]["payer_notes"] == "by the way"
    assert (got.rates[1]["allowed_count_min"], got.rates[1]["allowed_count_max"]) == (1, 10)
    assert [c["rates"] for c in got.charges] == [2, 1, 0]


@pytest.mark.parametrize(
    "header",
    [
        (
            "Description,CODE | 1,code | 1 | TYPE,Setting, standard_charge | gross ,standard charge|discounted cash,"
            "Payer_Name,PLAN_NAME,Standard_Charge|Negotiated_Dollar,standard_charge|methodology,Additional_Generic_Notes\n"
        ),
        "\ufeff" + TALL,
    ],
)
def test_headers_are_folded(tmp_path: Path, header: str) -> None:
    plain = read(tmp_path / "plain", PREAMBLE + TALL + MRI + "Aetna,PPO,400,Fee Schedule,\n")
    folded = read(tmp_path / "folded", PREAMBLE + header + MRI + "Aetna,PPO,400,fee_schedule,\n")
    for rows, others in ((plain.charges, folded.charges), (plain.rates, folded.rates)):
        assert [{**row, "file_id": ""} for row in rows] == [{**row, "file_id": ""} for row in others]


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    quoted = TALL.replace("code|1|type", '"code|1|type"').replace("code|1,", '"code|1",') if delimiter == "|" else TALL
    if delimiter == "|":
        quoted = ",".join(f'"{name}"' if "|" in name else name for name in TALL.strip().split(",")) + "\n"
    got = read(tmp_path, (quoted + MRI + "Aetna,PPO,400,other,\n").replace(",", delimiter))
    assert (got.ended, got.member.delimiter) == (("ok", ""), delimiter)
    assert got.rates[0]["negotiated_dollar"] == Decimal(400)


def test_a_table_without_preamble_is_read_and_its_missing_header_is_a_finding(tmp_path: Path) -> None:
    got = read(tmp_path, TALL + MRI + "Aetna,PPO,400,other,\n")
    assert got.ended == ("ok", "")
    assert got.charges[0]["source_pos"] == "R2"
    assert got.findings()["GL-HEADER-MISSING"] == 7  # every general data element of the edition


def test_ragged_first_rows_and_title_rows_do_no_harm(tmp_path: Path) -> None:
    text = "Price list\n\nhospital_name,version\nMercy,2.2.0\n" + TALL + MRI + "Aetna,PPO,400,other,\n"
    got = read(tmp_path, text)
    assert (got.member.header_row, got.charges[0]["source_pos"], got.member.header.hospital_name) == (5, "R6", "Mercy")


def test_unknown_and_repeated_columns_are_kept_word_for_word(tmp_path: Path) -> None:
    header = TALL.strip() + ",rid,rid,standard_charge|gross,\n"
    got = read(
        tmp_path, header + MRI + "Aetna,PPO,400,other,,a,b,99,blank\n" + MRI + "Cigna,PPO,400,other,,a,c,99,,x,y\n"
    )
    assert [dict(c["extra"]) for c in got.charges] == [
        {"rid": "a", "rid (2)": "b", "standard_charge|gross (2)": "99", "column 15": "blank"},
        {"rid": "a", "rid (2)": "c", "standard_charge|gross (2)": "99", "more": '["x", "y"]'},
    ]
    assert got.charges[1]["flags"] == ["long_row"]
    assert got.findings()["GL-DUPLICATE-COLUMN"] == 2


def test_texts_that_are_no_number_are_kept_under_their_column(tmp_path: Path) -> None:
    got = read(tmp_path, TALL + "MRI,1,CPT,both,N/A,$5,Aetna,PPO,75% of BC,other,\nCT,1,CPT,both,1,,,,,,\n")
    assert dict(got.charges[0]["extra"]) == {"standard_charge|gross": "N/A"}
    assert (got.charges[0]["flags"], got.charges[0]["discounted_cash"]) == (["currency_text"], Decimal(5))
    assert dict(got.rates[0]["extra"]) == {"standard_charge|negotiated_dollar": "75% of BC"}
    assert got.rates[0]["flags"] == ["bad_number"]
    (finding,) = [f for f in got.member.findings if f.code == "GL-BAD-NUMBER"]
    assert (finding.count, finding.severity) == (1, "error")
    assert (finding.examples[0].position, finding.examples[0].field, finding.examples[0].value) == (
        "R2C9",
        "standard_charge|negotiated_dollar",
        "75% of BC",
    )


def test_in_a_wide_file_the_kept_text_names_its_own_column(tmp_path: Path) -> None:
    got = read(tmp_path, WIDE + "MRI,1,CPT,both,5,see note,,,OPEN,many,1\n")
    assert [dict(r["extra"]) for r in got.rates] == [
        {"standard_charge|Aetna|PPO|negotiated_dollar": "see note"},
        {"standard_charge|Cigna|negotiated_dollar": "OPEN", "count|Cigna": "many"},
    ]
    assert got.rates[1]["flags"] == ["bad_number", "header_no_plan", "bad_count"]


def test_odd_words_are_kept_as_published_and_flagged(tmp_path: Path) -> None:
    got = read(tmp_path, TALL + "MRI,1,CPT,Clinic,5,,Aetna,PPO,4,Barter,\n")
    assert (got.charges[0]["setting"], got.charges[0]["flags"]) == ("Clinic", ["unknown_setting"])
    assert (got.rates[0]["methodology"], got.rates[0]["flags"]) == ("Barter", ["unknown_methodology"])


def test_a_row_with_a_modifier_and_no_code_is_a_modifier_row(tmp_path: Path) -> None:
    header = "description,modifiers,code|1,code|1|type,setting," + PRICES
    got = read(tmp_path, header + "Bilateral,50|TC,,,both,5,9,3\nMRI,50,1,CPT,both,5,,\n")
    assert (got.charges[0]["modifiers"], got.charges[0]["flags"]) == (["50", "TC"], ["modifier_row", "min_gt_max"])
    assert got.charges[1]["flags"] == []


def test_cp1252_in_the_middle_of_a_file_changes_only_its_own_records(tmp_path: Path) -> None:
    data = (
        (PREAMBLE + TALL).encode()
        + "Café – α,1,CPT,both,5,,,,,,\n".encode()
        + "Café – x,1,CPT,both,5,,,,,,\n".encode("cp1252")
    )
    got = read(tmp_path, data)
    assert [c["description"] for c in got.charges] == ["Café – α", "Café – x"]
    assert [c["flags"] for c in got.charges] == [[], ["recoded"]]
    assert (got.member.encoding, got.findings()["GL-ENCODING"]) == ("cp1252", 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_gives_the_same_rows(tmp_path: Path, encoding: str) -> None:
    text = PREAMBLE + TALL + "Naïve – €,1,CPT,both,5,,Ætna,PPO,4,other,\n" * 50
    got = read(tmp_path, text.encode(encoding))
    assert got.ended == ("ok", "")
    assert (got.charges[0]["description"], got.rates[0]["payer_name"], got.charges[0]["flags"]) == (
        "Naïve – €",
        "Ætna",
        [],
    )


def test_a_cut_csv_keeps_what_is_whole(tmp_path: Path) -> None:
    got = read(tmp_path, PREAMBLE + TALL + "MRI,1,CPT,both,5,,,,,,\n" * 9 + "CT,1,CP")
    assert got.ended == ("incomplete", "suspect_truncated")
    assert got.charges[0]["records"] == 9
    assert [(r["position"], r["reason"], r["raw"]) for r in got.rejects] == [("R13", "cut_short", "CT,1,CP")]
    assert (got.report.rows_in, got.report.items_out, got.report.rows_rejected) == (10, 9, 1)


def test_a_header_without_rows_is_no_price_table(tmp_path: Path) -> None:
    assert read(tmp_path, PREAMBLE + TALL).ended == ("no_price_table", "no_charges")


def test_rows_without_any_price_are_no_price_table(tmp_path: Path) -> None:
    assert read(tmp_path, TALL + "MRI,1,CPT,both,,,Aetna,PPO,,other,\n").ended == ("no_price_table", "no_charges")


def test_a_table_without_a_column_of_prices_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, "code,quantity\n1,2\n").ended == ("no_price_table", "no_price_column")


def test_a_quote_inside_a_cell_loses_no_record(tmp_path: Path) -> None:
    rows = [f'tube {n} 5" long|{n}.25' if n % 3 else f"room {n}|{n}.25" for n in range(1, 200)]
    got = read(tmp_path, "Description|Standard Charge\n" + "\n".join(rows))
    assert [c["description"] for c in got.charges] == [row.split("|")[0] for row in rows]


def test_placeholders_left_in_the_header_are_told(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        "description,code|[i],code|[i]|type,standard_charge|gross,standard_charge|[payer_name]|[plan_name]|negotiated_dollar\nMRI,1,CPT,5,4\n",
    )
    assert got.findings()["GL-PLACEHOLDER"] == 3
    assert got.charges[0]["code"] == "1"


def test_a_payer_column_that_stands_twice_is_two_rates(tmp_path: Path) -> None:
    name = "standard_charge|Aetna|PPO|negotiated_dollar"
    header = f"description,standard_charge|gross,{name},standard_charge|Aetna|PPO|methodology,{name}\n"
    got = read(tmp_path, PREAMBLE + header + "MRI,9,400,per diem,300\nCT,8,,,200\n")
    assert [(r["charge_id"], r["source_pos"], r["negotiated_dollar"], r["methodology"]) for r in got.rates] == [
        (0, "R4C3", Decimal(400), "per diem"),
        (0, "R4C5", Decimal(300), None),
        (1, "R5C5", Decimal(200), None),
    ]
    assert {(r["payer_name"], r["plan_name"]) for r in got.rates} == {("Aetna", "PPO")}
    assert got.findings()["GL-DUPLICATE-COLUMN"] == 1


def test_a_header_with_very_many_blank_cells_is_as_wide_as_its_names(tmp_path: Path) -> None:
    got = read(tmp_path, PREAMBLE + TALL.rstrip("\n") + "," * 100_000 + "\n" + f"{MRI}A,B,1,other,,x\n" * 3)
    assert got.ended == ("ok", "")
    assert dict(got.charges[0]["extra"]) == {"more": '["x"]'}


def test_a_line_without_end_is_broken_structure(tmp_path: Path) -> None:
    text = PREAMBLE + TALL + f"{MRI}A,B,1,other,\n" + "," * 5000
    got = read(tmp_path, text, max_record_bytes=1000, block_bytes=1000)
    assert got.ended == ("unparseable", "broken_structure")
    assert got.report.rows_in == got.report.items_out == 1
