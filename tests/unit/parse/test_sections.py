"""A table that begins again: further headers in one file or sheet, of CMS's template or not."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from glimmr.parse.tables import restarts
from glimmr.parse.tables.records import Rows

from .books import xlsx
from .papers import BLOCKS, PREAMBLE, TALL, WIDE, Read, csv_text, read

MRI = "MRI,70551,CPT,outpatient,1000.10,800,Aetna,PPO,500.25,fee schedule,\n"
CT = "CT,70450,CPT,outpatient,200.5,150,Cigna,HMO,90.75,fee schedule,\n"
SECOND = PREAMBLE.replace("West Mercy,4/1/2026", "East Mercy,4/1/2026")
ONE_LINE = "Description,CPT Code,Gross Charge\n"
LEGACY = ONE_LINE + "X-ray,71010,55.50\nX-ray 2,71020,65.50\n"


def prices(got: Read) -> list[tuple[str, str, Decimal | None]]:
    return [(c["source_pos"], c["description"], c["gross_charge"]) for c in got.charges]


def section(got: Read) -> list[tuple[str, str | None, str | None]]:
    found = [f for f in got.member.findings if f.code == "GL-SECTION"]
    return [(e.position, e.field, e.value) for f in found for e in f.examples]


@pytest.mark.parametrize("blank", ["", "\n", ",,,,,,,,,,\n"], ids=["none", "empty", "commas"])
@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_a_second_cms_file_in_one_is_a_section_not_charges(tmp_path: Path, block_bytes: int, blank: str) -> None:
    got = read(tmp_path, PREAMBLE + TALL + MRI + blank + SECOND + TALL + CT, block_bytes=block_bytes)
    number = 9 if blank else 8
    assert got.ended == ("ok", "")
    assert prices(got) == [("R4", "MRI", Decimal("1000.10")), (f"R{number}", "CT", Decimal("200.5"))]
    assert [(r["source_pos"], r["negotiated_dollar"]) for r in got.rates] == [
        ("R4", Decimal("500.25")),
        (f"R{number}", Decimal("90.75")),
    ]
    assert (got.report.rows_in, got.report.rows_rejected) == (2, 0)
    assert section(got) == [(f"R{number - 1}", "hospital_name", "East Mercy")]
    assert "GL-HEADER-ROW" not in got.findings()


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_a_table_of_another_kind_under_a_cms_table_keeps_its_prices(tmp_path: Path, block_bytes: int) -> None:
    got = read(tmp_path, PREAMBLE + TALL + MRI + "\n\n" + LEGACY, block_bytes=block_bytes)
    assert prices(got)[1:] == [("R8", "X-ray", Decimal("55.5")), ("R9", "X-ray 2", Decimal("65.5"))]
    assert got.charges[1]["hcpcs"] == "71010"
    assert not {"short_row", "unknown_code_type"} & set(got.charges[1]["flags"])
    assert section(got) == [("R7", None, "Description | CPT Code | Gross Charge")]


def test_a_cms_table_under_a_table_of_another_kind_is_read_as_cms(tmp_path: Path) -> None:
    rows = "".join(f"X-ray,{71000 + n},5{n}.50\n" for n in range(60))
    got = read(tmp_path, "Description,CPT Code,Gross Charge\n" + rows + PREAMBLE + TALL + CT)
    assert got.report.rows_in == 61
    assert prices(got)[-1] == ("R65", "CT", Decimal("200.5"))
    assert got.rates[-1]["negotiated_dollar"] == Decimal("90.75")
    assert got.charges[-1]["extra"] is None


@pytest.mark.parametrize("blank", ["", "\n"], ids=["none", "empty"])
@pytest.mark.parametrize("book", [False, True], ids=["csv", "xlsx"])
def test_a_short_table_above_a_cms_table_is_not_taken_for_its_title(tmp_path: Path, blank: str, book: bool) -> None:
    text = LEGACY + blank + PREAMBLE + TALL + CT
    content = xlsx(S=list(csv.reader(io.StringIO(text)))) if book else text.encode()
    got = read(tmp_path, content)
    assert [(description, price) for _, description, price in prices(got)] == [
        ("X-ray", Decimal("55.5")),
        ("X-ray 2", Decimal("65.5")),
        ("CT", Decimal("200.5")),
    ]
    assert got.rates[-1]["negotiated_dollar"] == Decimal("90.75")


@pytest.mark.parametrize("layouts", [(TALL, WIDE), (WIDE, TALL)], ids=["wide under tall", "tall under wide"])
def test_sections_may_have_different_layouts(tmp_path: Path, layouts: tuple[str, str]) -> None:
    rows = {TALL: MRI, WIDE: "MRI,70551,CPT,outpatient,1000.10,500.25,fee schedule,,,,\n"}
    first, second = layouts
    got = read(tmp_path, PREAMBLE + first + rows[first] + SECOND + second + rows[second])
    assert prices(got) == [("R4", "MRI", Decimal("1000.10")), ("R8", "MRI", Decimal("1000.10"))]
    assert [(r["payer_name"], r["plan_name"], r["negotiated_dollar"]) for r in got.rates] == [
        ("Aetna", "PPO", Decimal("500.25"))
    ] * 2
    assert not [c["extra"] for c in got.charges if c["extra"]]


def test_the_header_again_without_general_data_is_no_item(tmp_path: Path) -> None:
    got = read(tmp_path, PREAMBLE + TALL + MRI + TALL + CT + TALL + MRI)
    assert [position for position, *_ in prices(got)] == ["R4", "R6", "R8"]
    assert got.findings()["GL-SECTION"] == 2


def test_what_stands_beyond_a_narrower_header_is_kept(tmp_path: Path) -> None:
    got = read(tmp_path, PREAMBLE + TALL + MRI + "\ndescription,setting,standard_charge|gross\nX-ray,both,55.50,x,,y\n")
    assert dict(got.charges[1]["extra"]) == {"more": '["x", "", "y"]'}
    assert "long_row" in got.charges[1]["flags"]


def test_a_wider_section_is_read_whole(tmp_path: Path) -> None:
    wide = TALL.rstrip("\n") + ",standard_charge|min,standard_charge|max\n"
    got = read(tmp_path, PREAMBLE + TALL + MRI + SECOND + wide + CT.rstrip("\n") + ",1.5,2.5\n")
    assert (got.charges[1]["min_negotiated"], got.charges[1]["max_negotiated"]) == (Decimal("1.5"), Decimal("2.5"))
    assert "long_row" not in got.charges[1]["flags"]


def test_the_rules_of_a_later_section_name_its_own_cells(tmp_path: Path) -> None:
    broken = SECOND.replace("4/1/2026", "someday").replace("license_number|CA", "license_number|XX")
    got = read(tmp_path, PREAMBLE + TALL + MRI + "\n" + broken + TALL + CT.replace("outpatient", "nowhere"))
    where = {f.code: [e.position for e in f.examples] for f in got.member.findings}
    assert where["GL-DATE"] == ["R7C2"]
    assert where["GL-STATE"] == ["R6C6"]
    assert where["GL-UNKNOWN-SETTING"] == ["R9C4"]


def test_a_sheet_begins_again_as_a_csv_does(tmp_path: Path) -> None:
    text = PREAMBLE + TALL + MRI + "\n" + SECOND + TALL + CT + "\n" + LEGACY
    got = read(tmp_path, xlsx(S=list(csv.reader(io.StringIO(text)))))
    assert [(c["description"], c["gross_charge"]) for c in got.charges] == [
        ("MRI", Decimal("1000.10")),
        ("CT", Decimal("200.5")),
        ("X-ray", Decimal("55.5")),
        ("X-ray 2", Decimal("65.5")),
    ]
    assert [position for position, *_ in section(got)] == ["S!R8", "S!R11"]


def test_items_without_prices_or_settings_begin_no_section(tmp_path: Path) -> None:
    bare = [
        ["Gross charge, cash price", "J1234", "HCPCS", "", "", "", "Aetna", "PPO", "", "other", "see the contract"],
        ["Quoted", "standard_charge|gross", "", "", "", "", "", "", "", "", ""],
        ["Room charge", "", "", "nowhere", "", "", "", "", "", "", ""],
        ["Payer", "Plan", "", "", "", "", "", "", "", "", ""],
        ["Quoted", "standard_charge|gross", "hospital_name", "", "", "", "", "", "", "", ""],
        ["Quoted", "hospital_name", "", "", "", "", "", "", "", "", ""],
        ["Quoted", "standard_charge|gross", "", "", "", "", "", "", "", "", ""],
    ]
    got = read(tmp_path, PREAMBLE + TALL + MRI + csv_text(bare) + "\n" + csv_text(bare) + MRI)
    assert got.report.rows_in == 2 + 2 * len(bare)
    assert "GL-SECTION" not in got.findings()


def lost(got: Read, *due: str) -> set[str]:
    """The positions of items that are neither charges nor rejects."""
    return {*due} - {charge["source_pos"] for charge in got.charges} - {reject["position"] for reject in got.rejects}


QUOTED = [
    "hospital_name,1,CPT,both,5,4,3,6\nZ,9,CPT,both,7,4,3,6\n",
    "\nlast_updated_on,,,\nZ,9,CPT,both,7,4,3,6\n",
    "\n" + PREAMBLE.split("\n")[0] + "\nZ,9,CPT,both,7,4,,\n",
    "\n" + PREAMBLE.split("\n")[0] + "\nZ,9,CPT,,7,4,,\n",
    PREAMBLE + "Total of all,,,,5000\n",
    PREAMBLE + "standard_charge|gross,9,CPT,,7,4,3,6\n",
    PREAMBLE + "A word,9,CPT,both,$7 per day\n",
    PREAMBLE + "By contract,9,CPT,both,,\n",
]
SHORT = (
    "description,code|1,code|1|type,setting,standard_charge|gross,standard_charge|discounted_cash,"
    "standard_charge|min,standard_charge|max\n"
)


@pytest.mark.parametrize("items", QUOTED)
@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_items_above_a_further_header_are_no_general_data(tmp_path: Path, block_bytes: int, items: str) -> None:
    head = PREAMBLE + SHORT + "MRI,70551,CPT,both,5,4,3,6\n" + items
    got = read(tmp_path, head + SHORT + "CT,70450,CPT,both,5,4,3,6\n", block_bytes=block_bytes)
    last = head.count("\n")
    assert not lost(got, "R4", f"R{last}", f"R{last + 2}")
    assert got.report.rows_in == len(got.charges)
    assert [(position, field) for position, field, _ in section(got)] == [(f"R{last + 1}", None)]


def test_items_of_a_legacy_table_above_a_cms_header_are_no_general_data(tmp_path: Path) -> None:
    rows = "".join(f"X-ray,{71000 + n},5{n}.50\n" for n in range(60))
    got = read(tmp_path, "Description,CPT Code,Gross Charge\n" + rows + "\nhospital_name\nZ,9,7\n" + TALL + CT)
    assert not lost(got, "R61", "R64", "R66")
    assert section(got)[0][:2] == ("R65", None)


def test_a_short_table_below_general_data_is_not_taken_for_those_of_the_next(tmp_path: Path) -> None:
    got = read(tmp_path, PREAMBLE + TALL + MRI + SECOND + LEGACY + TALL + CT)
    assert not lost(got, "R4", "R8", "R9", "R11")
    assert [position for position, *_ in section(got)] == ["R7", "R10"]


def test_numbers_of_the_general_data_are_no_prices(tmp_path: Path) -> None:
    names = "license_number|CA,version,type_2_npi,last_updated_on,license_number|NV,hospital_name"
    got = read(
        tmp_path, PREAMBLE + TALL + MRI + names + "\n50056,3.0.0,1234567893,2026-04-01,47,East Mercy\n" + TALL + CT
    )
    assert [position for position, *_ in prices(got)] == ["R4", "R8"]
    assert section(got) == [("R7", "hospital_name", "East Mercy")]


def test_a_short_record_under_a_header_that_only_repeats_itself_is_told(tmp_path: Path) -> None:
    again = read(tmp_path, LEGACY + LEGACY + "CT,70450\n")
    once = read(tmp_path, LEGACY + "CT,70450\n")
    for got in (once, again):
        assert "short_row" in got.charges[-1]["flags"]
        assert got.findings()["GL-SHORT-ROW"] == 1


def test_cells_beyond_a_header_that_is_repeated_without_its_blank_end_are_kept(tmp_path: Path) -> None:
    beyond = TALL.rstrip("\n") + ",,\n"
    got = read(tmp_path, PREAMBLE + beyond + MRI + SECOND + TALL + CT.rstrip("\n") + ",x,y\n")
    assert dict(got.charges[1]["extra"]) == {"more": '["x", "y"]'}


@pytest.mark.parametrize("headers", [(TALL,), (TALL, WIDE), (ONE_LINE,)], ids=["one", "two", "legacy"])
def test_a_block_is_searched_once_for_all_its_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: tuple[str, ...]
) -> None:
    looked_at: list[int] = []

    def counted(search: Callable[..., Any]) -> Callable[..., Any]:
        def look(*told: Any) -> Any:
            looked_at.extend(len(one) for one in told if isinstance(one, Rows))
            return search(*told)

        return look

    for name in ("_of_template", "_of_legacy"):
        monkeypatch.setattr(restarts, name, counted(getattr(restarts, name)))
    rows = {TALL: MRI, WIDE: "MRI,70551,CPT,outpatient,1000.10,500.25,fee schedule,,,,\n", ONE_LINE: "CT,70450,55.5\n"}
    text = "".join(header + rows[header] for header in headers * 50)
    got = read(tmp_path, (PREAMBLE if TALL in headers else "") + text)
    assert got.report.rows_in == len(headers) * 50
    assert sum(looked_at) <= 2 * text.count("\n")
